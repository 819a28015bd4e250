//! What a run has written so far, as far as it can be read.

use std::fs;
use std::path::{Path, PathBuf};

use polder_optim::trajectory::{Record, Trajectory};
use serde_json::Value;

use crate::error::{Error, Result};

/// A step. Numbers that a file does not hold are NaN.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    pub(super) step: f64,
    pub(super) total: f64,
    pub(super) forwards: f64,
    pub(super) loss: f64,
    /// The root mean square of the projected gradients over the step's directions, and how many directions.
    pub(super) projected: f64,
    pub(super) directions: usize,
    pub(super) tilt: f64,
    pub(super) effective: f64,
    pub(super) tilted_loss: f64,
    pub(super) lr: f64,
    pub(super) seconds: f64,
    pub(super) tokens: f64,
    pub(super) memory: f64,
}

/// A score.
#[derive(Debug, Clone, Default)]
pub(super) struct Score {
    pub(super) step: f64,
    pub(super) forwards: f64,
    pub(super) split: String,
    pub(super) metric: String,
    pub(super) score: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) majority: f64,
    pub(super) loss: f64,
    pub(super) n: f64,
    pub(super) seconds: f64,
    pub(super) best: bool,
}

/// An estimate of the Hessian's trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    pub(super) step: f64,
    pub(super) forwards: f64,
    pub(super) trace: f64,
    pub(super) error: f64,
    pub(super) edge: f64,
}

/// A run as its files tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
    pub(super) scores: Vec<Score>,
    pub(super) traces: Vec<Trace>,
    pub(super) notes: Vec<String>,
    pub(super) plan: Value,
    /// The content hashes of the weights before and, where the run has ended, after it.
    pub(super) base: Option<String>,
    pub(super) end: Option<String>,
    /// Lines that can't be read.
    pub(super) torn: usize,
}

impl Run {
    /// Reads a run folder; what is missing in it stays empty.
    ///
    /// # Errors
    /// There is neither a plan nor a `metrics.jsonl`.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let (metrics, plan) = (path.join("metrics.jsonl"), fs::read(path.join("plan.json")));
        let bytes = match fs::read(&metrics) {
            Ok(bytes) => bytes,
            // A run that has not come to its first line.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && plan.is_ok() => Vec::new(),
            Err(error) => return Err(Error::io("read", metrics)(error)),
        };
        let plan = plan.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let mut run = Self { path: whole, name, plan, ..Self::default() };
        run.planned_notes();
        for line in bytes.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            match serde_json::from_slice::<Value>(line) {
                Ok(line) => run.add(&line),
                Err(_) => run.torn += 1,
            }
        }
        run.logged();
        Ok(run)
    }

    fn planned_notes(&mut self) {
        let notes = self.plan.pointer("/facts/notes").and_then(Value::as_array).into_iter().flatten();
        self.notes.extend(notes.filter_map(Value::as_str).map(str::to_owned));
    }

    /// What only the trajectory knows.
    fn logged(&mut self) {
        let Ok(log) = Trajectory::open(self.path.join("trajectory")) else { return };
        self.base = Some(log.header().base.to_string());
        self.end = log.end().map(|end| end.weights.to_string());
        let notes = log.records().filter_map(|record| match record {
            Ok(Record::Note(note)) => told(&note),
            _ => None,
        });
        self.notes.extend(notes);
    }

    fn add(&mut self, line: &Value) {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let n = |key: &str| number(line.get(key));
        let (step, forwards) = (n("step"), n("forwards"));
        match line.get("kind").and_then(Value::as_str) {
            Some("step") => self.steps.push(one_step(line)),
            Some("evaluated") => self.scores.push(Score {
                step,
                forwards,
                split: text("split"),
                metric: text("metric"),
                score: n("score"),
                low: number(line.pointer("/interval/0")),
                high: number(line.pointer("/interval/1")),
                majority: n("majority"),
                loss: n("loss"),
                n: n("n"),
                seconds: n("seconds"),
                best: line.get("best").and_then(Value::as_bool).unwrap_or_default(),
            }),
            Some("trace") => {
                self.traces.push(Trace { step, forwards, trace: n("trace"), error: n("error"), edge: n("edge") });
            }
            Some("note") => self.notes.push(text("text")),
            _ => {}
        }
    }

    /// Whether every line says how many forward passes there had been.
    pub(super) fn counts_forwards(&self) -> bool {
        let steps = self.steps.iter().map(|line| line.forwards);
        let scores = self.scores.iter().map(|line| line.forwards);
        steps.chain(scores).chain(self.traces.iter().map(|line| line.forwards)).all(f64::is_finite)
    }

    /// The last score on the evaluation rows, after training; else the last one on the dev rows.
    pub(super) fn result(&self) -> Option<&Score> {
        let last = |split: &str| self.scores.iter().rev().find(|score| score.split == split);
        last("final").or_else(|| last("dev")).or_else(|| self.scores.last())
    }
}

fn one_step(line: &Value) -> Step {
    let n = |key: &str| number(line.get(key));
    let projected: Vec<f64> =
        line.get("projected").and_then(Value::as_array).into_iter().flatten().map(|g| number(Some(g))).collect();
    let square: f64 = projected.iter().map(|g| g * g).sum();
    Step {
        step: n("step"),
        total: n("total"),
        forwards: n("forwards"),
        loss: n("loss"),
        // Without a direction it is 0 / 0: not known.
        projected: (square / projected.len() as f64).sqrt(),
        directions: projected.len(),
        tilt: number(line.pointer("/tilt/t")),
        effective: number(line.pointer("/tilt/effective")),
        tilted_loss: number(line.pointer("/tilt/loss")),
        lr: n("lr"),
        seconds: n("seconds"),
        tokens: n("tokens"),
        memory: n("memory"),
    }
}

/// A number; NaN where there is none.
fn number(value: Option<&Value>) -> f64 {
    value.and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// A note of the log in words; samples of the trace are numbers of a chart, and no notes.
fn told(note: &Value) -> Option<String> {
    if note.get("kind").and_then(Value::as_str) == Some("trace") {
        return None;
    }
    let words = note.as_str().or_else(|| note.get("text")?.as_str()).or_else(|| note.get("changed")?.as_str());
    Some(words.map_or_else(|| note.to_string(), str::to_owned))
}
