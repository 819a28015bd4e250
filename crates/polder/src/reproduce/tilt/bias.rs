//! Bias and error of the tilted estimates from k directions.

use polder_optim::objectives::SmoothObjective;
use polder_optim::{Batch, Correction, Estimator, Losses, Objective, StepContext, TwoPoint, Zest, step_seeds};
use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};

use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::SCALE;
use super::gradient::{exact, quadratic};
use crate::error::Result;

/// The dimension.
const D: usize = 20;
/// Numbers of directions.
const COUNTS: [usize; 5] = [1, 2, 5, 10, 20];
/// The estimators, in the order of the reference's rows.
const NAMES: [&str; 4] = ["none", "delta", "jackknife", "average"];
const NONE: f64 = f64::NAN;

/// What an independent simulation of 150,000 repeats found, relative to the length of the tilted gradient; `±0.005`.
struct Reference {
    t: f64,
    /// By estimator and number of directions.
    bias: [[f64; 5]; 4],
    /// The same of the root of the mean squared error.
    rmse: Option<[[f64; 5]; 4]>,
}

const REFERENCES: [Reference; 2] = [
    Reference {
        t: 1.0,
        bias: [
            [0.62, 0.51, 0.38, 0.29, 0.22],
            [NONE, 0.47, 0.33, 0.24, 0.175],
            [NONE, 0.41, 0.26, 0.18, 0.13],
            [0.209; 5],
        ],
        rmse: Some([
            [1.96, 1.78, 1.51, 1.31, 1.12],
            [NONE, 2.01, 1.70, 1.47, 1.25],
            [NONE, 2.28, 2.04, 1.76, 1.48],
            [4.03, 2.85, 1.81, 1.29, 0.92],
        ]),
    },
    Reference {
        t: 1.5,
        bias: [
            [0.80, 0.73, 0.64, 0.58, 0.52],
            [NONE, 0.72, 0.62, 0.56, 0.50],
            [NONE, 0.67, 0.56, 0.50, 0.45],
            [0.464; 5],
        ],
        rmse: None,
    },
];

/// Sums over repeats of one estimator with one number of directions.
struct Sums {
    estimator: Box<dyn Estimator>,
    target: Vec<f64>,
    gradient: Vec<f64>,
    errors: f64,
}

pub(super) fn run(request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let repeats = if request.short { 3_000 } else { 150_000 };
    let eigenvalues: Vec<f64> = (1..=D).map(|i| 4.0 / i as f64).collect();
    let all = simulate(&eigenvalues, repeats, request.seed, heard)?;
    found.evaluations += 2 * repeats * COUNTS[4] as u64;
    let columns =
        ["t", "estimator", "directions", "bias", "rmse", "length", "cosine", "reference_bias", "reference_rmse"];
    let mut table = Table::new("bias", &columns);
    let mut all = all.into_iter();
    for reference in &REFERENCES {
        for (row, name) in NAMES.iter().enumerate() {
            for (column, k) in COUNTS.into_iter().enumerate() {
                let Some(sums) = all.next().flatten() else { continue };
                let [bias, rmse, length, cosine] = sums.summary(repeats as f64);
                let known = (reference.bias[row][column], reference.rmse.map_or(NONE, |all| all[row][column]));
                let t = reference.t;
                table.rows.push(vec![t, row as f64, k as f64, bias, rmse, length, cosine, known.0, known.1]);
                // The reference is rounded and has an error of 0.005 itself; a bias that was freed of its noise has one of
                // about rmse/√(d·repeats) more.
                let noise = 4.0 * rmse / (D as f64 * repeats as f64).sqrt();
                let what = |of: &str| format!("t = {t}, correction {name}, {k} directions: {of}");
                let what = |of: &str| {
                    if row == 3 { format!("t = {t}, untilted average, {k} directions: {of}") } else { what(of) }
                };
                let theirs = |x: f64| format!("{x} (independent simulation)");
                found.checks.push(Check::near(what("bias"), bias, theirs(known.0), known.0, 0.01 + noise));
                if !known.1.is_nan() {
                    // Squared errors have heavy tails: three per cent in the short form, and the rounding.
                    let share = if request.short { 0.06 } else { 0.01 };
                    let distance = 0.01 + share * known.1;
                    found.checks.push(Check::near(
                        what("root mean squared error"),
                        rmse,
                        theirs(known.1),
                        known.1,
                        distance,
                    ));
                }
            }
        }
    }
    found.set("estimators of the table `bias`", "0 no correction, 1 delta, 2 jackknife, 3 the untilted average");
    found.data.push(table);
    Ok(())
}

/// Every estimator's sums, by reference, estimator and number of directions; none where a correction needs two.
fn simulate(
    eigenvalues: &[f64],
    repeats: u64,
    seed: u64,
    heard: &mut dyn FnMut(&Progress),
) -> Result<Vec<Option<Sums>>> {
    let ones = [1.0; D];
    let smooth = quadratic(eigenvalues, &ones)?;
    let params = SmoothObjective::parameter(&[0.0; D])?;
    let mut objective = SmoothObjective::new(&smooth, &params, Law::Gaussian)?;
    let mut all: Vec<Option<Sums>> = Vec::new();
    for reference in &REFERENCES {
        let target = exact(eigenvalues, &ones, reference.t);
        let sums = |estimator| Sums { estimator, target: target.clone(), gradient: vec![0.0; D], errors: 0.0 };
        for row in 0..NAMES.len() {
            all.extend(COUNTS.map(|k| estimator(row, k, reference.t).map(sums)));
        }
    }
    let most = TwoPoint { eps: SCALE, directions: COUNTS[4], ..TwoPoint::default() };
    let mut u = vec![0f32; D * COUNTS[4]];
    for step in 0..repeats {
        if step.is_multiple_of(1000) {
            heard(&Progress { what: "bias of tilted estimates".to_owned(), done: step, total: repeats });
        }
        let context = StepContext { step, total: repeats, batch: Batch(step), elements: D, lengths: &[] };
        let seeds = step_seeds(Seed(seed), step, COUNTS[4]);
        let losses = objective.losses(context.batch, &most.probes(&context, &seeds))?;
        for (seed, u) in seeds.iter().zip(u.chunks_exact_mut(D)) {
            fill(Law::Gaussian, *seed, ParamKey::of(SmoothObjective::NAME), 0, u);
        }
        let parts = COUNTS.map(|k| Losses { points: losses.points[..2 * k].to_vec(), weights: vec![1.0] });
        for (at, sums) in all.iter_mut().enumerate() {
            let k = COUNTS[at % COUNTS.len()];
            if let Some(sums) = sums {
                sums.add(&context, &seeds[..k], &parts[at % COUNTS.len()], &u)?;
            }
        }
    }
    Ok(all)
}

/// The estimator of a row, where it can have so few directions.
fn estimator(row: usize, directions: usize, t: f64) -> Option<Box<dyn Estimator>> {
    let correction = match row {
        0 => Correction::None,
        1 => Correction::Delta,
        2 => Correction::Jackknife,
        _ => return Some(Box::new(TwoPoint { eps: SCALE, directions, ..TwoPoint::default() })),
    };
    let zest = Zest { eps: SCALE, t, directions, correction, ..Zest::default() };
    zest.checked().ok().map(|zest| Box::new(zest) as Box<dyn Estimator>)
}

impl Sums {
    fn add(&mut self, context: &StepContext<'_>, seeds: &[Seed], losses: &Losses, u: &[f32]) -> Result<()> {
        let estimate = self.estimator.combine(context, seeds, losses)?;
        let mut gradient = [0.0; D];
        for (term, u) in estimate.terms.iter().zip(u.chunks_exact(D)) {
            gradient.iter_mut().zip(u).for_each(|(g, u)| *g += term.coeff * f64::from(*u));
        }
        self.errors += gradient.iter().zip(&self.target).map(|(g, t)| (g - t).powi(2)).sum::<f64>();
        self.gradient.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
        Ok(())
    }

    /// Bias and root mean squared error over the target's length; length along the target and cosine of the mean.
    fn summary(&self, n: f64) -> [f64; 4] {
        let mean: Vec<f64> = self.gradient.iter().map(|sum| sum / n).collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (target, own) = (dot(&self.target, &self.target), dot(&mean, &mean));
        let (along, error) = (dot(&mean, &self.target), self.errors / n);
        let away: f64 = mean.iter().zip(&self.target).map(|(m, t)| (m - t).powi(2)).sum();
        // The mean's own noise adds the variance over n to its squared distance.
        let bias = (away - (error - away) / (n - 1.0)).max(0.0);
        [(bias / target).sqrt(), (error / target).sqrt(), along / target, along / (own * target).sqrt()]
    }
}
