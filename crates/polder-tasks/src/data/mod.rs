//! Data files: JSONL, JSON, CSV, TSV and Parquet, each one row after another.

mod column;
mod find;
mod folder;
mod guard;
mod jsonl;
mod parquet;
mod rows;
mod shards;
mod source;
mod table;
mod text;

pub use find::task_folder;
pub use folder::{DataFolder, Split};
pub(crate) use guard::guarded;
pub use rows::Rows;

use std::path::Path;

use crate::{Result, Row};

/// The largest line, record or cell of a text file, in bytes.
pub const MAX_RECORD: u64 = 16 << 20;
/// The largest data file, in bytes.
pub const MAX_FILE: u64 = 8 << 30;
/// The largest `.json` file, which is parsed as a whole, in bytes.
pub const MAX_JSON: u64 = 256 << 20;

/// The endings of data files.
pub const ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv", "parquet"];

/// Reads a file's rows, at most `limit` of them, by its ending; [`Rows`] reads only those that are wanted.
///
/// Text files are UTF-8, with or without a byte-order mark, with LF or CRLF line ends. Errors name the file and the line or
/// row.
///
/// - `.jsonl`: one JSON object a line; blank lines are skipped. Numbering of rows (from 0) leaves blank lines out; errors
///   name the line (from 1).
/// - `.json`: one array of objects, or JSON lines.
/// - `.csv`: a header row, commas, RFC 4180 quotes.
/// - `.tsv`: a header row, tabs, no quoting (as GLUE's files).
/// - `.parquet`: flat or nested columns.
///
/// A CSV or TSV column whose every value is a whole number, a decimal number or a truth value holds such; an empty cell is
/// null there. Any other column holds texts, as they are.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io), [`Error::FileType`](crate::Error::FileType), [`Error::TooLarge`](crate::Error::TooLarge),
/// [`Error::Record`](crate::Error::Record) and [`Error::File`](crate::Error::File).
pub fn read_file(path: &Path, limit: Option<usize>) -> Result<Vec<Row>> {
    Rows::of(path, limit)?.all()
}
