//! The sign of the estimate.

use polder_perturb::update;
use polder_perturb::{ParamSet, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Applied, Optimizer, UpdateMode, changes, checked_rates, finite_f32, scalars, scaled_terms};
use crate::error::Result;
use crate::estimator::Estimate;

/// ZO-signSGD: `θ ← θ − lr·(sign(ĝ) + weight_decay·θ)`, elementwise; no state.
///
/// Every weight moves by lr, whatever the slopes: lr is a length, far smaller than that of SGD (1e-6 to 1e-7 where weights
/// are a few hundredths). With one direction, the step is the direction's sign times that of its slope. Source: Liu et al.,
/// "signSGD via Zeroth-Order Oracle", ICLR 2019, Algorithm 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sign {
    /// The learning rate, at least 0.
    pub lr: f64,
    /// The weight decay, at least 0, in 1 per unit of learning rate.
    pub weight_decay: f64,
}

impl Default for Sign {
    fn default() -> Self {
        Self { lr: 1e-6, weight_decay: 0.0 }
    }
}

impl Sign {
    /// Checks the settings.
    ///
    /// # Errors
    /// A learning rate or weight decay that is negative or not finite.
    pub fn checked(self) -> Result<Self> {
        checked_rates(self.lr, self.weight_decay)?;
        Ok(self)
    }
}

impl Optimizer for Sign {
    fn name(&self) -> &'static str {
        "sign"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> Result<Applied> {
        let decay = finite_f32(lr * self.weight_decay, || "weight decay".to_owned())?;
        let scalars = vec![finite_f32(lr, || "learning rate".to_owned())?];
        Ok(Applied { terms: scaled_terms(estimate, 1.0)?, decay, rounding_seed, scalars })
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()> {
        self.apply_all(params, mode, std::slice::from_ref(applied))
    }

    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        let rule = |applied: &Applied| {
            let [lr] = scalars(applied)?;
            Ok(update::Sign { lr, decay: applied.decay })
        };
        let rules: Vec<update::Sign> = all.iter().map(rule).collect::<Result<_>>()?;
        update::visit_each(params, mode.law, &changes(all, &rules), mode.rounding)?;
        Ok(())
    }
}
