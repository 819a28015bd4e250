//! The one-sided estimator: one base loss, one more for each direction.

use polder_perturb::{Seed, Shift, Term};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Estimate, Estimator, Scaling, StepContext, checked_clip, checked_directions, checked_eps, checked_seeds,
    finite_means, setting,
};
use crate::error::Result;
use crate::objective::Losses;

/// The one-sided estimator: `ĝ = (1/q) Σᵢ gᵢuᵢ`, `gᵢ = (ℓ(θ + εuᵢ) − ℓ(θ)) / ε`; q + 1 forward passes.
///
/// With many directions a direction costs half of what the two-point estimator asks for, at a bias of order ε. With
/// Rademacher directions, q of 60 to 160 and large batches it is known as 1.5-SPSA (Chaubard et al.).
///
/// `normalize` divides by the spread of the losses instead of ε: `ĝ = (1/q) Σᵢ (ℓᵢ − ℓ(θ))/σ · uᵢ`, where σ is the sample
/// standard deviation of `ℓᵢ = ℓ(θ + εuᵢ)`. The step then has the same length everywhere, whatever the scale of the loss
/// (FZOO). Where all ℓᵢ are equal, nothing distinguishes the directions and the estimate is 0.
///
/// The first point is θ, then one a direction. At stability's edge: the two-point limit, with a noise floor of order ε².
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneSided {
    /// The distance ε of the points, in multiples of the direction; positive.
    pub eps: f64,
    /// The number q of directions a step, at least 1.
    pub directions: usize,
    /// Whether to divide by the standard deviation of the losses; asks for two directions at least.
    pub normalize: bool,
    /// Each slope is clipped to `|g| ≤ clip`, in nats (before the division by σ/ε); absent: not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Directions as they are drawn, or on the sphere of radius √d.
    #[serde(skip_serializing_if = "Scaling::is_plain")]
    pub scaling: Scaling,
}

impl Default for OneSided {
    fn default() -> Self {
        Self { eps: 1e-3, directions: 8, normalize: false, clip: None, scaling: Scaling::Plain }
    }
}

impl OneSided {
    /// Checks the settings.
    ///
    /// # Errors
    /// An `eps` that is not positive and finite as an f32; a `clip` that is not positive and finite; no or too many directions, or one to be
    /// normalised.
    pub fn checked(self) -> Result<Self> {
        checked_eps(self.eps)?;
        checked_directions(self.directions)?;
        checked_clip(self.clip)?;
        if self.normalize && self.directions < 2 {
            return Err(setting("directions", self.directions, "2 or more with `normalize`: one loss has no spread"));
        }
        Ok(self)
    }

    /// What every slope is multiplied by: 1, or `ε/σ` of the losses at the shifted points.
    fn factor(&self, shifted: &[f64]) -> f64 {
        if !self.normalize {
            return 1.0;
        }
        let n = shifted.len() as f64;
        let mean = shifted.iter().sum::<f64>() / n;
        let variance = shifted.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / (n - 1.0);
        if variance > 0.0 { self.eps / variance.sqrt() } else { 0.0 }
    }
}

impl Estimator for OneSided {
    fn name(&self) -> &'static str {
        "one-sided"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn directions(&self) -> usize {
        self.directions
    }

    fn forwards(&self) -> u64 {
        self.directions as u64 + 1
    }

    fn needs_lengths(&self) -> bool {
        self.scaling == Scaling::Sphere
    }

    fn probes(&self, context: &StepContext<'_>, seeds: &[Seed]) -> Vec<Shift> {
        let steps = self.scaling.steps(context, seeds, self.eps);
        let along = seeds.iter().zip(steps).map(|(seed, eps)| Shift::along(*seed, eps));
        std::iter::once(Shift::none()).chain(along).collect()
    }

    fn combine(&self, context: &StepContext<'_>, seeds: &[Seed], losses: &Losses) -> Result<Estimate> {
        checked_seeds(seeds, self.directions)?;
        let scales = self.scaling.scales(context, seeds)?;
        let means = finite_means(context, losses, seeds.len() + 1, |point| match point {
            0 => "the weights".to_owned(),
            i => format!("the weights + eps·u of direction {}", i - 1),
        })?;
        let (base, shifted) = (means[0], &means[1..]);
        let (q, factor) = (self.directions as f64, self.factor(shifted));
        let steps = self.scaling.steps(context, seeds, self.eps);
        let mut projected = Vec::with_capacity(seeds.len());
        let mut terms = Vec::with_capacity(seeds.len());
        for (((loss, seed), scale), eps) in shifted.iter().zip(seeds).zip(scales).zip(steps) {
            let slope = (loss - base) / eps * scale;
            let slope = self.clip.map_or(slope, |c| slope.clamp(-c, c));
            projected.push(slope);
            terms.push(Term { seed: *seed, coeff: slope * factor * scale / q });
        }
        Ok(Estimate { terms, loss: base, projected, tilt: None })
    }
}
