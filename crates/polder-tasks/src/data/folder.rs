//! A folder of splits.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, Row};

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Rows to train on.
    Train,
    /// Rows to evaluate on by default.
    #[serde(alias = "dev", alias = "val")]
    Validation,
    /// Rows kept for the end.
    Test,
}

impl Split {
    const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The file names that give it, without their endings.
    fn stems(self) -> &'static [&'static str] {
        match self {
            Self::Train => &["train"],
            // MNLI has two of each; the matched one is the split.
            Self::Validation => &["validation", "dev", "val", "validation_matched", "dev_matched"],
            Self::Test => &["test", "test_matched"],
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

impl std::str::FromStr for Split {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "train" => Ok(Self::Train),
            "validation" | "dev" | "val" => Ok(Self::Validation),
            "test" => Ok(Self::Test),
            _ => Err(Error::Name {
                what: "split",
                value: text.to_owned(),
                choices: "train, validation (or dev, val), test",
            }),
        }
    }
}

/// A data set on disk: `{train,validation|dev|val,test}.{jsonl,json,csv,tsv,parquet}` in a folder, or one file, which is
/// the train split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    path: PathBuf,
    files: Vec<(Split, PathBuf)>,
}

impl DataFolder {
    /// Looks for the splits; reads none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::FileType`] for a single file of unknown type, [`Error::NoSplits`], [`Error::TwoFiles`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        if !meta.is_dir() {
            return Self::single(path);
        }
        let mut files: Vec<(Split, PathBuf)> = Vec::new();
        for split in Split::ALL {
            for stem in split.stems() {
                for ending in super::ENDINGS {
                    let file = path.join(format!("{stem}.{ending}"));
                    if !file.is_file() {
                        continue;
                    }
                    if let Some((_, first)) = files.iter().find(|(s, _)| *s == split) {
                        return Err(Error::TwoFiles { split, first: first.clone(), second: file });
                    }
                    files.push((split, file));
                }
            }
        }
        if files.is_empty() {
            return Err(Error::NoSplits { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), files })
    }

    fn single(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some(ending) if super::ENDINGS.contains(&ending) => {
                Ok(Self { path: path.to_owned(), files: vec![(Split::Train, path.to_owned())] })
            }
            _ => Err(Error::FileType { path: path.to_owned() }),
        }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files, in the order train, validation, test.
    pub fn files(&self) -> &[(Split, PathBuf)] {
        &self.files
    }

    /// Whether a split is there.
    pub fn has(&self, split: Split) -> bool {
        self.file(split).is_some()
    }

    /// A split's file.
    pub fn file(&self, split: Split) -> Option<&Path> {
        self.files.iter().find(|(s, _)| *s == split).map(|(_, file)| file.as_path())
    }

    /// A split's rows in the file's order, the first `limit` of them.
    ///
    /// # Errors
    /// [`Error::NoSuchSplit`], and as [`read_file`](super::read_file).
    pub fn read(&self, split: Split, limit: Option<usize>) -> Result<Vec<Row>> {
        let file = self.file(split).ok_or_else(|| self.no_such_split(split))?;
        super::read_file(file, limit)
    }

    pub(crate) fn no_such_split(&self, split: Split) -> Error {
        let there: Vec<String> = self.files.iter().map(|(s, _)| s.to_string()).collect();
        Error::NoSuchSplit { path: self.path.clone(), split, there: there.join(", ") }
    }
}
