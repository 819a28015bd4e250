//! One JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_json::Value;

use super::source::{Held, Source, Taker};
use super::{MAX_JSON, MAX_RECORD, text};
use crate::{Error, Result, Row};

/// Where the rows of a file of JSON lines lie.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    /// The byte at which each row's line begins.
    starts: Vec<u64>,
    /// Its line, from 1.
    numbers: Vec<u32>,
}

impl Lines {
    /// Looks at every line up to the row `limit`: each must be JSON and not blank.
    pub(super) fn find(path: &Path, file: File, limit: usize) -> Result<Self> {
        let (mut starts, mut numbers) = (Vec::new(), Vec::new());
        let mut input = BufReader::with_capacity(1 << 16, file);
        let (mut line, mut number, mut at) = (Vec::new(), 0u64, 0u64);
        while starts.len() < limit && next_line(path, &mut input, &mut line, number + 1)? {
            number += 1;
            let bad = |reason: String| Error::Record { path: path.to_owned(), line: number, reason };
            let text = line_text(&line, number).map_err(bad)?;
            if !text.is_empty() {
                let first = text.as_bytes().first().copied();
                serde_json::from_str::<IgnoredAny>(text).map_err(|e| bad(json_reason(&e)))?;
                if first != Some(b'{') {
                    row(text).map_err(bad)?;
                }
                starts.push(at);
                numbers.push(u32::try_from(number).unwrap_or(u32::MAX));
            }
            at += line.len() as u64;
        }
        Ok(Self { path: path.to_owned(), starts, numbers })
    }
}

impl Source for Lines {
    fn len(&self) -> usize {
        self.starts.len()
    }

    fn read(&self, numbers: &mut dyn Iterator<Item = usize>, take: &mut Taker<'_>) -> Result<()> {
        let io = |source| Error::Io { path: self.path.clone(), source };
        let mut input = BufReader::with_capacity(1 << 16, File::open(&self.path).map_err(io)?);
        let (mut line, mut at) = (Vec::new(), 0u64);
        for number in numbers {
            let (Some(&start), Some(&place)) = (self.starts.get(number), self.numbers.get(number)) else {
                continue;
            };
            // Numbers ascend; what is buffered stays so.
            let ahead = i64::try_from(start).unwrap_or(i64::MAX) - i64::try_from(at).unwrap_or(i64::MAX);
            input.seek_relative(ahead).map_err(io)?;
            let place = u64::from(place);
            next_line(&self.path, &mut input, &mut line, place)?;
            at = start + line.len() as u64;
            let bad = |reason: String| Error::Record { path: self.path.clone(), line: place, reason };
            take(number, line_text(&line, place).and_then(row).map_err(bad)?)?;
        }
        Ok(())
    }
}

/// Reads a line with its end; false at the end of the file.
fn next_line(path: &Path, input: &mut impl BufRead, line: &mut Vec<u8>, number: u64) -> Result<bool> {
    line.clear();
    let limited = &mut input.by_ref().take(MAX_RECORD + 1);
    limited.read_until(b'\n', line).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    if line.len() as u64 > MAX_RECORD {
        let place = format!(", line {number}");
        return Err(Error::TooLarge { path: path.to_owned(), place, what: "the line", limit: MAX_RECORD });
    }
    Ok(!line.is_empty())
}

/// A line's text, without the white space around it and without the mark before the first.
fn line_text(line: &[u8], number: u64) -> std::result::Result<&str, String> {
    let bytes = if number == 1 { text::without_mark(line)? } else { line };
    text::utf8(bytes).map(str::trim)
}

fn row(text: &str) -> std::result::Result<Row, String> {
    match serde_json::from_str(text).map_err(|e| json_reason(&e))? {
        Value::Object(row) => Ok(row),
        other => Err(not_an_object(&other)),
    }
}

fn not_an_object(value: &Value) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("it is {kind}, not an object such as {{\"text\": \"…\", \"label\": 0}}")
}

/// The parser's message with the column alone: its line is always 1.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    format!("invalid JSON at column {}: {reason}", error.column())
}

/// A `.json` file: an array of objects, or JSON lines under another name.
pub(super) fn open_json(path: &Path, mut file: File, size: u64, limit: usize) -> Result<Box<dyn Source>> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let mut start = Vec::new();
    file.by_ref().take(1 << 12).read_to_end(&mut start).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let record = |line: u64, reason: String| Error::Record { path: path.to_owned(), line, reason };
    let begins = text::without_mark(&start).map_err(|reason| record(1, reason))?;
    if begins.trim_ascii_start().first() != Some(&b'[') {
        return Ok(Box::new(Lines::find(path, file, limit)?));
    }
    if size > MAX_JSON {
        return Err(Error::TooLarge { path: path.to_owned(), place: String::new(), what: "the file", limit: MAX_JSON });
    }
    let mut bytes = Vec::new();
    file.take(MAX_JSON).read_to_end(&mut bytes).map_err(io)?;
    let bytes = bytes.strip_prefix(text::BYTE_ORDER_MARK).unwrap_or(&bytes);
    let list: Vec<Value> = serde_json::from_slice(bytes).map_err(|e| record(e.line() as u64, json_reason(&e)))?;
    let rows = list.into_iter().take(limit).enumerate().map(|(number, value)| match value {
        Value::Object(row) => Ok(row),
        other => {
            Err(Error::File { path: path.to_owned(), reason: format!("entry {number}: {}", not_an_object(&other)) })
        }
    });
    Ok(Box::new(Held(rows.collect::<Result<_>>()?)))
}
