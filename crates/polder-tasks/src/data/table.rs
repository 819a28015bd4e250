//! Comma- and tab-separated values with a header row.

use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use super::MAX_RECORD;
use crate::{Error, Result, Row};

/// A reader that refuses to go on when one record has taken more than its allowance, so that an unclosed quote does not
/// swallow a file of any size.
struct Bounded<R> {
    inner: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => return Err(std::io::Error::other(TOO_LARGE)),
        }
        Ok(read)
    }
}

const TOO_LARGE: &str = "record too large";

/// The first `limit` rows. Tab-separated files have no quoting, so a quote is a character like any other.
pub(super) fn read(path: &Path, file: File, delimiter: u8, limit: usize) -> Result<Vec<Row>> {
    let left = Rc::new(Cell::new(MAX_RECORD));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter != b'\t')
        .flexible(false)
        .from_reader(Bounded { inner: file, left: left.clone() });
    let names = header(path, &mut reader)?;
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while rows.len() < limit {
        left.set(MAX_RECORD);
        let start = reader.position().line();
        if !reader.read_record(&mut record).map_err(|e| failure(path, e, start))? {
            break;
        }
        let values = record.iter().map(|value| Value::String(value.to_owned()));
        rows.push(names.iter().cloned().zip(values).collect());
    }
    Ok(rows)
}

fn header<R: Read>(path: &Path, reader: &mut csv::Reader<R>) -> Result<Vec<String>> {
    let header = reader.headers().map_err(|e| failure(path, e, 1))?;
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for name in header {
        let name = if names.is_empty() { name.trim_start_matches('\u{feff}') } else { name }.trim();
        let bad = |reason: String| Error::Record { path: path.to_owned(), line: 1, reason };
        if name.is_empty() {
            return Err(bad(format!("column {} of the header has no name", names.len() + 1)));
        }
        if names.iter().any(|n| n == name) {
            return Err(bad(format!("the header names `{name}` twice")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn failure(path: &Path, error: csv::Error, near: u64) -> Error {
    let line = error.position().map_or(near, csv::Position::line);
    let record = |reason: String| Error::Record { path: path.to_owned(), line, reason };
    match error.into_kind() {
        csv::ErrorKind::Io(e) if e.to_string() == TOO_LARGE => Error::TooLarge {
            path: path.to_owned(),
            place: format!(", line {line}"),
            what: "the record (is a quote left open?)",
            limit: MAX_RECORD,
        },
        csv::ErrorKind::Io(source) => Error::Io { path: path.to_owned(), source },
        csv::ErrorKind::Utf8 { err, .. } => record(format!("invalid UTF-8 in column {}", err.field() + 1)),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            record(format!("it has {len} columns, the header has {expected_len}"))
        }
        other => record(format!("{other:?}")),
    }
}
