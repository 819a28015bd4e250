//! A run between its start and its end: steps, and what is due after them.

use std::time::Instant;

use polder_models::Loaded;
use polder_optim::trajectory::{Evaluation, Writer};
use polder_tasks::EncodedExample;

use super::data::TaskData;
use super::rate::{self, Again};
use super::reading_loss;
use super::scores::{Choice, DEV, Scorer, keep, state};
use super::start::History;
use super::step::Stepper;
use super::stop::{Stop, Stopped};
use super::trace::warning_note;
use crate::config::Config;
use crate::engine::Engine;
use crate::error::Result;
use crate::event::{Event, Observer};
use crate::run::{RunFolder, State};

/// A run in progress.
pub(super) struct Session<'a> {
    pub(super) config: &'a Config,
    pub(super) run: &'a RunFolder,
    pub(super) loaded: &'a Loaded,
    /// What the steps are taken with.
    pub(super) engine: &'a Engine<'a>,
    /// What scores are taken with.
    pub(super) scoring: &'a Engine<'a>,
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
                Err(error) if error.is_stop() => return Ok(Some(self.end_early(stepper)?)),
                Err(error) => return Err(error),
            }
            if let Some(reason) = self.stop.now() {
                self.end_early(stepper)?;
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
        self.checkpoint_if_due(stepper)?;
        self.measure_rate_if_due(stepper)?;
        let (start, rows) = (Instant::now(), self.engine.counts());
        let report = stepper.step(self.history.done, self.log)?;
        self.history.done += 1;
        self.history.moved = true;
        self.history.forwards += report.forwards;
        self.watch.event(&Event::Step {
            step: self.history.done,
            total: self.config.steps,
            loss: report.loss,
            projected: report.projected,
            tilt: report.tilt,
            lr: report.lr,
            forwards: self.history.all_forwards(),
            seconds: start.elapsed().as_secs_f64(),
            tokens: self.engine.counts().since(rows).tokens,
        });
        if let Some(Event::Trace { step, trace, error, edge, .. }) = report.trace {
            let forwards = self.history.all_forwards();
            let event = Event::Trace { step, forwards, trace, error, edge };
            self.watch.event(&event);
            if let Some(text) = stepper.trace.as_mut().and_then(|t| t.warning(&event)) {
                self.tell(&text);
                self.log.append(&warning_note(step, &text))?;
            }
        }
        Ok(true)
    }

    /// Evaluates where the step calls for it and the log has no score of it yet.
    fn evaluate_if_due(&mut self) -> Result<()> {
        let (step, last) = (self.history.done, self.config.steps);
        let first = step == 0 && self.config.eval.before;
        if first && !self.has_score(step, &self.data.eval_split.to_string()) {
            let name = self.data.eval_split.to_string();
            let record = self.score(&name, &self.data.eval)?;
            self.keep(record, false)?;
        }
        let due = first || (step > 0 && (step.is_multiple_of(self.config.eval.every.max(1)) || step == last));
        if !due || self.data.dev.is_empty() || self.has_score(step, DEV) {
            return Ok(());
        }
        let record = self.score(DEV, &self.data.dev)?;
        let best = Choice::of(self.config)?.is_best(self.history, &record);
        if best {
            self.save_best(step)?;
        }
        self.keep(record, best)
    }

    /// Measures the learning rate again where that is asked for here and the log does not tell of it yet.
    fn measure_rate_if_due(&mut self, stepper: &mut Stepper<'_>) -> Result<()> {
        let step = self.history.done;
        let due = self.config.auto.as_ref().is_some_and(|auto| auto.again_at(step));
        if !due || self.history.rate.is_some_and(|(at, _)| at == step) {
            return Ok(());
        }
        let elements = self.loaded.params.trainable_elements();
        // Whatever the probe: measuring writes no weight.
        let law = stepper.method.mode.law;
        let loss = reading_loss(self.config, self.engine, self.loaded.tokenizer.as_ref(), self.data, law);
        let mut loss = loss.stopped_by(self.stop.flag());
        let Again { lr, note, text } = rate::again(self.config, elements, (step, stepper.height), &mut loss)?;
        self.log.append(&note)?;
        self.history.add(note);
        stepper.height = lr;
        self.tell(&text);
        Ok(())
    }

    /// Scores examples at the weights as they are.
    fn score(&mut self, name: &str, examples: &[EncodedExample]) -> Result<Evaluation> {
        let step = self.history.done;
        let (config, data, stop, first) = (self.config, self.data, self.stop, !self.history.moved);
        let scorer = Scorer { config, data, stop, tokenizer: self.loaded.tokenizer.as_ref(), first };
        scorer.score(self.scoring, name, step, examples, self.watch)
    }

    /// Logs a score, then tells of it.
    fn keep(&mut self, record: Evaluation, best: bool) -> Result<()> {
        keep(self.log, self.history, self.watch, record, best)
    }

    fn has_score(&self, step: u64, name: &str) -> bool {
        self.history.evaluations.iter().any(|e| e.step == step && e.name == name)
    }

    /// Saves the weights as `best`; where that fails it is told and training goes on.
    ///
    /// # Errors
    /// The log can't be synced: then no more steps can be logged either.
    fn save_best(&mut self, step: u64) -> Result<()> {
        let path = self.run.best();
        // Weights must not outlive the steps that made them.
        self.log.sync()?;
        // A disk that is full now may have room later; the log can rebuild these weights in any case.
        match self.state(step).and_then(|state| state.save(&path, self.loaded, &[])) {
            Ok(()) => self.watch.event(&Event::Saved { step, what: "best".to_owned(), path }),
            Err(error) => self.tell(&format!("The best weights so far could not be saved; training goes on. {error}")),
        }
        Ok(())
    }

    fn checkpoint_if_due(&mut self, stepper: &Stepper<'_>) -> Result<()> {
        let step = self.history.done;
        if step > 0 && step.is_multiple_of(self.config.save.every.max(1)) {
            self.checkpoint(stepper)?;
        }
        Ok(())
    }

    /// Saves a checkpoint, unless this step has one; a failure is told and training goes on, since the log suffices.
    ///
    /// # Errors
    /// The log can't be synced: then no more steps can be logged either.
    fn checkpoint(&mut self, stepper: &Stepper<'_>) -> Result<()> {
        let step = self.history.done;
        if self.saved == Some(step) {
            return Ok(());
        }
        self.log.sync()?;
        let optimizer = stepper.method.optimizer.state(&self.loaded.params)?;
        match self.state(step).and_then(|state| self.run.checkpoints().save(&state, self.loaded, &optimizer)) {
            Ok(path) => {
                self.saved = Some(step);
                self.watch.event(&Event::Saved { step, what: "checkpoint".to_owned(), path });
            }
            Err(error) => self.tell(&format!(
                "The checkpoint of step {step} could not be saved; training goes on, since the trajectory can rebuild \
                 it, and earlier checkpoints are as they were. {error}"
            )),
        }
        Ok(())
    }

    /// What the sidecar of the present weights says.
    fn state(&self, step: u64) -> Result<State> {
        state(self.loaded, step, self.log)
    }

    fn end_early(&mut self, stepper: &Stepper<'_>) -> Result<Stopped> {
        if self.history.done > 0 {
            self.checkpoint(stepper)?;
        }
        Ok(self.stop.now().unwrap_or(Stopped::Asked))
    }

    fn tell(&mut self, text: &str) {
        self.watch.event(&Event::Note { text: text.to_owned() });
    }
}
