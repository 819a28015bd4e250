//! How far another arithmetic agrees with f32, on projected gradients.

use polder_optim::{Batch, Objective, StepContext, step_seeds};
use polder_perturb::Seed;
use serde::Serialize;

use super::Plan;
use crate::batching::{BatchSize, Batching};
use crate::config::{Arithmetic, Config};
use crate::error::Result;
use crate::model::Model;
use crate::objective::{PassLayout, PromptLoss};
use crate::trainer::{Method, set_threads, set_trainable};

/// Projected gradients in f32 beside those of another arithmetic: same weights, batches and directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Agreement {
    /// The other arithmetic.
    pub arithmetic: Arithmetic,
    /// How many directions.
    pub directions: usize,
    /// Pearson's correlation.
    pub correlation: f64,
    /// Its standard error, `(1 − r²)/√(n − 1)`.
    pub error: f64,
    /// The root mean square of the differences, as a share of that of f32's gradients.
    pub difference: f64,
    /// The slope of the line through 0 that best gives the other's from f32's: 1 where it is right on average.
    pub slope: f64,
}

impl Agreement {
    /// Compares pairs (f32's, the other's).
    fn of(arithmetic: Arithmetic, pairs: &[(f64, f64)]) -> Self {
        let n = pairs.len() as f64;
        let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
        let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|p| f(p.0, p.1)).sum::<f64>();
        let (xx, yy) = (sum(&|x, _| (x - mx).powi(2)), sum(&|_, y| (y - my).powi(2)));
        let squares = sum(&|x, _| x * x);
        let correlation = sum(&|x, y| (x - mx) * (y - my)) / (xx * yy).sqrt();
        Self {
            arithmetic,
            directions: pairs.len(),
            correlation,
            error: (1.0 - correlation * correlation) / (n - 1.0).sqrt(),
            difference: (sum(&|x, y| (y - x).powi(2)) / squares).sqrt(),
            slope: sum(&|x, y| x * y) / squares,
        }
    }
}

/// Takes the projected gradients of the first `steps` steps, no weight changed, in f32 and in the plan's arithmetic (in
/// bf16 where that is f32). `heard` gets how many are done.
///
/// # Errors
/// What a run would fail with.
pub fn agreement(plan: &Plan, steps: u64, heard: &mut dyn FnMut(u64)) -> Result<Agreement> {
    let (config, data) = (&plan.config, &plan.data);
    set_threads(config.threads);
    let mut model = Model::load(&config.model.path, config.model.dtype, config.place()?)?;
    set_trainable(&mut model, &config.trainable)?;
    let other = if config.arithmetic == Arithmetic::F32 { Arithmetic::Bf16 } else { config.arithmetic };
    // A clipped gradient would agree with another one.
    let method = Method::of(&Config { clip: None, ..config.clone() }, config.optimizer.lr.fixed().unwrap_or_default())?;
    let engines = [Arithmetic::F32, other].map(|a| model.engine().in_arithmetic(a.of_readers()));
    let mut sides = engines.each_ref().map(|engine| {
        let size = BatchSize::of(config.batch, data.train.len());
        let batching = Batching::new(data.train.len(), size, config.seed);
        let layout = PassLayout { micro_batch: config.micro_batch, points: config.points_a_pass };
        PromptLoss::new(engine, &data.train, data.kind, batching, method.mode.law, layout)
    });
    let elements = model.loaded.params.trainable_elements();
    let mut pairs = Vec::new();
    for step in 0..steps {
        let seeds = step_seeds(Seed(config.seed), step, method.estimator.directions());
        let lengths = method.lengths(&model.loaded.params, &seeds);
        let context =
            StepContext { step, total: config.steps.max(steps), batch: Batch(step), elements, lengths: &lengths };
        let probes = method.estimator.probes(&context, &seeds);
        let mut gradients = Vec::with_capacity(2);
        for side in &mut sides {
            let losses = side.losses(context.batch, &probes).map_err(polder_optim::Error::from)?;
            let estimate = method.estimator.combine(&context, &seeds, &losses)?;
            gradients.push(estimate.terms.iter().map(|term| term.coeff).collect::<Vec<f64>>());
        }
        pairs.extend(gradients[0].iter().copied().zip(gradients[1].iter().copied()));
        heard(step + 1);
    }
    Ok(Agreement::of(other, &pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_that_of_the_formulas() {
        let same = Agreement::of(Arithmetic::Bf16, &[(1.0, 1.0), (-2.0, -2.0), (0.5, 0.5)]);
        assert!((same.correlation - 1.0).abs() < 1e-15 && same.difference == 0.0 && same.slope == 1.0);
        // Differences 1 and −1 beside squares 1 and 9; products 2 + 6.
        let other = Agreement::of(Arithmetic::Bf16, &[(1.0, 2.0), (3.0, 2.0)]);
        assert!((other.difference - (2.0f64 / 10.0).sqrt()).abs() < 1e-15 && (other.slope - 0.8).abs() < 1e-15);
    }
}
