//! Generations of checkpoints: the new one is complete before the old one goes.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use polder_models::{ExtraFile, Loaded, SaveOptions, SideFile, save_with};
use polder_optim::trajectory::Trajectory;
use safetensors::View;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The file beside a run's weights that says which they are.
const STATE: &str = "polder.json";
/// The file beside them that holds the optimiser's state, as safetensors.
const OPTIMIZER: &str = "optimizer.state";

/// What a run's saved weights are: the sidecar `polder.json` of checkpoints, `best` and `final`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The version of this file: 1.
    pub version: u32,
    /// How many steps made these weights.
    pub step: u64,
    /// The length of the trajectory when they were saved, in bytes.
    pub trajectory_bytes: u64,
    /// The trajectory's running checksum at that length: another run's log has another one.
    pub trajectory_checksum: u32,
    /// The digest of the weights, as the trajectory's header writes the base's.
    pub weights: String,
    /// The digest of the optimiser's state in `optimizer.state`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
}

/// Tensors by name.
pub type Tensors = Vec<(String, Tensor)>;

impl State {
    /// Reads the sidecar of a folder; `None` where there is none that this version wrote.
    pub fn read(folder: &Path) -> Option<Self> {
        let state: Self = serde_json::from_slice(&fs::read(folder.join(STATE)).ok()?).ok()?;
        (state.version == 1).then_some(state)
    }

    /// Whether these weights were made by the steps at the beginning of this log.
    pub fn belongs_to(&self, log: &Trajectory) -> bool {
        self.step <= log.steps() && log.checksum_at(self.trajectory_bytes) == Some(self.trajectory_checksum)
    }

    /// The sidecar as a file.
    fn file(&self) -> SideFile {
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        SideFile { name: STATE.to_owned(), bytes }
    }

    /// Puts weights, the optimiser's state and this sidecar in a folder's place, whole or not at all.
    ///
    /// # Errors
    /// A full or unwritable disk; a folder that was there is then left as it was.
    pub fn save(&self, folder: &Path, model: &Loaded, optimizer: &[(String, Tensor)]) -> Result<()> {
        let digest = if optimizer.is_empty() { None } else { Some(digest(optimizer)?) };
        let mut files: Vec<SideFile> = model.files.iter().filter(|f| f.name != STATE).cloned().collect();
        files.push(Self { optimizer: digest, ..self.clone() }.file());
        let write = |path: &Path| {
            let tensors = optimizer.iter().map(|(name, tensor)| (name, tensor));
            safetensors::serialize_to_file(tensors, None, path).map_err(std::io::Error::other)
        };
        let bytes = optimizer.iter().map(|(_, t)| t.elem_count() * t.dtype().size_in_bytes()).sum::<usize>() as u64;
        let extra = ExtraFile { name: OPTIMIZER, bytes, write: &write };
        let extra = (!optimizer.is_empty()).then_some(&extra);
        Ok(save_with(folder, &model.params, &model.config_json, &files, &SaveOptions::default(), extra)?)
    }

    /// The optimiser's state that was saved with these weights; empty where there is none.
    ///
    /// # Errors
    /// A file that is missing, can't be read, or is not the one that was saved.
    pub fn optimizer(&self, folder: &Path) -> Result<Tensors> {
        let Some(expected) = &self.optimizer else { return Ok(Vec::new()) };
        let path = folder.join(OPTIMIZER);
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let read = candle_core::safetensors::load(&path, &Device::Cpu).map_err(|e| damaged(e.to_string()))?;
        let mut tensors: Tensors = read.into_iter().collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        if digest(&tensors)? == *expected {
            Ok(tensors)
        } else {
            Err(damaged("it is not the state that was saved with these weights".to_owned()))
        }
    }
}

/// A digest of tensors: their names, types and bytes, in the order of the names.
fn digest(tensors: &[(String, Tensor)]) -> Result<String> {
    let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = blake3::Hasher::new();
    for (name, tensor) in sorted {
        // Lengths first, so that no two lists of names and bytes read alike.
        let bytes = View::data(tensor);
        hasher.update(format!("{}:{name}:{:?}:{}:", name.len(), tensor.dtype(), bytes.len()).as_bytes());
        hasher.update_rayon(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// One complete checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its folder, a Hugging Face folder with its sidecar.
    pub path: PathBuf,
    /// What it knows.
    pub state: State,
}

/// `RUN/checkpoints`.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The checkpoints in a folder, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Saves a generation, then removes the earlier ones as far as they can be removed.
    ///
    /// It is written beside its place, made durable and renamed, so whoever reads sees all of it or nothing.
    ///
    /// # Errors
    /// A full or unwritable disk; earlier generations are then left as they were.
    pub fn save(&self, state: &State, model: &Loaded, optimizer: &[(String, Tensor)]) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create", &self.folder))?;
        let path = self.folder.join(format!("step-{:06}", state.step));
        state.save(&path, model, optimizer)?;
        // The new one is complete. An old one that can't go costs room only, and the next save tries again.
        let _ = self.remove_all_but(&path);
        Ok(path)
    }

    /// The complete checkpoints, the latest first; folders without a readable sidecar are passed over.
    pub fn list(&self) -> Vec<Checkpoint> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let mut found: Vec<Checkpoint> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                // Half-written generations and those being removed begin with a dot.
                if !path.file_name()?.to_str()?.starts_with("step-") {
                    return None;
                }
                let state = State::read(&path)?;
                Some(Checkpoint { path, state })
            })
            .collect();
        found.sort_by_key(|c| std::cmp::Reverse(c.state.step));
        found
    }

    /// Removes every generation.
    ///
    /// # Errors
    /// One that can't be removed.
    pub fn clear(&self) -> Result<()> {
        super::atomic::remove_folder(&self.folder)
    }

    fn remove_all_but(&self, keep: &Path) -> Result<()> {
        for entry in fs::read_dir(&self.folder).map_err(Error::io("read", &self.folder))? {
            let path = entry.map_err(Error::io("read", &self.folder))?.path();
            if path != keep && path.is_dir() {
                fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(step: u64) -> State {
        State {
            version: 1,
            step,
            trajectory_bytes: 10 * step,
            trajectory_checksum: 7,
            weights: "d".to_owned(),
            optimizer: None,
        }
    }

    /// A folder as [`Checkpoints::save`] leaves it, but for the weights.
    fn complete(all: &Checkpoints, step: u64) -> PathBuf {
        let path = all.folder.join(format!("step-{step:06}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(STATE), state(step).file().bytes).unwrap();
        path
    }

    #[test]
    fn only_the_new_generation_stays() {
        let root = tempfile::tempdir().unwrap();
        let all = Checkpoints::new(root.path().join("checkpoints"));
        assert!(all.list().is_empty());
        complete(&all, 200);
        fs::create_dir(all.folder.join(".step-000400.partial-x")).unwrap();
        let newest = complete(&all, 600);
        assert_eq!(all.list().iter().map(|c| c.state.step).collect::<Vec<_>>(), [600, 200]);
        all.remove_all_but(&newest).unwrap();
        assert_eq!(all.list(), [Checkpoint { path: newest, state: state(600) }]);
        assert_eq!(fs::read_dir(&all.folder).unwrap().count(), 1);
        all.clear().unwrap();
        assert!(!all.folder.exists());
    }

    #[test]
    fn damaged_generations_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let all = Checkpoints::new(root.path().to_owned());
        for (name, text) in [("step-000001", "{"), ("step-000002", "{\"version\": 2}"), (".step-000003.new", "")] {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join(STATE), text).unwrap();
        }
        fs::create_dir(root.path().join("step-000004")).unwrap();
        assert!(all.list().is_empty());
    }
}
