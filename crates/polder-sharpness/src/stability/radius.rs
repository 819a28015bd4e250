//! The spectral radius of the second-moment map, from its secular equation.
//!
//! The eigendirections meet in one number, `T = Σ λᵢ²aᵢ`. For an eigenvalue μ each direction's three moments follow
//! from T, and what they give back must be T. With ℓ = sλh (so ηλ without momentum) that is
//!
//! ```text
//! G(μ) = Σᵢ c₂ℓᵢ²(μ+β) / Nᵢ(μ) = 1
//! N(μ) = (1 − β²/μ)·((μ−1)(μ−β) + 2ℓμ) + 2βℓ(μ−1+ℓ) − c₁ℓ²(μ+β)
//! ```
//!
//! The map takes positive semidefinite moments to such, so its spectral radius is its largest real eigenvalue
//! (Krein and Rutman). A direction alone (c₁ + c₂ in place of c₁, the others' noise left out) has no larger radius, and
//! above the largest of these G falls from at least 1 to 0: the radius is where it passes 1, found by bisection. At
//! μ = 1 the equation is that of the critical step.

use super::scheme::Coefficients;
use super::spectrum::sum;
use crate::bisection::root;

/// The spectral radius for directions of the positive step lengths `ℓᵢ`.
pub(super) fn spectral_radius(c: &Coefficients, lengths: &[f64]) -> f64 {
    let back = |mu: f64| sum(lengths.iter().map(|l| c.c2 * l * l * (mu + c.beta) / response(c, c.c1, *l, mu).max(0.0)));
    // Where a direction's roots meet, rounding moves the largest by its cube root at most, some 5e-6. A little below a
    // root of N with c₁ + c₂ that direction gives back more than 1, or has no answer, which counts as more.
    let low = (1.0 - 1e-4) * lengths.iter().map(|l| alone(c, *l)).fold(0.0, f64::max);
    let mut high = 2.0 * low.max(1.0);
    while back(high) >= 1.0 {
        high *= 2.0;
    }
    root(low, high, |mu| back(mu) > 1.0)
}

/// `N(μ)` of the module's equation.
fn response(c: &Coefficients, c1: f64, l: f64, mu: f64) -> f64 {
    let beta = c.beta;
    (1.0 - beta * beta / mu) * ((mu - 1.0) * (mu - beta) + 2.0 * l * mu) + 2.0 * beta * l * (mu - 1.0 + l)
        - c1 * l * l * (mu + beta)
}

/// The spectral radius of one direction without the others: the largest root of N with `c₁ + c₂` for c₁.
///
/// `μN(μ)` is a cubic with leading coefficient 1 whose other roots are no larger in size, so it is convex and rising
/// above its largest root, and Newton's steps from above come down to it. The sum of the sizes of its lower
/// coefficients and 1 bounds every root (Lagrange).
fn alone(c: &Coefficients, l: f64) -> f64 {
    let (beta, squared) = (c.beta, c.beta * c.beta);
    let k = (c.c1 + c.c2) * l * l;
    let two = 2.0 * l - 1.0 - beta + 2.0 * beta * l - k - squared;
    let one = beta + squared * (1.0 + beta - 2.0 * l) + 2.0 * beta * l * (l - 1.0) - k * beta;
    let zero = -squared * beta;
    let mut mu = 1.0f64.max(two.abs() + one.abs() + zero.abs());
    loop {
        let value = ((mu + two) * mu + one) * mu + zero;
        let slope = (3.0 * mu + 2.0 * two) * mu + one;
        let next = mu - value / slope;
        // Rounding ends the descent.
        if !(next < mu && slope > 0.0) {
            return mu;
        }
        mu = next;
    }
}
