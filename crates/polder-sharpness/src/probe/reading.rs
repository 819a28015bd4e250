//! Mean losses at points, checked and counted.

use polder_optim::{Batch, Objective};
use polder_perturb::Shift;

use crate::error::{Error, Result, setting};

/// An objective read at one batch, with the forward passes counted.
pub(super) struct Reading<'o> {
    objective: &'o mut dyn Objective,
    batch: Batch,
    pub(super) forwards: u64,
}

impl<'o> Reading<'o> {
    pub(super) fn new(objective: &'o mut dyn Objective, batch: Batch) -> Self {
        Self { objective, batch, forwards: 0 }
    }

    /// The mean loss at each point, all finite; `name` says in words where a point lies.
    ///
    /// # Errors
    /// No losses; another number of points or examples; no weight; a mean that is not finite.
    pub(super) fn means(&mut self, points: &[Shift], name: impl Fn(usize) -> String) -> Result<Vec<f64>> {
        let losses = self.objective.losses(self.batch, points)?;
        self.forwards += self.objective.forwards(points.len());
        if losses.points.len() != points.len() {
            return Err(Error::LossShape { what: "points", found: losses.points.len(), expected: points.len() });
        }
        let examples = losses.weights.len();
        if let Some(row) = losses.points.iter().find(|row| row.len() != examples) {
            return Err(Error::LossShape { what: "examples", found: row.len(), expected: examples });
        }
        let sum: f64 = losses.weights.iter().sum();
        if !(sum.is_finite() && sum > 0.0) {
            return Err(Error::NoWeight { examples, sum });
        }
        let means = losses.means();
        match means.iter().position(|mean| !mean.is_finite()) {
            Some(point) => Err(Error::NonFiniteLoss { point: name(point), loss: means[point] }),
            None => Ok(means),
        }
    }
}

/// A distance as it is applied: the nearest f32.
///
/// # Errors
/// One that is not positive and normal as f32.
pub(super) fn applied(name: &'static str, distance: f64) -> Result<f64> {
    let applied = distance as f32;
    match applied.is_normal() && applied > 0.0 {
        true => Ok(f64::from(applied)),
        false => {
            Err(setting(name, distance, "it must be positive, and neither tiny nor huge (it is applied as an f32)"))
        }
    }
}
