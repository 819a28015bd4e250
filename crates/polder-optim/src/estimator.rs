//! Gradient estimates from losses alone.

use polder_perturb::{Seed, Shift, Term};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::objective::{Batch, Losses};

/// What an estimator may know of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepContext {
    /// The step, from 0.
    pub step: u64,
    /// The number of steps of the whole run.
    pub total: u64,
    /// The minibatch.
    pub batch: Batch,
    /// The number d of weights that directions reach (for directions of a fixed length).
    pub elements: usize,
}

/// What a step's losses mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The gradient estimate `ĝ = Σ coeff·u(seed)`, in nats per unit of weight.
    pub terms: Vec<Term>,
    /// The loss to report, in nats: the mean over the points that were read.
    pub loss: f64,
    /// The slope along each direction, after the clip, in nats.
    pub projected: Vec<f64>,
}

/// A zeroth-order gradient estimator: says where to look, then what the losses mean. Pure: no weights, no I/O.
pub trait Estimator: std::fmt::Debug + Send + Sync {
    /// The name in the registry.
    fn name(&self) -> &'static str;

    /// The settings, as the registry reads them.
    fn settings(&self) -> Value;

    /// How many directions, hence seeds, a step takes.
    fn directions(&self) -> usize;

    /// How many points a step reads: its cost in forward passes.
    fn forwards(&self) -> u64;

    /// Where to look: one shift a point, for `seeds.len()` = [`directions`](Self::directions) seeds.
    fn probes(&self, context: &StepContext, seeds: &[Seed]) -> Vec<Shift>;

    /// What the losses at those points mean.
    ///
    /// # Errors
    /// Losses that don't fit the probes; a mean loss that is not finite.
    fn combine(&self, context: &StepContext, seeds: &[Seed], losses: &Losses) -> Result<Estimate>;
}

/// The two-point estimator (MeZO; SPSA), averaged over q directions:
/// `ĝ = (1/q) Σᵢ gᵢuᵢ`, `gᵢ = (ℓ(θ + εuᵢ) − ℓ(θ − εuᵢ)) / 2ε`.
///
/// The points of a step are +, − of the first direction, +, − of the second, and so on. ε is used as the nearest f32,
/// in the probe and in the quotient. Source: Malladi et al., "Fine-Tuning Language Models with Just Forward Passes",
/// arXiv 2305.17333, Definitions 1 and 2 and Algorithm 1; for a Gaussian `u` and one direction `E‖ĝ‖² = (d + 2)‖∇f‖²`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwoPoint {
    /// The half distance ε of the two points, in multiples of the direction; positive.
    pub eps: f64,
    /// The number q of directions a step, at least 1.
    pub directions: usize,
    /// Each projected gradient is clipped to `|g| ≤ clip`, in nats; absent: not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
}

impl Default for TwoPoint {
    fn default() -> Self {
        Self { eps: 1e-3, directions: 1, clip: None }
    }
}

impl TwoPoint {
    /// The most directions that a step may take.
    pub const MAX_DIRECTIONS: usize = 1 << 16;

    /// Checks the settings.
    ///
    /// # Errors
    /// An `eps` or `clip` that is not positive and finite (`eps` as a normal f32); no or too many directions.
    pub fn checked(self) -> Result<Self> {
        let eps = self.eps as f32;
        if !(eps.is_normal() && eps > 0.0) {
            return Err(setting("eps", self.eps, "it must be positive, and neither tiny nor huge"));
        }
        if self.directions == 0 || self.directions > Self::MAX_DIRECTIONS {
            return Err(setting("directions", self.directions, "it must be between 1 and 65536"));
        }
        match self.clip {
            Some(clip) if !(clip.is_finite() && clip > 0.0) => {
                Err(setting("clip", clip, "it must be positive and finite; leave it out for no clip"))
            }
            _ => Ok(self),
        }
    }

    /// ε as it is applied.
    fn applied_eps(&self) -> f64 {
        f64::from(self.eps as f32)
    }
}

/// The error of a setting.
pub(crate) fn setting(name: &'static str, value: impl std::fmt::Display, why: &'static str) -> Error {
    Error::Setting { name, value: value.to_string(), why }
}

impl Estimator for TwoPoint {
    fn name(&self) -> &'static str {
        "two-point"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn directions(&self) -> usize {
        self.directions
    }

    fn forwards(&self) -> u64 {
        2 * self.directions as u64
    }

    fn probes(&self, _context: &StepContext, seeds: &[Seed]) -> Vec<Shift> {
        let eps = self.applied_eps();
        seeds.iter().flat_map(|seed| [Shift::along(*seed, eps), Shift::along(*seed, -eps)]).collect()
    }

    fn combine(&self, context: &StepContext, seeds: &[Seed], losses: &Losses) -> Result<Estimate> {
        if seeds.len() != self.directions {
            return Err(Error::LossShape { what: "seeds", found: seeds.len(), expected: self.directions });
        }
        let means = finite_means(context, losses, 2 * seeds.len(), |point| {
            let sign = if point % 2 == 0 { '+' } else { '-' };
            format!("the weights {sign} eps·u of direction {}", point / 2)
        })?;
        let (eps, q) = (self.applied_eps(), self.directions as f64);
        let mut projected = Vec::with_capacity(seeds.len());
        let mut terms = Vec::with_capacity(seeds.len());
        for (pair, seed) in means.chunks_exact(2).zip(seeds) {
            let slope = (pair[0] - pair[1]) / (2.0 * eps);
            let slope = self.clip.map_or(slope, |c| slope.clamp(-c, c));
            projected.push(slope);
            terms.push(Term { seed: *seed, coeff: slope / q });
        }
        let loss = means.iter().sum::<f64>() / means.len() as f64;
        Ok(Estimate { terms, loss, projected })
    }
}

/// The mean loss at every point, checked: as many points as were asked for, all examples there, all means finite.
///
/// `name` says in words where a point lies.
///
/// # Errors
/// Another number of points or examples; no weight; a mean that is not finite.
pub(crate) fn finite_means(
    context: &StepContext,
    losses: &Losses,
    points: usize,
    name: impl Fn(usize) -> String,
) -> Result<Vec<f64>> {
    if losses.points.len() != points {
        return Err(Error::LossShape { what: "points", found: losses.points.len(), expected: points });
    }
    let examples = losses.weights.len();
    if let Some(row) = losses.points.iter().find(|row| row.len() != examples) {
        return Err(Error::LossShape { what: "examples", found: row.len(), expected: examples });
    }
    let sum: f64 = losses.weights.iter().sum();
    if !(sum.is_finite() && sum > 0.0) {
        return Err(Error::NoWeight { examples, sum });
    }
    let means = losses.means();
    match means.iter().position(|mean| !mean.is_finite()) {
        Some(point) => Err(Error::NonFiniteLoss { step: context.step, point: name(point), loss: means[point] }),
        None => Ok(means),
    }
}
