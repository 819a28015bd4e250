//! One JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::{MAX_JSON, MAX_RECORD};
use crate::{Error, Result, Row};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The first `limit` rows of JSON lines.
pub(super) fn read(path: &Path, file: File, limit: usize) -> Result<Vec<Row>> {
    read_lines(path, BufReader::new(file), limit)
}

fn read_lines(path: &Path, mut input: impl BufRead, limit: usize) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut line = Vec::new();
    let mut number = 0_u64;
    while rows.len() < limit {
        line.clear();
        number += 1;
        let bad = |reason: String| Error::Record { path: path.to_owned(), line: number, reason };
        let read = input
            .by_ref()
            .take(MAX_RECORD + 1)
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::Io { path: path.to_owned(), source })?;
        if read == 0 {
            break;
        }
        if line.len() as u64 > MAX_RECORD {
            let place = format!(", line {number}");
            return Err(Error::TooLarge { path: path.to_owned(), place, what: "the line", limit: MAX_RECORD });
        }
        let mut bytes = line.as_slice();
        if number == 1 {
            bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| bad(format!("invalid UTF-8 at byte {}", e.valid_up_to())))?;
        let text = text.trim();
        if !text.is_empty() {
            rows.push(row(text).map_err(bad)?);
        }
    }
    Ok(rows)
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
pub(super) fn read_json(path: &Path, mut file: File, size: u64, limit: usize) -> Result<Vec<Row>> {
    if size > MAX_JSON {
        return Err(Error::TooLarge { path: path.to_owned(), place: String::new(), what: "the file", limit: MAX_JSON });
    }
    let mut bytes = Vec::new();
    file.by_ref()
        .take(MAX_JSON)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    if text.trim_ascii_start().first() != Some(&b'[') {
        return read_lines(path, text, limit);
    }
    let list: Vec<Value> = serde_json::from_slice(text).map_err(|e| Error::Record {
        path: path.to_owned(),
        line: e.line() as u64,
        reason: json_reason(&e),
    })?;
    let rows = list.into_iter().take(limit).enumerate().map(|(number, value)| match value {
        Value::Object(row) => Ok(row),
        other => {
            Err(Error::File { path: path.to_owned(), reason: format!("entry {number}: {}", not_an_object(&other)) })
        }
    });
    rows.collect()
}
