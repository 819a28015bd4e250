//! The file of `--samples`: there whole, or as it was before.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that takes its place once it is whole; a pipe or terminal is written as it is.
#[derive(Debug)]
pub(super) struct Samples {
    place: PathBuf,
    /// What is written and renamed at the end; `None` where the place itself is written.
    fresh: Option<PathBuf>,
    file: BufWriter<File>,
}

impl Samples {
    /// Begins a file. A place that can't be written is known before minutes of work, and keeps what it holds.
    ///
    /// # Errors
    /// The place can't be written.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let begin = || -> std::io::Result<Self> {
            let Ok(about) = fs::metadata(path) else {
                return Self::beside(path.to_owned());
            };
            // A folder, and a file that may not be written, are refused here.
            let file = OpenOptions::new().write(true).open(path)?;
            if !about.is_file() {
                return Ok(Self { place: path.to_owned(), fresh: None, file: BufWriter::new(file) });
            }
            // A link stays one: what it points to is replaced.
            let samples = Self::beside(path.canonicalize()?)?;
            samples.file.get_ref().set_permissions(about.permissions())?;
            Ok(samples)
        };
        begin().with_context(|| unwritable(path))
    }

    fn beside(place: PathBuf) -> std::io::Result<Self> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let fresh = place.with_file_name(format!(".{name}.{}.new", std::process::id()));
        let file = BufWriter::new(OpenOptions::new().write(true).create_new(true).open(&fresh)?);
        Ok(Self { place, fresh: Some(fresh), file })
    }

    /// Writes lines.
    ///
    /// # Errors
    /// What the writer or the disk answers.
    pub(super) fn write(&mut self, lines: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
        lines(&mut self.file).with_context(|| unwritable(&self.place))
    }

    /// Ends the file and puts it in its place.
    ///
    /// # Errors
    /// A full disk; the place then keeps what it held.
    pub(super) fn finish(mut self) -> Result<()> {
        let mut end = || -> std::io::Result<()> {
            self.file.flush()?;
            if let Some(fresh) = &self.fresh {
                self.file.get_ref().sync_all()?;
                fs::rename(fresh, &self.place)?;
                self.fresh = None;
            }
            Ok(())
        };
        end().with_context(|| unwritable(&self.place))
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        if let Some(fresh) = &self.fresh {
            let _ = fs::remove_file(fresh);
        }
    }
}

fn unwritable(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_by_a_whole_one() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("samples.jsonl");
        fs::write(&path, "old").unwrap();
        let mut samples = Samples::create(&path).unwrap();
        samples.write(|file| file.write_all(b"half")).unwrap();
        drop(samples);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        let mut samples = Samples::create(&path).unwrap();
        samples.write(|file| file.write_all(b"new")).unwrap();
        samples.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(Samples::create(root.path()).is_err(), "a folder is no file");
        assert!(Samples::create(&root.path().join("no/file")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_devices_are_written() {
        let root = tempfile::tempdir().unwrap();
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut samples = Samples::create(&link).unwrap();
        samples.write(|out| out.write_all(b"new")).unwrap();
        samples.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        let mut samples = Samples::create(Path::new("/dev/null")).unwrap();
        samples.write(|out| out.write_all(b"gone")).unwrap();
        samples.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
