//! One method's way down.

use polder_optim::TwoPoint;
use polder_optim::objectives::{Descent, FirstOrder, Scratch, Smooth};
use polder_perturb::Seed;

use super::super::descend::ZerothOrder;
use super::super::experiment::Progress;
use super::super::outcome::Table;
use super::RADIUS;
use super::source::Models;
use crate::error::Result;

/// How weights are changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    Gradient,
    Sam,
    TwoPoint { lambda: f64 },
}

/// A method with its learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Setting {
    pub(super) method: Method,
    pub(super) lr: f64,
}

/// Looks along a course.
const LOOKS: u64 = 100;

impl Setting {
    /// The name of its table.
    pub(super) fn name(&self) -> String {
        match self.method {
            Method::Gradient => format!("gradient-descent-lr-{}", self.lr),
            Method::Sam => format!("sam-lr-{}", self.lr),
            Method::TwoPoint { lambda } => format!("two-point-{lambda}-lr-{}", self.lr),
        }
    }

    /// Its name in a legend.
    pub(super) fn title(&self) -> String {
        match self.method {
            Method::Gradient => format!("GD, η = {}", self.lr),
            Method::Sam => format!("SAM, η = {}", self.lr),
            Method::TwoPoint { lambda } => format!("ZO, λ = {lambda}, η = {}", self.lr),
        }
    }

    /// Evaluations of a loss that an iteration costs, a gradient counted as two.
    pub(super) fn evaluations(&self) -> u64 {
        if self.method == Method::Sam { 4 } else { 2 }
    }

    /// Loss, trace and test accuracy along the way.
    ///
    /// # Errors
    /// A loss that is not finite.
    pub(super) fn course(
        &self,
        models: &Models,
        (steps, seed): (u64, u64),
        heard: &mut dyn FnMut(&Progress),
    ) -> Result<Table> {
        let mut table = Table::new(self.name(), &["step", "loss", "trace", "train_accuracy", "test_accuracy"]);
        let mut scratch = Scratch::new();
        let mut look = |step: u64, x: &[f64]| {
            heard(&Progress { what: self.title(), done: step, total: steps });
            let or_none = |value: Option<f64>| value.unwrap_or(f64::NAN);
            let (train, test) = (&models.train, models.test.as_ref());
            table.rows.push(vec![
                step as f64,
                train.value(x, None, &mut scratch),
                or_none(train.trace(x)),
                or_none(train.accuracy(x)),
                or_none(test.and_then(|test| test.accuracy(x))),
            ]);
        };
        let every = (steps / LOOKS).max(1);
        let first_order = match self.method {
            Method::TwoPoint { lambda } => {
                let estimator = TwoPoint { eps: lambda, ..TwoPoint::default() };
                let run = ZerothOrder { estimator: &estimator, lr: self.lr, seed: Seed(seed.wrapping_add(29)) };
                run.descend(&models.train, &models.start, (steps, every), &mut look)?;
                return Ok(table);
            }
            Method::Gradient => FirstOrder::Gradient { lr: self.lr },
            Method::Sam => FirstOrder::Sam { lr: self.lr, rho: RADIUS },
        };
        let mut descent = Descent::new(&models.train, first_order, models.start.clone())?;
        look(0, &models.start);
        for step in 1..=steps {
            descent.step(None);
            if step.is_multiple_of(every) {
                look(step, descent.x());
            }
        }
        Ok(table)
    }
}
