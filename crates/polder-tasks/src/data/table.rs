//! Comma- and tab-separated values with a header row.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::column::{Kind, Kinds};
use super::source::{Source, Taker};
use super::{MAX_RECORD, text};
use crate::{Error, Result};

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

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, place: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(place)
    }
}

const TOO_LARGE: &str = "record too large";

/// Where the records of a file lie, and what its columns hold.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    delimiter: u8,
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// The byte at which each record begins.
    starts: Vec<u64>,
    /// Its line, from 1.
    lines: Vec<u32>,
}

/// Opens a reader at the start of a file. Tab-separated files have no quoting, so a quote is a character like any other.
fn reader(file: File, delimiter: u8, left: &Rc<Cell<u64>>) -> csv::Reader<Bounded<File>> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter != b'\t')
        .flexible(false)
        .from_reader(Bounded { inner: file, left: left.clone() })
}

impl Records {
    /// Looks at every record: a column's kind is that of all its values, so the whole file is read whatever `limit` is.
    pub(super) fn find(path: &Path, mut file: File, delimiter: u8, limit: usize) -> Result<Self> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut start = Vec::new();
        file.by_ref().take(4).read_to_end(&mut start).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let bad = |line: u64, reason: String| Error::Record { path: path.to_owned(), line, reason };
        text::without_mark(&start).map_err(|reason| bad(1, reason))?;
        let left = Rc::new(Cell::new(MAX_RECORD));
        let mut reader = reader(file, delimiter, &left);
        let names = header(path, &mut reader)?;
        let mut kinds = vec![Kinds::default(); names.len()];
        let (mut starts, mut lines) = (Vec::new(), Vec::new());
        let mut record = csv::StringRecord::new();
        loop {
            left.set(MAX_RECORD);
            let place = reader.position().clone();
            if !reader.read_record(&mut record).map_err(|e| failure(path, e, place.line()))? {
                break;
            }
            let place = record.position().unwrap_or(&place);
            if let Some(at) = record.iter().position(|value| value.contains('\0')) {
                let reason = format!("a NUL in column {}: it is no text file{}", at + 1, text::remedy("UTF-16"));
                return Err(bad(place.line(), reason));
            }
            kinds.iter_mut().zip(&record).for_each(|(kinds, value)| kinds.see(value));
            if starts.len() < limit {
                starts.push(place.byte());
                lines.push(u32::try_from(place.line()).unwrap_or(u32::MAX));
            }
        }
        let kinds = kinds.into_iter().map(Kinds::kind).collect();
        Ok(Self { path: path.to_owned(), delimiter, names, kinds, starts, lines })
    }
}

impl Source for Records {
    fn len(&self) -> usize {
        self.starts.len()
    }

    fn read(&self, numbers: &mut dyn Iterator<Item = usize>, take: &mut Taker<'_>) -> Result<()> {
        let file = File::open(&self.path).map_err(|source| Error::Io { path: self.path.clone(), source })?;
        let left = Rc::new(Cell::new(u64::MAX));
        let mut reader = reader(file, self.delimiter, &left);
        header(&self.path, &mut reader)?;
        let mut record = csv::StringRecord::new();
        for number in numbers {
            let (Some(&start), Some(&line)) = (self.starts.get(number), self.lines.get(number)) else {
                continue;
            };
            let line = u64::from(line);
            if reader.position().byte() != start {
                let mut place = csv::Position::new();
                place.set_byte(start).set_line(line).set_record(number as u64 + 1);
                reader.seek(place).map_err(|e| failure(&self.path, e, line))?;
            }
            reader.read_record(&mut record).map_err(|e| failure(&self.path, e, line))?;
            let values = self.kinds.iter().zip(&record).map(|(kind, value)| kind.value(value));
            take(number, self.names.iter().cloned().zip(values).collect())?;
        }
        Ok(())
    }
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
        csv::ErrorKind::Utf8 { err, .. } => {
            record(format!("invalid UTF-8 in column {}{}", err.field() + 1, text::remedy("ISO-8859-1")))
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            record(format!("it has {len} columns, the header has {expected_len}"))
        }
        other => record(format!("{other:?}")),
    }
}
