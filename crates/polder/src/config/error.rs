//! What can go wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(Box<Spot>),
    /// In a `--set` argument.
    Set {
        /// The argument.
        argument: String,
    },
    /// Nowhere: it is missing, or a default.
    Nowhere,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file's name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// How many characters are marked.
    pub width: usize,
    /// The line's text.
    pub text: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(spot) => {
                let Spot { name, line, column, width, text } = spot.as_ref();
                let number = line.to_string();
                let gutter = " ".repeat(number.len());
                write!(f, "\n{gutter}--> {name}:{line}:{column}\n{gutter} |\n{number} | {text}\n{gutter} | ")?;
                write!(f, "{}{}", " ".repeat(column.saturating_sub(1)), "^".repeat((*width).max(1)))
            }
            Self::Set { argument } => write!(f, "\n--> --set {argument}"),
            Self::Nowhere => Ok(()),
        }
    }
}

/// A configuration that can't be read or that asks for what can't be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read the configuration `{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is far larger than a configuration.
    #[error("the configuration `{path}` has {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The text is not TOML.
    #[error("{message}{place}")]
    Syntax {
        /// What the parser said.
        message: String,
        /// Where.
        place: Place,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}`{place}")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it is written.
        place: Place,
        /// The known key that it most likely means.
        nearest: Option<&'static str>,
    },
    /// A value of another type.
    #[error("`{key}`: {message}{place}")]
    Type {
        /// The key.
        key: String,
        /// What was found and what was expected.
        message: String,
        /// Where.
        place: Place,
    },
    /// A value outside of its range.
    #[error("`{key}` is {value}, allowed: {allowed}{place}")]
    Value {
        /// The key.
        key: String,
        /// The value, as written.
        value: String,
        /// What is allowed.
        allowed: String,
        /// Where.
        place: Place,
    },
    /// A key without a default is missing.
    #[error("the key `{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
        /// How to give it.
        remedy: &'static str,
    },
    /// Two variants of one choice in one file.
    #[error("`{table}` holds both `{first}` and `{second}`, only one can be chosen{place}")]
    TwoVariants {
        /// The table.
        table: String,
        /// One variant.
        first: String,
        /// The other one.
        second: String,
        /// Where the second stands.
        place: Place,
    },
    /// A `--set` argument that is not `key=value`.
    #[error("`--set {argument}` is not of the form key=value")]
    SetForm {
        /// The argument.
        argument: String,
    },
    /// A Hub id where a path is needed.
    #[error("`{key}` is the Hub id {value}, where a file is needed{place}")]
    HubId {
        /// The key.
        key: String,
        /// The id.
        value: String,
        /// Where.
        place: Place,
    },
}

impl ConfigError {
    /// The remedy, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::UnknownKey { nearest: None, .. } => Some("`polder plan --keys` lists the keys".to_owned()),
            Self::Missing { remedy, .. } => Some((*remedy).to_owned()),
            Self::TwoVariants { first, second, .. } => {
                Some(format!("remove `{first}` or `{second}`; `--set` replaces one with the other"))
            }
            Self::SetForm { .. } => Some("for example `--set optimizer.sgd.lr=1e-6`".to_owned()),
            Self::HubId { .. } => {
                Some("`model.path` and `task.data` may name the Hub; of anything else give the path".to_owned())
            }
            _ => None,
        }
    }
}
