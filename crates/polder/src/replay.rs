//! From base weights and a trajectory to a Hugging Face folder.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::Device;
use polder_models::{Loaded, SaveOptions, check_place, load, save};
use polder_optim::trajectory::{Digest, DroppedTail, Header, Replay, Replayed, Trajectory};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::hub;
use crate::model::{find, find_with};
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

/// Which weights of a run were published: the key `published` of their `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishedWeights {
    /// Those after so many steps.
    pub step: u64,
    /// Their digest.
    pub weights: Digest,
}

/// Which weights a folder's plan says were published; `None` where it says nothing of it.
///
/// # Errors
/// A plan that says something else.
pub fn published(folder: &Path) -> Result<Option<PublishedWeights>> {
    let path = folder.join("plan.json");
    let Ok(bytes) = fs::read(&path) else { return Ok(None) };
    let damaged = |error: serde_json::Error| Error::Damaged { path: path.clone(), reason: error.to_string() };
    let plan: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    plan.get("published").map(|found| serde_json::from_value(found.clone())).transpose().map_err(damaged)
}

/// Rebuilds the weights of a run: `source` is a run folder, a published one or a trajectory, `base` the model that it
/// started from (by default what the header names: a commit on the Hub, or where it lay at the run), `out` a folder to
/// write, `steps` how many of the steps to replay (all of them, or those that lead to what was published, where absent).
///
/// The base weights are compared with the header's digest before the first step, the last ones with the log's (or the
/// published ones') after the last. `progress` hears how many steps are done, of how many.
///
/// # Errors
/// A log or model that can't be read; more steps than there are; other base weights; other last weights; a place that is
/// taken or can't be written.
pub fn rebuild(
    source: &Path,
    base: Option<&Path>,
    out: &Path,
    steps: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Rebuilt> {
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || out.is_file() {
        return Err(Error::OutputExists { path: out.to_owned() });
    }
    let path = if source.is_dir() { source.join("trajectory") } else { source.to_owned() };
    let until = if source.is_dir() { published(source)? } else { None };
    let log = Trajectory::open(&path)?;
    let until = until.filter(|until| steps.is_none_or(|steps| steps == until.step));
    if let Some(to) = steps.filter(|steps| *steps > log.steps()) {
        // Known before the base is loaded.
        return Err(polder_optim::Error::Range { from: 0, to, steps: log.steps() }.into());
    }
    let loaded = load_base(&log, base)?;
    check_place(out, &loaded.params, &SaveOptions::default())?;
    let mut replay = Replay::new(&log)?.preceded_by(moves_of(log.header())?);
    replay.check_base(&loaded.params)?;
    let steps = steps.or(until.as_ref().map(|until| until.step)).unwrap_or(log.steps());
    let mut replayed = replay.run(&loaded.params, 0..steps, &mut |done| progress(done, steps))?;
    if let Some(PublishedWeights { weights, .. }) = until {
        let found = Digest(loaded.params.digest()?);
        if found != weights {
            let (expected, found) = (weights.to_string(), found.to_string());
            return Err(polder_optim::Error::Final { steps, expected, found }.into());
        }
        replayed.verified = Some(found);
    }
    save(out, &loaded.params, &loaded.config_json, &loaded.files, &SaveOptions::default())?;
    Ok(Rebuilt { replayed, dropped: log.dropped().cloned() })
}

/// Fetches the base of a trajectory, where that is on the Hub, so that somebody can watch.
///
/// # Errors
/// A log that can't be read; a base that can't be fetched.
pub fn fetch_base(source: &Path, base: Option<&Path>, watch: &mut hub::Watch<'_>) -> Result<()> {
    let path = if source.is_dir() { source.join("trajectory") } else { source.to_owned() };
    let named = || Ok::<_, Error>(hub::path_of(&Trajectory::open(path)?.header().model));
    let base = base.map_or_else(named, |base| Ok(base.to_owned()))?;
    match hub::address(&base) {
        Some(_) => find_with(&base, None, watch).map(|_| ()),
        None => Ok(()),
    }
}

/// Checks that a model is the one that a trajectory starts from.
///
/// # Errors
/// It is not; it can't be loaded.
pub fn check_base(log: &Trajectory, base: &Path) -> Result<()> {
    let loaded = load_base(log, Some(base))?;
    Ok(Replay::new(log)?.check_base(&loaded.params)?)
}

/// Loads the weights that a trajectory starts from, in its storage type.
fn load_base(log: &Trajectory, base: Option<&Path>) -> Result<Loaded> {
    let header = log.header();
    let path = base.map_or_else(|| hub::path_of(&header.model), Path::to_owned);
    if hub::address(&path).is_none() && !path.exists() {
        return Err(no_base(log, header, path));
    }
    let mut loaded = load(&find(&path)?.path, header.dtype.parse()?, &Device::Cpu)?;
    let patterns: Vec<&str> = header.trainable.as_array().into_iter().flatten().filter_map(|p| p.as_str()).collect();
    loaded.params.set_trainable(|name| patterns.iter().any(|p| matches(p, name)));
    Ok(loaded)
}

fn no_base(log: &Trajectory, header: &Header, base: PathBuf) -> Error {
    Error::NoBase { path: log.path().to_owned(), base, digest: header.base.to_string() }
}
