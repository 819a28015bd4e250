//! What a run's files say of it.

use std::fs;
use std::path::Path;

use polder_optim::trajectory::{Evaluation, Header, Record, Trajectory};
use serde_json::Value;

use crate::error::{Error, Result};

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
    /// Points of weight space that the steps up to there read, each a forward pass of a batch.
    pub forwards: u64,
    /// Forward passes of a batch that evaluations took.
    pub evaluation_forwards: u64,
    /// The scores, the base's first.
    pub scores: Vec<Score>,
    /// Seconds that the steps took, where `metrics.jsonl` has them.
    pub seconds: Option<f64>,
}

impl Facts {
    /// Reads a run folder.
    ///
    /// # Errors
    /// A plan or trajectory that can't be read.
    pub fn read(run: &Path, step: u64) -> Result<Self> {
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
            plan,
        };
        for record in log.records() {
            match record? {
                Record::Step(found) if found.step < step => facts.forwards += found.losses.len() as u64,
                Record::Evaluation(found) => facts.add(&found),
                _ => {}
            }
        }
        facts.scores.extend(results(run));
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

/// What `polder eval --json` wrote beside the run: the objects of `RUN/eval*.json` and `.jsonl`.
fn results(run: &Path) -> Vec<Score> {
    let mut files: Vec<_> = fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let named = |path: &Path| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with("eval") && (name.ends_with(".json") || name.ends_with(".jsonl"))
    };
    let texts = files.iter().filter(|path| named(path)).filter_map(|path| fs::read_to_string(path).ok());
    let objects = texts.flat_map(|text| {
        serde_json::Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok).collect::<Vec<_>>()
    });
    objects.filter_map(|object| result(&object)).collect()
}

fn result(object: &Value) -> Option<Score> {
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
