//! Two-class data in LIBSVM's text format.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::data_error::{DataError, Place};

/// Rows of few non-zero features, each of one of two classes.
///
/// The class of the larger label is the positive one. Source of the format: Chang and Lin, "LIBSVM: A library for support
/// vector machines": `label index:value …` a line, indices ascending from 1, absent ones 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseData {
    features: usize,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    positive: Vec<bool>,
    classes: [f64; 2],
}

impl SparseData {
    /// The largest index that a file may use.
    pub const MAX_FEATURES: u32 = 1_000_000;
    /// The most bytes of a line: as many as [`Self::MAX_FEATURES`] entries may take.
    const MAX_LINE: u64 = 64 << 20;

    /// Reads a file; blank lines and what follows a `#` are left out.
    ///
    /// # Errors
    /// A file that can't be read, has no rows, is malformed, or has one or more than two labels: see [`DataError`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::parse(path, open(path)?)
    }

    /// Reads another file of the same two classes, of which it may lack one: a test set.
    ///
    /// # Errors
    /// As [`read`](Self::read); a label that is none of the two.
    pub fn read_like(&self, path: &Path) -> Result<Self, DataError> {
        Self::parse_rows(path, open(path)?, self.classes.to_vec())
    }

    /// Reads text, `path` being its name in errors.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(path: &Path, text: impl BufRead) -> Result<Self, DataError> {
        let data = Self::parse_rows(path, text, Vec::new())?;
        match data.classes {
            [label, other] if label == other => Err(DataError::OneClass { path: path.to_owned(), label }),
            _ => Ok(data),
        }
    }

    fn parse_rows(path: &Path, mut text: impl BufRead, known: Vec<f64>) -> Result<Self, DataError> {
        let io = |source| DataError::Io { path: path.to_owned(), source };
        let mut rows = Rows { labels: known, found: Vec::new(), data: Self::empty() };
        let (mut bytes, mut line) = (Vec::new(), 0);
        loop {
            bytes.clear();
            line += 1;
            if text.by_ref().take(Self::MAX_LINE + 1).read_until(b'\n', &mut bytes).map_err(io)? == 0 {
                break;
            }
            if bytes.len() as u64 > Self::MAX_LINE {
                return Err(DataError::LongLine { path: path.to_owned(), line, most: Self::MAX_LINE });
            }
            let place = |column| Place { path: path.to_owned(), line, column };
            rows.add(&String::from_utf8_lossy(&bytes), place)?;
        }
        rows.finish(path)
    }

    fn empty() -> Self {
        Self {
            features: 0,
            starts: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
            positive: Vec::new(),
            classes: [0.0; 2],
        }
    }

    /// The rows whose active features are 1, given by their indices from 0, ascending.
    pub(super) fn binary(features: usize, rows: &[Vec<u32>], positive: Vec<bool>) -> Self {
        let mut data = Self { features, positive, classes: [-1.0, 1.0], ..Self::empty() };
        for row in rows {
            data.indices.extend_from_slice(row);
            data.starts.push(data.indices.len());
        }
        data.values = vec![1.0; data.indices.len()];
        data
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.positive.len()
    }

    /// The number of features: the largest index that is used.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Which rows are of the positive class.
    pub fn positive(&self) -> &[bool] {
        &self.positive
    }

    /// The labels of the negative and the positive class.
    pub fn classes(&self) -> [f64; 2] {
        self.classes
    }

    /// The entries of a row: features, from 0, with their values.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let part = self.starts[row]..self.starts[row + 1];
        self.indices[part.clone()].iter().map(|i| *i as usize).zip(self.values[part].iter().copied())
    }
}

fn open(path: &Path) -> Result<BufReader<File>, DataError> {
    File::open(path).map(BufReader::new).map_err(|source| DataError::Io { path: path.to_owned(), source })
}

/// Rows on their way in.
struct Rows {
    /// The labels seen or known, at most two.
    labels: Vec<f64>,
    /// Which of them each row has.
    found: Vec<usize>,
    data: SparseData,
}

impl Rows {
    /// Adds a line's row, if it has one.
    fn add(&mut self, line: &str, place: impl Fn(usize) -> Place) -> Result<(), DataError> {
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        // The words are parts of the line, so the distance of their addresses is their place in it.
        let at = |word: &str| place(line[..word.as_ptr() as usize - line.as_ptr() as usize].chars().count() + 1);
        let Some(label) = words.next() else { return Ok(()) };
        let class = self.class(label, || at(label))?;
        let mut before = 0;
        for word in words {
            let (index, value) = entry(word, || at(word))?;
            if index <= before {
                return Err(DataError::Order { place: at(word), text: excerpt(word), before });
            }
            before = index;
            self.data.indices.push(index - 1);
            self.data.values.push(value);
        }
        self.data.features = self.data.features.max(before as usize);
        self.data.starts.push(self.data.indices.len());
        self.found.push(class);
        Ok(())
    }

    /// Which of the labels this is.
    fn class(&mut self, text: &str, place: impl Fn() -> Place) -> Result<usize, DataError> {
        let Ok(label) = text.parse::<f64>() else {
            return Err(DataError::Label { place: place(), text: excerpt(text) });
        };
        if !label.is_finite() {
            return Err(DataError::NonFinite { place: place(), text: excerpt(text) });
        }
        if let Some(class) = self.labels.iter().position(|known| *known == label) {
            return Ok(class);
        }
        if let [a, b] = self.labels[..] {
            return Err(DataError::ThirdClass { place: place(), text: excerpt(text), classes: [a, b] });
        }
        self.labels.push(label);
        Ok(self.labels.len() - 1)
    }

    fn finish(self, path: &Path) -> Result<SparseData, DataError> {
        let (Some(first), false) = (self.labels.first(), self.found.is_empty()) else {
            return Err(DataError::Empty { path: path.to_owned() });
        };
        let second = self.labels.get(1).unwrap_or(first);
        let larger = usize::from(second > first);
        let positive = self.found.iter().map(|class| *class == larger).collect();
        Ok(SparseData { positive, classes: [first.min(*second), first.max(*second)], ..self.data })
    }
}

/// The index, from 1, and the value of an entry.
fn entry(word: &str, place: impl Fn() -> Place) -> Result<(u32, f64), DataError> {
    let malformed = || DataError::Entry { place: place(), text: excerpt(word) };
    let (index, value) = word.split_once(':').ok_or_else(malformed)?;
    if index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed());
    }
    let value: f64 = value.parse().map_err(|_| malformed())?;
    // Digits that are no u32 are too many.
    let index = index.parse().unwrap_or(u32::MAX);
    match index {
        0 => Err(DataError::ZeroIndex { place: place(), text: excerpt(word) }),
        1..=SparseData::MAX_FEATURES if value.is_finite() => Ok((index, value)),
        1..=SparseData::MAX_FEATURES => Err(DataError::NonFinite { place: place(), text: excerpt(word) }),
        _ => Err(DataError::TooWide { place: place(), text: excerpt(word), most: SparseData::MAX_FEATURES }),
    }
}

/// The beginning of a text, for a message.
fn excerpt(text: &str) -> String {
    const MOST: usize = 40;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain(['…']).collect() }
}
