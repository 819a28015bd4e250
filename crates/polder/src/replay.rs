//! From base weights and a trajectory to a Hugging Face folder.

use std::path::{Path, PathBuf};

use candle_core::Device;
use polder_models::{SaveOptions, load, save};
use polder_optim::trajectory::{DroppedTail, Replay, Replayed, Trajectory};

use crate::error::{Error, Result};
use crate::trainer::{dropped_tail, matches, moves_of};

/// What was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The steps, and whether the weights were found to be the run's.
    pub replayed: Replayed,
    /// The invalid end of the trajectory that was left out, if it had one.
    pub dropped: Option<DroppedTail>,
}

impl Rebuilt {
    /// What was left out, in a sentence.
    pub fn note(&self) -> Option<String> {
        self.dropped.as_ref().map(|tail| format!("{}.", dropped_tail(tail)))
    }
}

/// Rebuilds the weights of a run: `source` is a run folder or a trajectory, `base` the model that it started from (where
/// it lay at the run by default), `out` a folder to write.
///
/// The base weights are compared with the header's digest before the first step, the last ones with the log's after the
/// last. `progress` hears how many steps are done, of how many.
///
/// # Errors
/// A log or model that can't be read; other base weights; other last weights; a place that is taken or can't be written.
pub fn rebuild(source: &Path, base: Option<&Path>, out: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Rebuilt> {
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || out.is_file() {
        return Err(Error::OutputExists { path: out.to_owned() });
    }
    let path = if source.is_dir() { source.join("trajectory") } else { source.to_owned() };
    let log = Trajectory::open(path)?;
    let header = log.header();
    let model = base.map_or_else(|| PathBuf::from(&header.model.path), Path::to_owned);
    let mut loaded = load(&model, header.dtype.parse()?, &Device::Cpu)?;
    let patterns: Vec<&str> = header.trainable.as_array().into_iter().flatten().filter_map(|p| p.as_str()).collect();
    loaded.params.set_trainable(|name| patterns.iter().any(|p| matches(p, name)));
    let mut replay = Replay::new(&log)?.preceded_by(moves_of(header)?);
    replay.check_base(&loaded.params)?;
    let steps = log.steps();
    let replayed = replay.run(&loaded.params, 0..steps, &mut |done| progress(done, steps))?;
    save(out, &loaded.params, &loaded.config_json, &loaded.files, &SaveOptions::default())?;
    Ok(Rebuilt { replayed, dropped: log.dropped().cloned() })
}
