//! A learning rate from a measured trace, with the reason in words.

use serde::{Deserialize, Serialize};

use super::{Method, Scheme, StepBounds, step_bounds, step_for_any_spectrum};
use crate::error::{Error, Result, positive, setting};
use crate::measured::CLEAR;

/// What is known of the curvature, of H or, for Adam, of `P⁻¹H` at the present P.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curvature {
    /// The trace, in nats per squared unit of weight.
    pub trace: f64,
    /// Its standard error, in the same unit.
    pub standard_error: f64,
    /// The largest eigenvalue, in the same unit, where it is known.
    pub largest: Option<f64>,
}

/// A learning rate and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepAdvice {
    /// The learning rate η to take: `share` times `bounds.lower`.
    pub step: f64,
    /// The share c of the stable bound.
    pub share: f64,
    /// Up to where every step is stable, by what is known, and from where every step is unstable.
    pub bounds: StepBounds,
    /// `bounds` with the trace two standard errors up (lower) and down (upper).
    pub with_noise: StepBounds,
    /// The reason, in plain sentences.
    pub reason: String,
}

impl StepAdvice {
    /// The share to start from: half, because the noise of minibatches lowers the true limit.
    pub const SHARE: f64 = 0.5;
}

/// The learning rate that a measured curvature advises: a share c of the step up to which the method is stable.
///
/// `c·2(1−β)/(c₂T + AL)` with the largest eigenvalue L ([`step_bounds`]), otherwise with L ≤ T
/// ([`step_for_any_spectrum`]): `c·2/(T + 2L)` and `c·2/(3T)` for one Gaussian query. An L above T, which noise may
/// give, counts as T. The theory is that of a quadratic at its minimum and of full batches; minibatches lower the
/// limit, so begin with c ≤ 0.5. Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv
/// 2604.14669, Theorems 1 to 3; the recipe is ours.
///
/// # Errors
/// A trace that is not above two standard errors; a standard error that is negative or not finite; a largest
/// eigenvalue that is not positive; a share outside of (0, 1]; a scheme that is not possible.
pub fn advise(curvature: &Curvature, scheme: &Scheme, share: f64) -> Result<StepAdvice> {
    let Curvature { trace, standard_error, largest } = *curvature;
    if !(share > 0.0 && share <= 1.0) {
        return Err(setting("share", share, "it must be above 0 and at most 1; start with 0.5"));
    }
    if !(standard_error.is_finite() && standard_error >= 0.0) {
        return Err(setting(
            "standard_error",
            standard_error,
            "it must be finite and not negative; take two probes or more",
        ));
    }
    if !(trace.is_finite() && trace > CLEAR * standard_error) {
        return Err(Error::UnclearTrace { trace, standard_error });
    }
    let largest = largest.map(|l| positive("largest", l)).transpose()?;
    let at = |trace: f64| -> Result<StepBounds> {
        match largest {
            Some(largest) => step_bounds(trace, largest.min(trace), scheme),
            None => Ok(StepBounds {
                lower: step_for_any_spectrum(trace, scheme)?,
                upper: step_bounds(trace, trace, scheme)?.upper,
            }),
        }
    };
    let bounds = at(trace)?;
    let with_noise =
        StepBounds { lower: at(trace + 2.0 * standard_error)?.lower, upper: at(trace - 2.0 * standard_error)?.upper };
    let reason = reason(curvature, scheme, share, &bounds);
    Ok(StepAdvice { step: share * bounds.lower, share, bounds, with_noise, reason })
}

/// The advice in words.
fn reason(curvature: &Curvature, scheme: &Scheme, share: f64, bounds: &StepBounds) -> String {
    let Curvature { trace, standard_error, largest } = curvature;
    let hessian = match scheme.method {
        Method::FrozenAdam { .. } => "P⁻¹H",
        Method::Sgd | Method::Polyak { .. } => "the Hessian",
    };
    let known = match largest {
        Some(largest) if largest > trace => {
            format!("Its largest eigenvalue was measured as {largest:.4e}, above the trace, and counts as the trace.")
        }
        Some(largest) => format!("Its largest eigenvalue is {largest:.4e}."),
        None => "Its largest eigenvalue is not known, so it is taken as large as the trace allows.".to_owned(),
    };
    let method = match scheme.method {
        Method::Sgd => String::new(),
        Method::Polyak { beta } => format!(" and momentum {beta}, which shortens it by 1 − β"),
        Method::FrozenAdam { beta1 } => format!(" and Adam's average over β₁ = {beta1}"),
    };
    let queries = match scheme.queries {
        1 => "one direction".to_owned(),
        q => format!("{q} directions"),
    };
    format!(
        "The trace of {hessian} is {trace:.4e} ± {standard_error:.1e}. {known} With {queries} a step{method}, steps up \
         to {:.3e} are stable and steps beyond {:.3e} are not; this is {share} of the stable ones. Minibatches lower \
         the limit: take a smaller share if the loss spikes.",
        bounds.lower, bounds.upper
    )
}
