//! A run between its start and its end: steps, and what is due after them.

use std::time::Instant;

use polder_models::Loaded;
use polder_optim::trajectory::{Digest, Evaluation, Record, Writer};
use polder_tasks::{EncodedExample, Metric};

use super::data::TaskData;
use super::start::History;
use super::step::Stepper;
use super::stop::{Stop, Stopped};
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::evaluation::{Evaluated, evaluate};
use crate::event::{Event, Observer};
use crate::run::{RunFolder, State};
use crate::scoring::ROWS_A_PASS;

/// The name of evaluations that choose the best weights.
pub(super) const DEV: &str = "dev";
/// The name of the last score.
pub(super) const FINAL: &str = "final";

/// A run in progress.
pub(super) struct Session<'a> {
    pub(super) config: &'a Config,
    pub(super) run: &'a RunFolder,
    pub(super) loaded: &'a Loaded,
    pub(super) engine: &'a Engine<'a>,
    pub(super) data: &'a TaskData,
    pub(super) log: &'a mut Writer,
    pub(super) history: &'a mut History,
    pub(super) stop: &'a Stop,
    pub(super) watch: &'a mut dyn Observer,
    /// The step of the newest checkpoint.
    pub(super) saved: Option<u64>,
}

impl Session<'_> {
    /// Runs from the log's end to the last step, or until it is stopped.
    pub(super) fn steps(&mut self, stepper: &mut Stepper<'_>) -> Result<Option<Stopped>> {
        loop {
            match self.advance(stepper) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                // A pass was broken off: what it belonged to is done again at the resume.
                Err(error) if error.is_stop() => return Ok(Some(self.end_early())),
                Err(error) => return Err(error),
            }
            if let Some(reason) = self.stop.now() {
                self.end_early();
                return Ok(Some(reason));
            }
        }
    }

    /// Does what is due, then a step; `false` once the last one is done.
    fn advance(&mut self, stepper: &mut Stepper<'_>) -> Result<bool> {
        self.evaluate_if_due()?;
        if self.history.done >= self.config.steps {
            return Ok(false);
        }
        self.checkpoint_if_due();
        let (start, rows) = (Instant::now(), self.engine.counts());
        let report = stepper.step(self.history.done, self.log)?;
        self.history.done += 1;
        self.history.forwards += report.forwards;
        self.watch.event(&Event::Step {
            step: self.history.done,
            total: self.config.steps,
            loss: report.loss,
            projected: report.projected,
            lr: report.lr,
            forwards: self.history.all_forwards(),
            seconds: start.elapsed().as_secs_f64(),
            tokens: self.engine.counts().since(rows).tokens,
        });
        Ok(true)
    }

    /// Evaluates where the step calls for it and the log has no score of it yet.
    fn evaluate_if_due(&mut self) -> Result<()> {
        let (step, last) = (self.history.done, self.config.steps);
        let first = step == 0 && self.config.eval.before;
        if first && !self.has_score(step, &self.data.eval_split.to_string()) {
            let name = self.data.eval_split.to_string();
            let (record, _) = self.score(&name, &self.data.eval)?;
            self.keep(record, false)?;
        }
        let due = first || (step > 0 && (step.is_multiple_of(self.config.eval.every.max(1)) || step == last));
        if !due || self.data.dev.is_empty() || self.has_score(step, DEV) {
            return Ok(());
        }
        let (record, _) = self.score(DEV, &self.data.dev)?;
        // The untouched weights are no candidate: they lie where they came from.
        let choice = Choice::of(self.config)?;
        let rival = choice.best(self.history).and_then(|e| choice.value(e));
        let best = step > 0 && choice.value(&record).is_some_and(|new| rival.is_none_or(|old| choice.better(new, old)));
        if best {
            self.save_best(step);
        }
        self.keep(record, best)
    }

    /// Scores examples at the weights as they are.
    fn score(&mut self, name: &str, examples: &[EncodedExample]) -> Result<(Evaluation, Evaluated)> {
        let step = self.history.done;
        score(self.engine, self.data, name, step, examples, self.config, self.stop, self.watch)
    }

    /// Logs a score, then tells of it.
    fn keep(&mut self, record: Evaluation, best: bool) -> Result<()> {
        keep(self.log, self.history, self.watch, record, best)
    }

    fn has_score(&self, step: u64, name: &str) -> bool {
        self.history.evaluations.iter().any(|e| e.step == step && e.name == name)
    }

    /// Saves the weights as `best`; a failure is told and training goes on.
    fn save_best(&mut self, step: u64) {
        let path = self.run.best();
        // A disk that is full now may have room later; the log can rebuild these weights in any case.
        match self.state(step).and_then(|state| state.save(&path, self.loaded)) {
            Ok(()) => self.watch.event(&Event::Saved { step, what: "best".to_owned(), path }),
            Err(error) => self.warn(&format!("The best weights so far could not be saved; training goes on. {error}")),
        }
    }

    fn checkpoint_if_due(&mut self) {
        let step = self.history.done;
        if step > 0 && step.is_multiple_of(self.config.save.every.max(1)) {
            self.checkpoint();
        }
    }

    /// Saves a checkpoint, unless this step has one; a failure is told and training goes on, since the log suffices.
    fn checkpoint(&mut self) {
        let step = self.history.done;
        if self.saved == Some(step) {
            return;
        }
        let saved = self
            .log
            .sync()
            .map_err(Error::from)
            .and_then(|()| self.state(step))
            .and_then(|state| self.run.checkpoints().save(&state, self.loaded));
        match saved {
            Ok(path) => {
                self.saved = Some(step);
                self.watch.event(&Event::Saved { step, what: "checkpoint".to_owned(), path });
            }
            Err(error) => self.warn(&format!(
                "The checkpoint of step {step} could not be saved; training goes on, since the trajectory can rebuild \
                 it, and earlier checkpoints are as they were. {error}"
            )),
        }
    }

    /// What the sidecar of the present weights says.
    fn state(&self, step: u64) -> Result<State> {
        state(self.loaded, step, self.log)
    }

    fn end_early(&mut self) -> Stopped {
        if self.history.done > 0 {
            self.checkpoint();
        }
        self.stop.now().unwrap_or(Stopped::Asked)
    }

    fn warn(&mut self, text: &str) {
        self.watch.event(&Event::Note { text: text.to_owned() });
    }
}

/// What the sidecar of these weights says.
pub(super) fn state(loaded: &Loaded, step: u64, log: &Writer) -> Result<State> {
    let weights = Digest(loaded.params.digest()?).to_string();
    Ok(State { version: 1, step, trajectory_bytes: log.bytes(), weights })
}

/// Scores examples; the record is for the log.
#[allow(clippy::too_many_arguments)] // Two callers, each with all of these at hand.
pub(super) fn score(
    engine: &Engine<'_>,
    data: &TaskData,
    name: &str,
    step: u64,
    examples: &[EncodedExample],
    config: &Config,
    stop: &Stop,
    watch: &mut dyn Observer,
) -> Result<(Evaluation, Evaluated)> {
    watch.event(&Event::Evaluating { step, split: name.to_owned(), examples: examples.len() });
    let on_pass = &mut |_| if stop.now().is_some() { Err(Error::Stopped) } else { Ok(()) };
    let found = evaluate(engine, examples, data.kind, data.metric, ROWS_A_PASS, on_pass)?;
    let batch = config.batch.size(data.train.len()).max(1);
    let mut more = serde_json::Map::new();
    more.insert("forwards".to_owned(), found.n.div_ceil(batch).into());
    more.insert("seconds".to_owned(), found.seconds.into());
    more.insert("majority".to_owned(), found.majority.into());
    more.insert("interval".to_owned(), found.interval.map(|i| vec![i.low, i.high]).into());
    if let Choice::Score(metric) = Choice::of(config)? {
        more.insert(metric.to_string(), found.score_by(metric, examples).into());
    }
    let finite = |x: f64| x.is_finite().then_some(x);
    let record = Evaluation {
        step,
        name: name.to_owned(),
        metric: found.metric.to_string(),
        score: finite(found.score),
        n: found.n as u64,
        loss: finite(found.loss),
        more,
    };
    Ok((record, found))
}

/// Logs a score, then tells of it.
pub(super) fn keep(
    log: &mut Writer,
    history: &mut History,
    watch: &mut dyn Observer,
    record: Evaluation,
    best: bool,
) -> Result<()> {
    log.append(&Record::Evaluation(record.clone()))?;
    let more = |key: &str| record.more.get(key);
    let ends = more("interval").and_then(|v| Some((v.get(0)?.as_f64()?, v.get(1)?.as_f64()?)));
    watch.event(&Event::Evaluated {
        step: history.done,
        split: record.name.clone(),
        metric: record.metric.clone(),
        score: record.score.unwrap_or(f64::NAN),
        interval: ends,
        majority: more("majority").and_then(serde_json::Value::as_f64),
        loss: record.loss.unwrap_or(f64::NAN),
        n: record.n as usize,
        seconds: more("seconds").and_then(serde_json::Value::as_f64).unwrap_or_default(),
        forwards: history.all_forwards() + more("forwards").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        best,
    });
    history.evaluations.push(record);
    Ok(())
}

/// What chooses the best weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The lowest mean loss on the dev rows (MeZO).
    Loss,
    /// The highest score on the dev rows.
    Score(Metric),
}

impl Choice {
    pub(super) fn of(config: &Config) -> Result<Self> {
        Ok(match config.eval.metric.parse()? {
            Metric::Loss => Self::Loss,
            metric => Self::Score(metric),
        })
    }

    pub(super) fn value(self, record: &Evaluation) -> Option<f64> {
        match self {
            Self::Loss => record.loss,
            Self::Score(metric) if record.metric == metric.to_string() => record.score,
            Self::Score(metric) => record.more.get(&metric.to_string())?.as_f64(),
        }
    }

    fn better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Loss => new < old,
            Self::Score(_) => new > old,
        }
    }

    /// The first of the best dev scores that any step reached.
    pub(super) fn best(self, history: &History) -> Option<&Evaluation> {
        let mut best: Option<(&Evaluation, f64)> = None;
        for record in history.evaluations.iter().filter(|e| e.name == DEV && e.step > 0) {
            let Some(value) = self.value(record) else { continue };
            if best.is_none_or(|(_, old)| self.better(value, old)) {
                best = Some((record, value));
            }
        }
        best.map(|(record, _)| record)
    }
}
