//! The tilted gradient of a quadratic, exactly and from losses.

use polder_optim::objectives::{QuadraticForm, SmoothObjective};
use polder_optim::{Batch, Estimator, MAX_DIRECTIONS, Objective, StepContext, Zest, step_seeds};
use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};

use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::SCALE;
use crate::error::Result;

/// The eigenvalues of the Hessian and the gradient in their basis.
pub(super) const EIGENVALUES: [f64; 3] = [1.0, 2.0, 4.0];
pub(super) const GRADIENT: [f64; 3] = [1.0, -1.0, 0.5];
/// The tilted gradient at t = 1 and s = 0.35, computed independently.
const ORACLE: [f64; 3] = [1.13960113960114, -1.324503311258278, 0.9803921568627451];

/// A quadratic whose gradient at 0 is given.
pub(super) fn quadratic(eigenvalues: &[f64], gradient: &[f64]) -> Result<QuadraticForm> {
    let minimum = gradient.iter().zip(eigenvalues).map(|(g, l)| -g / l).collect();
    Ok(QuadraticForm::diagonal(eigenvalues.to_vec(), minimum)?)
}

/// `(I − ts²H)⁻¹g` in the basis of the eigenvectors.
pub(super) fn exact(eigenvalues: &[f64], gradient: &[f64], t: f64) -> Vec<f64> {
    gradient.iter().zip(eigenvalues).map(|(g, l)| g / (1.0 - t * SCALE * SCALE * l)).collect()
}

/// Estimates with very many directions against the exact gradient.
pub(super) fn run(request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let repeats = if request.short { 8 } else { 48 };
    let mut table = Table::new("gradient", &["t", "barrier", "coordinate", "estimate", "standard_error", "exact"]);
    for t in [0.5, 1.0] {
        let (mean, error) = estimate(t, repeats, request.seed, heard)?;
        found.evaluations += 2 * repeats * MAX_DIRECTIONS as u64;
        let exact = exact(&EIGENVALUES, &GRADIENT, t);
        let barrier = t * SCALE * SCALE * EIGENVALUES[2];
        for i in 0..3 {
            table.rows.push(vec![t, barrier, i as f64 + 1.0, mean[i], error[i], exact[i]]);
            let what = format!("tilted gradient of a quadratic, t = {t}, coordinate {}", i + 1);
            let theirs = format!("{:.6} ((I − ts²H)⁻¹∇f)", exact[i]);
            // At ts²λ_max = 0.49 the weights' second moment just exists (0.5), so that means converge slowly.
            let share = if request.short { 0.05 } else { 0.02 };
            found.checks.push(Check::near(what, mean[i], theirs, exact[i], share * exact[i].abs()));
        }
        if t == 1.0 {
            let away = exact.iter().zip(ORACLE).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            let what = "the closed form at t = 1: largest distance from the independent values";
            found.checks.push(Check::between(what, away, "0 (1.139601, −1.324503, 0.980392)", 0.0, 1e-13));
        }
    }
    found.data.push(table);
    Ok(())
}

/// The mean of several estimates, with the standard error of each coordinate.
fn estimate(t: f64, repeats: u64, seed: u64, heard: &mut dyn FnMut(&Progress)) -> Result<([f64; 3], [f64; 3])> {
    let smooth = quadratic(&EIGENVALUES, &GRADIENT)?;
    let params = SmoothObjective::parameter(&[0.0; 3])?;
    let mut objective = SmoothObjective::new(&smooth, &params, Law::Gaussian)?;
    let zest = Zest { eps: SCALE, t, directions: MAX_DIRECTIONS, ..Zest::default() };
    let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
    for step in 0..repeats {
        heard(&Progress { what: format!("tilted gradient, t = {t}"), done: step, total: repeats });
        let context = StepContext { step, total: repeats, batch: Batch(step), elements: 3, lengths: &[] };
        let seeds = step_seeds(Seed(seed), step, MAX_DIRECTIONS);
        let losses = objective.losses(context.batch, &zest.probes(&context, &seeds))?;
        let mut gradient = [0.0; 3];
        for term in zest.combine(&context, &seeds, &losses)?.terms {
            let mut u = [0f32; 3];
            fill(Law::Gaussian, term.seed, ParamKey::of(SmoothObjective::NAME), 0, &mut u);
            gradient.iter_mut().zip(u).for_each(|(g, u)| *g += term.coeff * f64::from(u));
        }
        for i in 0..3 {
            sums[i] += gradient[i];
            squares[i] += gradient[i] * gradient[i];
        }
    }
    let n = repeats as f64;
    let mean = sums.map(|sum| sum / n);
    let error = std::array::from_fn(|i| ((squares[i] / n - mean[i] * mean[i]).max(0.0) / (n - 1.0)).sqrt());
    Ok((mean, error))
}
