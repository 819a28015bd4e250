//! From an estimate to the exact coefficients of an update, and from those to weights.

mod adam;
mod momentum;
mod sgd;
mod sign;

use candle_core::Tensor;
use polder_perturb::rounding::Rounding;
use polder_perturb::update::{Change, Rule};
use polder_perturb::{Law, ParamSet, Seed};
use serde_json::Value;

pub use adam::Adam;
pub use momentum::Momentum;
pub use sgd::Sgd;
pub use sign::Sign;

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
    /// The terms of `g = Σ coeff·u(seed)`, added in this order: the change itself (SGD) or the estimate ĝ (the others).
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

    /// How many bytes of state it keeps for these weights.
    fn state_bytes(&self, _params: &ParamSet) -> u64 {
        0
    }

    /// Its state as named tensors, to be saved beside the weights; none where it keeps none.
    ///
    /// # Errors
    /// Not enough memory for the copy.
    fn state(&self, _params: &ParamSet) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Takes up the state that was saved with these weights; `find` gives a tensor by its name.
    ///
    /// # Errors
    /// A tensor that is missing or of another size or type.
    fn restore(&mut self, _params: &ParamSet, _find: &mut dyn FnMut(&str) -> Option<Tensor>) -> Result<()> {
        Ok(())
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

/// The nearest f32, if it is finite.
pub(crate) fn finite_f32(value: f64, what: impl FnOnce() -> String) -> Result<f32> {
    let narrow = value as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(Error::NonFiniteUpdate { what: what(), value }) }
}

/// A learning rate and a weight decay, if they can be ones.
pub(crate) fn checked_rates(lr: f64, weight_decay: f64) -> Result<()> {
    let possible = |x: f64| x.is_finite() && x >= 0.0;
    if !possible(lr) {
        return Err(setting("lr", lr, "a finite number, 0 or above"));
    }
    if !possible(weight_decay) {
        return Err(setting("weight_decay", weight_decay, "a finite number, 0 or above"));
    }
    Ok(())
}

/// A part of an average that a step keeps, if it can be one.
pub(crate) fn checked_beta(name: &'static str, beta: f64) -> Result<()> {
    // As f32 it must still be below 1, or nothing would ever be forgotten.
    if beta >= 0.0 && (beta as f32) < 1.0 { Ok(()) } else { Err(setting(name, beta, "0 or above, and below 1")) }
}

/// An estimate's terms, each coefficient `f32(factor·coeff)`.
pub(crate) fn scaled_terms(estimate: &Estimate, factor: f64) -> Result<Vec<(Seed, f32)>> {
    let scaled = |(i, term): (usize, &polder_perturb::Term)| {
        let coeff = finite_f32(factor * term.coeff, || format!("coefficient {i}"))?;
        Ok((term.seed, coeff))
    };
    estimate.terms.iter().enumerate().map(scaled).collect()
}

/// An update's first scalars.
pub(crate) fn scalars<const N: usize>(applied: &Applied) -> Result<[f32; N]> {
    let found = applied.scalars.len();
    let first = applied.scalars.first_chunk::<N>();
    first.copied().ok_or(Error::LossShape { what: "scalars of an update", found, expected: N })
}

/// The changes that updates make by their rules.
pub(crate) fn changes<'a, R: Rule>(all: &'a [Applied], rules: &'a [R]) -> Vec<Change<'a>> {
    let change = |(a, rule): (&'a Applied, &'a R)| Change { terms: &a.terms, rule, rounding_seed: a.rounding_seed };
    all.iter().zip(rules).map(change).collect()
}
