//! Repositories, in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

/// A content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) large: bool,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn git(bytes: &[u8]) -> String {
    let whole = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &whole).as_ref())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

impl Content {
    /// Git's name of what lies in the repository: the content, or the pointer to it.
    pub(crate) fn blob(&self) -> String {
        if !self.large {
            return git(&self.bytes);
        }
        let (oid, size) = (sha256(&self.bytes), self.bytes.len());
        git(format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n").as_bytes())
    }

    /// The content's own name: git's, or SHA-256 where it is stored as a large file.
    pub(crate) fn oid(&self) -> String {
        if self.large { sha256(&self.bytes) } else { self.blob() }
    }

    /// As a listing shows it.
    pub(crate) fn entry(&self, path: &str) -> Value {
        let mut entry = json!({ "type": "file", "path": path, "size": self.bytes.len(), "oid": self.blob() });
        if self.large {
            entry["lfs"] = json!({ "oid": sha256(&self.bytes), "size": self.bytes.len(), "pointerSize": 134 });
        }
        entry
    }
}

/// Files by path.
pub(crate) type Files = BTreeMap<String, Content>;

/// A repository.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    /// Whether only its owner may see it.
    pub private: bool,
    /// Whether conditions must be accepted first.
    pub gated: bool,
    pub(crate) commits: HashMap<String, Files>,
    pub(crate) branches: HashMap<String, String>,
    /// The messages of its commits.
    pub messages: Vec<String>,
}

impl Repo {
    /// Adds or replaces a file on a branch, in a commit of its own; gives the commit.
    pub fn put(&mut self, branch: &str, path: &str, bytes: &[u8], large: bool) -> String {
        let mut files = self.files(branch).cloned().unwrap_or_default();
        files.insert(path.to_owned(), Content { bytes: bytes.to_vec(), large });
        self.commit(branch, files, &format!("add {path}"))
    }

    pub(crate) fn commit(&mut self, branch: &str, files: Files, message: &str) -> String {
        let names: Vec<String> = files.iter().map(|(path, content)| format!("{path} {}", content.blob())).collect();
        let text = format!("{}\n{message}\n{}", self.messages.len(), names.join("\n"));
        let oid = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref());
        self.commits.insert(oid.clone(), files);
        self.branches.insert(branch.to_owned(), oid.clone());
        self.messages.push(message.to_owned());
        oid
    }

    /// The commit that a revision is at.
    pub fn head(&self, revision: &str) -> Option<String> {
        self.branches
            .get(revision)
            .cloned()
            .or_else(|| self.commits.contains_key(revision).then(|| revision.to_owned()))
    }

    pub(crate) fn files(&self, revision: &str) -> Option<&Files> {
        self.commits.get(&self.head(revision)?)
    }

    /// A file's content at a revision, and whether it is stored as a large one.
    pub fn file(&self, revision: &str, path: &str) -> Option<(&[u8], bool)> {
        self.files(revision)?.get(path).map(|content| (content.bytes.as_slice(), content.large))
    }

    /// The paths at a revision.
    pub fn paths(&self, revision: &str) -> Vec<String> {
        self.files(revision).into_iter().flatten().map(|(path, _)| path.clone()).collect()
    }
}

/// All that the server keeps.
#[derive(Debug, Default)]
pub struct Store {
    pub(crate) port: u16,
    pub(crate) repos: BTreeMap<String, Repo>,
    /// Old names of repositories, and where they are now.
    pub moved: HashMap<String, String>,
    pub(crate) large: HashMap<String, Vec<u8>>,
    pub(crate) parts: HashMap<String, BTreeMap<u64, Vec<u8>>>,
    /// Large contents whose arrival was confirmed.
    pub verified: HashSet<String>,
    /// Files of a page of a listing; all where 0.
    pub page: usize,
    /// Large contents beyond this many bytes go in parts of it; none where 0.
    pub part: usize,
    /// Texts from this size on are stored as large files; 0 for the endings alone.
    pub large_from: usize,
}

impl Store {
    /// A repository by its name in addresses (`owner/name`, `datasets/owner/name`); made where there is none.
    pub fn repo(&mut self, name: &str) -> &mut Repo {
        self.repos.entry(name.to_owned()).or_insert_with(|| {
            let mut repo = Repo::default();
            repo.put("main", ".gitattributes", b"*.safetensors filter=lfs\n", false);
            repo
        })
    }

    /// Whether there is such a repository.
    pub fn has(&self, name: &str) -> bool {
        self.repos.contains_key(name)
    }

    pub(crate) fn hub(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn storage(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}
