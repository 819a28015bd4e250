//! Linear layers: a shifted weight made in a scratch matrix, then multiplied by the device's library.

use std::ops::Range;

use candle_core::{DType, Tensor};

use super::held::Held;
use super::launch::{Launch, Shape};
use super::product::Product;
use super::shift::{Group, unwritten};
use super::{GpuReader, shape};
use crate::error::Result;
use crate::param::Param;
use crate::reader::{Arithmetic, Linear};

/// The most numbers of a scratch matrix: larger weights are made in blocks of rows.
const SCRATCH: usize = 1 << 26;
/// A matrix of so few numbers is made whole for both points of a direction.
const SMALL: usize = 1 << 20;
/// Blocks have a multiple of so many rows, where there are as many.
const STEP: usize = 64;

/// A kernel's BiasArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct BiasArgs {
    all: u64,
    rows: u64,
    width: u64,
    first: u64,
    stride: u64,
    bias_first: u64,
    bias_stride: u64,
}

/// A matrix of results: rows of all points, and columns of it that are being written.
pub(super) struct Target<'a> {
    pub(super) out: &'a Tensor,
    /// The first column.
    pub(super) first: usize,
    /// Columns in all.
    pub(super) stride: usize,
}

/// Rows of a weight `[rows, width]` of which a scratch matrix holds so many variants.
fn scratch_rows(rows: usize, width: usize, variants: usize) -> usize {
    let room = rows.saturating_mul(width).clamp(SMALL, SCRATCH) / (variants * width);
    if room >= STEP { room / STEP * STEP } else { room.max(1) }
}

/// The most numbers of scratch that a weight `[rows, width]` takes on a GPU, with so many variants (2 for the two points of
/// a direction, 1 otherwise): 4 bytes each in f32 and TF32 arithmetic, 2 in bf16.
///
/// Never more than the weight has, or 2²⁰ where it has fewer, or 2²⁶ where it has more; but always whole rows.
pub fn gpu_scratch_elements(rows: usize, width: usize, variants: usize) -> usize {
    let (width, variants) = (width.max(1), variants.max(1));
    scratch_rows(rows.max(1), width, variants).min(rows) * width * variants
}

impl GpuReader<'_> {
    /// An activation as a factor of products.
    pub(super) fn factor(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.to_dtype(self.factors())?)
    }

    /// The type of factors.
    fn factors(&self) -> DType {
        if self.arithmetic == Arithmetic::Bf16 { DType::BF16 } else { DType::F32 }
    }

    /// `x·Wᵀ + b`, `[P·R, out]`, of a factor x.
    pub(super) fn affine(&self, x: &Tensor, rows: usize, width: usize, layer: Linear) -> Result<Tensor> {
        let param = self.matrix(layer, width)?;
        let columns = param.tensor.dims()[0];
        let out = unwritten((self.points.count() * rows, columns), DType::F32, &self.device)?;
        let target = Target { out: &out, first: 0, stride: columns };
        self.multiply(x, rows, param, 0..columns, &target)?;
        if let Some(bias) = layer.bias {
            self.add_bias(&target, rows, &self.vectors(bias, columns)?, 0..columns)?;
        }
        Ok(out)
    }

    /// A layer's weight, checked to be `[out, width]`.
    pub(super) fn matrix(&self, layer: Linear, width: usize) -> Result<&Param> {
        let param = self.params.get(layer.weight);
        match param.tensor.dims() {
            [_, w] if *w == width => Ok(param),
            dims => Err(shape(&param.name, dims, format!("[out, {width}]"))),
        }
    }

    /// Multiplies every point's rows with its weights of `columns`, into as many columns of the target.
    pub(super) fn multiply(
        &self,
        x: &Tensor,
        rows: usize,
        param: &Param,
        columns: Range<usize>,
        target: &Target<'_>,
    ) -> Result<()> {
        let width = param.tensor.dims()[1];
        let held = self.held(param, columns.clone())?;
        for group in self.groups(param) {
            let block = self.block(group, param);
            for first in columns.clone().step_by(block) {
                let len = block.min(columns.end - first);
                let weights = self.weights(group, &held, first, len)?;
                for point in group.points.clone() {
                    let w = weights.narrow(0, group.variant(point) * len, len)?;
                    let column = target.first + (first - columns.start);
                    let x = x.narrow(0, point * rows, rows)?;
                    let place = point * rows * target.stride + column;
                    let tf32 = self.arithmetic == Arithmetic::Tf32;
                    Product { x: &x, w: &w, first: place, stride: target.stride, tf32 }.onto(target.out)?;
                }
                debug_assert_eq!(weights.dims()[1], width);
            }
        }
        Ok(())
    }

    /// Rows of the weight that a scratch matrix holds for all variants of a group.
    fn block(&self, group: &Group, param: &Param) -> usize {
        let [rows, width] = [param.tensor.dims()[0], param.tensor.dims()[1]].map(|n| n.max(1));
        if self.stands_ready(group, param) {
            return rows;
        }
        scratch_rows(rows, width, group.variants)
    }

    /// Whether the weight can be multiplied as it is stored.
    fn stands_ready(&self, group: &Group, param: &Param) -> bool {
        group.rests() && param.carried.is_none() && param.tensor.dtype() == self.factors()
    }

    /// Rows `first..first + len` of every variant, one variant under the other.
    fn weights(&self, group: &Group, held: &Held<'_>, first: usize, len: usize) -> Result<Tensor> {
        let width = held.tensor.dims()[1];
        if self.stands_ready(group, held.param) {
            return Ok(held.tensor.narrow(0, first - held.first / width.max(1), len)?);
        }
        let scratch = unwritten((group.variants * len, width), self.factors(), &self.device)?;
        group.read(self.points.law(), held, first * width, len * width, &scratch)?;
        Ok(scratch)
    }

    /// Adds biases `columns` of `[P, out]` to as many columns of the target.
    pub(super) fn add_bias(
        &self,
        target: &Target<'_>,
        rows: usize,
        bias: &Tensor,
        columns: Range<usize>,
    ) -> Result<()> {
        let all = rows * self.points.count();
        let args = BiasArgs {
            all: all as u64,
            rows: rows as u64,
            width: columns.len() as u64,
            first: target.first as u64,
            stride: target.stride as u64,
            bias_first: columns.start as u64,
            bias_stride: bias.dim(1)? as u64,
        };
        let shape = Shape::Threads((all * columns.len()) as u64);
        Launch { kernel: "add_bias", shape, others: &[bias], args }.onto(target.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_at_most_one_matrix() {
        // The layers of models of 125 million to 13 thousand million weights.
        for (rows, width) in [(768, 768), (3072, 768), (50_272, 768), (11_008, 4096), (32_000, 4096), (5120, 13_824)] {
            for variants in [1, 2] {
                let elements = gpu_scratch_elements(rows, width, variants);
                assert!(elements <= (rows * width).clamp(SMALL, SCRATCH), "{rows} {width} {variants}");
                assert!(elements * 4 >= (rows * width * variants).min(SMALL), "{rows} {width}: it is used well");
            }
        }
        // A single row may be more than a scratch matrix.
        assert_eq!(gpu_scratch_elements(5, SCRATCH, 2), 2 * SCRATCH);
        assert_eq!(gpu_scratch_elements(0, 0, 0), 0);
    }
}
