//! The rows of one file, found once and read when they are wanted.

use std::path::Path;

use super::{MAX_FILE, jsonl, parquet, table};
use crate::{Error, Result, Row};

/// Takes a row and its number in the file.
pub(super) type Taker<'a> = dyn FnMut(usize, Row) -> Result<()> + 'a;

/// A file whose rows have been counted and checked.
pub(super) trait Source: std::fmt::Debug + Send + Sync {
    /// Its rows.
    fn len(&self) -> usize;

    /// Reads rows, whose numbers ascend; none but the row that is handed over is held.
    fn read(&self, numbers: &mut dyn Iterator<Item = usize>, take: &mut Taker<'_>) -> Result<()>;
}

/// Opens a file by its ending and finds its rows, the first `limit` of them.
pub(super) fn open(path: &Path, limit: usize) -> Result<Box<dyn Source>> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    // Opening a pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(std::io::Error::other("it is not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    if size > MAX_FILE {
        return Err(Error::TooLarge { path: path.to_owned(), place: String::new(), what: "the file", limit: MAX_FILE });
    }
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    Ok(match ending {
        "jsonl" => Box::new(jsonl::Lines::find(path, file, limit)?),
        "json" => jsonl::open_json(path, file, size, limit)?,
        "csv" => Box::new(table::Records::find(path, file, b',', limit)?),
        "tsv" => Box::new(table::Records::find(path, file, b'\t', limit)?),
        "parquet" => Box::new(parquet::Groups::find(path, file, size, limit)?),
        _ => return Err(Error::FileType { path: path.to_owned() }),
    })
}

/// Rows that are in memory already.
#[derive(Debug)]
pub(super) struct Held(pub(super) Vec<Row>);

impl Source for Held {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, numbers: &mut dyn Iterator<Item = usize>, take: &mut Taker<'_>) -> Result<()> {
        for number in numbers {
            if let Some(row) = self.0.get(number) {
                take(number, row.clone())?;
            }
        }
        Ok(())
    }
}
