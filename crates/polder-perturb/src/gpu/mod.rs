//! The GPU backends: the kernels' text, its launches, and the reader made of them.
//!
//! One text of kernels (`kernels/`) serves CUDA and Metal; what a word of it means stands in a prelude a language. All that
//! knows a device are `cuda` and `metal`: a launch and, for CUDA, a product. See `BACKENDS.md`.

mod attention;
#[cfg(feature = "cuda")]
mod cuda;
mod head;
mod held;
mod launch;
mod linear;
#[cfg(all(feature = "metal", target_vendor = "apple"))]
mod metal;
mod product;
mod rowwise;
mod shift;
#[cfg(test)]
pub(crate) mod tests;
mod text;
pub(crate) mod update;

use std::cell::RefCell;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use crate::cpu::CpuReader;
use crate::error::{Error, Result};
use crate::param::{Param, ParamSet, Site};
use crate::points::Points;
use crate::reader::{Activation, Arithmetic, Attention, Linear, Next, Norm, Reader, RopeTable};
use held::Held;
pub use linear::gpu_scratch_elements;
pub(crate) use shift::whole;
use shift::{Group, unwritten, upload_groups};

/// Reads weights on a GPU at points, with activations in f32.
///
/// Weights lie on the device, or stay in the computer's memory ([`ParamSet::offload`]) and are sent matrix by matrix, once a
/// pass for all its points. Shifted weights have the bits of the CPU backend. Products are those of cuBLAS or candle, whose
/// order of sums depends on the number of rows: a row's bits depend on its company, as the CPU backend's do not.
pub(crate) struct GpuReader<'a> {
    params: &'a ParamSet,
    points: &'a Points,
    arithmetic: Arithmetic,
    device: Device,
    /// The points as weights that move read them, and as frozen ones do.
    moving: Vec<Group>,
    still: Vec<Group>,
    /// What many layers of a pass ask for alike.
    kept: RefCell<Kept>,
}

/// Small tensors on the device, kept for the next layer.
#[derive(Default)]
struct Kept {
    /// Cosines and sines of rows, and the two as tensors.
    angles: Vec<(Vec<f32>, Vec<f32>, Tensor, Tensor)>,
    /// How sequences attend.
    plans: Vec<attention::Plan>,
}

impl<'a> GpuReader<'a> {
    /// A reader of `params` at `points` on [`ParamSet::device`].
    ///
    /// # Errors
    /// An arithmetic that the device does not have; not enough memory.
    pub(crate) fn new(params: &'a ParamSet, points: &'a Points, arithmetic: Arithmetic) -> Result<Self> {
        let device = params.device();
        if device.is_metal() && arithmetic != Arithmetic::F32 {
            let what = format!("arithmetic in {arithmetic:?}");
            return Err(Error::Device { what, device: "metal", hint: "arithmetic = \"f32\"" });
        }
        let [moving, still] = [true, false].map(|moves| upload_groups(points, moves, &device));
        Ok(Self { params, points, arithmetic, moving: moving?, still: still?, device, kept: RefCell::default() })
    }

    /// The points as a parameter's weights are read at them.
    fn groups(&self, param: &Param) -> &[Group] {
        if param.trainable { &self.moving } else { &self.still }
    }

    /// Rows of a parameter where kernels can read them.
    fn held<'p>(&self, param: &'p Param, rows: Range<usize>) -> Result<Held<'p>> {
        match self.params.offloaded() {
            true => Held::sent(param, rows, &self.device),
            false => Ok(Held::all(param)),
        }
    }

    /// Checks that `x` is `[P·R, width]`; gives it contiguous and in f32, with R and the width.
    fn input(&self, x: &Tensor, width: Option<usize>, what: &str) -> Result<(Tensor, usize, usize)> {
        let points = self.points.count();
        match x.dims() {
            [rows, w] if rows % points == 0 && *w > 0 && width.is_none_or(|want| want == *w) => {
                Ok((x.to_dtype(DType::F32)?.contiguous()?, rows / points, *w))
            }
            dims => Err(shape(
                what,
                dims,
                format!("[{points}·rows, {}]", width.map_or("width".to_owned(), |w| w.to_string())),
            )),
        }
    }

    /// A whole vector (a norm's weight, a bias) at every point, `[P, width]`.
    fn vectors(&self, site: Site, width: usize) -> Result<Tensor> {
        let param = self.params.get(site);
        if param.tensor.elem_count() != width {
            return Err(shape(&param.name, param.tensor.dims(), format!("[{width}]")));
        }
        let held = self.held(param, 0..param.tensor.dims().first().copied().unwrap_or(1))?;
        let out = unwritten((self.points.count(), width), DType::F32, &self.device)?;
        for group in self.groups(param) {
            // A vector that rests is made for each point, so that all lie in a row.
            for first in group.points.clone().step_by(group.variants) {
                group.read(self.points.law(), &held, 0, width, &out.narrow(0, first, group.variants)?)?;
            }
        }
        Ok(out)
    }

    /// Words on the device; a single one of no meaning where there are none.
    fn upload(&self, words: &[u32]) -> Result<Tensor> {
        let words = if words.is_empty() { &[0] } else { words };
        Ok(Tensor::from_slice(words, words.len(), &self.device)?)
    }
}

impl Reader for GpuReader<'_> {
    fn points(&self) -> usize {
        self.points.count()
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor> {
        let param = self.params.get(table);
        let (vocabulary, width) = param.tensor.dims2()?;
        check_indices("token id", ids, vocabulary)?;
        if self.params.offloaded() {
            // A table is large and few of its rows are asked for: they are made where it lies, with the same bits.
            return Ok(CpuReader::new(self.params, self.points).embed(table, ids)?.to_device(&self.device)?);
        }
        let index = self.upload(ids)?.narrow(0, 0, ids.len())?;
        let out = unwritten((self.points.count() * ids.len(), width), DType::F32, &self.device)?;
        for group in self.groups(param) {
            for first in group.points.clone().step_by(group.variants) {
                let part = out.narrow(0, first * ids.len(), group.variants * ids.len())?;
                group.rows(self.points.law(), param, &index, width, &part)?;
            }
        }
        Ok(out)
    }

    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>> {
        let (x, rows, width) = self.input(x, None, "a linear layer's input")?;
        let x = self.factor(&x)?;
        layers.iter().map(|layer| self.affine(&x, rows, width, *layer)).collect()
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.norm_rows(x, norm)
    }

    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        let (_, _, width) = self.input(&x, None, "a sum's first term")?;
        self.input(y, Some(width), "a sum's second term")?;
        Ok(x.add(y)?)
    }

    fn activate(&self, x: Tensor, activation: Activation) -> Result<Tensor> {
        self.activated(&x, None, activation)
    }

    fn gate(&self, gate: Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
        self.activated(&gate, Some(up), activation)
    }

    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        self.turned(&x, table, positions)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        self.attend(q, k, v, spec)
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let (x, count, width) = self.input(x, None, "the rows to select from")?;
        check_indices("row", rows, count)?;
        if rows.is_empty() {
            return Ok(Tensor::zeros((0, width), DType::F32, &self.device)?);
        }
        let of_point = |p: usize| rows.iter().map(move |row| (p * count) as u32 + row);
        let all: Vec<u32> = (0..self.points.count()).flat_map(of_point).collect();
        Ok(x.index_select(&self.upload(&all)?, 0)?)
    }

    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        self.wanted(x, head, pairs)
    }

    fn next(&self, x: &Tensor, head: Linear, whole: bool) -> Result<Vec<Next>> {
        self.following(x, head, whole)
    }
}

fn check_indices(what: &'static str, indices: &[u32], len: usize) -> Result<()> {
    match indices.iter().find(|i| **i as usize >= len) {
        Some(index) => Err(Error::Index { what, index: *index as usize, len }),
        None => Ok(()),
    }
}

fn shape(what: &str, found: &[usize], expected: String) -> Error {
    Error::Shape { what: what.to_owned(), found: found.to_vec(), expected }
}
