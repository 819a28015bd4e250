//! HTTP/1.1, one request a connection.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

/// The longest request that is read.
const LARGEST: u64 = 1 << 30;

/// A request as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method and the path, such as `GET /api/models/o/n`.
    pub line: String,
    /// The host that was asked.
    pub host: String,
    /// The token that came along.
    pub token: Option<String>,
    /// The range that was asked for.
    pub range: Option<String>,
    /// The length of the body.
    pub length: usize,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Decoded.
    pub(crate) path: String,
    /// The parts of the path, each decoded.
    pub(crate) parts: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let line = line(&mut reader)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = BTreeMap::new();
        loop {
            let line = self::line(&mut reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        if headers.get("expect").is_some_and(|e| e.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let body = body(&mut reader, &headers)?;
        let (raw, query) = target.split_once('?').unwrap_or((&target, ""));
        let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (decoded(k), decoded(v)));
        Some(Self {
            method,
            path: decoded(raw),
            parts: raw.trim_matches('/').split('/').map(decoded).collect(),
            query: query.split('&').filter_map(pair).collect(),
            headers,
            body,
        })
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            line: format!("{} {}", self.method, self.path),
            host: self.headers.get("host").cloned().unwrap_or_default(),
            token: self.token().map(str::to_owned),
            range: self.headers.get("range").cloned(),
            length: self.body.len(),
        }
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.take(64 << 10).read_line(&mut line) {
        Ok(n) if n > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

fn body(reader: &mut impl BufRead, headers: &BTreeMap<String, String>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if headers.get("transfer-encoding").is_some_and(|e| e.contains("chunked")) {
        loop {
            let size = u64::from_str_radix(line(reader)?.split(';').next()?.trim(), 16).ok()?;
            if size > LARGEST || reader.take(size).read_to_end(&mut body).ok()? as u64 != size {
                return None;
            }
            line(reader)?;
            if size == 0 {
                return Some(body);
            }
        }
    }
    let size: u64 = headers.get("content-length").map_or(Some(0), |n| n.parse().ok())?;
    (size <= LARGEST && reader.take(size).read_to_end(&mut body).ok()? as u64 == size).then_some(body)
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// After how many bytes of the body the connection closes.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn bytes(body: Vec<u8>) -> Self {
        Self { status: 200, headers: Vec::new(), body, cut: None }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::bytes(value.to_string().into_bytes()).with("Content-Type", "application/json")
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let answer = Self { status, ..Self::json(&json!({ "error": message })) };
        let answer = answer.with("X-Error-Message", message);
        if code.is_empty() { answer } else { answer.with("X-Error-Code", code) }
    }

    pub(crate) fn plain(status: u16, headers: &[(&'static str, String)], body: String) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { status, headers, body: body.into_bytes(), cut: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The part of the body that a range asks for.
    pub(crate) fn ranged(mut self, range: Option<&String>) -> Self {
        let Some(range) = range.and_then(|r| r.strip_prefix("bytes=")) else { return self };
        let (from, to) = range.split_once('-').unwrap_or((range, ""));
        let total = self.body.len();
        let from: usize = from.parse().unwrap_or(0);
        let end = to.parse::<usize>().map_or(total, |to| (to + 1).min(total));
        if from >= end {
            return Self { status: 416, headers: Vec::new(), body: Vec::new(), cut: None };
        }
        self.body = self.body[from..end].to_vec();
        self.status = 206;
        self.with("Content-Range", format!("bytes {from}-{}/{total}", end - 1))
    }

    pub(crate) fn write(&self, stream: &mut TcpStream, head: bool) {
        let mut text = format!("HTTP/1.1 {} Answer\r\nConnection: close\r\n", self.status);
        text += &format!("Content-Length: {}\r\n", self.body.len());
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let body: &[u8] = if head { &[] } else { &self.body[..self.cut.unwrap_or(usize::MAX).min(self.body.len())] };
        // A client that went away is its own affair.
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(body)).and_then(|()| stream.flush());
    }
}
