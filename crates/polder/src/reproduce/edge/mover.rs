//! Weights on their way: by zeroth-order steps through the traits that training uses, or by gradients.

use polder_optim::objectives::{Descent, FirstOrder, Smooth, SmoothObjective};
use polder_optim::{
    Adam, Batch, Error, Estimator, Momentum, Objective, Optimizer, Sgd, StepContext, TwoPoint, UpdateMode,
    rounding_seed, step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed};

use super::course::{Course, Method};
use crate::error::Result;

/// How an update is made: Gaussian directions; f64 weights are not rounded any further.
const MODE: UpdateMode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };

/// Weights that a method moves.
pub(super) trait Mover {
    /// Makes a step with step size `lr` and gives the loss that the step read; not finite where it could not be made for
    /// that.
    fn step(&mut self, step: u64, lr: f64) -> Result<f64>;

    /// The weights.
    fn weights(&self) -> Result<Vec<f64>>;

    /// Adam's P, folded so that its step is `η·P⁻¹m`; nothing for other methods and before the first step.
    fn preconditioner(&self) -> Result<Option<Vec<f64>>> {
        Ok(None)
    }
}

/// A zeroth-order method: objective, estimator and optimiser as a training has them.
pub(super) struct ZerothOrder<'a> {
    course: &'a Course,
    seed: Seed,
    params: &'a ParamSet,
    objective: SmoothObjective<'a>,
    estimator: TwoPoint,
    optimizer: Box<dyn Optimizer>,
}

impl<'a> ZerothOrder<'a> {
    /// Over the weights of `params`.
    pub(super) fn new(course: &'a Course, smooth: &'a dyn Smooth, params: &'a ParamSet, seed: Seed) -> Result<Self> {
        let mut objective = SmoothObjective::new(smooth, params, Law::Gaussian)?;
        if let Some(size) = course.minibatch {
            objective = objective.minibatches(size, seed)?;
        }
        let estimator = TwoPoint { eps: course.smoothing, directions: course.queries, ..TwoPoint::default() };
        let optimizer = optimizer(course)?;
        Ok(Self { course, seed, params, objective, estimator: estimator.checked()?, optimizer })
    }

    fn try_step(&mut self, step: u64, lr: f64) -> Result<f64, Error> {
        let (batch, elements) = (Batch(step), self.params.elements());
        let context = StepContext { step, total: self.course.steps, batch, elements, lengths: &[] };
        let seeds = step_seeds(self.seed, step, self.estimator.directions());
        let losses = self.objective.losses(batch, &self.estimator.probes(&context, &seeds))?;
        let estimate = self.estimator.combine(&context, &seeds, &losses)?;
        self.optimizer.step(self.params, &MODE, &estimate, lr, rounding_seed(self.seed, step))?;
        Ok(estimate.loss)
    }
}

/// The optimiser of a zeroth-order method, without weight decay.
fn optimizer(course: &Course) -> Result<Box<dyn Optimizer>> {
    let lr = course.lr(0);
    Ok(match course.method {
        Method::Momentum { beta } => {
            let mut momentum = Momentum::default();
            (momentum.lr, momentum.beta) = (lr, beta);
            Box::new(momentum.checked()?)
        }
        Method::Adam { betas } => Box::new(adam(course, betas).checked()?),
        _ => Box::new(Sgd { lr, weight_decay: 0.0 }.checked()?),
    })
}

/// Adam as a course has it.
fn adam(course: &Course, [beta1, beta2]: [f64; 2]) -> Adam {
    let mut adam = Adam::default();
    (adam.lr, adam.beta1, adam.beta2) = (course.lr(0), beta1, beta2);
    adam
}

impl Mover for ZerothOrder<'_> {
    fn step(&mut self, step: u64, lr: f64) -> Result<f64> {
        match self.try_step(step, lr) {
            // What a run does that diverges is a result here.
            Err(Error::NonFiniteLoss { .. } | Error::NonFiniteUpdate { .. }) => Ok(f64::INFINITY),
            other => Ok(other?),
        }
    }

    fn weights(&self) -> Result<Vec<f64>> {
        Ok(self.objective.weights()?)
    }

    fn preconditioner(&self) -> Result<Option<Vec<f64>>> {
        match self.course.method {
            Method::Adam { betas } => {
                Ok(adam(self.course, betas).preconditioner(&self.optimizer.state(self.params)?, ["x"])?)
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
impl ZerothOrder<'_> {
    /// The momentum m that the optimiser keeps.
    pub(super) fn momentum(&self) -> Vec<f64> {
        let state = self.optimizer.state(self.params).unwrap();
        let (_, m) = state.iter().find(|(name, _)| name == "x.m").unwrap();
        m.flatten_all().unwrap().to_vec1().unwrap()
    }
}

/// Gradient descent.
pub(super) struct GradientDescent<'a>(Descent<'a>);

impl<'a> GradientDescent<'a> {
    /// From a start, with the course's first step size throughout.
    pub(super) fn new(course: &Course, smooth: &'a dyn Smooth, start: &[f64]) -> Result<Self> {
        let method = FirstOrder::Gradient { lr: course.lr(0) };
        Ok(Self(Descent::new(smooth, method, start.to_vec())?))
    }
}

impl Mover for GradientDescent<'_> {
    fn step(&mut self, _step: u64, _lr: f64) -> Result<f64> {
        Ok(self.0.step(None))
    }

    fn weights(&self) -> Result<Vec<f64>> {
        Ok(self.0.x().to_vec())
    }
}
