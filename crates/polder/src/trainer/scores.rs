//! Scores in a run: measured, logged, told, compared.

use polder_models::Loaded;
use polder_optim::trajectory::{Digest, Evaluation, Record, Writer};
use polder_tasks::{EncodedExample, LossKind, Metric};
use tokenizers::Tokenizer;

use super::data::TaskData;
use super::start::History;
use super::stop::{Stop, Stopped};
use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::evaluation::{Evaluated, compact, evaluate};
use crate::event::{Event, Observer};
use crate::generation::evaluate_answers;
use crate::run::State;
use crate::scoring::PassSize;

/// The name of evaluations that choose the best weights.
pub(super) const DEV: &str = "dev";
/// The name of the last score.
pub(crate) const FINAL: &str = "final";

/// What each row of the last score counts (0 or 1 where answers are right or wrong), so that runs can be compared row by row.
pub(crate) const MARKS: &str = "marks";
/// The digest of these rows: which ones and their right answers, whatever prompt or tokens they were asked with.
pub(crate) const ROWS: &str = "rows";

/// What [`ROWS`] says.
fn rows(examples: &[EncodedExample]) -> String {
    let mut hash = blake3::Hasher::new();
    for example in examples {
        hash.update(&(example.idx.len() as u64).to_le_bytes()).update(example.idx.as_bytes());
        hash.update(&example.gold.map_or(0, |gold| gold as u64 + 1).to_le_bytes());
    }
    hash.finalize().to_hex().to_string()
}

/// What the sidecar of these weights says.
pub(super) fn state(loaded: &Loaded, step: u64, log: &Writer) -> Result<State> {
    let weights = Digest(loaded.params.digest()?).to_string();
    let (trajectory_bytes, trajectory_checksum) = (log.bytes(), log.checksum());
    Ok(State { version: 1, step, trajectory_bytes, trajectory_checksum, weights, optimizer: None })
}

/// Scores examples for the log.
pub(super) struct Scorer<'a> {
    pub(super) config: &'a Config,
    pub(super) data: &'a TaskData,
    pub(super) stop: &'a Stop,
    /// What answers are generated with.
    pub(super) tokenizer: Option<&'a Tokenizer>,
    /// Whether it is the first thing that this process does for the run. The end of its time then waits for it, or a run
    /// whose every process has too little time for an evaluation would never get past it.
    pub(super) first: bool,
}

impl Scorer<'_> {
    /// The score of a model on examples, after so many steps.
    ///
    /// # Errors
    /// A failing evaluation; [`Error::Stopped`] where the run is to end.
    pub(super) fn score(
        &self,
        engine: &Engine<'_>,
        name: &str,
        step: u64,
        examples: &[EncodedExample],
        watch: &mut dyn Observer,
    ) -> Result<Evaluation> {
        let Self { config, data, stop, first, .. } = self;
        watch.event(&Event::Evaluating { step, split: name.to_owned(), examples: examples.len() });
        let on_pass = &mut |_| match stop.now() {
            Some(Stopped::TimeUp) if *first => Ok(()),
            Some(_) => Err(Error::Stopped),
            None => Ok(()),
        };
        let found = self.found(engine, name, examples, on_pass)?;
        let batch = config.batch.size(data.train.len()).max(1);
        let mut more = serde_json::Map::new();
        more.insert("forwards".to_owned(), found.n.div_ceil(batch).into());
        more.insert("seconds".to_owned(), found.seconds.into());
        more.insert("majority".to_owned(), found.majority.into());
        more.insert("interval".to_owned(), found.interval.map(|i| vec![i.low, i.high]).into());
        if let Choice::Score(metric) = Choice::of(config)? {
            more.insert(metric.to_string(), found.score_by(metric, examples).into());
        }
        if name == FINAL && found.metric.is_mean() {
            more.insert(ROWS.to_owned(), rows(examples).into());
            more.insert(MARKS.to_owned(), compact(&found.marks));
        }
        let finite = |x: f64| x.is_finite().then_some(x);
        Ok(Evaluation {
            step,
            name: name.to_owned(),
            metric: found.metric.to_string(),
            score: finite(found.score),
            n: found.n as u64,
            loss: finite(found.loss),
            more,
        })
    }
}

impl Scorer<'_> {
    /// What options' scores say, or generated answers where these are scored; with the loss that is trained on.
    fn found(
        &self,
        engine: &Engine<'_>,
        name: &str,
        examples: &[EncodedExample],
        on_pass: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Evaluated> {
        let data = self.data;
        let of_scores = |on_pass: &mut dyn FnMut(usize) -> Result<()>| {
            evaluate(engine, examples, data.rule, PassSize::default(), on_pass)
        };
        let (Some(questions), Some(tokenizer)) = (&data.questions, self.tokenizer) else { return of_scores(on_pass) };
        let asked = if name == DEV { &questions.dev } else { &questions.eval };
        let (mut found, _) = evaluate_answers(engine, tokenizer, asked, &questions.settings, data.metric, on_pass)?;
        found.loss = match data.kind {
            LossKind::F1 => -found.answers.iter().map(|a| a.f1).sum::<f64>() / found.answers.len() as f64,
            _ => of_scores(on_pass)?.loss,
        };
        Ok(found)
    }
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
    watch.event(&event(history, &record, best));
    history.evaluations.push(record);
    history.moved = true;
    Ok(())
}

/// What observers hear of a score that comes after this history.
pub(super) fn event(history: &History, record: &Evaluation, best: bool) -> Event {
    let more = |key: &str| record.more.get(key);
    let ends = more("interval").and_then(|v| Some((v.get(0)?.as_f64()?, v.get(1)?.as_f64()?)));
    Event::Evaluated {
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
    }
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

    pub(super) fn better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Loss => new < old,
            Self::Score(_) => new > old,
        }
    }

    /// Whether a score that comes after this history is the best on the dev rows so far.
    ///
    /// The untouched weights are no candidate: they lie where they came from.
    pub(super) fn is_best(self, history: &History, record: &Evaluation) -> bool {
        let rival = self.best(history).and_then(|e| self.value(e));
        record.name == DEV
            && record.step > 0
            && self.value(record).is_some_and(|new| rival.is_none_or(|old| self.better(new, old)))
    }

    /// What is said where no step's dev score is better than that of the weights that the run began with.
    pub(super) fn in_vain(self, history: &History) -> Option<String> {
        let start = history.evaluations.iter().find(|e| e.name == DEV && e.step == 0)?;
        let (before, best) = (self.value(start)?, self.value(self.best(history)?)?);
        let what = match self {
            Self::Loss => "loss".to_owned(),
            Self::Score(metric) => metric.to_string(),
        };
        (!self.better(best, before)).then(|| {
            format!(
                "No step was better on the dev rows than the weights that the run began with: {what} {before:.4} before, {best:.4} \
                 at best. A lower learning rate, or more directions or examples a step, may help."
            )
        })
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
