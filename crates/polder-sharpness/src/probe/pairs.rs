//! Losses at `θ ± δu` beside the loss at θ, direction by direction.

use polder_optim::{Batch, Objective};
use polder_perturb::Shift;

use super::reading::{Reading, applied};
use crate::error::{Result, setting};
use crate::seeds::{ProbeSeeds, Purpose};

/// The directions that are asked for together, so that an objective may read or spread them together.
const GROUP: u32 = 8;

/// Reads f(θ) once and f(θ ± δu) for one direction after another.
pub(super) struct Pairs<'o> {
    reading: Reading<'o>,
    seeds: ProbeSeeds,
    purpose: Purpose,
    most: u32,
    taken: u32,
    base: f64,
    /// The distance δ as it is applied.
    pub(super) delta: f64,
}

impl<'o> Pairs<'o> {
    /// Checks the settings; asks for no loss yet.
    ///
    /// # Errors
    /// A distance that is not positive; fewer than two directions.
    pub(super) fn new(
        objective: &'o mut dyn Objective,
        batch: Batch,
        (seeds, purpose): (ProbeSeeds, Purpose),
        delta: f64,
        most: u32,
    ) -> Result<Self> {
        let delta = applied("delta", delta)?;
        if most < 2 {
            return Err(setting("probes", most, "it must be at least 2: one sample has no standard error"));
        }
        Ok(Self { reading: Reading::new(objective, batch), seeds, purpose, most, taken: 0, base: f64::NAN, delta })
    }

    /// The losses [+, −] of the next few directions; `None` after the last. The first call also reads f(θ).
    ///
    /// # Errors
    /// No losses; losses that are not finite.
    pub(super) fn next_group(&mut self) -> Result<Option<Vec<[f64; 2]>>> {
        let (from, to) = (self.taken, self.most.min(self.taken.saturating_add(GROUP)));
        if from == to {
            return Ok(None);
        }
        let first = usize::from(from == 0);
        let mut points = vec![Shift::none(); first];
        for index in from..to {
            let seed = self.seeds.seed(self.purpose, index);
            points.extend([Shift::along(seed, self.delta), Shift::along(seed, -self.delta)]);
        }
        let means = self.reading.means(&points, |point| match point.checked_sub(first) {
            None => "the weights themselves".to_owned(),
            Some(at) => {
                let sign = if at % 2 == 0 { '+' } else { '-' };
                format!("the weights {sign} delta·u of probe {}", from as usize + at / 2)
            }
        })?;
        if first == 1 {
            self.base = means[0];
        }
        self.taken = to;
        Ok(Some(means[first..].chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()))
    }

    /// The loss f(θ), after the first group.
    pub(super) fn base(&self) -> f64 {
        self.base
    }

    /// The forward passes so far.
    pub(super) fn forwards(&self) -> u64 {
        self.reading.forwards
    }
}
