//! Two-point descent on a smooth function, through the traits that training uses.

use polder_optim::objectives::{Smooth, SmoothObjective};
use polder_optim::{
    Batch, Estimator, Objective, Optimizer, Sgd, StepContext, TwoPoint, UpdateMode, rounding_seed, step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed};

/// A run of two-point descent.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) lr: f64,
    pub(crate) eps: f64,
    pub(crate) seed: Seed,
}

impl Run {
    /// One step; gives the mean of the two losses.
    pub(crate) fn step(&self, objective: &mut SmoothObjective<'_>, params: &ParamSet, step: u64, total: u64) -> f64 {
        let two = TwoPoint { eps: self.eps, ..TwoPoint::default() };
        let context = StepContext { step, total, batch: Batch(step), elements: params.elements(), lengths: &[] };
        let seeds = step_seeds(self.seed, step, two.directions());
        let losses = objective.losses(context.batch, &two.probes(&context, &seeds)).unwrap();
        let estimate = two.combine(&context, &seeds, &losses).unwrap();
        let mode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };
        let mut sgd = Sgd { lr: self.lr, weight_decay: 0.0 };
        sgd.step(params, &mode, &estimate, self.lr, rounding_seed(self.seed, step)).unwrap();
        estimate.loss
    }

    /// The weights after that many steps from a start.
    pub(crate) fn descend(&self, smooth: &dyn Smooth, start: &[f64], steps: u64) -> Vec<f64> {
        let params = SmoothObjective::parameter(start).unwrap();
        let mut objective = SmoothObjective::new(smooth, &params, Law::Gaussian).unwrap();
        for step in 0..steps {
            self.step(&mut objective, &params, step, steps);
        }
        objective.weights().unwrap()
    }
}
