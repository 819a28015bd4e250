//! The losses around the weights: expected and tilted sharpness from the same forward passes.

use polder_optim::{Batch, Objective};
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use crate::error::{Result, setting};
use crate::measured::{Measured, Precision, Tally};
use crate::seeds::{ProbeSeeds, Purpose};

/// A probe of the losses at `θ ± δu`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeighbourhoodProbe {
    /// The distance δ, in multiples of the direction; positive, applied as the nearest f32.
    pub delta: f64,
    /// The most directions n, at least 2.
    pub probes: u32,
    /// Where to stop early, by the standard error of the expected sharpness; absent: all directions are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl Default for NeighbourhoodProbe {
    fn default() -> Self {
        Self { delta: 1e-2, probes: 100, precision: None }
    }
}

/// Losses around the weights, from which several measures of sharpness follow at no further cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbourhood {
    /// The loss f(θ), in nats.
    pub base: f64,
    /// The distance δ as it was applied.
    pub delta: f64,
    /// `[f(θ+δu) − f(θ), f(θ−δu) − f(θ)]` of each direction, in nats.
    pub rises: Vec<[f64; 2]>,
    /// What they cost, in forward passes of a whole batch: 2n + 1.
    pub forwards: u64,
}

/// The tilted sharpness and how many samples carry it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tilted {
    /// The tilt t, per nat.
    pub tilt: f64,
    /// `(1/t) log E exp(t(f(θ+δu) − f(θ)))`, in nats.
    pub sharpness: Measured,
    /// `1/Σ wᵢ²` of the directions' weights `wᵢ ∝ e^{t·rise₊} + e^{t·rise₋}`: how many directions really count. Where
    /// it is near 1 the largest loss alone decides, the value is too low, and the standard error can't be trusted.
    pub effective_samples: f64,
}

impl NeighbourhoodProbe {
    /// Reads the losses; costs 2n + 1 forward passes.
    ///
    /// # Errors
    /// Settings that are not possible; no losses, or losses that are not finite.
    pub fn run(&self, objective: &mut dyn Objective, batch: Batch, seeds: ProbeSeeds) -> Result<Neighbourhood> {
        let precision = self.precision.map(Precision::checked).transpose()?;
        let mut pairs = Pairs::new(objective, batch, (seeds, Purpose::Neighbourhood), self.delta, self.probes)?;
        let (mut rises, mut tally) = (Vec::new(), Tally::default());
        while let Some(group) = pairs.next_group()? {
            for [plus, minus] in group {
                let pair = [plus - pairs.base(), minus - pairs.base()];
                tally.add(middle(&pair));
                rises.push(pair);
            }
            if precision.is_some_and(|precision| precision.reached(&tally)) {
                break;
            }
        }
        Ok(Neighbourhood { base: pairs.base(), delta: pairs.delta, rises, forwards: pairs.forwards() })
    }
}

impl Neighbourhood {
    /// The expected sharpness `E f(θ+δu) − f(θ)`, in nats; `(δ²/2) Tr H` on a quadratic.
    ///
    /// A sample is the mean of the two sides of a direction, so the gradient adds no noise. Source: what two-point
    /// descent minimises beside f, arXiv 2506.05454, section 2.
    pub fn expected(&self) -> Measured {
        Tally::of(self.rises.iter().map(middle)).measured(self.forwards)
    }

    /// The variance of the loss around the weights, `Var f(θ+δu)`, in nats²; `δ²‖g‖² + (δ⁴/2)‖H‖_F²` on a quadratic
    /// with Gaussian directions.
    ///
    /// `mean(rise²) − mean(rise)²` over directions, freed of its bias; the standard error is by the delta method.
    pub fn variance(&self) -> Measured {
        let means = Tally::of(self.rises.iter().map(middle));
        let influence = |[a, b]: &[f64; 2]| 0.5 * (a * a + b * b) - 2.0 * means.mean * middle(&[*a, *b]);
        let influences = Tally::of(self.rises.iter().map(influence));
        // mean(rise²) − mean² is the mean influence plus mean²; the square of a mean is too large by its variance.
        let value = influences.mean + means.mean * means.mean + means.standard_error().powi(2);
        Measured { value, ..influences.measured(self.forwards) }
    }

    /// The tilted sharpness `R_t = (1/t) log E exp(t(f(θ+δu) − f(θ)))`; at t = 0 its limit, the expected sharpness.
    ///
    /// By a log-mean-exp that subtracts the largest exponent; a sample is the mean of a direction's two sides, and the
    /// standard error of the logarithm that of the mean over the mean (delta method). Exact limits and cautions: from n
    /// directions no value can exceed the largest rise, so a strong tilt comes out too low (see
    /// [`Tilted::effective_samples`]). Source: Gong and Li, "Zeroth-Order Sharpness-Aware Learning with Exponential
    /// Tilting", arXiv 2510.16157.
    ///
    /// # Errors
    /// A tilt that is negative or not finite.
    pub fn tilted(&self, tilt: f64) -> Result<Tilted> {
        if !(tilt.is_finite() && tilt >= 0.0) {
            return Err(setting("tilt", tilt, "it must be finite and not negative; 0 is the expected sharpness"));
        }
        let samples = self.rises.len() as f64;
        if tilt == 0.0 {
            return Ok(Tilted { tilt, sharpness: self.expected(), effective_samples: samples });
        }
        let largest = self.rises.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let weight = |pair: &[f64; 2]| middle(&pair.map(|rise| (tilt * (rise - largest)).exp()));
        let weights = Tally::of(self.rises.iter().map(weight));
        let sharpness = Measured {
            value: largest + weights.mean.ln() / tilt,
            standard_error: weights.standard_error() / weights.mean / tilt,
            samples: weights.samples,
            forwards: self.forwards,
        };
        let squares: f64 = self.rises.iter().map(weight).map(|w| w * w).sum();
        Ok(Tilted { tilt, sharpness, effective_samples: (samples * weights.mean).powi(2) / squares })
    }
}

fn middle([plus, minus]: &[f64; 2]) -> f64 {
    0.5 * (plus + minus)
}
