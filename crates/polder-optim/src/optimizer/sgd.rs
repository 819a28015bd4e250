//! Stochastic gradient descent.

use polder_perturb::update;
use polder_perturb::{ParamSet, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Applied, Optimizer, UpdateMode, changes, checked_rates, finite_f32, scaled_terms};
use crate::error::Result;
use crate::estimator::Estimate;

/// Stochastic gradient descent with weight decay: `θ ← θ − lr·(ĝ + weight_decay·θ)`; no state.
///
/// Norms and biases (parameters whose `decay` is false) don't decay. Applied as `x + (Σ cᵢuᵢ − decay·x)` with
/// `cᵢ = f32(−lr·gᵢ)` and `decay = f32(lr·weight_decay)`. An update whose numbers are all zero leaves every bit as it
/// is. Source: Malladi et al., arXiv 2305.17333, Algorithm 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// The learning rate, at least 0.
    pub lr: f64,
    /// The weight decay, at least 0, in 1 per unit of learning rate.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { lr: 1e-6, weight_decay: 0.0 }
    }
}

impl Sgd {
    /// Checks the settings.
    ///
    /// # Errors
    /// A learning rate or weight decay that is negative or not finite.
    pub fn checked(self) -> Result<Self> {
        checked_rates(self.lr, self.weight_decay)?;
        Ok(self)
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> Result<Applied> {
        let terms = scaled_terms(estimate, -lr)?;
        let decay = finite_f32(lr * self.weight_decay, || "weight decay".to_owned())?;
        Ok(Applied { terms, decay, rounding_seed, scalars: Vec::new() })
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()> {
        self.apply_all(params, mode, std::slice::from_ref(applied))
    }

    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        let rules: Vec<update::Sgd> = all.iter().map(|applied| update::Sgd { decay: applied.decay }).collect();
        update::visit_each(params, mode.law, &changes(all, &rules), mode.rounding)?;
        Ok(())
    }
}
