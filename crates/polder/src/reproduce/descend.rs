//! Zeroth-order descent on a smooth function, through the traits that training uses.

use polder_optim::objectives::{Smooth, SmoothObjective};
use polder_optim::{Batch, Estimator, Objective, Optimizer, Sgd, StepContext, UpdateMode, rounding_seed, step_seeds};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed};

use crate::error::Result;

/// Zeroth-order gradient descent without decay, Gaussian directions, full batches: an estimator, a rate and a seed.
#[derive(Debug, Clone, Copy)]
pub struct ZerothOrder<'a> {
    /// How losses become an estimate.
    pub estimator: &'a dyn Estimator,
    /// The learning rate η.
    pub lr: f64,
    /// The seed of the directions.
    pub seed: Seed,
}

impl ZerothOrder<'_> {
    /// One step; gives the mean of the losses around the weights.
    ///
    /// # Errors
    /// A loss that is not finite.
    pub fn step(
        &self,
        objective: &mut SmoothObjective<'_>,
        params: &ParamSet,
        (step, total): (u64, u64),
    ) -> Result<f64> {
        let context = StepContext { step, total, batch: Batch(step), elements: params.elements(), lengths: &[] };
        let seeds = step_seeds(self.seed, step, self.estimator.directions());
        let losses = objective.losses(context.batch, &self.estimator.probes(&context, &seeds))?;
        let estimate = self.estimator.combine(&context, &seeds, &losses)?;
        let mode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };
        let mut sgd = Sgd { lr: self.lr, weight_decay: 0.0 };
        sgd.step(params, &mode, &estimate, self.lr, rounding_seed(self.seed, step))?;
        Ok(estimate.loss)
    }

    /// Descends from a start; `seen` gets the number of steps done and the weights, at 0, every `every` steps and at the
    /// end. Gives the last weights.
    ///
    /// # Errors
    /// A loss that is not finite.
    pub fn descend(
        &self,
        smooth: &dyn Smooth,
        start: &[f64],
        (steps, every): (u64, u64),
        seen: &mut dyn FnMut(u64, &[f64]),
    ) -> Result<Vec<f64>> {
        let params = SmoothObjective::parameter(start)?;
        let mut objective = SmoothObjective::new(smooth, &params, Law::Gaussian)?;
        seen(0, start);
        for step in 0..steps {
            self.step(&mut objective, &params, (step, steps))?;
            let done = step + 1;
            if done == steps || done.is_multiple_of(every.max(1)) {
                seen(done, &objective.weights()?);
            }
        }
        Ok(objective.weights()?)
    }
}
