//! What is compared, as a file says it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use crate::error::{Error, Result};

/// A file of comparisons is small; what is larger is some other file.
const LIMIT: u64 = 1 << 20;

/// What is compared: one configuration, changed in several ways, with several seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The configuration that all runs begin from.
    pub config: PathBuf,
    /// Changes that all runs share, each `key=value` as on the command line.
    pub set: Vec<String>,
    /// The seeds: each run has `seed` and `task.seed` of one of them.
    pub seeds: Vec<u64>,
    /// The arm that the others are held against.
    pub against: String,
    /// What is compared.
    pub arms: Vec<Variant>,
    /// Under which circumstances; one without a change where the file names none.
    pub cases: Vec<Variant>,
    /// Whether the curvature at each run's last weights is measured, and how.
    pub trace: Option<Curvature>,
}

/// A named way to change the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its name: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The changes, each `key=value` as on the command line.
    #[serde(default)]
    pub set: Vec<String>,
}

/// How the Hessian's trace at the last weights is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curvature {
    /// Directions, two forward passes each.
    pub probes: u32,
    /// Training rows.
    pub rows: usize,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    config: PathBuf,
    #[serde(default)]
    set: Vec<String>,
    seeds: Vec<u64>,
    against: Option<String>,
    arm: Vec<Variant>,
    #[serde(default)]
    case: Vec<Variant>,
    trace: Option<Curvature>,
}

impl Comparison {
    /// Reads a file; the configuration's path is taken from the file's folder.
    ///
    /// # Errors
    /// A file that can't be read; TOML that can't be parsed; an unknown key; no arm or seed; two of one name; a name that is
    /// no name of a folder; an `against` that is no arm.
    pub fn load(path: &Path) -> Result<Self> {
        let about = std::fs::metadata(path).map_err(Error::io("read", path))?;
        let wrong = |reason: String| Error::Comparison { path: path.to_owned(), reason };
        if !about.is_file() || about.len() > LIMIT {
            return Err(wrong(format!("it is no file of at most {LIMIT} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::of(file, folder).map_err(wrong)
    }

    fn of(file: File, folder: &Path) -> Result<Self, String> {
        let File { config, set, seeds, against, arm: arms, case: mut cases, trace } = file;
        if cases.is_empty() {
            cases.push(Variant { name: "all".to_owned(), set: Vec::new() });
        }
        names("arm", &arms)?;
        names("case", &cases)?;
        if seeds.is_empty() {
            return Err("`seeds` is empty: name at least one, better three".to_owned());
        }
        if seeds.iter().collect::<HashSet<_>>().len() < seeds.len() {
            return Err("`seeds` names one twice".to_owned());
        }
        let all = [&set].into_iter().chain(arms.iter().map(|arm| &arm.set)).chain(cases.iter().map(|case| &case.set));
        all.flatten().try_for_each(|set| refuse_seed(set))?;
        if trace.is_some_and(|trace| trace.probes < 2 || trace.rows == 0) {
            return Err("`trace` needs 2 `probes` or more, and `rows`".to_owned());
        }
        let first = arms.first().map(|arm| arm.name.clone()).unwrap_or_default();
        let against = against.unwrap_or(first);
        if !arms.iter().any(|arm| arm.name == against) {
            let all: Vec<String> = arms.iter().map(|arm| format!("`{}`", arm.name)).collect();
            return Err(format!("`against` names `{against}`, which is no arm; there is {}", all.join(", ")));
        }
        Ok(Self { config: folder.join(config), set, seeds, against, arms, cases, trace })
    }

    /// Every run: seed by seed, so that what is done at any moment compares all arms under all cases with as many seeds.
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for seed in &self.seeds {
            for case in &self.cases {
                for arm in &self.arms {
                    cells.push(Cell { case: case.name.clone(), arm: arm.name.clone(), seed: *seed });
                }
            }
        }
        cells
    }
}

/// Refuses a change of a run's seed, which [`Comparison::seeds`] says.
///
/// # Errors
/// It changes the seed.
pub fn refuse_seed(set: &str) -> Result<(), String> {
    let key = set.split('=').next().unwrap_or_default().trim();
    match ["seed", "task.seed"].contains(&key) {
        true => Err(format!("`{set}` would have no effect: `seeds` in the file says the seeds of all arms")),
        false => Ok(()),
    }
}

/// Refuses names that are missing, given twice, or that name no folder.
fn names(what: &str, all: &[Variant]) -> Result<(), String> {
    let mut seen = HashSet::new();
    for Variant { name, .. } in all {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with('.') || name.len() > 60 || !name.chars().all(plain) {
            return Err(format!("`{name}` is no name for one {what}: letters, digits, `_`, `-` and `.` make one"));
        }
        if !seen.insert(name) {
            return Err(format!("two {what}s are called `{name}`"));
        }
    }
    if all.is_empty() { Err(format!("there is no `[[{what}]]`")) } else { Ok(()) }
}
