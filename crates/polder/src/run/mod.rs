//! The run folder: what lies in it, who may write it, and what survives a kill.
//!
//! ```text
//! RUN/plan.json       what is run, every default filled in
//! RUN/config.toml     the configuration as it was given
//! RUN/trajectory      the write-ahead log
//! RUN/metrics.jsonl   one line a step and an evaluation, for people and plots
//! RUN/best/           the weights with the lowest dev loss (Hugging Face folder)
//! RUN/final/          the last weights (Hugging Face folder)
//! RUN/checkpoints/    the latest weights that resume starts from
//! RUN/lock            held while a trainer runs
//! ```

mod atomic;
mod checkpoint;
mod lock;
mod metrics;
mod resume;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use atomic::write_file;
pub use checkpoint::{Checkpoint, Checkpoints, State, Tensors};
pub use lock::RunLock;
pub use metrics::{MetricsLog, Written, cut_metrics};
pub use resume::{CHANGEABLE, Difference, check_headers, check_plan, differences, other_passes};

use crate::error::{Error, Result};

/// A run folder that this process holds.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    resumed: bool,
    _lock: RunLock,
}

impl RunFolder {
    /// Takes a folder for a new run; makes it where there is none.
    ///
    /// Asked before anything is loaded, so that a place that can't be written is known at once.
    ///
    /// # Errors
    /// A run is there already; another process uses it; the folder can't be made or written.
    pub fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = RunLock::take(path)?;
        let folder = Self { path: path.to_owned(), resumed: false, _lock: lock };
        if folder.plan().exists() || folder.trajectory().exists() || folder.made_after_log().is_some() {
            return Err(Error::RunExists { path: path.to_owned() });
        }
        folder.try_writing()?;
        Ok(folder)
    }

    /// Takes the folder of a run that is to go on.
    ///
    /// # Errors
    /// There is no run; another process uses it; it can't be written.
    pub fn resume(path: &Path) -> Result<Self> {
        if !path.join("plan.json").exists() {
            return Err(Error::NoRun { path: path.to_owned() });
        }
        let lock = RunLock::take(path)?;
        let folder = Self { path: path.to_owned(), resumed: true, _lock: lock };
        folder.try_writing()?;
        Ok(folder)
    }

    /// What lies here of the things that a run makes once its trajectory is there.
    pub(crate) fn made_after_log(&self) -> Option<&'static str> {
        ["metrics.jsonl", "checkpoints", "best", "final"].into_iter().find(|name| self.path.join(name).exists())
    }

    fn try_writing(&self) -> Result<()> {
        let probe = self.path.join(".writable");
        fs::write(&probe, b"polder").map_err(Error::io("write into", &self.path))?;
        fs::remove_file(&probe).map_err(Error::io("write into", &self.path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an earlier process began this run.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// `RUN/plan.json`.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// `RUN/config.toml`.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `RUN/trajectory`.
    pub fn trajectory(&self) -> PathBuf {
        self.path.join("trajectory")
    }

    /// `RUN/metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    /// `RUN/best`, the weights with the lowest dev loss.
    pub fn best(&self) -> PathBuf {
        self.path.join("best")
    }

    /// `RUN/final`, the last weights.
    pub fn last(&self) -> PathBuf {
        self.path.join("final")
    }

    /// `RUN/checkpoints`.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(self.path.join("checkpoints"))
    }

    /// Removes all weights of a run that has ended; base and trajectory rebuild them.
    ///
    /// # Errors
    /// A folder that can't be removed.
    pub fn forget_weights(&self) -> Result<()> {
        let all = [self.best(), self.last(), self.path.join("checkpoints")];
        all.iter().filter(|path| path.exists()).try_for_each(|path| atomic::remove_folder(path))
    }

    /// Writes `RUN/plan.json`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_plan(&self, plan: &Value) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(plan).map_err(|e| damaged(self.plan(), &e))?;
        text.push(b'\n');
        write_file(&self.plan(), &text)
    }

    /// Reads `RUN/plan.json`.
    ///
    /// # Errors
    /// The file can't be read or is no JSON.
    pub fn read_plan(&self) -> Result<Value> {
        let bytes = fs::read(self.plan()).map_err(Error::io("read", self.plan()))?;
        serde_json::from_slice(&bytes).map_err(|e| damaged(self.plan(), &e))
    }
}

fn damaged(path: PathBuf, error: &serde_json::Error) -> Error {
    Error::Damaged { path, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_begun_once_and_resumed_only_where_it_began() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/run");
        assert!(matches!(RunFolder::resume(&path), Err(Error::NoRun { .. })));
        let run = RunFolder::create(&path).unwrap();
        assert!(matches!(RunFolder::create(&path), Err(Error::RunLocked { .. })));
        drop(run);
        // Nothing was begun, so the folder may be taken again.
        let run = RunFolder::create(&path).unwrap();
        run.write_plan(&serde_json::json!({"seed": 1})).unwrap();
        drop(run);
        assert!(matches!(RunFolder::create(&path), Err(Error::RunExists { .. })));
        let run = RunFolder::resume(&path).unwrap();
        assert!(run.is_resumed());
        assert_eq!(run.read_plan().unwrap()["seed"], 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = RunFolder::create(&file.join("run")).unwrap_err();
        assert!(error.to_string().contains("file/run"), "{error}");
    }
}
