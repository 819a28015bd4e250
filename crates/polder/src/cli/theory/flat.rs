//! `polder theory flat`.

use anyhow::{Result, ensure};
use polder_sharpness::theory::Smoothness;
use serde_json::json;

use crate::cli::args::FlatArgs;
use crate::cli::output::print;

pub(super) fn run(arguments: &FlatArgs) -> Result<()> {
    let FlatArgs { dimension, l1, l2, l3, .. } = *arguments;
    let smoothness = Smoothness::new(dimension, l1, l2, l3).map_err(polder::Error::from)?;
    match (arguments.epsilon, arguments.lambda, arguments.steps) {
        (Some(epsilon), ..) => corollary(arguments, &smoothness, epsilon),
        (None, Some(lambda), Some(steps)) => theorem(arguments, &smoothness, lambda, steps),
        _ => unreachable!("clap asks for --epsilon, or --lambda with --steps"),
    }
}

/// What to run for a wanted trace.
fn corollary(arguments: &FlatArgs, smoothness: &Smoothness, epsilon: f64) -> Result<()> {
    let found = smoothness.corollary(epsilon, arguments.squared_distance).map_err(polder::Error::from)?;
    in_range([found.step, found.lambda_squared, found.steps, found.trace_gap, found.loss_gap])?;
    if arguments.json {
        return Ok(print(serde_json::to_string_pretty(&found)?)?);
    }
    print(format!(
        "Two-point descent on a convex function of {} weights (arXiv 2506.05454, Theorem 1 and its corollary):\n\
         step       η = {:.4e}\n\
         smoothing  λ = {:.4e}\n\
         steps      T = {:.4e}\n\
         trace      within {:.4e} of the smallest one among minimisers\n\
         loss       within {:.4e} of the minimum",
        arguments.dimension,
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
    Ok(())
}

/// What is proved of a given smoothing after given steps.
fn theorem(arguments: &FlatArgs, smoothness: &Smoothness, lambda: f64, steps: f64) -> Result<()> {
    let terms = smoothness.theorem1(lambda, steps, arguments.squared_distance).map_err(polder::Error::from)?;
    let (step, bound) = (smoothness.step(), terms.total());
    // F is the loss and (λ²/2)·trace, so a bound of F bounds the trace through λ².
    let trace = 2.0 * bound / (lambda * lambda);
    in_range([step, bound, trace])?;
    if arguments.json {
        let given = json!({ "lambda": lambda, "steps": steps });
        let found =
            json!({ "given": given, "step": step, "bound": bound, "terms": terms, "trace_gap_at_minimum": trace });
        return Ok(print(serde_json::to_string_pretty(&found)?)?);
    }
    let text = format!(
        "Two-point descent on a convex function of {} weights (arXiv 2506.05454, Theorem 1), λ = {lambda:.4e}, {steps:.4e} steps:\n\
         step       η = {step:.4e}\n\
         F          within {bound:.4e} of its minimum in the mean over a random step; F is the loss and (λ²/2)·trace\n\
         of that    descent {:.4e}, smoothing {:.4e}, third derivatives {:.4e}, fourth {:.4e}\n\
         that is    {trace:.4e} of the trace, if the loss is at its minimum",
        arguments.dimension, terms.descent, terms.smoothing, terms.third, terms.fourth
    );
    Ok(print(text)?)
}

/// Refuses numbers that left the range of f64.
fn in_range<const N: usize>(numbers: [f64; N]) -> Result<()> {
    ensure!(
        numbers.iter().all(|x| x.is_finite() && *x > 0.0),
        "what follows from these constants is too large or too small for a number of 64 bits\nhint: take other units of loss or weights"
    );
    Ok(())
}
