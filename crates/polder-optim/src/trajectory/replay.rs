//! From base weights and a trajectory to the weights of the run, bit for bit.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, direction};

use super::header::{Digest, Header};
use super::reader::Trajectory;
use super::record::Record;
use crate::error::{Error, Result};
use crate::optimizer::{Applied, Optimizer, UpdateMode};
use crate::registry::optimizer_from;

/// How many steps a walk through the weights makes: the weights go through memory once for all of them, and progress is
/// heard of often enough.
const STEPS_A_WALK: usize = 64;

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many steps were applied.
    pub steps: u64,
    /// The content hash of the weights, where the run ended at the last of these steps: found equal to the logged one.
    pub verified: Option<Digest>,
}

/// Something that was done to the weights before each update, to be repeated.
pub type Moves = Box<dyn FnMut(&ParamSet, &UpdateMode, &Applied) -> Result<()>>;

/// A trajectory made ready for replay: its optimiser, with whatever state that has, and its update mode.
pub struct Replay<'a> {
    trajectory: &'a Trajectory,
    optimizer: Box<dyn Optimizer>,
    mode: UpdateMode,
    moves: Option<Moves>,
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("optimizer", &self.optimizer).field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl<'a> Replay<'a> {
    /// Reads from the header how updates are applied.
    ///
    /// # Errors
    /// Other directions than this program makes; an optimiser, law or rounding that it does not know.
    pub fn new(trajectory: &'a Trajectory) -> Result<Self> {
        let header = trajectory.header();
        if header.directions != direction::VERSION {
            return Err(Error::DirectionVersion {
                found: header.directions,
                known: direction::VERSION,
                polder: header.polder.clone(),
            });
        }
        let mode = UpdateMode { law: Law::from_str(&header.law)?, rounding: Rounding::from_str(&header.rounding)? };
        let optimizer = optimizer_from(&header.optimizer.name, &header.optimizer.settings)?;
        Ok(Self { trajectory, optimizer, mode, moves: None })
    }

    /// Repeats what was done to the weights before each update, such as the moves of an in-place probe.
    pub fn preceded_by(mut self, moves: Option<Moves>) -> Self {
        self.moves = moves;
        self
    }

    /// Goes on with an optimiser that has its state already.
    pub fn with_optimizer(mut self, optimizer: Box<dyn Optimizer>) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// The optimiser, with the state of the steps that were replayed.
    pub fn optimizer(&self) -> &dyn Optimizer {
        &*self.optimizer
    }

    /// The same, to be changed: to take up a state that was saved.
    pub fn optimizer_mut(&mut self) -> &mut dyn Optimizer {
        &mut *self.optimizer
    }

    /// The optimiser, to go on with the run.
    pub fn into_optimizer(self) -> Box<dyn Optimizer> {
        self.optimizer
    }

    /// Checks that these are the weights that the run started from, and as many of them trainable.
    ///
    /// # Errors
    /// They are not; they can't be read.
    pub fn check_base(&self, params: &ParamSet) -> Result<()> {
        let header = self.trajectory.header();
        let trainable = params.trainable_elements() as u64;
        if trainable != header.trainable_elements {
            return Err(Error::Trainable { expected: header.trainable_elements, found: trainable });
        }
        let found = Digest(params.digest()?);
        if found == header.base { Ok(()) } else { Err(wrong_base(header, found)) }
    }

    /// Applies steps `range` to weights that are those after `range.start` steps, with this replay's state.
    ///
    /// Steps are made 64 at a time, block of weights by block of weights. `progress` is called after each
    /// such walk with the number of steps made so far. Where the run ended at the last of these steps, the weights are
    /// compared with those that it logged.
    ///
    /// # Errors
    /// Steps that the trajectory does not have; a storage type that updates don't handle; other final weights.
    pub fn run(&mut self, params: &ParamSet, range: Range<u64>, progress: &mut dyn FnMut(u64)) -> Result<Replayed> {
        let (from, to, steps) = (range.start, range.end, self.trajectory.steps());
        if from > to || to > steps {
            return Err(Error::Range { from, to, steps });
        }
        let mut ended = None;
        let (mut waiting, mut done) = (Vec::with_capacity(STEPS_A_WALK), 0);
        let mut walk = |waiting: &mut Vec<Applied>| -> Result<()> {
            if !waiting.is_empty() {
                match &mut self.moves {
                    None => self.optimizer.apply_all(params, &self.mode, waiting)?,
                    Some(moves) => {
                        for applied in &*waiting {
                            moves(params, &self.mode, applied)?;
                            self.optimizer.apply(params, &self.mode, applied)?;
                        }
                    }
                }
                done += waiting.len() as u64;
                waiting.clear();
                progress(done);
            }
            Ok(())
        };
        for record in self.trajectory.records() {
            match record? {
                Record::Step(step) if step.step >= to => break,
                Record::Step(step) if step.step >= from => {
                    waiting.push(step.applied);
                    if waiting.len() == STEPS_A_WALK {
                        walk(&mut waiting)?;
                    }
                }
                Record::End(end) if end.steps == to => ended = Some(end.weights),
                _ => {}
            }
        }
        walk(&mut waiting)?;
        if let Some(expected) = ended {
            let found = Digest(params.digest()?);
            if found != expected {
                let (expected, found) = (expected.to_string(), found.to_string());
                return Err(Error::Final { steps: to, expected, found });
            }
        }
        Ok(Replayed { steps: to - from, verified: ended })
    }
}

/// Turns base weights into those after `steps` steps of the run (all of them: `trajectory.steps()`).
///
/// # Errors
/// Those of [`Replay::new`], [`Replay::check_base`] and [`Replay::run`].
pub fn replay(
    params: &ParamSet,
    trajectory: &Trajectory,
    steps: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Replayed> {
    let mut replay = Replay::new(trajectory)?;
    replay.check_base(params)?;
    replay.run(params, 0..steps, progress)
}

fn wrong_base(header: &Header, found: Digest) -> Error {
    Error::Base {
        expected: header.base.to_string(),
        found: found.to_string(),
        origin: match &header.model.revision {
            Some(revision) => format!("`{}` at revision `{revision}`", header.model.path),
            None => format!("`{}`", header.model.path),
        },
        dtype: header.dtype.clone(),
    }
}
