//! The two hashes by which the Hub names contents.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use crate::error::{Error, Result};

/// A content's name: of small files git's (SHA-1 of a header and the content), of large ones SHA-256 of the content.
pub(crate) struct Hasher(Context);

impl Hasher {
    /// For a content that is to have this name; `None` where the name is of no kind that is known.
    pub(crate) fn of(name: &str, size: u64) -> Option<Self> {
        if !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        match name.len() {
            40 => Some(Self::git(size)),
            64 => Some(Self::sha256()),
            _ => None,
        }
    }

    /// SHA-256.
    pub(crate) fn sha256() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Git's name of a blob: SHA-1 of `blob SIZE\0CONTENT`.
    pub(crate) fn git(size: u64) -> Self {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(format!("blob {size}\0").as_bytes());
        Self(context)
    }

    /// Takes more of the content.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes a file's content.
    ///
    /// # Errors
    /// A file that can't be read.
    pub(crate) fn update_from(&mut self, path: &Path) -> Result<()> {
        let mut file = File::open(path).map_err(Error::io("read", path))?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer).map_err(Error::io("read", path))? {
                0 => return Ok(()),
                n => self.update(&buffer[..n]),
            }
        }
    }

    /// The name, in hexadecimal digits.
    pub(crate) fn name(self) -> String {
        self.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_git_and_sha256() {
        // `printf 'hello\n' | git hash-object --stdin`, and `printf 'hello\n' | sha256sum`
        let (git, sha) = (
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        );
        for name in [git, sha] {
            let mut hasher = Hasher::of(name, 6).unwrap();
            hasher.update(b"hel");
            hasher.update(b"lo\n");
            assert_eq!(hasher.name(), name);
        }
        assert!(Hasher::of("W/etag", 6).is_none() && Hasher::of(&"g".repeat(40), 6).is_none());
    }
}
