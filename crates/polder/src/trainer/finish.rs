//! The end of a run: the last weights, the score of the best ones, the log's last record.

use std::path::PathBuf;

use polder_optim::Optimizer;
use polder_optim::trajectory::{Digest, End, Record, Replay, Trajectory, Writer};

use super::data::TaskData;
use super::method::moves_of;
use super::scores::{Choice, FINAL, Scorer, keep, state};
use super::start::{History, load_base, load_saved};
use super::stop::Stop;
use crate::config::Config;
use crate::error::Result;
use crate::event::{Event, Observer};
use crate::model::Model;
use crate::run::{RunFolder, State};

/// What the end of a run needs, besides the weights.
pub(super) struct Ending<'a> {
    pub(super) config: &'a Config,
    pub(super) run: &'a RunFolder,
    pub(super) data: &'a TaskData,
    pub(super) log: &'a mut Writer,
    /// The optimiser with its state after the last step.
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) history: &'a mut History,
    /// The folder that this process began with: what is in there was read and is whole.
    pub(super) folder: Option<PathBuf>,
    pub(super) stop: &'a Stop,
    pub(super) watch: &'a mut dyn Observer,
}

impl Ending<'_> {
    /// Saves the last weights, scores the best ones (lowest dev loss; the last where there are no dev rows) on the
    /// evaluation rows, and closes the log. What an earlier process did of it is not done again, but for weights that are gone
    /// or damaged since.
    ///
    /// # Errors
    /// Weights that can't be saved or loaded; a failing evaluation; a log that can't be written.
    pub(super) fn finish(&mut self, last: Model) -> Result<()> {
        let steps = self.history.done;
        let present = state(&last.loaded, steps, self.log)?;
        let weights = Digest(last.loaded.params.digest()?);
        let path = self.run.last();
        let is_there = |there: State| (there.step, &there.weights) == (steps, &present.weights);
        if self.folder.as_ref() != Some(&path) || !State::read(&path).is_some_and(is_there) {
            self.log.sync()?;
            present.save(&path, &last.loaded, &self.optimizer.state(&last.loaded.params)?)?;
            self.watch.event(&Event::Saved { step: steps, what: FINAL.to_owned(), path });
        }
        let choice = Choice::of(self.config)?;
        let scored = self.history.has_final(steps) || self.data.eval.is_empty();
        if let Some(best) = choice.best(self.history).map(|record| record.step)
            && scored
            && !self.history.moved
        {
            drop(last);
            self.load_best(best)?;
        } else if !scored {
            if let Some(text) = choice.in_vain(self.history) {
                self.watch.event(&Event::Note { text });
            }
            let best = choice.best(self.history).map_or(steps, |record| record.step);
            if best == steps {
                self.score(&last, best)?;
            } else {
                // Weights are held once: the last ones are saved and go before the best ones come.
                drop(last);
                let text = format!("The last score is that of step {best}'s weights, the best on the dev rows.");
                self.watch.event(&Event::Note { text });
                let best_weights = self.load_best(best)?;
                self.score(&best_weights, best)?;
            }
        }
        if !self.history.ended {
            self.log.append(&Record::End(End { steps, weights }))?;
            self.log.sync()?;
            self.history.ended = true;
        }
        self.run.checkpoints().clear()
    }

    /// The weights with the best dev score: those saved, or rebuilt from the log where they are not there.
    fn load_best(&mut self, step: u64) -> Result<Model> {
        let path = self.run.best();
        let log = Trajectory::open(self.run.trajectory())?;
        if let Some(state) = State::read(&path).filter(|state| state.step == step && state.belongs_to(&log)) {
            match load_saved(&path, &state, self.config) {
                Ok(model) => return Ok(model),
                Err(error) => {
                    let text = format!("The best weights are rebuilt from the log: {error}");
                    self.watch.event(&Event::Note { text });
                }
            }
        }
        let model = load_base(self.config)?;
        let mut replay = Replay::new(&log)?.preceded_by(moves_of(log.header())?);
        replay.check_base(&model.loaded.params)?;
        replay.run(&model.loaded.params, 0..step, &mut |_| {})?;
        state(&model.loaded, step, self.log)?.save(&path, &model.loaded, &[])?;
        Ok(model)
    }

    fn score(&mut self, model: &Model, step: u64) -> Result<()> {
        let engine = model.engine();
        let (config, data, stop, first) = (self.config, self.data, self.stop, !self.history.moved);
        let scorer = Scorer { config, data, stop, tokenizer: model.loaded.tokenizer.as_ref(), first };
        let mut record = scorer.score(&engine, FINAL, step, &self.data.eval, self.watch)?;
        let (split, done) = (self.data.eval_split.to_string(), self.history.done);
        record.more.insert("split".to_owned(), split.into());
        record.more.insert("after".to_owned(), done.into());
        keep(self.log, self.history, self.watch, record, false)
    }
}
