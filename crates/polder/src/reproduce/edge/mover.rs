//! Weights on their way: by zeroth-order steps through the traits that training uses, or by gradients.

use candle_core::Tensor;
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
        Method::Adam { betas: [beta1, beta2] } => {
            let mut adam = Adam::default();
            (adam.lr, adam.beta1, adam.beta2) = (lr, beta1, beta2);
            Box::new(adam.checked()?)
        }
        _ => Box::new(Sgd { lr, weight_decay: 0.0 }.checked()?),
    })
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

    /// `P = (1 − β₁ᵗ)·diag(√(v/(1 − β₂ᵗ)) + ε)` from the v and t that the optimiser keeps.
    fn preconditioner(&self) -> Result<Option<Vec<f64>>> {
        let Method::Adam { betas } = self.course.method else { return Ok(None) };
        let state = self.optimizer.state(self.params)?;
        let (Some(v), Some(steps)) = (tensor(&state, "x.v"), tensor(&state, "adam.steps")) else { return Ok(None) };
        let steps = steps.to_vec1::<i64>()?.first().copied().unwrap_or_default() as f64;
        if steps == 0.0 {
            return Ok(None);
        }
        let v: Vec<f64> = v.flatten_all()?.to_vec1()?;
        // As the optimiser has them: β is used as the nearest f32.
        let [mean, square] = betas.map(|beta| 1.0 - f64::from(beta as f32).powf(steps));
        let eps = Adam::default().eps;
        Ok(Some(v.into_iter().map(|v| mean * ((v / square).sqrt() + eps)).collect()))
    }
}

/// A tensor of an optimiser's state.
fn tensor<'t>(state: &'t [(String, Tensor)], name: &str) -> Option<&'t Tensor> {
    state.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor)
}

#[cfg(test)]
impl ZerothOrder<'_> {
    /// The momentum m that the optimiser keeps.
    pub(super) fn momentum(&self) -> Vec<f64> {
        let state = self.optimizer.state(self.params).unwrap();
        tensor(&state, "x.m").unwrap().flatten_all().unwrap().to_vec1().unwrap()
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
