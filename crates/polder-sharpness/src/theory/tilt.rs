//! The tilted loss of a quadratic in closed form.

use crate::error::{Error, Result, positive, setting};

/// The tilted sharpness of a quadratic, exactly: `R_t = f_t(x) − f(x)` with `f_t(x) = (1/t) log E exp(t·f(x + sz))`,
/// z standard normal.
///
/// ```text
/// R_t = −(1/2t) Σ log(1 − ts²λᵢ) + (ts²/2) Σ gᵢ²/(1 − ts²λᵢ)        if ts²λ_max < 1, otherwise +∞
/// ```
///
/// `eigenvalues` are those of the Hessian, of either sign; `gradient` is in their basis; t = 0 gives the limit
/// `(s²/2) Σ λᵢ`. In nats. Source: the tilted objective of Gong and Li, arXiv 2510.16157, Gaussian case; derived.
///
/// # Errors
/// Lists of two lengths; a tilt that is negative or not finite; a scale that is not positive; `ts²λ_max ≥ 1`.
pub fn gaussian_tilt(eigenvalues: &[f64], gradient: &[f64], scale: f64, tilt: f64) -> Result<f64> {
    if gradient.len() != eigenvalues.len() {
        return Err(Error::Size { what: "the gradient", found: gradient.len(), expected: eigenvalues.len() });
    }
    let squared = positive("scale", scale)?.powi(2);
    if !(tilt.is_finite() && tilt >= 0.0) {
        return Err(setting("tilt", tilt, "it must be finite and not negative"));
    }
    if tilt == 0.0 {
        return Ok(0.5 * squared * eigenvalues.iter().sum::<f64>());
    }
    let mut total = 0.0;
    for (l, g) in eigenvalues.iter().zip(gradient) {
        let product = tilt * squared * l;
        if product.is_nan() || product >= 1.0 {
            return Err(Error::TiltBarrier { product });
        }
        total += 0.5 * (tilt * squared * g * g / (1.0 - product) - (-product).ln_1p() / tilt);
    }
    Ok(total)
}
