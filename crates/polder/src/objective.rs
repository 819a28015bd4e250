//! The training loss of a task, as the estimators see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use polder_optim::{Batch, Losses, Objective, ObjectiveError};
use polder_perturb::{Law, Points, Seed, Shift};
use polder_tasks::{EncodedExample, EncodedOption, LossKind};

use crate::answering::{Answering, not_here};
use crate::batching::Batching;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::packing::Packed;
use crate::scoring::{OptionScore, example_loss, loss};

/// How a training pass is laid out; no bit of a loss depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassLayout {
    /// Examples a pass; the whole batch where absent.
    pub micro_batch: Option<usize>,
    /// Points a pass, at least 1: their weights and directions are read and made once for all of them, and activations
    /// take that many times the memory. The two points of a direction stay together where it is more than 1.
    pub points: usize,
}

impl Default for PassLayout {
    fn default() -> Self {
        Self { micro_batch: None, points: 2 }
    }
}

/// The loss of a language-model task on minibatches of its training examples.
#[derive(Debug)]
pub struct PromptLoss<'a> {
    engine: &'a Engine<'a>,
    examples: &'a [EncodedExample],
    kind: LossKind,
    batching: Batching,
    law: Law,
    layout: PassLayout,
    stop: Option<Arc<AtomicBool>>,
    answering: Option<Answering<'a>>,
}

impl<'a> PromptLoss<'a> {
    /// The loss of `kind` on batches of `examples`, at points along directions of `law`.
    pub fn new(
        engine: &'a Engine<'a>,
        examples: &'a [EncodedExample],
        kind: LossKind,
        batching: Batching,
        law: Law,
        layout: PassLayout,
    ) -> Self {
        Self { engine, examples, kind, batching, law, layout, stop: None, answering: None }
    }

    /// Generates answers by these means, where the loss is made of them.
    pub fn answering(mut self, means: Option<Answering<'a>>) -> Self {
        self.answering = means;
        self
    }

    /// Ends a step in flight, between two passes, once the flag is up; the step then fails with [`Error::Stopped`].
    pub fn stopped_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.stop = Some(flag);
        self
    }

    /// The rows of a batch, as indices of the training examples.
    pub fn rows(&self, batch: Batch) -> Vec<usize> {
        self.batching.rows(batch)
    }

    fn check_stop(&self) -> Result<()> {
        let up = self.stop.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        if up { Err(Error::Stopped) } else { Ok(()) }
    }

    /// The losses and weights of some examples at points that are read together: `[point][example]`.
    fn pass(&self, examples: &[&'a EncodedExample], points: &Points) -> Result<(Vec<Vec<f64>>, Vec<f64>)> {
        self.check_stop()?;
        let options: Vec<_> = examples.iter().map(|example| options_of(self.kind, example)).collect::<Result<_>>()?;
        let mut packed = Packed::default();
        for options in &options {
            packed.push(options)?;
        }
        let log_probs = self.engine.log_probs_of(points, None, &packed)?;
        let mut weights = Vec::new();
        let mut losses = Vec::new();
        for at_point in log_probs.chunks_exact(packed.tokens.wanted.len().max(1)) {
            let each: Vec<(f64, f64)> = examples
                .iter()
                .zip(&packed.spans)
                .map(|(example, spans)| {
                    let scores: Vec<_> = spans.iter().map(|s| OptionScore::of(&at_point[s.clone()])).collect();
                    match self.kind {
                        LossKind::Target => loss(self.kind, &scores, Some(0)),
                        kind => example_loss(kind, example, &scores),
                    }
                })
                .collect::<Result<_>>()?;
            losses.push(each.iter().map(|(value, _)| *value).collect());
            weights = each.into_iter().map(|(_, weight)| weight).collect();
        }
        Ok((losses, weights))
    }

    /// The losses of a batch, micro-batch by micro-batch, all points of one group in a pass.
    fn batch(&self, batch: Batch, shifts: &[Shift]) -> Result<Losses> {
        let rows = self.rows(batch);
        if self.kind == LossKind::F1 {
            let means = self.answering.ok_or_else(not_here)?;
            return means.losses(self.engine, self.law, &rows, shifts, &mut || self.check_stop());
        }
        let examples: Vec<&EncodedExample> = rows.iter().filter_map(|row| self.examples.get(*row)).collect();
        let size = self.layout.micro_batch.unwrap_or(examples.len()).max(1);
        let mut losses = Losses { points: vec![Vec::with_capacity(examples.len()); shifts.len()], weights: Vec::new() };
        for micro in examples.chunks(size) {
            let mut first = 0;
            for group in groups(shifts, self.layout.points) {
                let (values, weights) = self.pass(micro, &Points::new(self.law, group))?;
                for (all, new) in losses.points[first..].iter_mut().zip(values) {
                    all.extend(new);
                }
                if first == 0 {
                    losses.weights.extend(weights);
                }
                first += group.len();
            }
        }
        Ok(losses)
    }
}

/// The options whose probabilities a loss needs: all of them, or the right one alone.
///
/// # Errors
/// No right option where it is needed.
pub(crate) fn options_of(kind: LossKind, example: &EncodedExample) -> Result<Vec<&EncodedOption>> {
    match kind {
        kind if kind.compares_options() => Ok(example.options.iter().collect()),
        _ => {
            let gold = example.gold.and_then(|g| example.options.get(g)).ok_or(Error::NoGold)?;
            Ok(vec![gold])
        }
    }
}

/// Neighbouring points, at most `most` together; points that share their seeds are not parted unless `most` is less.
pub(crate) fn groups(shifts: &[Shift], most: usize) -> Vec<&[Shift]> {
    let seeds = |shift: &Shift| shift.terms.iter().map(|t| t.seed).collect::<Vec<Seed>>();
    let mut groups = Vec::new();
    let mut rest = shifts;
    while !rest.is_empty() {
        let mut taken = 0;
        while taken < rest.len() {
            let together = rest[taken..].iter().take_while(|s| seeds(s) == seeds(&rest[taken])).count();
            if taken > 0 && taken + together > most {
                break;
            }
            taken += together.min(most.max(1));
        }
        let (group, after) = rest.split_at(taken);
        groups.push(group);
        rest = after;
    }
    groups
}

impl Objective for PromptLoss<'_> {
    fn losses(&mut self, batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError> {
        self.batch(batch, points).map_err(ObjectiveError::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_a_direction_are_read_together() {
        let along = |seed: u64, coeff: f64| Shift::along(Seed(seed), coeff);
        let shifts = [along(1, 0.1), along(1, -0.1), along(2, 0.1), along(2, -0.1), Shift::none()];
        let sizes = |most| groups(&shifts, most).iter().map(|g| g.len()).collect::<Vec<_>>();
        assert_eq!(sizes(1), [1; 5]);
        assert_eq!(sizes(2), [2, 2, 1]);
        assert_eq!(sizes(3), [2, 3]);
        assert_eq!(sizes(4), [4, 1]);
        assert_eq!(sizes(9), [5]);
        for most in 1..7 {
            assert_eq!(groups(&shifts, most).concat(), shifts);
        }
    }
}
