//! Evaluation of a task: predictions, score, interval, baseline, loss and cost.

use std::time::Instant;

use polder_tasks::{EncodedExample, Interval, LossKind, Metric, interval, majority};

use crate::engine::{Counts, Engine};
use crate::error::{Error, Result};
use crate::scoring::{OptionScore, PassSize, mean_loss, prediction, score};

/// How well a model answers, and what it cost to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// How predictions are scored.
    pub metric: Metric,
    /// The score: a share between 0 and 1, or for [`Metric::Loss`] the loss.
    pub score: f64,
    /// The score's 95 % interval; `None` for a loss.
    pub interval: Option<Interval>,
    /// The score of always giving the commonest right answer; `None` for a loss.
    pub majority: Option<f64>,
    /// How many examples.
    pub n: usize,
    /// The mean loss, in nats.
    pub loss: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Forward passes of the model.
    pub forwards: u64,
    /// Sequences in these passes; options share their prompt's.
    pub sequences: u64,
    /// Token rows in these passes.
    pub tokens: u64,
    /// Every option's score: `scores[example][option]`.
    pub scores: Vec<Vec<OptionScore>>,
    /// The option that each example is answered with.
    pub predictions: Vec<usize>,
}

/// Evaluates labelled examples.
///
/// `on_pass` hears how many examples are done and may end the evaluation.
///
/// # Errors
/// No examples; one without a right option; a failing pass; what `on_pass` answers.
pub fn evaluate(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    kind: LossKind,
    metric: Metric,
    size: PassSize,
    on_pass: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Evaluated> {
    let (start, before) = (Instant::now(), engine.counts());
    let scores = score(engine, examples, size, on_pass)?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), engine.counts());
    let cost = Counts {
        passes: after.passes - before.passes,
        sequences: after.sequences - before.sequences,
        tokens: after.tokens - before.tokens,
    };
    Evaluated::of(examples, scores, kind, metric, cost, seconds)
}

impl Evaluated {
    /// What scores say of labelled examples; `cost` and `seconds` are what it took to get them.
    ///
    /// # Errors
    /// No examples; one without a right option.
    pub fn of(
        examples: &[EncodedExample],
        scores: Vec<Vec<OptionScore>>,
        kind: LossKind,
        metric: Metric,
        cost: Counts,
        seconds: f64,
    ) -> Result<Self> {
        let predictions: Vec<usize> =
            scores.iter().map(|s| prediction(s).ok_or(Error::NoGold)).collect::<Result<_>>()?;
        let gold: Vec<usize> = examples.iter().map(|e| e.gold.ok_or(Error::NoGold)).collect::<Result<_>>()?;
        let pairs: Vec<(usize, usize)> = gold.iter().copied().zip(predictions.iter().copied()).collect();
        let loss = mean_loss(kind, examples, &scores)?;
        // Texts are scored by [`Evaluated::of_texts`]; what scores say of a target alone is its loss.
        let metric = if metric.of_texts() { Metric::Loss } else { metric };
        Ok(Self {
            metric,
            score: metric.score(&pairs).unwrap_or(loss),
            interval: interval(metric, &pairs, 0),
            majority: majority(metric, &gold),
            n: pairs.len(),
            loss,
            seconds,
            forwards: cost.passes,
            sequences: cost.sequences,
            tokens: cost.tokens,
            scores,
            predictions,
        })
    }
}

impl std::fmt::Display for Evaluated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.metric == Metric::Loss {
            write!(f, "loss {:.4}", self.loss)?;
        } else {
            write!(f, "{} {:.2} %", self.metric, 100.0 * self.score)?;
            if let Some(i) = self.interval {
                write!(f, " (95 % interval {:.2} to {:.2})", 100.0 * i.low, 100.0 * i.high)?;
            }
            if let Some(majority) = self.majority {
                write!(f, ", majority {:.2} %", 100.0 * majority)?;
            }
            write!(f, ", loss {:.4}", self.loss)?;
        }
        let rate = if self.seconds > 0.0 { self.tokens as f64 / self.seconds } else { 0.0 };
        let counted = |n: u64, one: &str, more: &str| format!("{n} {one}{}", if n == 1 { "" } else { more });
        let (examples, passes) = (counted(self.n as u64, "example", "s"), counted(self.forwards, "forward pass", "es"));
        write!(f, "\n  {examples}, {passes}, {}, ", counted(self.sequences, "sequence", "s"))?;
        write!(f, "{} tokens in {:.2} s ({rate:.0} tokens/s)", self.tokens, self.seconds)
    }
}

impl Evaluated {
    /// The same predictions, scored by another metric; `None` where that needs no predictions.
    pub fn score_by(&self, metric: Metric, examples: &[EncodedExample]) -> Option<f64> {
        let answers = examples.iter().zip(&self.predictions);
        metric.score(&answers.filter_map(|(example, answer)| Some((example.gold?, *answer))).collect::<Vec<_>>())
    }
}
