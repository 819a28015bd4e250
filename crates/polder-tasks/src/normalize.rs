//! What an option's log-probabilities are divided by.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the score of an option is made of the sum of its tokens' log-probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// `Σ log p / tokens`: the mean a token (MeZO, authors' code).
    #[default]
    Tokens,
    /// `Σ log p`: lm-evaluation-harness' `acc`.
    None,
    /// `Σ log p / characters`, Unicode scalar values without the joint: lm-evaluation-harness' `acc_norm`.
    Characters,
    /// `Σ log p / bytes`, of the UTF-8 text without the joint.
    Bytes,
}

impl Normalize {
    const ALL: [Self; 4] = [Self::Tokens, Self::None, Self::Characters, Self::Bytes];

    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::None => "none",
            Self::Characters => "characters",
            Self::Bytes => "bytes",
        }
    }
}

impl std::fmt::Display for Normalize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Normalize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|n| n.name() == text).ok_or_else(|| Error::Name {
            what: "normalisation",
            value: text.to_owned(),
            choices: "tokens, none, characters, bytes",
        })
    }
}
