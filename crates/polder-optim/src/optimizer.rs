//! From an estimate to the exact coefficients of an update, and from those to weights.

use polder_perturb::rounding::Rounding;
use polder_perturb::update::{self, Change};
use polder_perturb::{Law, ParamSet, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::estimator::{Estimate, setting};

/// How directions are drawn and stored weights rounded; fixed for a whole run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateMode {
    /// The law of every direction.
    pub law: Law,
    /// The rounding of updated weights to their storage.
    pub rounding: Rounding,
}

/// The exact numbers of one update: all that replay needs besides the base weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The terms of `g = Σ coeff·u(seed)`, added in this order.
    pub terms: Vec<(Seed, f32)>,
    /// The share by which decaying weights shrink, `lr·weight_decay`.
    pub decay: f32,
    /// The seed of the random bits of stochastic rounding.
    pub rounding_seed: Seed,
    /// Further numbers of the optimiser's rule that must not be computed twice (bias corrections, for example).
    pub scalars: Vec<f32>,
}

/// An optimiser: decides an update's exact coefficients, then applies them.
///
/// The two halves are apart so that a run can log between them, and so that replay, which reads the decisions from the
/// log, runs only the second. State (momentum, for example) belongs to the second half: it must be a function of what
/// was applied.
pub trait Optimizer: std::fmt::Debug + Send {
    /// The name in the registry.
    fn name(&self) -> &'static str;

    /// The settings, as the registry reads them.
    fn settings(&self) -> Value;

    /// The learning rate that the schedule scales.
    fn learning_rate(&self) -> f64;

    /// The exact numbers of the update that follows from an estimate at learning rate `lr`.
    ///
    /// # Errors
    /// A number that is not a finite f32.
    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> Result<Applied>;

    /// Changes the weights, and the state, by an update; the only way that training and replay have to do so.
    ///
    /// # Errors
    /// A storage type that updates don't handle.
    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()>;

    /// Changes the weights by updates one after the other: what [`apply`](Self::apply) of each would do, bit for bit.
    ///
    /// An optimiser that can goes through the weights once for all of them.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        all.iter().try_for_each(|applied| self.apply(params, mode, applied))
    }

    /// [`decide`](Self::decide), then [`apply`](Self::apply).
    ///
    /// # Errors
    /// Those of the two.
    fn step(
        &mut self,
        params: &ParamSet,
        mode: &UpdateMode,
        estimate: &Estimate,
        lr: f64,
        rounding_seed: Seed,
    ) -> Result<Applied> {
        let applied = self.decide(estimate, lr, rounding_seed)?;
        self.apply(params, mode, &applied)?;
        Ok(applied)
    }
}

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
        let possible = |x: f64| x.is_finite() && x >= 0.0;
        if !possible(self.lr) {
            return Err(setting("lr", self.lr, "it must be at least 0 and finite"));
        }
        if !possible(self.weight_decay) {
            return Err(setting("weight_decay", self.weight_decay, "it must be at least 0 and finite"));
        }
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
        let terms = estimate
            .terms
            .iter()
            .enumerate()
            .map(|(i, term)| {
                let coeff = finite_f32(-lr * term.coeff, || format!("coefficient {i}"))?;
                Ok((term.seed, coeff))
            })
            .collect::<Result<Vec<_>>>()?;
        let decay = finite_f32(lr * self.weight_decay, || "weight decay".to_owned())?;
        Ok(Applied { terms, decay, rounding_seed, scalars: Vec::new() })
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()> {
        self.apply_all(params, mode, std::slice::from_ref(applied))
    }

    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        let rules: Vec<update::Sgd> = all.iter().map(|applied| update::Sgd { decay: applied.decay }).collect();
        let changes: Vec<Change<'_>> = all
            .iter()
            .zip(&rules)
            .map(|(a, rule)| Change { terms: &a.terms, rule, rounding_seed: a.rounding_seed })
            .collect();
        update::visit_each(params, mode.law, &changes, mode.rounding)?;
        Ok(())
    }
}

/// The nearest f32, if it is finite.
pub(crate) fn finite_f32(value: f64, what: impl FnOnce() -> String) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(Error::NonFiniteUpdate { what: what(), value }) }
}
