//! Reading numbers, strings and values from a file, never past its end.

use std::fs::File;
use std::io::{BufReader, Read};

use crate::error::{Error, Result};
use crate::gguf::value::Value;
use crate::load::extent::WeightFile;

/// The longest string: a chat template or a token is far shorter.
const LONGEST_STRING: u64 = 16 << 20;
/// The most values in all arrays together; a vocabulary of a million tokens with merges and scores has four millions.
const MOST_VALUES: u64 = 1 << 23;
/// How deep arrays of arrays may go.
const DEEPEST: usize = 4;

/// A cursor over a file's header.
pub(crate) struct Cursor<'a> {
    file: &'a WeightFile,
    reader: BufReader<&'a File>,
    at: u64,
    values: u64,
}

impl<'a> Cursor<'a> {
    /// At the start of the file.
    pub(crate) fn new(file: &'a WeightFile) -> Result<Self> {
        Ok(Self { file, reader: BufReader::with_capacity(1 << 16, file.reader()?), at: 0, values: MOST_VALUES })
    }

    /// How far it has read.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// A failure, with the place.
    pub(crate) fn wrong(&self, reason: impl std::fmt::Display) -> Error {
        Error::Gguf { file: self.file.path.clone(), reason: format!("{reason} (at byte {})", self.at) }
    }

    fn take(&mut self, to: &mut [u8]) -> Result<()> {
        if to.len() as u64 > self.left() {
            return Err(self.wrong("it ends in the middle of its header"));
        }
        let path = &self.file.path;
        self.reader.read_exact(to).map_err(|source| Error::Read { file: path.clone(), source })?;
        self.at += to.len() as u64;
        Ok(())
    }

    fn left(&self) -> u64 {
        self.file.len.saturating_sub(self.at)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.take(&mut bytes)?;
        Ok(bytes)
    }

    /// A 32-bit number.
    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A 64-bit number.
    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things of which each takes at least `least` bytes of the file.
    pub(crate) fn count(&mut self, what: &str, least: u64) -> Result<usize> {
        let count = self.u64()?;
        if count > self.left() / least {
            return Err(self.wrong(format!("it claims {count} {what}, more than the file has room for")));
        }
        Ok(count as usize)
    }

    /// A string.
    pub(crate) fn string(&mut self) -> Result<String> {
        let len = self.count("bytes of text", 1)? as u64;
        if len > LONGEST_STRING {
            return Err(self.wrong(format!("a text of {len} bytes is longer than any should be")));
        }
        let mut bytes = vec![0; len as usize];
        self.take(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    /// A metadata value with its type in front.
    pub(crate) fn value(&mut self) -> Result<Value> {
        let kind = self.u32()?;
        self.value_of(kind, 0)
    }

    fn value_of(&mut self, kind: u32, depth: usize) -> Result<Value> {
        Ok(match kind {
            0 => Value::Uint(self.array::<1>()?[0].into()),
            1 => Value::Int(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Uint(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Int(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Uint(self.u32()?.into()),
            5 => Value::Int(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(short(f32::from_le_bytes(self.array()?))),
            7 => match self.array::<1>()?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => return Err(self.wrong(format!("{other} is no truth value"))),
            },
            8 => Value::Text(self.string()?),
            9 => self.list(depth + 1)?,
            10 => Value::Uint(self.u64()?),
            11 => Value::Int(i64::from_le_bytes(self.array()?)),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            other => return Err(self.wrong(format!("{other} is no type of metadata"))),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Value> {
        if depth > DEEPEST {
            return Err(self.wrong("its arrays are nested too deep"));
        }
        let kind = self.u32()?;
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            9 => 12,
            other => return Err(self.wrong(format!("{other} is no type of metadata"))),
        };
        let count = self.count("values", least)?;
        self.values = self
            .values
            .checked_sub(count as u64)
            .ok_or_else(|| self.wrong(format!("it has more than {MOST_VALUES} metadata values")))?;
        (0..count).map(|_| self.value_of(kind, depth)).collect::<Result<Vec<_>>>().map(Value::List)
    }
}

/// The f64 that has the shortest decimal form of the f32: 1e-5 and not 9.999999747378752e-6.
fn short(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}
