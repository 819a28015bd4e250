//! One file of a repository into the cache: whole and checked, or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::Response;
use ureq::{Body, BodyReader};

use crate::address::Address;
use crate::answer::About;
use crate::cache::Place;
use crate::digest::Hasher;
use crate::error::{Error, Result};
use crate::http::{Ask, Http};
use crate::listing::{Entry, encoded_path};
use crate::watch::{Doing, Progress, Watch};

/// A file that is to be fetched.
pub(crate) struct Download<'a> {
    pub(crate) http: &'a Http,
    pub(crate) address: &'a Address,
    pub(crate) commit: &'a str,
    pub(crate) place: &'a Place,
    pub(crate) entry: &'a Entry,
}

impl Download<'_> {
    /// Brings the file to its place in the snapshot, unless it is there. Once `stopped` is set it ends early; what came by
    /// then stays for the next time.
    ///
    /// # Errors
    /// No answer; a content that is not the one that was listed, twice; no room.
    pub(crate) fn run(&self, stopped: &AtomicBool, watch: &mut Watch<'_>) -> Result<()> {
        let Self { commit, place, entry, .. } = self;
        if place.has(commit, &entry.path, Some(entry.size)) {
            return Ok(());
        }
        let blob = place.blob(entry.oid());
        let folder = blob.parent().unwrap_or(&blob);
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let lock = place.lock(entry.oid())?;
        // Somebody else may have brought it while this waited for the lock.
        if !self.has_blob() {
            let part = self.part();
            let mut whole = self.fill(&part, stopped, watch);
            if matches!(whole, Err(Error::Corrupt { .. })) {
                // What an earlier process left may have been damaged: once more, from the start.
                whole = self.fill(&part, stopped, watch);
            }
            if !whole? {
                return Ok(());
            }
            fs::rename(&part, &blob).map_err(Error::io("write", &blob))?;
        }
        drop(lock);
        place.link(commit, &entry.path, entry.oid())
    }

    fn has_blob(&self) -> bool {
        fs::metadata(self.place.blob(self.entry.oid())).is_ok_and(|file| file.len() == self.entry.size)
    }

    /// Where a content lies until it is whole.
    fn part(&self) -> PathBuf {
        PathBuf::from(format!("{}.incomplete", self.place.blob(self.entry.oid()).display()))
    }

    /// How many bytes are still to come.
    fn missing(&self) -> u64 {
        if self.has_blob() {
            return 0;
        }
        self.entry.size.saturating_sub(fs::metadata(self.part()).map_or(0, |file| file.len()))
    }

    /// Appends to the part until it has the file's size and hash; goes on where a broken connection left it. Gives whether it
    /// came so far before `stopped` was set.
    fn fill(&self, part: &Path, stopped: &AtomicBool, watch: &mut Watch<'_>) -> Result<bool> {
        let open = File::options().create(true).append(true).open(part);
        let mut file = open.map_err(Error::io("write", part))?;
        let mut have = file.metadata().map_err(Error::io("read", part))?.len();
        let mut idle = 0;
        while have != self.entry.size {
            if have > self.entry.size {
                have = 0;
            }
            let (mut body, from) = self.ask(have)?;
            // A server that gives the whole file where a rest was asked for begins anew.
            if from != have || have == 0 {
                file.set_len(from).map_err(Error::io("write", part))?;
            }
            let before = have;
            have = from;
            let broken = self.copy(&mut body, &mut file, &mut have, part, stopped, watch)?;
            if stopped.load(Ordering::Relaxed) && have != self.entry.size {
                return Ok(false);
            }
            let Some(error) = broken else { continue };
            idle = if have > before { 0 } else { idle + 1 };
            if idle > self.http.settings.retries {
                return Err(error);
            }
            std::thread::sleep(self.http.pause(idle.max(1)));
        }
        file.sync_all().map_err(Error::io("write", part))?;
        self.check(part).map(|()| true)
    }

    /// Asks for the rest from byte `have`; gives it and where it begins.
    fn ask(&self, have: u64) -> Result<(BodyReader<'static>, u64)> {
        let repo = self.address.repo();
        let about = About { revision: Some(self.commit), file: Some(&self.entry.path), ..About::repo(&repo) };
        let endpoint = &self.http.settings.endpoint;
        let at_hub = self.address.at_hub(self.commit);
        let url =
            format!("{endpoint}/{}/resolve/{}/{}", at_hub.url(), at_hub.url_revision(), encoded_path(&self.entry.path));
        let range = [("Range", format!("bytes={have}-"))];
        let ask = Ask { headers: if have > 0 { &range } else { &[] }, ..Ask::get(&url, &about) };
        let response = self.http.send(&ask, &mut |_| {})?;
        let from = if response.status().as_u16() == 206 { begin(&response) } else { Some(0) };
        match from {
            Some(from) if from == have || from == 0 => Ok((response.into_body().into_reader(), from)),
            _ => Err(self.http.unusable(&about, "it gave another part of the file than was asked for")),
        }
    }

    /// Copies what comes, until all is there or `stopped` is set; gives what broke it off, if something did.
    fn copy(
        &self,
        body: &mut BodyReader<'static>,
        file: &mut File,
        have: &mut u64,
        part: &Path,
        stopped: &AtomicBool,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Error>> {
        let repo = self.address.repo();
        let about = About { file: Some(&self.entry.path), ..About::repo(&repo) };
        let mut buffer = vec![0; 256 << 10];
        while !stopped.load(Ordering::Relaxed) {
            let total = self.entry.size;
            watch(&Progress { doing: Doing::Fetching, file: &self.entry.path, done: *have, total });
            let n = match body.read(&mut buffer) {
                Ok(0) if *have == total => return Ok(None),
                Ok(0) => {
                    return Ok(Some(
                        self.http.unanswered(&about, &ureq::Error::Io(std::io::ErrorKind::UnexpectedEof.into())),
                    ));
                }
                Ok(n) => n,
                Err(error) => return Ok(Some(self.http.unanswered(&about, &ureq::Error::from(error)))),
            };
            *have += n as u64;
            if *have > total {
                let _ = file.set_len(0);
                return Err(self.corrupt(format!("it has more than the {total} bytes that are listed")));
            }
            file.write_all(&buffer[..n]).map_err(|source| match Error::io("write", part)(source) {
                Error::DiskFull { path, free, .. } => {
                    Error::DiskFull { path, needed: total - (*have - n as u64), free }
                }
                other => other,
            })?;
        }
        Ok(None)
    }

    /// Compares the part's hash with the listed one; a wrong part is thrown away.
    fn check(&self, part: &Path) -> Result<()> {
        let Some(mut hasher) = Hasher::of(self.entry.oid(), self.entry.size) else { return Ok(()) };
        hasher.update_from(part)?;
        let found = hasher.name();
        if found.eq_ignore_ascii_case(self.entry.oid()) {
            return Ok(());
        }
        fs::remove_file(part).map_err(Error::io("remove", part))?;
        Err(self.corrupt(format!("its hash is {found}, not {}", self.entry.oid())))
    }

    fn corrupt(&self, reason: String) -> Error {
        Error::Corrupt { repo: self.address.repo(), file: self.entry.path.clone(), reason }
    }
}

/// Whether there is room for what is still to come of all these files, before a byte of them is asked for.
///
/// # Errors
/// There is none; the cache's folder can't be made.
pub(crate) fn room(place: &Place, downloads: &[Download<'_>]) -> Result<()> {
    let contents: BTreeMap<&str, u64> = downloads.iter().map(|file| (file.entry.oid(), file.missing())).collect();
    let needed = contents.into_values().fold(0, u64::saturating_add);
    let folder = place.blobs();
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    // A system that can't tell is asked by writing.
    let free = rustix::fs::statvfs(&folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    match free {
        Some(n) if n < needed => Err(Error::DiskFull { path: folder, needed, free }),
        _ => Ok(()),
    }
}

/// Where a part begins: `Content-Range: bytes 5-9/10`.
fn begin(response: &Response<Body>) -> Option<u64> {
    let text = response.headers().get("content-range")?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}
