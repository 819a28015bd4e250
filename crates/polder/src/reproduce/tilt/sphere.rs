//! The tilted sharpness of a centred quadratic over a sphere: quadrature, saddle point, small tilt, Monte Carlo.

use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};

use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use crate::error::Result;

/// Dimension, the one large eigenvalue, and all others; the radius is 1.
const D: usize = 40;
const LARGE: f64 = 5.0;
const OTHERS: f64 = 0.4;

/// t with the values of R_t by quadrature and by the saddle point, computed independently.
const ORACLE: [(f64, f64, f64); 8] = [
    (0.1, 0.2578090559, 0.2578082502),
    (1.0, 0.2607884698, 0.2607758467),
    (5.0, 0.2805700081, 0.2798914971),
    (20.0, 0.7198421556, 0.7258785618),
    (50.0, 1.426701311, 1.429643649),
    (100.0, 1.827694361, 1.829182557),
    (200.0, 2.096151493, 2.096897291),
    (1000.0, 2.387828822, 2.387978078),
];

fn spectrum() -> [f64; D] {
    let mut spectrum = [OTHERS; D];
    spectrum[0] = LARGE;
    spectrum
}

/// `(1/t) log E exp(t·½vᵀHv)` for v uniform on the unit sphere, by Simpson's rule.
///
/// Only the first coordinate x matters, whose density is that of `(1 − x²)^{(d−3)/2}`.
pub(super) fn by_quadrature(t: f64) -> f64 {
    const INTERVALS: usize = 20_000;
    let rise = 0.5 * t * (LARGE - OTHERS);
    let sum = |rise: f64| {
        // The integrand over its largest value: nothing overflows.
        let exponent = |x: f64| rise * x * x + 0.5 * (D as f64 - 3.0) * (-x * x).ln_1p();
        let nodes = (0..INTERVALS).map(|i| i as f64 / INTERVALS as f64);
        let most = nodes.clone().map(exponent).fold(f64::NEG_INFINITY, f64::max);
        // The integrand is 0 at x = 1.
        let weight = |i: usize| if i == 0 { 1.0 } else { 2.0 * (1 + i % 2) as f64 };
        most + nodes.enumerate().map(|(i, x)| weight(i) * (exponent(x) - most).exp()).sum::<f64>().ln()
    };
    0.5 * OTHERS + (sum(rise) - sum(0.0)) / t
}

/// The saddle-point approximation: with `a = tρ²/2`, ζ solving `½ Σ 1/(ζ − aλᵢ) = 1`,
/// `R_t ≈ (1/t)[ζ − d/2 − ½ Σ log((ζ − aλᵢ)/(d/2)) − ½ log((d/4) Σ (ζ − aλᵢ)⁻²)]`.
pub(super) fn by_saddle_point(spectrum: &[f64], t: f64) -> f64 {
    let (a, d) = (0.5 * t, spectrum.len() as f64);
    let largest = spectrum.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let excess = |over: f64| spectrum.iter().map(|l| 0.5 / (over + a * (largest - l))).sum::<f64>() - 1.0;
    // The sum falls in ζ − aλ_max; it is positive below 1/2 and not above d/2.
    let (mut low, mut high) = (0.0, 0.5 * d);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    let over = 0.5 * (low + high);
    let gaps = spectrum.iter().map(|l| over + a * (largest - l));
    let logs: f64 = gaps.clone().map(|gap| (gap / (0.5 * d)).ln()).sum();
    let squares: f64 = gaps.map(|gap| gap.powi(-2)).sum();
    (over + a * largest - 0.5 * d - 0.5 * logs - 0.5 * (0.25 * d * squares).ln()) / t
}

/// `tr H/(2d) + t/(4d(d+2))·(‖H‖_F² − (tr H)²/d)`: up to order t at ρ = 1.
fn small_tilt(spectrum: &[f64], t: f64) -> f64 {
    let d = spectrum.len() as f64;
    let (trace, squares) = spectrum.iter().fold((0.0, 0.0), |(a, b), l| (a + l, b + l * l));
    trace / (2.0 * d) + t / (4.0 * d * (d + 2.0)) * (squares - trace * trace / d)
}

/// Losses `½vᵀHv` at random points of the sphere.
fn losses(count: usize, seed: u64, heard: &mut dyn FnMut(&Progress)) -> Vec<f64> {
    const BLOCK: usize = 1000;
    let mut normal = vec![0f32; BLOCK * D];
    let mut losses = Vec::with_capacity(count);
    for block in 0..count / BLOCK {
        let what = "directions on a sphere".to_owned();
        heard(&Progress { what, done: (block * BLOCK) as u64, total: count as u64 });
        fill(Law::Gaussian, Seed(seed).derive(block as u64, 0), ParamKey::of("sphere"), 0, &mut normal);
        for z in normal.chunks_exact(D) {
            let square: f64 = z.iter().map(|z| f64::from(*z).powi(2)).sum();
            losses.push(0.5 * (OTHERS + (LARGE - OTHERS) * f64::from(z[0]).powi(2) / square));
        }
    }
    losses
}

/// `(1/t) log mean exp(t·loss)`.
fn tilted_mean(losses: &[f64], t: f64) -> f64 {
    let most = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = losses.iter().map(|loss| (t * (loss - most)).exp()).sum();
    most + (sum / losses.len() as f64).ln() / t
}

pub(super) fn run(request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let count = if request.short { 50_000 } else { 2_000_000 };
    let losses = losses(count, request.seed, heard);
    found.evaluations += count as u64;
    let spectrum = spectrum();
    let mut table = Table::new("sphere", &["t", "quadrature", "saddle_point", "small_tilt", "monte_carlo"]);
    for (t, exact, saddle) in ORACLE {
        let (ours, point) = (by_quadrature(t), by_saddle_point(&spectrum, t));
        let sampled = tilted_mean(&losses, t);
        table.rows.push(vec![t, ours, point, small_tilt(&spectrum, t), sampled]);
        let mut check = |name: &str, ours: f64, theirs: f64| {
            let what = format!("sphere, t = {t}: R_t by {name}");
            // Ten digits are known.
            found.checks.push(Check::near(
                what,
                ours,
                format!("{theirs} (computed independently)"),
                theirs,
                1e-9 * theirs,
            ));
        };
        check("quadrature", ours, exact);
        check("the saddle point", point, saddle);
        // Where the tilt is weak, samples reach the value; where it is strong, they cannot.
        if t <= 1.0 {
            let what = format!("sphere, t = {t}: R_t from {count} directions");
            found.checks.push(Check::near(what, sampled, format!("{exact} (exact)"), exact, 0.005 * exact));
        } else if t == 200.0 {
            let what = format!("sphere, t = {t}: R_t from {count} directions");
            let theirs = format!("{exact} (exact); 1.27 from 2,000,000 directions (computed independently)");
            // The largest of the losses decides; 50,000 directions see a smaller one.
            let low = if request.short { 0.9 } else { 1.15 };
            found.checks.push(Check::between(what, sampled, theirs, low, 1.45));
        }
    }
    found.data.push(table);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_and_saddle_point_give_the_independent_values() {
        for (t, exact, saddle) in ORACLE {
            let (found, point) = (by_quadrature(t), by_saddle_point(&spectrum(), t));
            assert!((found / exact - 1.0).abs() < 1e-9, "t {t}: {found}, {exact}");
            assert!((point / saddle - 1.0).abs() < 1e-9, "t {t}: {point}, {saddle}");
        }
    }

    #[test]
    fn a_sphere_without_a_sharp_direction_is_level() {
        // All eigenvalues alike: ½vᵀHv = 1 everywhere, and the saddle point is exact.
        for t in [0.1, 1.0, 100.0] {
            assert!((by_saddle_point(&[2.0; 10], t) - 1.0).abs() < 1e-12);
            assert!((small_tilt(&[2.0; 10], t) - 1.0).abs() < 1e-12);
        }
        for (t, value) in [(0.1, 0.2578070), (1.0, 0.2605701), (5.0, 0.2728504)] {
            assert!((small_tilt(&spectrum(), t) - value).abs() < 1e-7);
        }
        assert!((tilted_mean(&[1.0, 3.0], 1e4) - 3.0).abs() < 1e-4);
    }
}
