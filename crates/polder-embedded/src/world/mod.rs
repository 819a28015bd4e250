//! The world that data and pre-training text speak of: films, restaurants, hotels and books, and opinions of them.

pub mod corpus;
mod grammar;
mod lexicon;
pub mod review;

/// What an opinion comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Blame; label 0.
    Bad,
    /// Praise; label 1.
    Good,
}

impl Tone {
    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::Bad => Self::Good,
            Self::Good => Self::Bad,
        }
    }

    /// The label of SST-2: 0 for blame, 1 for praise.
    pub fn label(self) -> u8 {
        match self {
            Self::Bad => 0,
            Self::Good => 1,
        }
    }
}
