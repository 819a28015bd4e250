//! The folder that is being written, and how it takes its place.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::load::SideFile;

/// Endings of what a model's folder holds; a folder with anything else is not replaced.
const REPLACEABLE: [&str; 6] = ["json", "safetensors", "jinja", "txt", "model", "md"];

/// A new folder beside the one that is to be written; gone when dropped.
pub(super) struct Place<'a> {
    folder: &'a Path,
    parent: PathBuf,
    new: TempDir,
    needed: u64,
}

impl<'a> Place<'a> {
    /// Makes the new folder, and removes what an interrupted save left behind.
    ///
    /// # Errors
    /// A `folder` that holds other things than a model, or may not be written; a side file with a strange name.
    pub(super) fn new(folder: &'a Path, needed: u64, files: &[SideFile], extra: Option<&str>) -> Result<Self> {
        let failed =
            |file: &Path, source| Error::Write { file: file.to_owned(), folder: folder.to_owned(), needed, source };
        if let Some(name) = names(files, extra).find(|name| !super::is_side_name(name)) {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "it is no plain name of a side file");
            return Err(failed(Path::new(name), source));
        }
        let name = folder.file_name().ok_or_else(|| failed(folder, io::Error::other("it has no name")))?;
        refuse_strangers(folder, files, extra)?;
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(|e| failed(&parent, e))?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".partial-");
        remove_leftovers(&parent, &prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        let permissions = {
            use std::os::unix::fs::PermissionsExt;
            // The process's mask takes away from it, as with any other folder.
            Permissions::from_mode(0o777)
        };
        #[cfg(unix)]
        builder.permissions(permissions);
        let new = builder.tempdir_in(&parent).map_err(|e| failed(folder, e))?;
        Ok(Self { folder, parent, new, needed })
    }

    /// A file of the new folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.new.path().join(name)
    }

    /// Names the file, as it will be called, in a failure.
    pub(super) fn check<T>(&self, file: &Path, result: io::Result<T>) -> Result<T> {
        let name = file.file_name().map_or(self.folder.to_owned(), |name| self.folder.join(name));
        result.map_err(|source| match source.downcast::<Error>() {
            Ok(error) => error,
            Err(source) => Error::Write { file: name, folder: self.folder.to_owned(), needed: self.needed, source },
        })
    }

    /// Puts the new folder in the place of the old one.
    pub(super) fn take(self) -> Result<()> {
        self.check(self.folder, sync(self.new.path()))?;
        if self.folder.exists() {
            self.check(self.folder, exchange(self.new.path(), self.folder))?;
            // What was exchanged is now in the temporary folder, which goes with `self`.
        } else {
            self.check(self.folder, fs::rename(self.new.path(), self.folder))?;
        }
        self.check(self.folder, sync(&self.parent))
    }
}

/// The names of the files beside the model's own.
fn names<'a>(files: &'a [SideFile], extra: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    files.iter().map(|f| &f.name[..]).chain(extra)
}

/// Swaps two folders.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            // A file system without it.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut aside = new.as_os_str().to_owned();
    aside.push("-old");
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        // Puts the old one back; that this fails too is less of a story than the first failure.
        let _ = fs::rename(&aside, old);
        return Err(error);
    }
    fs::rename(&aside, new)
}

/// Flushes a folder's entries.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Refuses to replace a folder that is not a model's.
fn refuse_strangers(folder: &Path, files: &[SideFile], extra: Option<&str>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(Error::Read { file: folder.to_owned(), source });
        }
    };
    for entry in entries {
        let entry = entry.map_err(|source| Error::Read { file: folder.to_owned(), source })?;
        let path = entry.path();
        let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let known = REPLACEABLE.contains(&kind)
            || entry.file_name() == "LICENSE"
            || names(files, extra).any(|name| entry.file_name() == name);
        if !known || entry.file_type().is_ok_and(|t| t.is_dir()) {
            return Err(Error::NotAModelFolder { folder: folder.to_owned(), stranger: path });
        }
    }
    Ok(())
}

/// Removes folders that a killed process left; failures don't matter here.
fn remove_leftovers(parent: &Path, prefix: &OsString) {
    let Some(prefix) = prefix.to_str() else {
        return;
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
