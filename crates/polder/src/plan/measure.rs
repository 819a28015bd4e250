//! A real step, timed.

use std::time::Instant;

use polder_optim::{Batch, Objective, StepContext, rounding_seed, step_seeds};
use polder_perturb::Seed;
use serde::Serialize;

use super::Plan;
use crate::batching::{BatchSize, Batching};
use crate::config::Probe;
use crate::error::Result;
use crate::model::Model;
use crate::objective::{PassLayout, PromptLoss};
use crate::scoring::{ROWS_A_PASS, score};
use crate::trainer::{Method, set_threads, set_trainable};

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// Seconds to load the weights.
    pub load: f64,
    /// Seconds a step, the median of a few.
    pub step: f64,
    /// Seconds an evaluated example.
    pub example: f64,
    /// Seconds of the whole run, extrapolated.
    pub run: f64,
    /// How the timed steps probed: always [`Probe::Read`], whatever the run will do.
    pub probe: Probe,
}

const STEPS: u64 = 5;
const EXAMPLES: usize = 64;

/// Loads the weights, takes a few steps with probes as read and no weight saved, and extrapolates.
///
/// # Errors
/// What a run would fail with.
pub fn measure(plan: &Plan) -> Result<Measured> {
    let (config, data) = (&plan.config, &plan.data);
    set_threads(config.threads);
    let start = Instant::now();
    let mut model = Model::load(&config.model.path, config.model.dtype, &config.device.open())?;
    set_trainable(&mut model, &config.trainable)?;
    let load = start.elapsed().as_secs_f64();
    let (engine, mut method) = (model.engine(), Method::of(config)?);
    let size = BatchSize::of(config.batch, data.train.len());
    let batching = Batching::new(data.train.len(), size, config.seed);
    let layout = PassLayout { micro_batch: config.micro_batch, paired: config.paired };
    let mut loss = PromptLoss::new(&engine, &data.train, data.kind, batching, method.mode.law, layout);
    let elements = model.loaded.params.trainable_elements();
    let mut times = Vec::new();
    for step in 0..STEPS {
        let start = Instant::now();
        let context = StepContext { step, total: config.steps, batch: Batch(step), elements };
        let seeds = step_seeds(Seed(config.seed), step, method.estimator.directions());
        let probes = method.estimator.probes(&context, &seeds);
        let losses = loss.losses(context.batch, &probes).map_err(polder_optim::Error::from)?;
        let estimate = method.estimator.combine(&context, &seeds, &losses)?;
        let rounding = rounding_seed(Seed(config.seed), step);
        let lr = method.optimizer.learning_rate();
        method.optimizer.step(&model.loaded.params, &method.mode, &estimate, lr, rounding)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let step = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    let some = &data.train[..data.train.len().min(EXAMPLES)];
    let start = Instant::now();
    score(&engine, some, ROWS_A_PASS, &mut |_| Ok(()))?;
    let example = start.elapsed().as_secs_f64() / some.len().max(1) as f64;
    let n = &plan.facts.cost.forwards;
    let evaluated = n.dev_evaluations * data.dev.len() as u64 + n.eval_evaluations * data.eval.len() as u64;
    let run = load + step * config.steps as f64 + example * evaluated as f64;
    Ok(Measured { load, step, example, run, probe: Probe::Read })
}
