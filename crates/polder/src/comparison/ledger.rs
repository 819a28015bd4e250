//! The results of a comparison, on disk: one JSON object a line, each appended when its run is done.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::found::Found;
use crate::error::{Error, Result};
use crate::run::RunLock;

/// The name of the file in its folder.
const FILE: &str = "results.jsonl";

/// A file of results is read whole; one above this many bytes is refused.
const LARGEST: u64 = 1 << 30;

/// The results that are there, and the file that takes new ones.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    all: Vec<Found>,
    lock: Option<RunLock>,
}

/// How a file of results ends.
enum End {
    /// With a line break.
    Whole,
    /// With a result that lacks its line break.
    Unended,
    /// With part of a line, behind so many bytes.
    Torn(u64),
}

impl Results {
    /// Takes a folder, which is made where it is missing, for results to be added. A last line that was cut off is dropped,
    /// one that lacks its line break only is ended.
    ///
    /// # Errors
    /// A folder that can't be made, or into which another process compares; as [`Results::read`].
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let lock = RunLock::take(folder)?;
        let (results, end) = Self::parse(folder)?;
        let path = &results.path;
        let open = || std::fs::OpenOptions::new().append(true).open(path).map_err(Error::io("open", path));
        match end {
            End::Whole => {}
            End::Unended => open()?.write_all(b"\n").map_err(Error::io("write", path))?,
            End::Torn(whole) => open()?.set_len(whole).map_err(Error::io("write", path))?,
        }
        Ok(Self { lock: Some(lock), ..results })
    }

    /// Reads a folder's results; none where there is no file.
    ///
    /// # Errors
    /// A file that can't be read; a line that is no result.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::parse(folder).map(|(results, _)| results)
    }

    /// The results, and how the file ends.
    fn parse(folder: &Path) -> Result<(Self, End)> {
        let path = folder.join(FILE);
        let bytes = match std::fs::metadata(&path) {
            Ok(about) if about.len() > LARGEST => {
                let reason = format!("it has {} bytes, more than any comparison writes", about.len());
                return Err(Error::Damaged { path, reason });
            }
            Ok(_) => std::fs::read(&path).map_err(Error::io("read", &path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut all = Vec::new();
        for (number, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if !line.is_empty() {
                let wrong =
                    |error| Error::Damaged { path: path.clone(), reason: format!("line {}: {error}", number + 1) };
                all.push(serde_json::from_slice(line).map_err(wrong)?);
            }
        }
        let end = match &bytes[whole..] {
            [] => End::Whole,
            rest => match serde_json::from_slice(rest) {
                Ok(found) => {
                    all.push(found);
                    End::Unended
                }
                Err(_) => End::Torn(whole as u64),
            },
        };
        Ok((Self { path, all, lock: None }, end))
    }

    /// The result that is known by that key.
    pub fn get(&self, key: &str) -> Option<&Found> {
        self.all.iter().rev().find(|found| found.key == key)
    }

    /// Takes a result and writes it at once.
    ///
    /// # Errors
    /// A disk that is full or gone; what was written before stays.
    pub fn add(&mut self, found: Found) -> Result<()> {
        debug_assert!(self.lock.is_some(), "results are added to a folder that is held");
        let text = serde_json::to_string(&found).unwrap_or_default() + "\n";
        let written = std::fs::OpenOptions::new().create(true).append(true).open(&self.path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        written.map_err(Error::io("write", &self.path))?;
        self.all.push(found);
        Ok(())
    }
}
