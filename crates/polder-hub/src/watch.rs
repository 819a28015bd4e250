//! Who watches how far a transfer is.

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It comes.
    Fetching,
    /// It is read to know its name.
    Hashing,
    /// It goes.
    Sending,
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What happens to it.
    pub doing: Doing,
    /// The file's path in its repository.
    pub file: &'a str,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Hears of progress.
pub type Watch<'a> = dyn FnMut(&Progress<'_>) + 'a;
