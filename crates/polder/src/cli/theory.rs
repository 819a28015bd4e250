//! `polder theory`.

use anyhow::{Result, ensure};
use polder_sharpness::theory::Smoothness;

use super::Ended;
use super::args::TheoryArgs;
use super::output::print;

pub(super) fn run(arguments: &TheoryArgs) -> Result<Ended> {
    let TheoryArgs { dimension, l1, l2, l3, epsilon, squared_distance, json } = *arguments;
    let smoothness = Smoothness::new(dimension, l1, l2, l3).map_err(polder::Error::from)?;
    let found = smoothness.corollary(epsilon, squared_distance).map_err(polder::Error::from)?;
    let numbers = [found.step, found.lambda_squared, found.steps, found.trace_gap, found.loss_gap];
    ensure!(
        numbers.iter().all(|x| x.is_finite() && *x > 0.0),
        "what follows from these constants is too large or too small for a number of 64 bits\nhint: take other units of loss or weights"
    );
    if json {
        print(serde_json::to_string_pretty(&found)?)?;
        return Ok(Ended::Well);
    }
    print(format!(
        "Two-point descent on a convex function of {dimension} weights (arXiv 2506.05454, Theorem 1 and its corollary):\n\
         step       η = {:.4e}\n\
         smoothing  λ = {:.4e}\n\
         steps      T = {:.4e}\n\
         trace      within {:.4e} of the smallest one among minimisers\n\
         loss       within {:.4e} of the minimum",
        found.step,
        found.lambda_squared.sqrt(),
        found.steps,
        found.trace_gap,
        found.loss_gap
    ))?;
    print("what bounds λ² from above and T from below:")?;
    for limit in &found.limits {
        let binds = if limit.binds { "  <- binds" } else { "" };
        print(format!("  {:<44} λ² {:.4e}  T {:.4e}{binds}", limit.origin, limit.lambda_squared, limit.steps))?;
    }
    Ok(Ended::Well)
}
