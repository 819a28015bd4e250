//! A task's folder among those of several data sets.

use std::path::{Path, PathBuf};

use crate::builtin::plain_name;
use crate::{DataFolder, Task};

/// Where a task's data lies: `path` itself where it holds splits or is a file; else the folder in it that is named as the
/// task or as one of [`Task::folders`] (case, `-` and `_` do not matter); else `path`.
pub fn task_folder(path: &Path, task: &dyn Task) -> PathBuf {
    if DataFolder::open(path).is_ok() {
        return path.to_owned();
    }
    let names: Vec<String> =
        std::iter::once(task.name()).chain(task.folders().iter().map(String::as_str)).map(plain_name).collect();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(usize, PathBuf)> = entries
        .filter(|entry| entry.is_dir())
        .filter_map(|entry| {
            let own = plain_name(entry.file_name()?.to_str()?);
            Some((names.iter().position(|name| *name == own)?, entry))
        })
        .collect();
    // The task's own name first; of equal ones the first in the alphabet, whatever the system's order.
    found.sort();
    found.into_iter().next().map_or_else(|| path.to_owned(), |(_, folder)| folder)
}
