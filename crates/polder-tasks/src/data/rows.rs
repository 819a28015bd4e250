//! The rows of a split, in one file or several.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::source::{self, Source};
use crate::{Drawn, Result, Row};

/// The rows of one or several files, numbered from 0 through all of them: found and checked when opened, read when wanted.
///
/// What is held is where each row lies (12 bytes a row of text, nothing for Parquet), not the rows.
#[derive(Debug)]
pub struct Rows {
    files: Vec<Box<dyn Source>>,
    len: usize,
}

impl Rows {
    /// Finds the rows of files, the first `limit` of them.
    ///
    /// # Errors
    /// As [`read_file`](super::read_file); a malformed row is found here, whichever rows are read later.
    pub fn open(paths: &[PathBuf], limit: Option<usize>) -> Result<Self> {
        let mut rows = Self { files: Vec::new(), len: 0 };
        for path in paths {
            let left = limit.unwrap_or(usize::MAX) - rows.len;
            if left == 0 {
                break;
            }
            let file = source::open(path, left)?;
            rows.len += file.len();
            rows.files.push(file);
        }
        Ok(rows)
    }

    /// The rows of one file.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn of(path: &Path, limit: Option<usize>) -> Result<Self> {
        Self::open(&[path.to_owned()], limit)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands over every row with its number, one after another.
    ///
    /// # Errors
    /// A file that changed since it was opened; what `take` fails with.
    pub fn each(&self, mut take: impl FnMut(usize, Row) -> Result<()>) -> Result<()> {
        let mut start = 0;
        for file in &self.files {
            file.read(&mut (0..file.len()), &mut |number, row| take(start + number, row))?;
            start += file.len();
        }
        Ok(())
    }

    /// The rows of these numbers, in this order; numbers that are not there are passed over.
    ///
    /// # Errors
    /// A file that changed since it was opened.
    pub fn pick(&self, numbers: &[usize]) -> Result<Vec<Drawn>> {
        let mut wanted: Vec<usize> = numbers.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = HashMap::with_capacity(wanted.len());
        let (mut start, mut wanted) = (0, wanted.as_slice());
        for file in &self.files {
            let (here, later) = wanted.split_at(wanted.partition_point(|number| *number < start + file.len()));
            let take = &mut |number, row| {
                found.insert(start + number, row);
                Ok(())
            };
            if !here.is_empty() {
                file.read(&mut here.iter().map(|number| number - start), take)?;
            }
            (start, wanted) = (start + file.len(), later);
        }
        let drawn = |&number: &usize| Some(Drawn { number, row: found.get(&number)?.clone() });
        Ok(numbers.iter().filter_map(drawn).collect())
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Rows::each`].
    pub fn all(&self) -> Result<Vec<Row>> {
        let mut all = Vec::new();
        self.each(|_, row| {
            all.push(row);
            Ok(())
        })?;
        Ok(all)
    }
}
