//! What a run's files say of it.

use std::fs;
use std::path::Path;

use polder_optim::trajectory::{Digest, Evaluation, Header, Record, Trajectory};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::hub;
use crate::replay::PublishedWeights;
use crate::trainer::forwards_of;

/// A score of the published weights or of the base.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The task.
    pub task: String,
    /// The rows' split.
    pub split: String,
    /// The metric's name.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// The ends of its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// The score of always giving the commonest answer.
    pub majority: Option<f64>,
    /// The mean loss, in nats.
    pub loss: Option<f64>,
    /// How many rows.
    pub rows: u64,
    /// Whether it is that of the base weights.
    pub base: bool,
}

/// The facts of a run.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The plan.
    pub plan: Value,
    /// The trajectory's header.
    pub header: Header,
    /// Steps in the trajectory.
    pub steps: u64,
    /// The steps behind the published weights.
    pub step: u64,
    /// Forward passes of a batch up to there: points of weight space that steps read, samples of the trace, and what measuring
    /// the learning rate took.
    pub forwards: u64,
    /// Forward passes of a batch that evaluations took.
    pub evaluation_forwards: u64,
    /// The scores, the base's first.
    pub scores: Vec<Score>,
    /// Seconds that the steps took, where `metrics.jsonl` has them.
    pub seconds: Option<f64>,
    /// Scores beside the run that are those of other weights, in sentences.
    pub left_out: Vec<String>,
}

impl Facts {
    /// Reads a run folder of which these weights are published.
    ///
    /// # Errors
    /// A plan or trajectory that can't be read.
    pub fn read(run: &Path, published: &PublishedWeights) -> Result<Self> {
        let step = published.step;
        let path = run.join("plan.json");
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let plan: Value = serde_json::from_slice(&bytes).map_err(|e| Error::Damaged { path, reason: e.to_string() })?;
        let log = Trajectory::open(run.join("trajectory"))?;
        let mut facts = Self {
            header: log.header().clone(),
            steps: log.steps(),
            step,
            forwards: 0,
            evaluation_forwards: 0,
            scores: Vec::new(),
            seconds: seconds(run, step),
            left_out: Vec::new(),
            plan,
        };
        for record in log.records() {
            match record? {
                Record::Step(found) if found.step < step => facts.forwards += found.losses.len() as u64,
                Record::Note(note) if note["step"].as_u64().is_none_or(|at| at < step) => {
                    facts.forwards += forwards_of(&note);
                }
                Record::Evaluation(found) => facts.add(&found),
                _ => {}
            }
        }
        for (file, object) in results(run) {
            let Some(score) = score(&object) else { continue };
            match whose(&object, run, published, &facts.header) {
                Some(base) => facts.scores.push(Score { base, ..score }),
                None => facts.left_out.push(format!(
                    "`{file}` holds a score on {} of weights that are neither the published ones nor the base's{}; it is left out",
                    score.task,
                    object["model"].as_str().map(|model| format!(" (`{model}`)")).unwrap_or_default()
                )),
            }
        }
        facts.scores.sort_by_key(|score| !score.base);
        Ok(facts)
    }

    /// Takes a score on the evaluation rows, of the base or of the published weights. Those on dev rows chose the weights,
    /// so they say little.
    fn add(&mut self, found: &Evaluation) {
        let more = |key: &str| found.more.get(key);
        self.evaluation_forwards += more("forwards").and_then(Value::as_u64).unwrap_or_default();
        if found.name == "dev" || (found.step != 0 && found.step != self.step) {
            return;
        }
        let named = more("split").and_then(Value::as_str);
        let split = named.or_else(|| self.text("/facts/data/eval_split")).unwrap_or(&found.name).to_owned();
        let score = Score {
            task: self.text("/facts/data/task").unwrap_or("task").to_owned(),
            split,
            metric: found.metric.clone(),
            value: match found.score {
                Some(value) => value,
                None => return,
            },
            interval: more("interval").and_then(|v| Some((v.get(0)?.as_f64()?, v.get(1)?.as_f64()?))),
            majority: more("majority").and_then(Value::as_f64),
            loss: found.loss,
            rows: found.n,
            base: found.step == 0 && self.step != 0,
        };
        self.scores.push(score);
    }

    /// A text of the plan.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.plan.pointer(pointer).and_then(Value::as_str)
    }

    /// A whole number of the plan.
    pub(super) fn number(&self, pointer: &str) -> Option<u64> {
        self.plan.pointer(pointer).and_then(Value::as_u64)
    }
}

/// Seconds of the steps up to `step`.
fn seconds(run: &Path, step: u64) -> Option<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).ok()?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of = |line: Value| {
        let own = line["kind"] == "step" && line["step"].as_u64().is_some_and(|n| n <= step);
        line["seconds"].as_f64().filter(|_| own)
    };
    let all: Vec<f64> = lines.filter_map(of).collect();
    (!all.is_empty()).then(|| all.iter().sum())
}

/// What `polder eval --json` wrote beside the run: the objects of `RUN/eval*.json` and `.jsonl`, with their file's name.
fn results(run: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<_> = fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("eval") && (name.ends_with(".json") || name.ends_with(".jsonl")) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let objects = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok);
            found.extend(objects.map(|object| (name.to_owned(), object)));
        }
    }
    found
}

/// Whether a score is the base's, or that of the published weights; `None` where it is neither's.
///
/// Weights are known by their digest. Where they were held as another type than in the run, or the score has none, the model's
/// path says whose it is.
fn whose(object: &Value, run: &Path, published: &PublishedWeights, header: &Header) -> Option<bool> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let digest = text("weights").and_then(|digest| serde_json::from_value::<Digest>(digest.into()).ok());
    match digest {
        Some(digest) if digest == published.weights => return Some(false),
        Some(digest) if digest == header.base => return Some(true),
        Some(_) if text("dtype") == Some(header.dtype.as_str()) => return None,
        _ => {}
    }
    let model = Path::new(text("model")?);
    let is = |path: &Path| {
        let places = [path, model].map(fs::canonicalize);
        path == model || matches!(places, [Ok(one), Ok(other)] if one == other)
    };
    match is(run) {
        true => Some(false),
        false => is(&hub::path_of(&header.model)).then_some(true),
    }
}

/// A result of `polder eval` as a score; `None` for an object that is none.
fn score(object: &Value) -> Option<Score> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |key: &str| object.get(key).and_then(Value::as_f64);
    Some(Score {
        task: text("task")?,
        split: text("split").unwrap_or_else(|| "validation".to_owned()),
        metric: text("metric")?,
        value: number("score")?,
        interval: object.get("interval").and_then(|v| Some((v.get(0)?.as_f64()?, v.get(1)?.as_f64()?))),
        majority: number("majority"),
        loss: number("loss"),
        rows: object.get("n").and_then(Value::as_u64)?,
        base: false,
    })
}
