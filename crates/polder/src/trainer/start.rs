//! Where a run starts: from the base weights, or where its log ends.

use std::path::{Path, PathBuf};

use polder_optim::trajectory::{Digest, DroppedTail, Evaluation, Header, Method as Entry, Record, Replay, Trajectory};
use polder_optim::{Optimizer, optimizer_from};
use polder_perturb::ParamSet;

use super::method::moves_of;
use super::rate;
use super::scores::FINAL;
use super::trace::forwards_of;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::model::{Model, find};
use crate::run::{RunFolder, State, check_headers};

/// What the log of a run says of its past.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Steps that are done.
    pub(super) done: u64,
    /// Scores that were measured.
    pub(super) evaluations: Vec<Evaluation>,
    /// Forward passes of a whole batch that the steps took.
    pub(super) forwards: u64,
    /// The steps after which the learning rate was measured last, and what it is from there on.
    pub(super) rate: Option<(u64, f64)>,
    /// Whether the run ended at its last step.
    pub(super) ended: bool,
    /// Whether this process has added anything to the log.
    pub(super) moved: bool,
}

impl History {
    /// Reads a log.
    pub(super) fn of(trajectory: &Trajectory) -> Result<Self> {
        let mut history = Self { done: trajectory.steps(), ended: trajectory.end().is_some(), ..Self::default() };
        for record in trajectory.records() {
            history.add(record?);
        }
        Ok(history)
    }

    /// Takes note of what a record says.
    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Step(step) => self.forwards += step.losses.len() as u64,
            Record::Evaluation(evaluation) => self.evaluations.push(evaluation),
            Record::Note(note) => {
                self.forwards += forwards_of(&note);
                self.rate = rate::of_note(&note).or(self.rate);
            }
            Record::End(_) => {}
        }
    }

    /// Forward passes of a whole batch so far, evaluations counted as so many batches.
    pub(super) fn all_forwards(&self) -> u64 {
        let of = |e: &Evaluation| e.more.get("forwards").and_then(serde_json::Value::as_u64).unwrap_or_default();
        self.forwards + self.evaluations.iter().map(of).sum::<u64>()
    }

    /// Whether the last score is known, for a run of that many steps.
    pub(super) fn has_final(&self, steps: u64) -> bool {
        let after = |e: &Evaluation| e.more.get("after").and_then(serde_json::Value::as_u64) == Some(steps);
        self.evaluations.iter().any(|e| e.name == FINAL && after(e))
    }
}

/// The log of a run that goes on; `None` where there is none yet.
///
/// # Errors
/// A log that can't be read, that is damaged before its end, or that is gone while what was made after it is there.
pub(super) fn log_of(run: &RunFolder, watch: &mut dyn Observer) -> Result<Option<Trajectory>> {
    if !run.is_resumed() {
        return Ok(None);
    }
    if !run.trajectory().exists() {
        // The log is the first thing that a run makes, so this one had steps that nobody knows any more.
        return match run.made_after_log() {
            Some(left) => Err(Error::LogGone { path: run.path().to_owned(), left }),
            None => Ok(None),
        };
    }
    let log = Trajectory::open(run.trajectory())?;
    if let Some(tail) = log.dropped() {
        let text = format!("{}; training goes on after step {}.", dropped_tail(tail), log.steps());
        watch.event(&Event::Note { text });
    }
    Ok(Some(log))
}

/// An invalid end of a log, in words.
pub(crate) fn dropped_tail(tail: &DroppedTail) -> String {
    let DroppedTail { offset, bytes, why } = tail;
    format!("The trajectory's last {bytes} bytes (from byte {offset}) are not valid and left out ({why})")
}

/// What a run goes on from.
pub(super) struct Start {
    /// The weights.
    pub(super) model: Model,
    /// How many steps they have behind them.
    pub(super) from: u64,
    /// The folder that they were saved in, where they are not the base weights.
    pub(super) folder: Option<PathBuf>,
    /// The optimiser with its state after those steps; `None` at the base weights.
    optimizer: Option<Box<dyn Optimizer>>,
}

/// Loads the weights that a run goes on from.
///
/// The latest saved weights that the log covers and whose digests are right, with the optimiser's state; the base weights
/// where there are none.
///
/// # Errors
/// The base weights can't be loaded.
pub(super) fn load_latest(
    config: &Config,
    run: &RunFolder,
    log: Option<&Trajectory>,
    watch: &mut dyn Observer,
) -> Result<Start> {
    if let Some(log) = log {
        for (path, state) in saved(run, log) {
            let loaded = load_saved(&path, &state, config)
                .and_then(|model| Ok((optimizer_of(&path, &state, log, &model.loaded.params)?, model)));
            match loaded {
                Ok((optimizer, model)) => {
                    return Ok(Start { model, from: state.step, folder: Some(path), optimizer: Some(optimizer) });
                }
                Err(error) => {
                    let text = format!("The weights of step {} are passed over: {error}", state.step);
                    watch.event(&Event::Note { text });
                }
            }
        }
    }
    Ok(Start { model: load_base(config)?, from: 0, folder: None, optimizer: None })
}

/// The optimiser of a run with the state that was saved with these weights.
fn optimizer_of(path: &Path, state: &State, log: &Trajectory, params: &ParamSet) -> Result<Box<dyn Optimizer>> {
    let Entry { name, settings } = &log.header().optimizer;
    let mut optimizer = optimizer_from(name, settings)?;
    let tensors = state.optimizer(path)?;
    optimizer.restore(params, &mut |name| tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone()))?;
    Ok(optimizer)
}

/// Loads the base weights of a configuration.
///
/// # Errors
/// A model that can't be loaded; no parameter that may change.
pub(super) fn load_base(config: &Config) -> Result<Model> {
    let mut model = Model::load(&find(&config.model.path)?.path, config.model.dtype, config.place()?)?;
    set_trainable(&mut model, &config.trainable)?;
    Ok(model)
}

/// Loads weights that a run saved, and checks their digest.
///
/// # Errors
/// Weights that can't be loaded, or are others than the sidecar says; a tokenizer that is gone.
pub(super) fn load_saved(path: &Path, state: &State, config: &Config) -> Result<Model> {
    let mut model = Model::load(path, config.model.dtype, config.place()?)?;
    set_trainable(&mut model, &config.trainable)?;
    if Digest(model.loaded.params.digest()?).to_string() != state.weights {
        let reason = "its weights are not those that were saved".to_owned();
        return Err(Error::Damaged { path: path.to_owned(), reason });
    }
    // Every run has one.
    if model.loaded.tokenizer.is_none() {
        return Err(Error::Damaged { path: path.to_owned(), reason: "its tokenizer is gone".to_owned() });
    }
    Ok(model)
}

/// The saved weights that a log covers, the latest first.
///
/// `best` has no state of the optimiser, so a run whose optimiser has one can't go on from there.
fn saved(run: &RunFolder, log: &Trajectory) -> Vec<(PathBuf, State)> {
    let of = |path: PathBuf| State::read(&path).map(|state| (path, state));
    let mut all: Vec<(PathBuf, State)> = run.checkpoints().list().into_iter().map(|c| (c.path, c.state)).collect();
    all.extend(of(run.last()));
    let stateful = all.iter().any(|(_, state)| state.optimizer.is_some());
    all.extend(of(run.best()).filter(|_| !stateful));
    all.retain(|(_, state)| state.belongs_to(log));
    all.sort_by_key(|(_, state)| std::cmp::Reverse(state.step));
    all
}

/// Brings weights to the end of the log, and gives the optimiser with its state there.
///
/// # Errors
/// The header is not that of this run; the base weights are others; a step can't be applied.
pub(super) fn catch_up(start: &mut Start, log: &Trajectory, header: &Header) -> Result<Box<dyn Optimizer>> {
    check_headers(log.header(), header)?;
    let mut replay = Replay::new(log)?.preceded_by(moves_of(log.header())?);
    let params = &start.model.loaded.params;
    match start.optimizer.take() {
        Some(optimizer) => replay = replay.with_optimizer(optimizer),
        None => replay.check_base(params)?,
    }
    replay.run(params, start.from..log.steps(), &mut |_| {})?;
    Ok(replay.into_optimizer())
}

/// Says which parameters may change.
///
/// # Errors
/// None of them may.
pub fn set_trainable(model: &mut Model, patterns: &[String]) -> Result<()> {
    let params = &mut model.loaded.params;
    params.set_trainable(|name| patterns.iter().any(|p| matches(p, name)));
    if params.trainable_elements() == 0 {
        return Err(Error::NothingTrainable { patterns: patterns.join(", ") });
    }
    Ok(())
}

/// Whether a name fits a pattern: `*` matches any text, `?` one character, `all` everything.
pub fn matches(pattern: &str, name: &str) -> bool {
    fn fits(pattern: &[char], name: &[char]) -> bool {
        // Positions in the pattern that the name read so far can have reached.
        let mut at = vec![false; pattern.len() + 1];
        at[0] = true;
        let spread = |at: &mut Vec<bool>| {
            for i in 0..pattern.len() {
                if at[i] && pattern[i] == '*' {
                    at[i + 1] = true;
                }
            }
        };
        spread(&mut at);
        for c in name {
            let mut next = vec![false; pattern.len() + 1];
            for i in 0..pattern.len() {
                match pattern[i] {
                    '*' if at[i] => next[i] = true,
                    p if at[i] && (p == '?' || p == *c) => next[i + 1] = true,
                    _ => {}
                }
            }
            at = next;
            spread(&mut at);
        }
        at[pattern.len()]
    }
    pattern == "all" || fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("all", "model.norm.weight", true),
            ("*", "", true),
            ("model.layers.*.q_proj.weight", "model.layers.11.self_attn.q_proj.weight", true),
            ("model.layers.?.mlp*", "model.layers.3.mlp.up_proj.weight", true),
            ("model.layers.?.mlp*", "model.layers.13.mlp.up_proj.weight", false),
            ("*norm", "model.norm.weight", false),
            ("*norm*", "model.norm.weight", true),
            ("**a**", "banana", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
