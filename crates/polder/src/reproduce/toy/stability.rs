//! How a step changes the squared residual close to a minimum, over the product of learning rate and trace.

use polder_optim::TwoPoint;
use polder_optim::objectives::{Descent, FirstOrder, Smooth, Toy};
use polder_perturb::Seed;

use super::super::descend::ZerothOrder;
use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::LIMIT;
use crate::error::Result;

/// Products ηS that are tried.
const SHARES: [f64; 9] = [0.1, 0.25, 0.4, 0.55, 0.65, 0.7, 0.8, 0.9, 1.0];
/// Products ηS of gradient descent, around its edge 2.
const GRADIENT: [f64; 4] = [1.0, 1.9, 2.1, 2.5];

/// At a minimum of trace S, gradient descent multiplies the residual by `1 − ηS` a step and two-point descent its mean
/// square by `1 − 2ηS + 3η²S²`: stable just below ηS = 2 and 2/3.
pub(super) fn run(toy: &Toy, request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let minimum = toy.minimum(Seed(request.seed.wrapping_add(1)), 120.0, 100.0)?;
    let trace = toy.trace(&minimum).unwrap_or(f64::NAN);
    // The residual 2e-3 is small, so the Hessian stays, and large against the λ²·v·w that the estimate adds to it.
    let start: Vec<f64> = minimum.iter().map(|x| x * (1.0 + 1e-3)).collect();
    gradient(toy, &start, trace, found)?;
    let samples = if request.short { 10_000 } else { 100_000 };
    let mut table = Table::new("stability", &["eta_S", "factor", "standard_error", "formula"]);
    for (at, share) in SHARES.into_iter().enumerate() {
        let what = "one step of two-point descent from many seeds".to_owned();
        heard(&Progress { what, done: at as u64, total: SHARES.len() as u64 });
        let squares = squares(toy, &start, share / trace, samples, request.seed)?;
        found.evaluations += 2 * samples;
        let mean = squares.iter().sum::<f64>() / samples as f64;
        let variance = squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / samples as f64;
        let (expected, tolerance) = (factor(share), 4.0 * spread(share) / (samples as f64).sqrt());
        table.rows.push(vec![share, mean, (variance / samples as f64).sqrt(), expected]);
        if [0.55, 0.8].contains(&share) {
            let side = if share < 2.0 / 3.0 { "shrinks below" } else { "grows beyond" };
            found.checks.push(Check::near(
                format!("two-point descent, ηS = {share}: factor of the mean squared residual a step"),
                mean,
                format!("{expected:.4} (1 − 2ηS + 3η²S²: it {side} ηS = 2/3)"),
                expected,
                // Four standard errors, by the eighth moment of a Gaussian.
                tolerance,
            ));
        }
    }
    found.data.push(table);
    Ok(())
}

/// `E (1 − s·g²)²` for a standard Gaussian g.
fn factor(share: f64) -> f64 {
    1.0 - 2.0 * share + 3.0 * share * share
}

/// The standard deviation of `(1 − s·g²)²`.
fn spread(share: f64) -> f64 {
    let fourth = 1.0 - 4.0 * share + 18.0 * share.powi(2) - 60.0 * share.powi(3) + 105.0 * share.powi(4);
    (fourth - factor(share).powi(2)).sqrt()
}

/// The squared residual after one step over that before, for each of many seeds.
fn squares(toy: &Toy, start: &[f64], lr: f64, samples: u64, seed: u64) -> Result<Vec<f64>> {
    let first = toy.residual(start);
    let estimator = TwoPoint { eps: LIMIT, ..TwoPoint::default() };
    let square = |sample| {
        let run =
            ZerothOrder { estimator: &estimator, lr, seed: Seed(seed.wrapping_mul(samples).wrapping_add(sample)) };
        let end = run.descend(toy, start, (1, 1), &mut |_, _| ())?;
        Ok((toy.residual(&end) / first).powi(2))
    };
    (0..samples).map(square).collect()
}

fn gradient(toy: &Toy, start: &[f64], trace: f64, found: &mut Outcome) -> Result<()> {
    let first = toy.residual(start);
    for share in GRADIENT {
        let mut descent = Descent::new(toy, FirstOrder::Gradient { lr: share / trace }, start.to_vec())?;
        descent.step(None);
        found.evaluations += 2;
        let ratio = (toy.residual(descent.x()) / first).abs();
        let (expected, side) = ((1.0 - share).abs(), if share < 2.0 { "below" } else { "beyond" });
        // The residual 2e-3 and the trace's change of 0.2 % come in to first order.
        let theirs = format!("{expected} (|1 − ηS|, {side} the edge 2)");
        let what = format!("gradient descent, ηS = {share}: factor of the residual a step");
        found.checks.push(Check::near(what, ratio, theirs, expected, 0.01));
    }
    Ok(())
}
