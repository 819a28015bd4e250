//! The curvature at a point of a run.

use std::cell::RefCell;
use std::convert::Infallible;

use polder_optim::objectives::{Scratch, Smooth};
use polder_perturb::Seed;
use polder_sharpness::ProbeSeeds;
use polder_sharpness::curvature::{Commutator, GradientHessian, GradientTrace, Lanczos};

use super::course::Course;
use super::mover::Mover;
use super::track::diverged;
use crate::error::Result;

/// How many random vectors measure a commutator: it is to be told from 0.05, not to be known to a per cent.
const COMMUTATOR_PROBES: u32 = 20;

/// What was measured after so many steps. Curvatures are those of `P⁻¹H` for Adam, else of H.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// How many steps were made.
    pub(super) step: u64,
    /// The loss over all examples, in nats.
    pub(super) loss: f64,
    /// The highest loss that a step read since the last reading.
    pub(super) peak: f64,
    /// The trace.
    pub(super) trace: f64,
    /// Its standard error over the random vectors.
    pub(super) error: f64,
    /// The largest eigenvalue.
    pub(super) largest: f64,
    /// The edge for the step size that has been in force.
    pub(super) edge: f64,
    /// `‖PH − HP‖_F/‖PH‖_F`; not a number where it was not asked for.
    pub(super) commutator: f64,
    /// What the reading cost, in evaluations of the loss on all examples (a gradient counts as two).
    pub(super) evaluations: u64,
}

/// Measures curvatures along a run.
pub(super) struct Gauge<'a> {
    course: &'a Course,
    smooth: &'a dyn Smooth,
    scratch: RefCell<Scratch>,
    seed: Seed,
}

impl<'a> Gauge<'a> {
    pub(super) fn new(course: &'a Course, smooth: &'a dyn Smooth, seed: Seed) -> Self {
        Self { course, smooth, scratch: RefCell::default(), seed }
    }

    /// Measures at the weights of a run after `step` steps; nothing where the loss there says that it has diverged.
    ///
    /// # Errors
    /// A Hessian that can't be computed, which does not happen where the loss is moderate.
    pub(super) fn read(&self, mover: &dyn Mover, step: u64, peak: f64) -> Result<Option<Reading>> {
        let (x, course) = (mover.weights()?, self.course);
        let gradient = |x: &[f64]| -> Result<Vec<f64>, Infallible> {
            let mut out = vec![0.0; x.len()];
            self.smooth.gradient(x, None, &mut self.scratch.borrow_mut(), &mut out);
            Ok(out)
        };
        let loss = self.smooth.value(&x, None, &mut self.scratch.borrow_mut());
        if diverged(loss) {
            return Ok(None);
        }
        let (seeds, p) = (ProbeSeeds::new(self.seed, step), mover.preconditioner()?);
        let mut hessian = GradientHessian::new(&gradient, &x)?;
        if let Some(p) = &p {
            hessian = hessian.preconditioned(p)?;
        }
        let trace = GradientTrace { probes: course.probes, precision: None }.run(&mut hessian, seeds)?;
        let largest = Lanczos { iterations: 60, tolerance: 1e-3 }.run(&mut hessian, seeds)?.value;
        let commutator = match &p {
            Some(p) if course.commutator => Commutator { probes: COMMUTATOR_PROBES }.run(&mut hessian, p, seeds)?.value,
            _ => f64::NAN,
        };
        Ok(Some(Reading {
            step,
            loss,
            peak,
            trace: trace.value,
            error: trace.standard_error,
            largest,
            edge: course.edge(step.saturating_sub(1))?,
            commutator,
            evaluations: 1 + 2 * hessian.gradients(),
        }))
    }
}
