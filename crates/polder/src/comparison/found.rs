//! What a run of a comparison found.

use std::path::Path;

use polder_optim::trajectory::{Evaluation, Record, Trajectory};
use polder_sharpness::Measured;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cell::Cell;
use crate::error::{Error, Result};
use crate::evaluation::compact;
use crate::trainer::{FINAL, MARKS, ROWS, forwards_of};

/// Points of a run's curve, at most.
const CURVE: usize = 50;

/// How a run ended, and what it found: one line of `results.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The case's name.
    pub case: String,
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// What the run is known by, as [`key_of`](super::key_of).
    pub key: String,
    /// The version that made it.
    pub polder: String,
    /// What came of it.
    #[serde(flatten)]
    pub ended: Ended,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ended {
    /// It was scored.
    Scored(Box<Scored>),
    /// It can have no score: its losses or updates left the numbers, or its measured rate is none.
    Failed {
        /// Why.
        failed: String,
    },
}

/// A run that was scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The metric of the score.
    pub metric: String,
    /// The score of the best weights on the evaluation rows.
    pub score: f64,
    /// Their mean loss in nats; absent where there is none.
    pub loss: Option<f64>,
    /// The score of always giving the commonest answer.
    pub majority: Option<f64>,
    /// After how many steps the weights were best.
    pub step: u64,
    /// How many steps were made.
    pub steps: u64,
    /// Forward passes of a batch in training, with those that measure a rate or sample the trace; evaluations not counted.
    pub forwards: u64,
    /// Seconds in these steps.
    pub seconds: f64,
    /// Which rows were scored; absent where the score is no mean over rows.
    pub rows: Option<String>,
    /// What each of them counts.
    #[serde(serialize_with = "serialize_marks")]
    pub marks: Vec<f64>,
    /// The trace of the Hessian at the last weights; absent where it was not asked for, or the loss there is not finite.
    pub trace: Option<Measured>,
    /// The mean training loss along the run: forward passes of a batch so far, nats.
    pub curve: Vec<[f64; 2]>,
}

impl Found {
    /// What a run that ended says in its folder.
    ///
    /// # Errors
    /// A log that can't be read or has no last score.
    pub(super) fn read(cell: &Cell, key: &str, run: &Path, trace: Option<Measured>) -> Result<Self> {
        let path = run.join("trajectory");
        let log = Trajectory::open(&path)?;
        let (mut forwards, mut losses, mut last) = (0, Vec::new(), None);
        for record in log.records() {
            match record? {
                Record::Step(step) => {
                    forwards += step.losses.len() as u64;
                    let mean = step.losses.iter().sum::<f64>() / step.losses.len() as f64;
                    losses.push([forwards as f64, mean]);
                }
                Record::Evaluation(evaluation) if evaluation.name == FINAL => last = Some(evaluation),
                Record::Note(note) => forwards += forwards_of(&note),
                Record::Evaluation(_) | Record::End(_) => {}
            }
        }
        let unscored = || Error::Damaged { path: path.clone(), reason: "it has no last score".to_owned() };
        let last: Evaluation = last.ok_or_else(unscored)?;
        let Some(score) = last.score else {
            return Ok(Self::new(cell, key, Ended::Failed { failed: "its last score is no finite number".to_owned() }));
        };
        let more = |key: &str| last.more.get(key);
        let scored = Scored {
            score,
            loss: last.loss,
            majority: more("majority").and_then(Value::as_f64),
            step: last.step,
            steps: log.steps(),
            forwards,
            seconds: crate::report::seconds_in_steps(run)?,
            rows: more(ROWS).and_then(Value::as_str).map(str::to_owned),
            marks: more(MARKS).and_then(|marks| serde_json::from_value(marks.clone()).ok()).unwrap_or_default(),
            trace,
            curve: thinned(&losses, CURVE),
            metric: last.metric,
        };
        Ok(Self::new(cell, key, Ended::Scored(Box::new(scored))))
    }

    pub(super) fn new(cell: &Cell, key: &str, ended: Ended) -> Self {
        let Cell { case, arm, seed } = cell.clone();
        Self { case, arm, seed, key: key.to_owned(), polder: env!("CARGO_PKG_VERSION").to_owned(), ended }
    }

    /// The same result as that of a run which is called so now: names decide no bit and are not in the key.
    #[must_use]
    pub fn of(self, cell: &Cell) -> Self {
        let Cell { case, arm, seed } = cell.clone();
        Self { case, arm, seed, ..self }
    }

    /// The score and what belongs to it; `None` of a run that has none.
    pub fn scored(&self) -> Option<&Scored> {
        match &self.ended {
            Ended::Scored(scored) => Some(scored),
            Ended::Failed { .. } => None,
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.ended {
            Ended::Scored(scored) => write!(f, "done, {} {:.4}", scored.metric, scored.score),
            Ended::Failed { .. } => f.write_str("done, without a score"),
        }
    }
}

fn serialize_marks<S: serde::Serializer>(marks: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    compact(marks).serialize(serializer)
}

/// Means over stretches of equal length, so many at most.
pub(super) fn thinned(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    let long = points.len().div_ceil(most).max(1);
    let mean = |stretch: &[[f64; 2]]| {
        let sum = stretch.iter().fold([0.0; 2], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
        sum.map(|x| x / stretch.len() as f64)
    };
    points.chunks(long).map(mean).collect()
}
