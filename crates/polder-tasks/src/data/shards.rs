//! The files of a split: one, or several that are numbered.

use std::path::{Path, PathBuf};

use super::ENDINGS;
use crate::{Error, Result};

/// A way in which the files of a split are there.
pub(super) type Found = Vec<PathBuf>;

/// The files of a split whose name is one of `stems`, in each way in which there are some: `NAME.ENDING`;
/// `NAME-00000-of-00003.ENDING` and so on; a folder `NAME` of data files.
///
/// # Errors
/// A folder that can't be read; numbered files of which some are missing.
pub(super) fn find(folder: &Path, stems: &[&str]) -> Result<Vec<Found>> {
    let mut ways = Vec::new();
    for stem in stems {
        for ending in ENDINGS {
            let file = folder.join(format!("{stem}.{ending}"));
            if file.is_file() {
                ways.push(vec![file]);
            }
        }
    }
    let mut files = entries(folder)?;
    files.sort();
    for stem in stems {
        for ending in ENDINGS {
            ways.extend(numbered(folder, &files, stem, ending)?);
        }
        let inner = folder.join(stem);
        if inner.is_dir() {
            let mut files = entries(&inner)?;
            files.retain(|file| ending(file).is_some_and(|e| ENDINGS.contains(&e)));
            files.sort();
            if !files.is_empty() {
                ways.push(files);
            }
        }
    }
    Ok(ways)
}

/// The files in a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |source| Error::Io { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn ending(file: &Path) -> Option<&str> {
    file.extension().and_then(|e| e.to_str())
}

/// `STEM-00000-of-00003.ENDING` and its fellows, all of them.
fn numbered(folder: &Path, files: &[PathBuf], stem: &str, wanted: &str) -> Result<Option<Found>> {
    let number = |file: &PathBuf| {
        let name = file.file_stem()?.to_str()?.strip_prefix(stem)?.strip_prefix('-')?;
        let (at, of) = name.split_once("-of-")?;
        let digits = |text: &str| text.len() >= 5 && text.bytes().all(|b| b.is_ascii_digit());
        (ending(file) == Some(wanted) && digits(at) && digits(of)).then_some(())?;
        Some((at.parse::<usize>().ok()?, of.parse::<usize>().ok()?))
    };
    let found: Vec<((usize, usize), &PathBuf)> = files.iter().filter_map(|f| Some((number(f)?, f))).collect();
    let Some(((_, of), _)) = found.first() else {
        return Ok(None);
    };
    let complete = found.len() == *of && found.iter().enumerate().all(|(at, (number, _))| *number == (at, *of));
    if !complete {
        let reason = format!(
            "of the {of} files `{stem}-…-of-{of:05}.{wanted}` {} are there\nhint: fetch the missing ones, or remove \
             those that belong to another set",
            found.len()
        );
        return Err(Error::File { path: folder.to_owned(), reason });
    }
    Ok(Some(found.into_iter().map(|(_, file)| file.clone()).collect()))
}
