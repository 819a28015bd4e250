//! What differs between the files and the repository, and how each goes.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Publication, Upload};
use crate::address::is_inside;
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::listing::{self, Entry};
use crate::watch::{Doing, Progress, Watch};

/// The first bytes of a file, by which the Hub tells texts from others.
const SAMPLE: u64 = 512;
/// Files a question.
const A_QUESTION: usize = 256;
/// The largest file that goes within the commit itself, in bytes.
const LARGEST_REGULAR: u64 = 64 << 20;

/// A file that goes.
pub(super) struct Change<'a> {
    pub(super) upload: &'a Upload,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// Whether it is stored as a large file.
    pub(super) large: bool,
    /// Whether it takes the place of another content.
    pub(super) replaces: bool,
}

/// What there is to do.
pub(super) struct Difference<'a> {
    pub(super) changes: Vec<Change<'a>>,
    pub(super) unchanged: Vec<String>,
}

impl Publication<'_> {
    /// Compares the files with those at a commit.
    ///
    /// # Errors
    /// A file that can't be read; no answer.
    pub(super) fn compare(&self, commit: &str, watch: &mut Watch<'_>) -> Result<Difference<'_>> {
        let there = listing::files(&self.hub.http, self.address, commit)?;
        let there: HashMap<&str, &Entry> = there.iter().map(|entry| (entry.path.as_str(), entry)).collect();
        let mut found = Difference { changes: Vec::new(), unchanged: Vec::new() };
        for upload in self.uploads {
            if !is_inside(&upload.path) {
                let reason = "its path leads out of the repository".to_owned();
                return Err(Error::Address { text: upload.path.clone(), reason });
            }
            let (size, git, sha256) = names(upload, watch)?;
            let old = there.get(upload.path.as_str());
            let same = old.is_some_and(|old| match &old.sha256 {
                Some(old) => *old == sha256,
                None => old.blob == git,
            });
            if same {
                found.unchanged.push(upload.path.clone());
            } else {
                found.changes.push(Change { upload, size, sha256, large: false, replaces: old.is_some() });
            }
        }
        self.modes(&mut found.changes)?;
        Ok(found)
    }

    /// Asks which files are stored as large ones; leaves out what the repository ignores.
    fn modes(&self, changes: &mut Vec<Change<'_>>) -> Result<()> {
        let path = format!("/api/models/{}/preupload/{}", self.address.id, listing::encoded(self.branch));
        let mut ignored = Vec::new();
        for some in changes.chunks_mut(A_QUESTION) {
            let file = |change: &Change<'_>| -> Result<Value> {
                let sample = STANDARD.encode(sample(change.upload)?);
                Ok(json!({ "path": change.upload.path, "size": change.size, "sample": sample }))
            };
            let files: Vec<Value> = some.iter().map(file).collect::<Result<_>>()?;
            let answer = self.post(&path, &json!({ "files": files }))?;
            for change in some {
                let files = answer.get("files").and_then(Value::as_array);
                let mode = files.and_then(|files| files.iter().find(|f| f["path"] == change.upload.path.as_str()));
                let Some(mode) = mode else {
                    return Err(self.unusable("it does not say how each file is to go"));
                };
                // An empty content can't be stored as a large one.
                change.large = mode["uploadMode"] == "lfs" && change.size > 0 || change.size > LARGEST_REGULAR;
                if mode["shouldIgnore"] == true {
                    ignored.push(change.upload.path.clone());
                }
            }
        }
        changes.retain(|change| !ignored.contains(&change.upload.path));
        Ok(())
    }
}

/// A file's size and its two names.
fn names(upload: &Upload, watch: &mut Watch<'_>) -> Result<(u64, String, String)> {
    let read = || Error::io("read", &upload.file);
    let size = fs::metadata(&upload.file).map_err(read())?.len();
    let mut file = File::open(&upload.file).map_err(read())?;
    let (mut git, mut sha256, mut done) = (Hasher::git(size), Hasher::sha256(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        watch(&Progress { doing: Doing::Hashing, file: &upload.path, done, total: size });
        let n = file.read(&mut buffer).map_err(read())?;
        if n == 0 {
            break;
        }
        git.update(&buffer[..n]);
        sha256.update(&buffer[..n]);
        done += n as u64;
    }
    if done == size {
        return Ok((size, git.name(), sha256.name()));
    }
    Err(read()(std::io::Error::other("it changed while it was read")))
}

fn sample(upload: &Upload) -> Result<Vec<u8>> {
    let file = File::open(&upload.file).map_err(Error::io("read", &upload.file))?;
    let mut bytes = Vec::new();
    file.take(SAMPLE).read_to_end(&mut bytes).map_err(Error::io("read", &upload.file))?;
    Ok(bytes)
}
