//! A folder of splits.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Rows, shards};
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

/// A data set on disk: a folder with the files of its splits, or one file, which is the train split.
///
/// A split `train`, `validation` (or `dev`, `val`) or `test` is one file, `train.jsonl`; or several,
/// `train-00000-of-00003.parquet` and so on; or a folder of them, `train/`. Where the folder itself holds none, its folder
/// `data` is looked at, as the Hub lays data sets out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder {
    path: PathBuf,
    files: Vec<(Split, Vec<PathBuf>)>,
}

impl DataFolder {
    /// Looks for the splits; reads none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::FileType`] for a single file of unknown type, [`Error::NoSplits`], [`Error::TwoFiles`],
    /// [`Error::File`] where some of several files are missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
        if !meta.is_dir() {
            return Self::single(path);
        }
        let mut files = Self::splits(path)?;
        let inner = path.join("data");
        if files.is_empty() && inner.is_dir() {
            files = Self::splits(&inner)?;
        }
        if files.is_empty() {
            return Err(Error::NoSplits { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), files })
    }

    fn splits(path: &Path) -> Result<Vec<(Split, Vec<PathBuf>)>> {
        let mut files = Vec::new();
        for split in Split::ALL {
            let mut ways = shards::find(path, split.stems())?.into_iter();
            let Some(first) = ways.next() else {
                continue;
            };
            if let Some(second) = ways.next() {
                let [first, second] = [first, second].map(|files| files.into_iter().next().unwrap_or_default());
                return Err(Error::TwoFiles { split, first, second });
            }
            files.push((split, first));
        }
        Ok(files)
    }

    fn single(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some(ending) if super::ENDINGS.contains(&ending) => {
                Ok(Self { path: path.to_owned(), files: vec![(Split::Train, vec![path.to_owned()])] })
            }
            _ => Err(Error::FileType { path: path.to_owned() }),
        }
    }

    /// The folder or file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The splits with their files, in the order train, validation, test.
    pub fn files(&self) -> &[(Split, Vec<PathBuf>)] {
        &self.files
    }

    /// Whether a split is there.
    pub fn has(&self, split: Split) -> bool {
        self.files.iter().any(|(s, _)| *s == split)
    }

    /// A split's rows, found and checked, to be read when they are wanted.
    ///
    /// # Errors
    /// [`Error::NoSuchSplit`], and as [`Rows::open`].
    pub fn rows(&self, split: Split, limit: Option<usize>) -> Result<Rows> {
        let files = self.files.iter().find(|(s, _)| *s == split).ok_or_else(|| self.no_such_split(split))?;
        Rows::open(&files.1, limit)
    }

    /// A split's rows in the files' order, the first `limit` of them, all in memory.
    ///
    /// # Errors
    /// As [`DataFolder::rows`].
    pub fn read(&self, split: Split, limit: Option<usize>) -> Result<Vec<Row>> {
        self.rows(split, limit)?.all()
    }

    /// An error of a row of a split, with the file that the row is in, or the split where several are; others as they are.
    pub fn within(&self, split: Split, error: Error) -> Error {
        if !error.is_of_row() {
            return error;
        }
        let files = self.files.iter().find(|(s, _)| *s == split).map_or(&[][..], |(_, files)| files);
        let place = match files {
            [one] => format!("`{}`", one.display()),
            _ => format!("the {split} split of `{}`", self.path.display()),
        };
        Error::Within { place, error: Box::new(error) }
    }

    pub(crate) fn no_such_split(&self, split: Split) -> Error {
        let there: Vec<String> = self.files.iter().map(|(s, _)| s.to_string()).collect();
        Error::NoSuchSplit { path: self.path.clone(), split, there: there.join(", ") }
    }
}
