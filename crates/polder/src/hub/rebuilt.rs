//! Weights that are rebuilt from a trajectory, kept for the next time.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Progress, Watch, cache};
use crate::error::{Error, Result};
use crate::replay::{fetch_base, published, rebuild};

/// Whether a folder holds a trajectory that ended, and no weights of its run.
pub(crate) fn holds_trajectory_alone(folder: &Path) -> bool {
    let path = folder.join("trajectory");
    let others = ["config.json", "best", "final", "checkpoints"];
    path.is_file() && !others.iter().any(|name| folder.join(name).exists())
}

/// The folder of the weights that a trajectory leads to: rebuilt from its base, or from an earlier time.
///
/// # Errors
/// As [`rebuild`]; a run that has not ended.
pub(crate) fn rebuilt(folder: &Path, base: Option<&Path>, watch: &mut Watch<'_>) -> Result<PathBuf> {
    let path = folder.join("trajectory");
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let until = published(folder)?;
    let mut hasher = blake3::Hasher::new();
    // The header names the base by its hash, so the base has no part in the name.
    hasher.update(&bytes);
    if let Some(until) = &until {
        // With the hash that they must have, so that other weights are never taken for these.
        hasher.update(format!("{} {}", until.step, until.weights).as_bytes());
    }
    let name = hasher.finalize().to_hex().chars().take(32).collect::<String>();
    let out = cache()?.join("rebuilt").join(name);
    if out.join("config.json").is_file() {
        return Ok(out);
    }
    fetch_base(folder, base, watch)?;
    let shown = folder.display().to_string();
    let done = rebuild(folder, base, &out, None, &mut |done, total| {
        watch(&Progress { what: "replaying", name: &shown, done, total });
    })?;
    if done.replayed.verified.is_none() {
        fs::remove_dir_all(&out).map_err(Error::io("remove", &out))?;
        return Err(Error::NotEnded { path, steps: done.replayed.steps });
    }
    Ok(out)
}
