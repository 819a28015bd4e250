//! Slices of a task's loss: along random directions, and between two sets of weights.

use polder_optim::{Batch, Objective};
use polder_perturb::{Seed, Shift};
use polder_sharpness::probe::{Axis, Line, Plane, Scale};
use polder_sharpness::{ProbeSeeds, Purpose};
use serde::Serialize;

use super::{Request, loss_of};
use crate::engine::Engine;
use crate::error::Result;
use crate::figure::{Figure, Heat, Panel, Series};
use crate::model::Model;
use crate::trainer::{TaskData, set_trainable};

/// What slices are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceRequest {
    /// The farthest point, in multiples of the direction: the rms by which each weight moves.
    pub reach: f64,
    /// How many points lie on each side.
    pub half: u32,
}

/// Slices of the loss around a model's weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slices {
    /// Along each of two directions.
    pub lines: [Line; 2],
    /// Over both.
    pub plane: Plane,
}

/// Reads the loss of the training rows along two random directions and over the plane of both.
///
/// # Errors
/// No weight of such a name; a setting that makes no sense; a loss that is not finite.
pub fn slices(
    model: &mut Model,
    weights: &[String],
    data: &TaskData,
    request: &Request,
    slice: SliceRequest,
) -> Result<Slices> {
    set_trainable(model, weights)?;
    let engine = model.engine();
    let mut loss = loss_of(&engine, data, request);
    let seeds = ProbeSeeds::new(Seed(request.seed), 0);
    let axis = |number| {
        let (reach, half) = (slice.reach, slice.half);
        Axis { seed: seeds.seed(Purpose::Slice, number), reach, half, scale: Scale::Direction }
    };
    let (first, second) = (axis(0), axis(1));
    let lines = [Line::read(&mut loss, Batch(0), &first)?, Line::read(&mut loss, Batch(0), &second)?];
    let plane = Plane::read(&mut loss, Batch(0), &first, &second)?;
    Ok(Slices { lines, plane })
}

/// The loss on the straight line between two models' weights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Path {
    /// Where: 0 at the first model, 1 at the second.
    pub shares: Vec<f64>,
    /// The loss there, in nats.
    pub values: Vec<f64>,
}

/// Reads the loss of the training rows on the line through two models' weights, half its length beyond either.
///
/// Weights in between are made in f32, one point at a time; neither model is changed.
///
/// # Errors
/// Models of other parameters; a loss that can't be computed.
pub fn between(model: &Model, other: &Model, data: &TaskData, request: &Request, half: u32) -> Result<Path> {
    // Four times as many steps as points on a side: from −1/2 to 3/2, both models being points.
    let count = 4 * i64::from(half.max(1));
    let shares: Vec<f64> = (0..=count).map(|i| 2.0 * i as f64 / count as f64 - 0.5).collect();
    let values = shares.iter().map(|share| {
        let params = model.loaded.params.between(&other.loaded.params, *share)?;
        let engine = Engine::new(model.net.as_ref(), &params);
        let losses = loss_of(&engine, data, request).losses(Batch(0), &[Shift::none()]);
        Ok(losses.map_err(polder_optim::Error::from)?.mean(0))
    });
    let values = values.collect::<Result<_>>()?;
    Ok(Path { shares, values })
}

impl Slices {
    /// The slices as a figure: curves, and the plane as a map of the loss.
    pub fn figure(&self) -> Figure {
        let curve = |name: &str, line: &Line| {
            Series::line(name, line.coordinates.iter().copied().zip(line.values.iter().copied()))
        };
        let lines = Panel::new("Loss along two random directions")
            .axes("distance (rms of a weight)", "loss (nats)")
            .with(curve("first", &self.lines[0]))
            .with(curve("second", &self.lines[1]));
        let Plane { first, second, values, .. } = &self.plane;
        let heat = Heat::new("loss (nats)", first.clone(), second.clone(), values.concat());
        let plane = Panel::new("Loss over the plane of both").axes("first direction", "second direction").heat(heat);
        Figure::grid(2, [lines, plane])
    }
}

impl Path {
    /// The path as a figure.
    pub fn figure(&self) -> Figure {
        let points = self.shares.iter().copied().zip(self.values.iter().copied());
        let panel = Panel::new("Loss on the line between two models")
            .axes("share of the second model", "loss (nats)")
            .with(Series::line("loss", points));
        Figure::of(panel)
    }
}
