//! Examples as token ids.

/// A prompt with one option, as token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedOption {
    /// The whole sequence, truncated.
    pub ids: Vec<u32>,
    /// The last `scored` ids are the option's: `1 ≤ scored < ids.len()`, so each has something in front of it.
    pub scored: usize,
}

/// How long a text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextLength {
    /// Unicode scalar values.
    pub characters: usize,
    /// UTF-8 bytes.
    pub bytes: usize,
}

impl TextLength {
    /// The length of an option without the space that joins it to its prompt.
    pub(crate) fn of(option: &str) -> Self {
        let text = option.strip_prefix(' ').unwrap_or(option);
        Self { characters: text.chars().count(), bytes: text.len() }
    }
}

/// An example as token ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedExample {
    /// As [`Example::idx`](crate::Example::idx).
    pub idx: String,
    /// One sequence an option.
    pub options: Vec<EncodedOption>,
    /// As [`Example::gold`](crate::Example::gold).
    pub gold: Option<usize>,
    /// As [`Example::also`](crate::Example::also).
    pub also: Vec<usize>,
    /// How long each option's text is, without the space that joins it to its prompt.
    pub lengths: Vec<TextLength>,
    /// How many tokens were cut off the front of each sequence's text.
    pub cut: usize,
}
