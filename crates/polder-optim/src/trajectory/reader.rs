//! A trajectory, read and checked.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::frame::{Frame, MAGIC, PREAMBLE, first_crc, later_record, preamble};
use super::header::Header;
use super::record::{End, HEADER, Record, decode_header};
use super::step::Codec;
use crate::error::{Error, Result};

/// An invalid tail that was left out: what a crash in the middle of a write leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedTail {
    /// Where it starts: the length of the valid part, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// What is wrong with it.
    pub why: String,
}

/// A checked trajectory: every record up to the end, or up to an invalid tail, is valid.
#[derive(Debug, Clone)]
pub struct Trajectory {
    path: PathBuf,
    /// The valid part of the file.
    bytes: Vec<u8>,
    header: Header,
    /// Where the first record after the header starts.
    first: usize,
    crc: u32,
    codec: Codec,
    end: Option<End>,
    dropped: Option<DroppedTail>,
}

impl Trajectory {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// A file that can't be read; one that is no trajectory, or of another format version; an incomplete header;
    /// damage before a valid record (an invalid tail is no error, see [`dropped`](Self::dropped)).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
        // Opening a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(not_one(path, "it is not a regular file"));
        }
        let file = std::fs::File::open(path).map_err(io)?;
        Self::read(path, &file)
    }

    /// Reads and checks an open file.
    pub(super) fn read(path: &Path, mut file: &std::fs::File) -> Result<Self> {
        let io = |source| Error::Io { action: "read", path: path.to_owned(), source };
        if !file.metadata().map_err(io)?.is_file() {
            return Err(not_one(path, "it is not a regular file"));
        }
        let mut start = Vec::with_capacity(PREAMBLE);
        file.take(PREAMBLE as u64).read_to_end(&mut start).map_err(io)?;
        check_preamble(path, &start)?;
        file.read_to_end(&mut start).map_err(io)?;
        Self::parse(path, start)
    }

    /// Checks bytes; `path` names them in errors.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for reading.
    pub fn parse(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Result<Self> {
        let path = path.into();
        check_preamble(&path, &bytes)?;
        let Ok(frame) = Frame::parse(&bytes, PREAMBLE) else { return Err(no_header(&path, &bytes)) };
        if !frame.is_valid(first_crc()) {
            return Err(no_header(&path, &bytes));
        }
        if frame.kind != HEADER {
            return Err(not_one(&path, "its first record is not a header"));
        }
        let header = decode_header(frame.payload).map_err(|why| not_one(&path, &format!("its header: {why}")))?;
        let (first, crc, codec) = (frame.next, frame.stored, Codec::new(header.seed));
        let mut found = Self { path, bytes, header, first, crc, codec, end: None, dropped: None };
        found.walk()?;
        Ok(found)
    }

    /// Checks every record after the header, and cuts off an invalid tail.
    fn walk(&mut self) -> Result<()> {
        let mut at = self.first;
        while at < self.bytes.len() {
            let why = match Frame::parse(&self.bytes, at) {
                Ok(frame) if frame.is_valid(self.crc) => {
                    let record =
                        Record::decode(frame.kind, frame.payload, &self.codec).map_err(|why| self.damaged(at, why))?;
                    (self.crc, at) = (frame.stored, frame.next);
                    self.note(record);
                    continue;
                }
                Ok(_) => "a record's checksum is wrong",
                Err(why) => why,
            };
            if let Some(later) = later_record(&self.bytes, at, self.crc) {
                return Err(self.damaged(at, format!("{why}, and a valid record follows at byte {later}")));
            }
            let bytes = (self.bytes.len() - at) as u64;
            self.dropped = Some(DroppedTail { offset: at as u64, bytes, why: why.to_owned() });
            self.bytes.truncate(at);
        }
        Ok(())
    }

    fn note(&mut self, record: Record) {
        match record {
            Record::Step(step) => {
                self.codec.advance(&step);
                self.end = None;
            }
            Record::End(end) => self.end = Some(end),
            Record::Evaluation(_) | Record::Note(_) => {}
        }
    }

    fn damaged(&self, at: usize, why: String) -> Error {
        Error::Damaged { path: self.path.clone(), offset: at as u64, steps: self.codec.steps(), why }
    }

    /// What the run started from and how it was done.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many steps were made.
    pub fn steps(&self) -> u64 {
        self.codec.steps()
    }

    /// The end of the run, if it came after the last step.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The tail that was left out, if there was one.
    pub fn dropped(&self) -> Option<&DroppedTail> {
        self.dropped.as_ref()
    }

    /// The length of the valid part, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The running checksum of its first `bytes` bytes; `None` where no record ends there.
    ///
    /// It covers everything before, the header included, so that it tells one run's log from another's.
    pub fn checksum_at(&self, bytes: u64) -> Option<u32> {
        let mut at = PREAMBLE;
        while (at as u64) < bytes {
            let frame = Frame::parse(&self.bytes, at).ok()?;
            at = frame.next;
            if at as u64 == bytes {
                return Some(frame.stored);
            }
        }
        None
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The records after the header, in order, decoded one by one.
    pub fn records(&self) -> impl Iterator<Item = Result<Record>> + '_ {
        let (mut at, mut codec) = (self.first, Codec::new(self.header.seed));
        std::iter::from_fn(move || {
            if at >= self.bytes.len() {
                return None;
            }
            let record = Frame::parse(&self.bytes, at).map_err(str::to_owned).and_then(|frame| {
                let record = Record::decode(frame.kind, frame.payload, &codec)?;
                at = frame.next;
                Ok(record)
            });
            match &record {
                Ok(Record::Step(step)) => codec.advance(step),
                Ok(_) => {}
                // Can't be: every record was decoded when the trajectory was opened.
                Err(_) => at = usize::MAX,
            }
            Some(record.map_err(|why| self.damaged(at, why)))
        })
    }

    /// What a writer needs in order to go on.
    pub(super) fn tail(&self) -> (u32, Codec, u64) {
        (self.crc, self.codec.clone(), self.bytes())
    }
}

/// Refuses what does not start as a trajectory.
fn check_preamble(path: &Path, bytes: &[u8]) -> Result<()> {
    let expected = preamble();
    if bytes.len() < PREAMBLE {
        let torn = expected.starts_with(bytes);
        return Err(if torn {
            Error::NoHeader { path: path.to_owned() }
        } else {
            not_one(path, "it starts otherwise")
        });
    }
    if !bytes.starts_with(MAGIC) {
        return Err(not_one(path, "it starts otherwise"));
    }
    if !bytes.starts_with(&expected) {
        return Err(not_one(path, &format!("this program reads version {} of its format only", super::FORMAT)));
    }
    Ok(())
}

/// The error of an invalid header: torn where nothing valid follows, else damaged.
fn no_header(path: &Path, bytes: &[u8]) -> Error {
    match later_record(bytes, PREAMBLE, first_crc()) {
        None => Error::NoHeader { path: path.to_owned() },
        Some(later) => Error::Damaged {
            path: path.to_owned(),
            offset: PREAMBLE as u64,
            steps: 0,
            why: format!("its header is not valid, and a valid record follows at byte {later}"),
        },
    }
}

fn not_one(path: &Path, why: &str) -> Error {
    Error::NotATrajectory { path: path.to_owned(), why: why.to_owned() }
}
