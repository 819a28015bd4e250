//! Data files: JSONL, JSON, CSV, TSV and Parquet, each one row after another.

mod find;
mod folder;
mod guard;
mod jsonl;
mod parquet;
mod table;

pub use find::task_folder;
pub use folder::{DataFolder, Split};
pub(crate) use guard::guarded;

use std::path::Path;

use crate::{Error, Result, Row};

/// The largest line, record or cell of a text file, in bytes.
pub const MAX_RECORD: u64 = 16 << 20;
/// The largest data file, in bytes.
pub const MAX_FILE: u64 = 8 << 30;
/// The largest `.json` file, which is parsed as a whole, in bytes.
pub const MAX_JSON: u64 = 256 << 20;

/// The endings of data files.
pub const ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv", "parquet"];

/// Reads a file's rows, at most `limit` of them, by its ending.
///
/// - `.jsonl`: one JSON object a line; blank lines are skipped, a byte-order mark and CRLF line ends accepted. Numbering of
///   rows (from 0) leaves blank lines out; errors name the line (from 1).
/// - `.json`: one array of objects, or JSON lines.
/// - `.csv`: a header row, commas, RFC 4180 quotes. All values are texts.
/// - `.tsv`: a header row, tabs, no quoting (as GLUE's files). All values are texts.
/// - `.parquet`: flat or nested columns.
///
/// # Errors
/// [`Error::Io`], [`Error::FileType`], [`Error::TooLarge`], [`Error::Record`] and [`Error::File`].
pub fn read_file(path: &Path, limit: Option<usize>) -> Result<Vec<Row>> {
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
    let limit = limit.unwrap_or(usize::MAX);
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match ending {
        "jsonl" => jsonl::read(path, file, limit),
        "json" => jsonl::read_json(path, file, size, limit),
        "csv" => table::read(path, file, b',', limit),
        "tsv" => table::read(path, file, b'\t', limit),
        "parquet" => parquet::read(path, file, size, limit),
        _ => Err(Error::FileType { path: path.to_owned() }),
    }
}
