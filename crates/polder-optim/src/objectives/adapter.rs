//! A smooth function behind the seam of losses.

use std::fmt;

use candle_core::{CpuStorage, Device, Storage, Tensor};
use polder_perturb::direction::fill;
use polder_perturb::{Law, Param, ParamSet, Points, Seed, Shift};

use super::draws::Words;
use super::smooth::{Scratch, Smooth};
use crate::error::{Error, Result};
use crate::estimator::setting;
use crate::objective::{Batch, Losses, Objective, ObjectiveError};

/// Points that are evaluated at once: the two of a direction.
const TOGETHER: usize = 2;

/// A [`Smooth`] as an [`Objective`]: the weights x are one f64 parameter, points are `x + Σ coeff·u(seed)` in f64.
///
/// Coefficients and directions are f32 numbers, as everywhere in polder; their products and the sums are rounded to f64
/// one by one, in ascending order of the seeds. A batch is given as one example, its mean loss, with weight 1. Neighbouring
/// points that share their seeds share the making of their directions.
pub struct SmoothObjective<'a> {
    smooth: &'a dyn Smooth,
    params: &'a ParamSet,
    law: Law,
    sampling: Option<Sampling>,
    space: Space,
}

impl fmt::Debug for SmoothObjective<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmoothObjective")
            .field("smooth", &self.smooth)
            .field("law", &self.law)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}

/// Minibatches: how many rows, drawn from what.
#[derive(Debug, Clone, Copy)]
struct Sampling {
    size: usize,
    seed: Seed,
}

/// Buffers, kept between calls.
#[derive(Default)]
struct Space {
    scratch: Scratch,
    rows: Vec<usize>,
    x: Vec<f64>,
    directions: Vec<f32>,
    points: Vec<f64>,
}

impl<'a> SmoothObjective<'a> {
    /// The name of the parameter that holds x.
    pub const NAME: &'static str = "x";

    /// Over the weights of `params`, which must be those of [`parameter`](Self::parameter); full batches.
    ///
    /// # Errors
    /// More or other parameters than one f64 vector of the function's size on the CPU.
    pub fn new(smooth: &'a dyn Smooth, params: &'a ParamSet, law: Law) -> Result<Self> {
        let mut space = Space::default();
        read(only(params)?, &mut space.x)?;
        let (found, expected) = (space.x.len(), smooth.dimension());
        if found != expected || params.iter().len() != 1 {
            return Err(Error::Size { what: "the parameters of the objective", found: params.elements(), expected });
        }
        Ok(Self { smooth, params, law, sampling: None, space })
    }

    /// A parameter set of one trainable parameter, named "x", stored in f64 with shape [d, 1], so that decay reaches it.
    ///
    /// # Errors
    /// A tensor that can't be made.
    pub fn parameter(x: &[f64]) -> Result<ParamSet> {
        let mut params = ParamSet::new();
        let tensor = Tensor::from_slice(x, (x.len(), 1), &Device::Cpu).map_err(polder_perturb::Error::from)?;
        params.insert(Self::NAME, tensor)?;
        Ok(params)
    }

    /// With minibatches of `size` different rows, drawn anew for each batch number: a pure function of (seed, number).
    ///
    /// # Errors
    /// A size of 0 or above the number of examples.
    pub fn minibatches(mut self, size: usize, seed: Seed) -> Result<Self> {
        if size == 0 || size > self.smooth.examples() {
            return Err(setting("size", size, "it must be between 1 and the number of examples"));
        }
        self.sampling = Some(Sampling { size, seed });
        Ok(self)
    }

    /// The rows of a batch; nothing where it is all of them.
    pub fn rows(&mut self, batch: Batch) -> Option<&[usize]> {
        let Sampling { size, seed } = self.sampling?;
        Words::new(seed, batch.0).choose(self.smooth.examples(), size, &mut self.space.rows);
        Some(&self.space.rows)
    }

    /// The weights x.
    ///
    /// # Errors
    /// Weights that can't be read.
    pub fn weights(&self) -> Result<Vec<f64>> {
        let mut x = Vec::new();
        read(only(self.params)?, &mut x)?;
        Ok(x)
    }

    /// Appends the losses of the batch that was drawn last at neighbouring points of the same seeds.
    fn group(&mut self, param: &Param, shifts: &[Shift], losses: &mut Vec<Vec<f64>>) {
        let points = Points::new(self.law, shifts);
        let Space { scratch, rows, x, directions, points: at } = &mut self.space;
        let seeds = if param.trainable { points.seeds() } else { &[] };
        directions.resize(seeds.len() * x.len(), 0.0);
        for (seed, u) in seeds.iter().zip(directions.chunks_exact_mut(x.len())) {
            fill(self.law, *seed, param.key, 0, u);
        }
        let rows = self.sampling.map(|_| rows.as_slice());
        for first in (0..points.count()).step_by(TOGETHER) {
            let some = first..(first + TOGETHER).min(points.count());
            let mut values = [0.0; TOGETHER];
            at.clear();
            some.clone().for_each(|p| shifted(x, directions, points.coeffs(p), at));
            self.smooth.values(at, rows, scratch, &mut values[..some.len()]);
            losses.extend(values[..some.len()].iter().map(|value| vec![*value]));
        }
    }
}

/// Appends `x + Σ coeff·u`.
fn shifted(x: &[f64], directions: &[f32], coeffs: &[f32], at: &mut Vec<f64>) {
    let from = at.len();
    at.extend_from_slice(x);
    for (coeff, u) in coeffs.iter().zip(directions.chunks_exact(x.len())) {
        let coeff = f64::from(*coeff);
        at[from..].iter_mut().zip(u).for_each(|(x, u)| *x += coeff * f64::from(*u));
    }
}

/// The one parameter of a set.
fn only(params: &ParamSet) -> Result<&Param> {
    Ok(params.get(params.site(SmoothObjective::NAME)?))
}

/// Copies the weights of a parameter that is stored in f64.
fn read(param: &Param, into: &mut Vec<f64>) -> Result<()> {
    let (storage, layout) = param.tensor.storage_and_layout();
    let (Storage::Cpu(CpuStorage::F64(all)), Some((from, to))) = (&*storage, layout.contiguous_offsets()) else {
        let (what, dtype) = (param.name.clone(), param.tensor.dtype());
        return Err(polder_perturb::Error::DType { what, dtype, path: "an objective in f64 on the CPU" }.into());
    };
    into.clear();
    into.extend_from_slice(&all[from..to]);
    Ok(())
}

impl Objective for SmoothObjective<'_> {
    fn losses(&mut self, batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError> {
        let param = only(self.params).map_err(ObjectiveError::new)?;
        read(param, &mut self.space.x).map_err(ObjectiveError::new)?;
        self.rows(batch);
        let mut losses = Vec::with_capacity(points.len());
        let same = |a: &Shift, b: &Shift| a.terms.iter().map(|t| t.seed).eq(b.terms.iter().map(|t| t.seed));
        for shifts in points.chunk_by(same) {
            self.group(param, shifts, &mut losses);
        }
        Ok(Losses { points: losses, weights: vec![1.0] })
    }
}
