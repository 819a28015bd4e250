//! The decay of B = (‖y‖² − ‖z‖²)/2 in the mean over runs.

use polder_optim::TwoPoint;
use polder_optim::objectives::Toy;
use polder_perturb::Seed;

use super::super::descend::ZerothOrder;
use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::LR;
use crate::error::Result;

/// ‖y‖² and ‖z‖² of the minimum that runs start from: B = 40.
const START: [f64; 2] = [150.0, 70.0];
/// Runs that the mean is taken over.
const RUNS: u64 = 4;

/// `E B_t = B₀·e^{−2ηλ²t}` (Proposition 1), from a minimum with a large B.
pub(super) fn run(toy: &Toy, request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let steps = if request.short { 20_000 } else { 100_000 };
    let mut table = Table::new("balance", &["lambda", "step", "mean", "least", "most", "formula"]);
    for lambda in [0.1, 0.05] {
        let mut shares: Vec<Vec<f64>> = Vec::new();
        for run in 0..RUNS {
            let what = format!("decay of B, λ = {lambda}");
            heard(&Progress { what, done: run, total: RUNS });
            let seed = Seed(request.seed.wrapping_mul(RUNS).wrapping_add(run));
            let start = toy.minimum(seed, START[0], START[1])?;
            let descent = ZerothOrder { estimator: &TwoPoint { eps: lambda, ..TwoPoint::default() }, lr: LR, seed };
            let mut course = Vec::new();
            descent.descend(toy, &start, (steps, steps / 100), &mut |_, x| course.push(toy.balance(x)))?;
            shares.push(course.iter().map(|b| b / course[0]).collect());
            found.evaluations += 2 * steps;
        }
        let mut mean = f64::NAN;
        for at in 0..=100u64 {
            let values: Vec<f64> = shares.iter().map(|course| course[at as usize]).collect();
            mean = values.iter().sum::<f64>() / RUNS as f64;
            let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
            let step = (at * steps / 100) as f64;
            table.rows.push(vec![lambda, step, mean, least, most, formula(lambda, step)]);
        }
        let expected = formula(lambda, steps as f64);
        found.checks.push(Check::near(
            format!("two-point descent, λ = {lambda}: mean share of B that is left after {steps} steps, {RUNS} runs"),
            mean,
            format!("{expected:.3} (Proposition 1: exp(−2ηλ²t))"),
            expected,
            // Single runs scatter by 0.04, the mean of four by 0.02.
            0.06,
        ));
    }
    found.data.push(table);
    Ok(())
}

fn formula(lambda: f64, step: f64) -> f64 {
    (-2.0 * LR * lambda * lambda * step).exp()
}
