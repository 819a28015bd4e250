//! The cache of `huggingface_hub`, read and written as Python does.
//!
//! ```text
//! models--owner--name/refs/main               the commit that a revision was at
//! models--owner--name/blobs/OID               contents by their names
//! models--owner--name/snapshots/COMMIT/PATH   links to them
//! models--owner--name/trees/COMMIT.json       what the repository holds at a commit
//! .locks/models--owner--name/OID.lock         held while a content is fetched
//! ```

use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use hf_hub::{Cache, CacheRepo};
use serde_json::{Map, Value, json};

use crate::address::{Address, is_commit};
use crate::error::{Error, Result};
use crate::listing::Entry;

/// The version of the listings that are read and written.
const TREE_FORMAT: u64 = 1;

/// A repository's part of the cache.
pub(crate) struct Place {
    repo: CacheRepo,
    root: PathBuf,
    locks: PathBuf,
}

impl Place {
    pub(crate) fn new(cache: &Path, address: &Address, revision: &str) -> Self {
        let at_hub = address.at_hub(revision);
        let name = at_hub.folder_name();
        let repo = Cache::new(cache.to_owned()).repo(at_hub);
        Self { repo, root: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// The commit that a revision was at when it was last fetched.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let text = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Keeps which commit the revision is at.
    pub(crate) fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        self.repo.create_ref(commit).map_err(Error::io("write", self.root.join("refs").join(revision)))
    }

    /// The folder of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// The folder of the contents.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The place of a content.
    pub(crate) fn blob(&self, oid: &str) -> PathBuf {
        self.repo.blob_path(oid)
    }

    /// Whether a file of a commit is there.
    pub(crate) fn has(&self, commit: &str, path: &str, size: Option<u64>) -> bool {
        let file = fs::metadata(self.snapshot(commit).join(path));
        file.is_ok_and(|file| file.is_file() && size.is_none_or(|size| file.len() == size))
    }

    /// What the repository holds at a commit, where that was kept.
    pub(crate) fn tree(&self, commit: &str) -> Option<Vec<Entry>> {
        let bytes = fs::read(self.root.join("trees").join(format!("{commit}.json"))).ok()?;
        let json: Value = serde_json::from_slice(&bytes).ok()?;
        if json.get("format_version").and_then(Value::as_u64) != Some(TREE_FORMAT) {
            return None;
        }
        let entry = |(path, file): (&String, &Value)| {
            let text = |key: &str| file.get(key).and_then(Value::as_str).map(str::to_owned);
            let size = file.get("lfs_size").or_else(|| file.get("size"))?.as_u64()?;
            let entry = Entry { path: path.clone(), size, blob: text("blob_id")?, sha256: text("lfs_sha256") };
            entry.is_sound().then_some(entry)
        };
        let mut entries: Vec<Entry> = json.get("files")?.as_object()?.iter().map(entry).collect::<Option<_>>()?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Some(entries)
    }

    /// Keeps what the repository holds at a commit.
    pub(crate) fn keep_tree(&self, commit: &str, entries: &[Entry]) -> Result<()> {
        let file = |entry: &Entry| {
            let mut file = json!({ "size": entry.size, "blob_id": entry.blob });
            if let Some(sha256) = &entry.sha256 {
                file["lfs_sha256"] = json!(sha256);
                file["lfs_size"] = json!(entry.size);
            }
            (entry.path.clone(), file)
        };
        let files: Map<String, Value> = entries.iter().map(file).collect();
        let path = self.root.join("trees").join(format!("{commit}.json"));
        write_whole(&path, json!({ "format_version": TREE_FORMAT, "files": files }).to_string().as_bytes())
    }

    /// The files of a commit that are there.
    pub(crate) fn files(&self, commit: &str) -> Vec<String> {
        let root = self.snapshot(commit);
        let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file()
                    && let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str)
                {
                    files.push(name.replace('\\', "/"));
                }
            }
        }
        files.sort();
        files
    }

    /// Puts a content into a commit's folder, as a relative link.
    pub(crate) fn link(&self, commit: &str, path: &str, oid: &str) -> Result<()> {
        let (link, blob) = (self.snapshot(commit).join(path), self.blob(oid));
        let folder = link.parent().unwrap_or(&link);
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let up = path.split('/').count() + 1;
        let target: PathBuf =
            std::iter::repeat_n(Component::ParentDir, up).collect::<PathBuf>().join("blobs").join(oid);
        replace_link(&link, &target, &blob)
    }

    /// Takes the lock of a content; others wait for it.
    pub(crate) fn lock(&self, oid: &str) -> Result<File> {
        let path = self.locks.join(format!("{oid}.lock"));
        fs::create_dir_all(&self.locks).map_err(Error::io("create", &self.locks))?;
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(Error::io("write", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    }
}

/// Puts a link in a file's place, or a copy where links can't be made.
pub(crate) fn replace_link(link: &Path, target: &Path, content: &Path) -> Result<()> {
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_file(link).map_err(Error::io("replace", link))?;
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(target, link);
    #[cfg(not(unix))]
    let made = fs::hard_link(content, link);
    match made {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => {
            let _ = target;
            fs::copy(content, link).map(|_| ()).map_err(Error::io("write", link))
        }
    }
}

/// Writes a file beside its place and renames it there.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).map_err(Error::io("write", path))
}
