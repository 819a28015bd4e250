//! What an experiment is and what is asked of it.

use std::path::PathBuf;

use super::outcome::Outcome;
use crate::error::{Error, Result};

/// A published experiment that can be run again.
#[derive(Debug, Clone, Copy)]
pub struct Experiment {
    /// The name on the command line.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// The paper with the figure, table or section.
    pub source: &'static str,
    /// About how many seconds the short and the full form take on one core.
    pub seconds: (f64, f64),
    /// Runs it, telling of its progress.
    pub run: Run,
}

/// Runs an experiment as asked, telling of its progress.
pub type Run = fn(&Request, &mut dyn FnMut(&Progress)) -> Result<Outcome>;

/// What is asked of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Run the short form, which checks only what its length can show.
    pub short: bool,
    /// Moves all random numbers; 0 for those of the documented results.
    pub seed: u64,
    /// A data file or folder, for the experiments that read one.
    pub data: Option<PathBuf>,
    /// A model, for the experiments that read one.
    pub model: Option<PathBuf>,
    /// A task's name or file, for the experiments that have one.
    pub task: Option<String>,
}

impl Request {
    /// Refuses options that the experiment does not read: a result must not look as if they had counted.
    ///
    /// # Errors
    /// `--data`, `--model` or `--task` is given and not among `known`.
    pub fn takes(&self, known: &[&str]) -> Result<()> {
        let given =
            [("--data", self.data.is_some()), ("--model", self.model.is_some()), ("--task", self.task.is_some())];
        match given.into_iter().find(|(option, given)| *given && !known.contains(option)) {
            Some((option, _)) => Err(Error::UnreadOption { option }),
            None => Ok(()),
        }
    }
}

/// How far an experiment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub what: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}
