//! The trace of the Hessian from function values.

use polder_optim::{Batch, Objective};
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use crate::error::Result;
use crate::measured::{Measured, Precision, Tally};
use crate::seeds::{ProbeSeeds, Purpose};

/// A probe of the Hessian trace by symmetric second differences:
/// `Tr ∇²f ≈ (1/n) Σᵢ (f(θ+δuᵢ) + f(θ−δuᵢ) − 2f(θ))/δ²`.
///
/// On a quadratic each sample is uᵀHu, whatever δ, so the mean is unbiased and its variance is `2‖H‖_F²/n` for Gaussian
/// directions, `2(‖H‖_F² − Σ Hᵢᵢ²)/n` for signs; elsewhere the fourth derivatives add about `(δ²/12)·E ∇⁴f[u,u,u,u]`.
/// The law of the directions is the objective's. Frozen parameters are left out of the trace. Source: Zhang et al.,
/// "Zeroth-Order Optimization Finds Flat Minima", arXiv 2506.05454, whose one-sided form (2/δ²)·mean(f(θ+δu) − f(θ))
/// also carries the noise of the gradient; the symmetric form is free of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceProbe {
    /// The distance δ of the points, in multiples of the direction; positive, applied as the nearest f32. As large as
    /// the fourth derivatives allow: 1e-3 to 1e-2 for a language model in f32 (see [`rounding`]).
    pub delta: f64,
    /// The most probes n, at least 2.
    pub probes: u32,
    /// Where to stop early, looked at every eight probes from the sixteenth on; absent: all probes are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl Default for TraceProbe {
    fn default() -> Self {
        Self { delta: 1e-3, probes: 100, precision: None }
    }
}

impl TraceProbe {
    /// The trace, in nats per squared unit of weight, of the mean loss of a batch; costs 2n + 1 forward passes.
    ///
    /// # Errors
    /// Settings that are not possible; no losses, or losses that are not finite.
    pub fn run(&self, objective: &mut dyn Objective, batch: Batch, seeds: ProbeSeeds) -> Result<Measured> {
        let precision = self.precision.map(Precision::checked).transpose()?;
        let mut pairs = Pairs::new(objective, batch, (seeds, Purpose::Trace), self.delta, self.probes)?;
        let mut tally = Tally::default();
        while let Some(group) = pairs.next_group()? {
            group.iter().for_each(|pair| tally.add(second_difference(*pair, pairs.base(), pairs.delta)));
            if precision.is_some_and(|precision| precision.reached(&tally)) {
                break;
            }
        }
        Ok(tally.measured(pairs.forwards()))
    }
}

/// `(f₊ + f₋ − 2f)/δ²`, by the two differences, so that equal losses give 0.
pub(super) fn second_difference([plus, minus]: [f64; 2], base: f64, delta: f64) -> f64 {
    ((plus - base) + (minus - base)) / (delta * delta)
}

/// How far the rounding of losses may move one sample of the trace, about `2·ulp(f)/δ²`, in nats per squared unit.
///
/// `epsilon` is the relative distance of neighbouring numbers in the arithmetic that makes the losses: 2⁻²³ for f32,
/// 2⁻¹⁰ for f16. For f = 0.5 and δ = 1e-3 that is about 0.1 in f32 and 1e3, useless, in f16. The trace of a probe
/// should be well above it. Derived.
pub fn rounding(loss: f64, epsilon: f64, delta: f64) -> f64 {
    2.0 * loss.abs() * epsilon / (delta * delta)
}
