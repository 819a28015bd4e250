//! Gradient estimates from losses alone.

mod one_sided;
mod scaling;
mod two_point;
mod zest;

use polder_perturb::{Seed, Shift, Term};
use serde::Serialize;
use serde_json::Value;

pub use one_sided::OneSided;
pub use scaling::Scaling;
pub use two_point::TwoPoint;
pub use zest::{Correction, Ramp, Sides, Zest};

use crate::error::{Error, Result};
use crate::objective::{Batch, Losses};

/// The most directions that a step may take.
pub const MAX_DIRECTIONS: usize = 1 << 16;

/// What an estimator may know of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepContext<'a> {
    /// The step, from 0.
    pub step: u64,
    /// The number of steps of the whole run.
    pub total: u64,
    /// The minibatch.
    pub batch: Batch,
    /// The number d of weights that directions reach.
    pub elements: usize,
    /// The length ‖u‖ of each direction over these weights, for an estimator that
    /// [asks for them](Estimator::needs_lengths); else empty.
    pub lengths: &'a [f64],
}

/// What a step's losses mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The gradient estimate `ĝ = Σ coeff·u(seed)`, in nats per unit of weight.
    pub terms: Vec<Term>,
    /// The loss to report, in nats: the mean over the points around the weights, or that of the weights if it was read.
    pub loss: f64,
    /// The slope along each direction, after the clip, in nats.
    pub projected: Vec<f64>,
    /// What tilting made of the directions, where they were tilted.
    pub tilt: Option<Tilt>,
}

/// What tilting made of a step's directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tilt {
    /// The tilt t of this step, in 1/nats.
    pub t: f64,
    /// The effective number of directions `1/Σ wᵢ²`, between 1 and their number.
    pub effective: f64,
    /// The estimate of the tilted loss, `(1/t) log mean exp(t·F)`, in nats; never above the highest loss that was read.
    pub loss: f64,
}

/// A zeroth-order gradient estimator: says where to look, then what the losses mean. Pure: no weights, no I/O.
pub trait Estimator: std::fmt::Debug + Send + Sync {
    /// The name in the registry.
    fn name(&self) -> &'static str;

    /// The settings, as the registry reads them.
    fn settings(&self) -> Value;

    /// How many directions, hence seeds, a step takes.
    fn directions(&self) -> usize;

    /// How many points a step reads: its cost in forward passes.
    fn forwards(&self) -> u64;

    /// Whether it has to know how long each direction is ([`StepContext::lengths`]).
    fn needs_lengths(&self) -> bool {
        false
    }

    /// Whether what it does at a step depends on how many steps there are.
    fn bound_to_total(&self) -> bool {
        false
    }

    /// Where to look: one shift a point, for `seeds.len()` = [`directions`](Self::directions) seeds.
    fn probes(&self, context: &StepContext<'_>, seeds: &[Seed]) -> Vec<Shift>;

    /// What the losses at those points mean.
    ///
    /// # Errors
    /// Losses that don't fit the probes; a mean loss that is not finite.
    fn combine(&self, context: &StepContext<'_>, seeds: &[Seed], losses: &Losses) -> Result<Estimate>;
}

/// The error of a setting.
pub(crate) fn setting(name: &'static str, value: impl std::fmt::Display, why: &'static str) -> Error {
    Error::Setting { name, value: value.to_string(), why }
}

/// A distance ε in multiples of a direction, if the probe can apply it.
pub(crate) fn checked_eps(eps: f64) -> Result<()> {
    let narrow = eps as f32;
    if narrow.is_normal() && narrow > 0.0 {
        Ok(())
    } else {
        Err(setting("eps", eps, "above 0 (1e-37 at least), and finite"))
    }
}

/// A number of directions, if a step can have so many.
pub(crate) fn checked_directions(directions: usize) -> Result<()> {
    let possible = (1..=MAX_DIRECTIONS).contains(&directions);
    if possible { Ok(()) } else { Err(setting("directions", directions, "1 to 65536")) }
}

/// A bound on slopes, if it bounds anything.
pub(crate) fn checked_clip(clip: Option<f64>) -> Result<()> {
    match clip {
        Some(clip) if !(clip.is_finite() && clip > 0.0) => Err(setting("clip", clip, "a finite number above 0")),
        _ => Ok(()),
    }
}

/// As many seeds as directions?
pub(crate) fn checked_seeds(seeds: &[Seed], directions: usize) -> Result<()> {
    if seeds.len() == directions {
        return Ok(());
    }
    Err(Error::LossShape { what: "seeds", found: seeds.len(), expected: directions })
}

/// The mean loss at every point, checked: as many points as were asked for, all examples there, all means finite.
///
/// `name` says in words where a point lies.
///
/// # Errors
/// Another number of points or examples; no weight; a mean that is not finite.
pub(crate) fn finite_means(
    context: &StepContext<'_>,
    losses: &Losses,
    points: usize,
    name: impl Fn(usize) -> String,
) -> Result<Vec<f64>> {
    if losses.points.len() != points {
        return Err(Error::LossShape { what: "points", found: losses.points.len(), expected: points });
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
        Some(point) => Err(Error::NonFiniteLoss { step: context.step, point: name(point), loss: means[point] }),
        None => Ok(means),
    }
}
