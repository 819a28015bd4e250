//! One step of the algorithm.

use polder_optim::trajectory::{Record, Step, Writer};
use polder_optim::{Batch, Estimate, Objective, StepContext, Tilt, rounding_seed, step_seeds};
use polder_perturb::{ParamSet, Seed};

use super::method::Method;
use super::trace::TraceWatch;
use crate::error::Result;
use crate::event::Event;

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// The step, from 0.
    pub step: u64,
    /// The mean loss over the points that were read, in nats.
    pub loss: f64,
    /// The slope along each direction, in nats.
    pub projected: Vec<f64>,
    /// What tilting made of the directions, where they were tilted.
    pub tilt: Option<Tilt>,
    /// The learning rate.
    pub lr: f64,
    /// Forward passes of a whole batch that it took.
    pub forwards: u64,
    /// What it says of the trace; its own count of forward passes is that of this step.
    pub trace: Option<Event>,
}

/// Everything that a step needs.
pub(super) struct Stepper<'a> {
    pub(super) seed: Seed,
    pub(super) total: u64,
    pub(super) method: Method,
    /// The learning rate at its height.
    pub(super) height: f64,
    pub(super) objective: Box<dyn Objective + 'a>,
    pub(super) params: &'a ParamSet,
    pub(super) trace: Option<TraceWatch>,
}

impl Stepper<'_> {
    /// Takes seeds, asks for losses, combines them, logs the exact update, applies it.
    ///
    /// The record is in the log before the weights change; these live in memory only, so a run that is killed anywhere
    /// here loses at most this step.
    pub(super) fn step(&mut self, step: u64, log: &mut Writer) -> Result<StepReport> {
        let Self { seed, total, method, height, objective, params, trace } = self;
        let elements = params.trainable_elements();
        let lr = method.schedule.lr(*height, step, *total);

        let seeds = step_seeds(*seed, step, method.estimator.directions());
        let lengths = method.lengths(params, &seeds);
        let context = StepContext { step, total: *total, batch: Batch(step), elements, lengths: &lengths };
        let probes = method.estimator.probes(&context, &seeds);
        let losses = objective.losses(context.batch, &probes).map_err(polder_optim::Error::from)?;
        let estimate = method.estimator.combine(&context, &seeds, &losses)?;
        let mut forwards = objective.forwards(losses.points.len());
        if let Some(note) = trace.as_mut().map(|t| t.before(step, &mut **objective)).transpose()?.flatten() {
            log.append(&note)?;
            forwards += 1;
        }
        let applied = method.optimizer.decide(&estimate, lr, rounding_seed(*seed, step))?;
        let record = Record::Step(Step::new(&context, &applied, losses.means(), lr));
        log.append(&record)?;
        method.optimizer.apply(params, &method.mode, &applied)?;

        let trace = trace.as_mut().map(|t| t.hear(&record, forwards)).transpose()?.flatten();
        let Estimate { loss, projected, tilt, .. } = estimate;
        Ok(StepReport { step, loss, projected, tilt, lr, forwards, trace })
    }
}
