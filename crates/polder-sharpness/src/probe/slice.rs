//! Slices of the loss along one or two seeded directions.

use polder_optim::{Batch, Objective};
use polder_perturb::{Seed, Shift, Term};
use serde::{Deserialize, Serialize};

use super::reading::{Reading, applied};
use crate::error::{Result, setting};

/// The unit of a slice's coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Multiples of the direction u, whose elements have variance 1.
    #[default]
    Direction,
    /// Normalised: the distance from θ, with u divided by √d, its length (exactly for signs; within about 1/√(2d) of
    /// it for Gaussian elements).
    Length {
        /// The number d of weights that a direction reaches.
        elements: u64,
    },
}

/// One axis: a direction and the grid of `2·half + 1` coordinates from −reach to reach, 0 in the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// The direction's seed, such as one of [`ProbeSeeds`](crate::ProbeSeeds).
    pub seed: Seed,
    /// The largest coordinate, positive, in the unit of the scale.
    pub reach: f64,
    /// How many coordinates lie on each side, at least 1.
    pub half: u32,
    /// The unit of the coordinates.
    pub scale: Scale,
}

/// The loss along one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The coordinates, as they were applied.
    pub coordinates: Vec<f64>,
    /// The mean loss at each, in nats.
    pub values: Vec<f64>,
    /// The mean loss at θ, in nats: the value in the middle.
    pub base: f64,
    /// What it cost, in forward passes of a whole batch: `2·half + 1`.
    pub forwards: u64,
}

/// The loss over two directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plane {
    /// The coordinates along the first direction, as they were applied.
    pub first: Vec<f64>,
    /// The coordinates along the second.
    pub second: Vec<f64>,
    /// `values[j][i]`: the mean loss at coordinate j of the second and i of the first direction, in nats.
    pub values: Vec<Vec<f64>>,
    /// The mean loss at θ, in nats: the value in the middle.
    pub base: f64,
    /// What it cost, in forward passes of a whole batch: the number of values.
    pub forwards: u64,
}

impl Axis {
    /// The coordinates and the coefficients of the direction, both as applied.
    fn grid(&self) -> Result<Vec<(f64, f64)>> {
        if self.half == 0 {
            return Err(setting("half", self.half, "it must be at least 1: how many points lie on each side"));
        }
        let length = match self.scale {
            Scale::Direction => 1.0,
            Scale::Length { elements: 0 } => {
                return Err(setting("elements", 0, "it is the number of weights that a direction reaches, at least 1"));
            }
            Scale::Length { elements } => (elements as f64).sqrt(),
        };
        let (reach, half) = (applied("reach", self.reach / length)?, i64::from(self.half));
        let coefficient = |k: i64| f64::from((reach * k as f64 / half as f64) as f32);
        Ok((-half..=half).map(|k| (coefficient(k) * length, coefficient(k))).collect())
    }
}

impl Line {
    /// Reads the loss of a batch along an axis; no weight is changed.
    ///
    /// # Errors
    /// A reach that is not positive, no grid; no losses, or losses that are not finite.
    pub fn read(objective: &mut dyn Objective, batch: Batch, axis: &Axis) -> Result<Self> {
        let grid = axis.grid()?;
        let points: Vec<_> = grid.iter().map(|(_, coeff)| Shift::along(axis.seed, *coeff)).collect();
        let mut reading = Reading::new(objective, batch);
        let values = reading.means(&points, |at| format!("the coordinate {} of the slice", grid[at].0))?;
        let base = values[values.len() / 2];
        Ok(Self { coordinates: grid.into_iter().map(|(x, _)| x).collect(), values, base, forwards: reading.forwards })
    }

    /// The values less that at θ.
    pub fn rises(&self) -> Vec<f64> {
        self.values.iter().map(|value| value - self.base).collect()
    }
}

impl Plane {
    /// Reads the loss of a batch over two axes, row by row; no weight is changed.
    ///
    /// # Errors
    /// A reach that is not positive, no grid, twice the same direction; no losses, or losses that are not finite.
    pub fn read(objective: &mut dyn Objective, batch: Batch, first: &Axis, second: &Axis) -> Result<Self> {
        if first.seed == second.seed {
            return Err(setting("seed", second.seed.0, "the two axes of a plane need two directions"));
        }
        let (across, up) = (first.grid()?, second.grid()?);
        let mut reading = Reading::new(objective, batch);
        let mut values = Vec::with_capacity(up.len());
        for (y, rise) in &up {
            let point = |(_, coeff): &(f64, f64)| Shift {
                terms: vec![Term { seed: first.seed, coeff: *coeff }, Term { seed: second.seed, coeff: *rise }],
            };
            let points: Vec<_> = across.iter().map(point).collect();
            values.push(reading.means(&points, |at| format!("the coordinates ({}, {y}) of the slice", across[at].0))?);
        }
        let base = values[up.len() / 2][across.len() / 2];
        let coordinates = |grid: Vec<(f64, f64)>| grid.into_iter().map(|(x, _)| x).collect();
        Ok(Self { first: coordinates(across), second: coordinates(up), values, base, forwards: reading.forwards })
    }

    /// The values less that at θ.
    pub fn rises(&self) -> Vec<Vec<f64>> {
        self.values.iter().map(|row| row.iter().map(|value| value - self.base).collect()).collect()
    }
}
