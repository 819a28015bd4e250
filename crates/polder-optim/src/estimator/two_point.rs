//! The two-point estimator.

use polder_perturb::{Seed, Shift, Term};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Estimate, Estimator, Scaling, StepContext, checked_clip, checked_directions, checked_eps, checked_seeds,
    finite_means,
};
use crate::error::Result;
use crate::objective::Losses;

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
    /// Directions as they are drawn, or on the sphere of radius √d.
    #[serde(skip_serializing_if = "Scaling::is_plain")]
    pub scaling: Scaling,
}

impl Default for TwoPoint {
    fn default() -> Self {
        Self { eps: 1e-3, directions: 1, clip: None, scaling: Scaling::Plain }
    }
}

impl TwoPoint {
    /// Checks the settings.
    ///
    /// # Errors
    /// An `eps` that is not positive and finite as an f32; a `clip` that is not positive and finite; no or too many directions.
    pub fn checked(self) -> Result<Self> {
        checked_eps(self.eps)?;
        checked_directions(self.directions)?;
        checked_clip(self.clip)?;
        Ok(self)
    }
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

    fn needs_lengths(&self) -> bool {
        self.scaling == Scaling::Sphere
    }

    fn probes(&self, context: &StepContext<'_>, seeds: &[Seed]) -> Vec<Shift> {
        let steps = self.scaling.steps(context, seeds, self.eps);
        let pair = |(seed, eps): (&Seed, f64)| [Shift::along(*seed, eps), Shift::along(*seed, -eps)];
        seeds.iter().zip(steps).flat_map(pair).collect()
    }

    fn combine(&self, context: &StepContext<'_>, seeds: &[Seed], losses: &Losses) -> Result<Estimate> {
        checked_seeds(seeds, self.directions)?;
        let scales = self.scaling.scales(context, seeds)?;
        let means = finite_means(context, losses, 2 * seeds.len(), two_sided_name)?;
        let q = self.directions as f64;
        let steps = self.scaling.steps(context, seeds, self.eps);
        let mut projected = Vec::with_capacity(seeds.len());
        let mut terms = Vec::with_capacity(seeds.len());
        for (((pair, seed), scale), eps) in means.chunks_exact(2).zip(seeds).zip(scales).zip(steps) {
            let slope = (pair[0] - pair[1]) / (2.0 * eps) * scale;
            let slope = self.clip.map_or(slope, |c| slope.clamp(-c, c));
            projected.push(slope);
            terms.push(Term { seed: *seed, coeff: slope * scale / q });
        }
        let loss = means.iter().sum::<f64>() / means.len() as f64;
        Ok(Estimate { terms, loss, projected, tilt: None })
    }
}

/// Where a point of a two-sided estimator lies, in words.
pub(super) fn two_sided_name(point: usize) -> String {
    let sign = if point.is_multiple_of(2) { '+' } else { '-' };
    format!("the weights {sign} eps·u of direction {}", point / 2)
}
