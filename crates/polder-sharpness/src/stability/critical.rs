//! The exact mean-square critical step of a spectrum.

use super::spectrum::sum;
use super::{Method, Scheme, Spectrum};
use crate::bisection::root;
use crate::error::Result;

/// The critical step η* of a zeroth-order method: below it `E‖x_t − x*‖²` stays bounded, above it grows without end.
///
/// η* is the one root of
///
/// ```text
/// Σᵢ c₂ηλᵢ / (2(1−β) − Aηλᵢ) = 1    on    Aηλ_max < 2(1−β)
/// c₁ = (1 − 1/q) + 2κ/q,    c₂ = κ/q,    A = c₁ − 2β/(1+β)
/// ```
///
/// with q queries, κ = 1 (Gaussian) or d/(d+2) (sphere of radius √d); for frozen Adam 2 stands for 2(1−β), β₁ for β,
/// and the spectrum must be that of `P⁻¹H` ([`Spectrum::preconditioned`]). For signs on a diagonal Hessian c₁ = 1 − 1/q
/// and c₂ = 1/q. In units of weight squared a nat; found to a few roundings.
///
/// Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, Theorems 1 to 3 (q = 1,
/// Gaussian); the other q and laws are our extension.
///
/// # Errors
/// A scheme that is not possible; more eigenvalues than the sphere has dimensions.
pub fn critical_step(spectrum: &Spectrum, scheme: &Scheme) -> Result<f64> {
    let c = scheme.checked_for(spectrum)?.coefficients();
    // In units of λ_max: x = ηλ_max, zᵢ = λᵢ/λ_max, S = Σ zᵢ ≥ 1.
    let (largest, shares) = (spectrum.largest(), spectrum.trace() / spectrum.largest());
    let left = |x: f64| {
        let term = |l: &f64| {
            let xz = x * (l / largest);
            // Beside the pole rounding may leave less than nothing.
            c.c2 * xz / (c.right - c.slope * xz).max(0.0)
        };
        sum(spectrum.eigenvalues().iter().map(term))
    };
    // With every zᵢ of the denominators put at 1, and at 0, the equation is linear: its roots lie on both sides. Both
    // are positive, because c₁ + c₂ ≥ 1 > 2β/(1+β) for every law here.
    let (all, none) = (c.right / (c.c2 * shares + c.slope), c.right / (c.c2 * shares));
    let pole = if c.slope > 0.0 { c.right / c.slope } else { f64::INFINITY };
    Ok(root(all.min(none), all.max(none).min(pole), |x| left(x) < 1.0) / largest)
}

/// The first-order twin of the method: the step at which gradient descent with exact gradients becomes unstable, which
/// is also where the zeroth-order method becomes unstable in the mean.
///
/// `2(1+β)/λ_max`; for frozen Adam `2(1+β₁)/((1−β₁)λ_max)`, with the spectrum of `P⁻¹H`. Source: arXiv 2604.14669,
/// section on first-order methods.
///
/// # Errors
/// β outside of [0, 1).
pub fn first_order_step(spectrum: &Spectrum, method: Method) -> Result<f64> {
    let beta = method.checked()?.beta();
    let gain = match method {
        Method::Sgd | Method::Polyak { .. } => 1.0,
        Method::FrozenAdam { .. } => 1.0 - beta,
    };
    Ok(2.0 * (1.0 + beta) / (gain * spectrum.largest()))
}
