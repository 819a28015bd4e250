//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file beside its place, makes it durable and renames it there.
///
/// # Errors
/// The file can't be written; an earlier file of that name is left as it was.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = beside(path);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&fresh);
        Error::Io { action: "write", path: path.to_owned(), source }
    })?;
    sync_parent(path);
    Ok(())
}

/// Removes a folder and all in it; a folder that isn't there is fine.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// Makes a rename durable; a system that can't sync folders gets along without.
fn sync_parent(path: &Path) {
    if let Some(parent) = path.parent()
        && let Ok(folder) = File::open(parent)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_file_leaves_the_old_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("plan.json");
        write_file(&path, b"one").unwrap();
        // The place for the new file is taken by a folder, so it cannot be made.
        fs::create_dir(root.path().join(".plan.json.new")).unwrap();
        assert!(matches!(write_file(&path, b"two"), Err(Error::Io { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
