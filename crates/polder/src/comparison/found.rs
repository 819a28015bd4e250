//! What a run of a comparison found.

use std::path::Path;

use polder_optim::trajectory::{Evaluation, Record, Trajectory};
use polder_sharpness::Measured;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cell::Cell;
use crate::error::{Error, Result};
use crate::evaluation::compact;
use crate::trainer::{FINAL, MARKS, ROWS};

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
    /// Its losses or updates left the numbers.
    Diverged {
        /// What the trainer said.
        diverged: String,
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
    /// Forward passes of a batch in training, evaluations not counted.
    pub forwards: u64,
    /// Seconds in these steps.
    pub seconds: f64,
    /// Which rows were scored; absent where the score is no mean over rows.
    pub rows: Option<String>,
    /// What each of them counts.
    #[serde(serialize_with = "serialize_marks")]
    pub marks: Vec<f64>,
    /// The trace of the Hessian at the last weights.
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
                _ => {}
            }
        }
        let unscored = || Error::Damaged { path: path.clone(), reason: "it has no last score".to_owned() };
        let last: Evaluation = last.ok_or_else(unscored)?;
        let more = |key: &str| last.more.get(key);
        let scored = Scored {
            score: last.score.ok_or_else(unscored)?,
            loss: last.loss,
            majority: more("majority").and_then(Value::as_f64),
            step: last.step,
            steps: log.steps(),
            forwards,
            seconds: crate::report::seconds_in_steps(run)?,
            rows: more(ROWS).and_then(Value::as_str).map(str::to_owned),
            marks: more(MARKS).and_then(|marks| serde_json::from_value(marks.clone()).ok()).unwrap_or_default(),
            trace,
            curve: thinned(&losses),
            metric: last.metric,
        };
        Ok(Self::of(cell, key, Ended::Scored(Box::new(scored))))
    }

    pub(super) fn of(cell: &Cell, key: &str, ended: Ended) -> Self {
        let Cell { case, arm, seed } = cell.clone();
        Self { case, arm, seed, key: key.to_owned(), polder: env!("CARGO_PKG_VERSION").to_owned(), ended }
    }

    /// The score and what belongs to it; `None` of a run that diverged.
    pub fn scored(&self) -> Option<&Scored> {
        match &self.ended {
            Ended::Scored(scored) => Some(scored),
            Ended::Diverged { .. } => None,
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.ended {
            Ended::Scored(scored) => write!(f, "done, {} {:.4}", scored.metric, scored.score),
            Ended::Diverged { .. } => f.write_str("done, diverged"),
        }
    }
}

fn serialize_marks<S: serde::Serializer>(marks: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    compact(marks).serialize(serializer)
}

/// Means over stretches of equal length.
fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let long = points.len().div_ceil(CURVE).max(1);
    let mean = |stretch: &[[f64; 2]]| {
        let sum = stretch.iter().fold([0.0; 2], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
        sum.map(|x| x / stretch.len() as f64)
    };
    points.chunks(long).map(mean).collect()
}
