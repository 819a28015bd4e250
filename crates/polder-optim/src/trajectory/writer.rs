//! Appending to a trajectory so that it is valid at every moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use super::frame::{MAX_PAYLOAD, encode, first_crc, preamble};
use super::header::Header;
use super::reader::Trajectory;
use super::record::{HEADER, Record, encode_header};
use super::step::Codec;
use crate::error::{Error, Result};

/// What a record survives as soon as it is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process, `kill -9` included: each record is handed to the system. A power cut may take what was
    /// appended since the last [`Writer::sync`].
    #[default]
    Process,
    /// A power cut too, but for the records since the last multiple of this number.
    Every(NonZeroU64),
}

/// Where a writer's bytes go.
pub(super) trait Store: Send {
    /// Appends; on failure any part of the bytes may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts back to that length.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Waits until everything lies on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Store for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends records to a trajectory, each with one write; holds the file's lock.
pub struct Writer {
    path: PathBuf,
    store: Box<dyn Store>,
    durability: Durability,
    codec: Codec,
    crc: u32,
    len: u64,
    unsynced: u64,
    broken: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("path", &self.path).field("len", &self.len).finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts a trajectory: writes the header to a file beside it, syncs it, and gives it its name. So a trajectory
    /// that exists has its header.
    ///
    /// # Errors
    /// The file is there already; it can't be written.
    pub fn create(path: impl AsRef<Path>, header: &Header, durability: Durability) -> Result<Self> {
        let path = path.as_ref();
        let io = |source| Error::Io { action: "create", path: path.to_owned(), source };
        if path.try_exists().map_err(io)? {
            return Err(io(io::ErrorKind::AlreadyExists.into()));
        }
        let mut bytes = preamble().to_vec();
        let crc = encode(&mut bytes, HEADER, &checked_len(encode_header(header)?)?, first_crc());
        let mut partial = path.as_os_str().to_owned();
        partial.push(".new");
        let partial = PathBuf::from(partial);
        let mut file = OpenOptions::new().append(true).create(true).open(&partial).map_err(io)?;
        lock(&file, path)?;
        let written = file.set_len(0).and_then(|()| file.write_all(&bytes)).and_then(|()| file.sync_all());
        if let Err(source) = written.and_then(|()| std::fs::rename(&partial, path)) {
            // The first error is the one to tell.
            let _ = std::fs::remove_file(&partial);
            return Err(io(source));
        }
        sync_folder(path).map_err(io)?;
        Ok(Self::over(Box::new(file), path, durability, (crc, Codec::new(header.seed), bytes.len() as u64)))
    }

    /// Goes on with a trajectory: checks it, cuts off an invalid tail, and gives what it holds.
    ///
    /// # Errors
    /// Those of [`Trajectory::open`]; another process writes to it; it can't be written.
    pub fn open_for_append(path: impl AsRef<Path>, durability: Durability) -> Result<(Self, Trajectory)> {
        let path = path.as_ref();
        let io = |source| Error::Io { action: "append to", path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(io)?;
        lock(&file, path)?;
        let found = Trajectory::read(path, &file)?;
        if found.dropped().is_some() {
            file.set_len(found.bytes()).and_then(|()| file.sync_data()).map_err(io)?;
        }
        Ok((Self::over(Box::new(file), path, durability, found.tail()), found))
    }

    pub(super) fn over(store: Box<dyn Store>, path: &Path, durability: Durability, tail: (u32, Codec, u64)) -> Self {
        let (crc, codec, len) = tail;
        Self { path: path.to_owned(), store, durability, codec, crc, len, unsynced: 0, broken: false }
    }

    /// Appends a record with a single write.
    ///
    /// Where that fails (a full disk) the file is cut back to its last whole record, and stays valid.
    ///
    /// # Errors
    /// A step that does not follow the one before, an end that speaks of other steps; the file can't be written.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        if self.broken {
            return Err(Error::Broken { path: self.path.clone() });
        }
        let (kind, payload) = record.encode(&self.codec)?;
        let mut bytes = Vec::with_capacity(payload.len() + 16);
        let crc = encode(&mut bytes, kind, &checked_len(payload)?, self.crc);
        if let Err(source) = self.store.append(&bytes) {
            self.broken = self.store.truncate(self.len).is_err();
            return Err(self.io("append to", source));
        }
        self.crc = crc;
        self.len += bytes.len() as u64;
        if let Record::Step(step) = record {
            self.codec.advance(step);
        }
        self.unsynced += 1;
        match self.durability {
            Durability::Every(n) if self.unsynced >= n.get() => self.sync(),
            _ => Ok(()),
        }
    }

    /// Waits until every record lies on the disk.
    ///
    /// # Errors
    /// What the system says; no more records are taken then, since it is unknown which ones are there.
    pub fn sync(&mut self) -> Result<()> {
        if let Err(source) = self.store.sync() {
            self.broken = true;
            return Err(self.io("sync", source));
        }
        self.unsynced = 0;
        Ok(())
    }

    /// How many steps the trajectory holds.
    pub fn steps(&self) -> u64 {
        self.codec.steps()
    }

    /// Its length, in bytes.
    pub fn bytes(&self) -> u64 {
        self.len
    }

    /// The running checksum of all its bytes, as [`Trajectory::checksum_at`] gives it for that length.
    pub fn checksum(&self) -> u32 {
        self.crc
    }

    fn io(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source }
    }
}

/// Takes the file's lock, which the system gives back however the process ends.
fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
        // Some network file systems have no locks; a run on one is better than none.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path: path.to_owned(), source }),
    }
}

/// Makes a file's name last.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Refuses a payload that no reader would take.
fn checked_len(payload: Vec<u8>) -> Result<Vec<u8>> {
    if payload.len() > MAX_PAYLOAD {
        return Err(Error::Record {
            why: format!("it takes {} bytes, at most {MAX_PAYLOAD} are possible", payload.len()),
        });
    }
    Ok(payload)
}
