//! A running estimate of the trace, fed from the losses that training reads anyway.

use polder_optim::{Batch, Objective};
use polder_perturb::Shift;
use serde::{Deserialize, Serialize};

use super::reading::{Reading, applied};
use super::trace::second_difference;
use crate::error::{Error, Result, setting};
use crate::measured::Measured;

/// The Hessian trace as an exponentially weighted mean over training's own probes.
///
/// A two-point step reads f(θ ± εu); with f(θ) on the same minibatch, one forward pass more, each direction gives a
/// sample `(f₊ + f₋ − 2f)/ε²`. A sample k samples ago has the weight γᵏ with `γ = 1 − 1/memory`. With weights w and W =
/// Σw the mean is `Σwx/W`, its squared standard error `s²·Σw²/W²`, with `s² = Σw(x − mean)²/(W − Σw²/W)`, the unbiased
/// variance of independent samples; a drift of the trace within the memory is not in it. The noise of minibatches is in
/// it where each step has its own. Source: the estimator as in [`TraceProbe`](super::TraceProbe); the weighting after
/// West, Comm. ACM 22 (1979) 532.
///
/// It serialises, so that a run may resume with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunningTrace {
    memory: f64,
    weight: f64,
    squared_weight: f64,
    mean: f64,
    spread: f64,
    samples: u64,
    forwards: u64,
}

impl RunningTrace {
    /// Remembers about that many samples, more than 1 (a hundred is a good start).
    ///
    /// # Errors
    /// A memory of at most 1, or not finite.
    pub fn new(memory: f64) -> Result<Self> {
        match memory.is_finite() && memory > 1.0 {
            true => {
                Ok(Self { memory, weight: 0.0, squared_weight: 0.0, mean: 0.0, spread: 0.0, samples: 0, forwards: 0 })
            }
            false => Err(setting("memory", memory, "it must be more than 1 sample; 100 is a good start")),
        }
    }

    /// Reads f(θ) on the minibatch of the step that is about to be made, for [`feed`](Self::feed); one forward pass.
    ///
    /// # Errors
    /// No loss, or one that is not finite.
    pub fn base(objective: &mut dyn Objective, batch: Batch) -> Result<f64> {
        Ok(Reading::new(objective, batch).means(&[Shift::none()], |_| "the weights themselves".to_owned())?[0])
    }

    /// Takes in a step: f(θ), the mean losses +, − of each direction, as a two-point step reads them, and its ε.
    ///
    /// All must be of the same minibatch and weights. Nothing is taken in on an error.
    ///
    /// # Errors
    /// An ε that is not positive; an odd number of losses; a loss that is not finite.
    pub fn feed(&mut self, base: f64, means: &[f64], eps: f64) -> Result<()> {
        let eps = applied("eps", eps)?;
        if means.len() % 2 == 1 {
            return Err(Error::LossShape { what: "points", found: means.len(), expected: means.len() + 1 });
        }
        if let Some(at) = std::iter::once(&base).chain(means).position(|loss| !loss.is_finite()) {
            let (point, loss) = match at.checked_sub(1) {
                None => ("the weights themselves".to_owned(), base),
                Some(i) => (format!("point {i} of the step"), means[i]),
            };
            return Err(Error::NonFiniteLoss { point, loss });
        }
        means.chunks_exact(2).for_each(|pair| self.add(second_difference([pair[0], pair[1]], base, eps)));
        self.forwards += 1;
        Ok(())
    }

    fn add(&mut self, sample: f64) {
        let keep = 1.0 - 1.0 / self.memory;
        self.weight = keep * self.weight + 1.0;
        self.squared_weight = keep * keep * self.squared_weight + 1.0;
        let off = sample - self.mean;
        self.mean += off / self.weight;
        self.spread = keep * self.spread + off * (sample - self.mean);
        self.samples += 1;
    }

    /// The trace so far, in nats per squared unit of weight; `None` before two samples.
    ///
    /// `samples` and `forwards` count all that was fed; `forwards` only what training did not need anyway.
    pub fn measured(&self) -> Option<Measured> {
        if self.samples < 2 {
            return None;
        }
        let variance = self.spread / (self.weight - self.squared_weight / self.weight);
        Some(Measured {
            value: self.mean,
            standard_error: (variance * self.squared_weight).sqrt() / self.weight,
            samples: self.samples,
            forwards: self.forwards,
        })
    }

    /// How many samples of equal weight would have this standard error, `W²/Σw²`: at most `2·memory − 1`.
    pub fn effective_samples(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.weight * self.weight / self.squared_weight }
    }
}
