//! Bounds of the critical step from the trace and the largest eigenvalue alone, and rules of rescaling.

use serde::{Deserialize, Serialize};

use super::Scheme;
use crate::error::{Result, positive, setting};

/// Bounds of the critical step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepBounds {
    /// Every smaller step is stable, in units of weight squared a nat.
    pub lower: f64,
    /// Every larger step is unstable, in the same unit.
    pub upper: f64,
}

/// Bounds of the critical step η* from the trace T and the largest eigenvalue L.
///
/// ```text
/// 2(1−β)/(c₂T + AL) ≤ η* ≤ 2(1−β)/(c₂T)        A = c₁ − 2β/(1+β); 2 for 2(1−β) and P⁻¹H for frozen Adam
/// Gaussian, q queries, β = 0:  2q/(T + (q+1)L) ≤ η* ≤ 2q/T
/// Gaussian, one query:         2(1−β)/(T + 2L/(1+β)) ≤ η* ≤ 2(1−β)/T
/// ```
///
/// Tight where T ≫ L. Where A < 0 (signs, or a sphere of dimension 1, with strong momentum) the two change places.
/// Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, Theorems 1 to 3 (q = 1,
/// Gaussian); the other q and laws are our extension.
///
/// # Errors
/// A trace or eigenvalue that is not positive and finite; an eigenvalue above the trace; a scheme that is not possible.
pub fn step_bounds(trace: f64, largest: f64, scheme: &Scheme) -> Result<StepBounds> {
    let c = scheme.checked()?.coefficients();
    positive("trace", trace)?;
    if positive("largest", largest)? > trace {
        return Err(setting("largest", largest, "no eigenvalue of a minimum's Hessian exceeds the trace"));
    }
    let whole = c.right / (c.c2 * trace);
    let less = c.right / (c.c2 * trace + c.slope * largest);
    Ok(StepBounds { lower: whole.min(less), upper: whole.max(less) })
}

/// The largest step that is stable for every spectrum of that trace: λ_max ≤ T put into the lower bound.
///
/// `2/(3T)` for one Gaussian query, `2q/((q+2)T)` for q; in general `2(1−β)/((c₂+A)T)`, or `2(1−β)/(c₂T)` where A < 0.
/// Attained by a spectrum with one positive eigenvalue where A ≥ 0. Source: as [`step_bounds`]; derived.
///
/// # Errors
/// A trace that is not positive and finite; a scheme that is not possible.
pub fn step_for_any_spectrum(trace: f64, scheme: &Scheme) -> Result<f64> {
    Ok(step_bounds(trace, trace, scheme)?.lower)
}

/// What to multiply a learning rate with on going from one scheme to another, so that it stays as far from the edge.
///
/// `(q′/q)·((1−β′)/(1−β))·(κ/κ′)`: times q for q queries, times 1 − β for Polyak's momentum, times 1 + 2/d for the
/// sphere of radius √d; averaged momentum changes nothing. It is the ratio of the upper bounds, hence right where the
/// trace is much larger than q·λ_max, and exact from Gaussian to sphere with one query and no momentum. To or from
/// Adam it holds only if the preconditioner is 1. Source: arXiv 2604.14669, Theorems 1 to 3, extended.
///
/// # Errors
/// A scheme that is not possible.
pub fn rescaling(from: &Scheme, to: &Scheme) -> Result<f64> {
    let (from, to) = (from.checked()?.coefficients(), to.checked()?.coefficients());
    Ok((to.right / to.c2) / (from.right / from.c2))
}
