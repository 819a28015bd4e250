//! Weights at points, made on the device: `w + Σ coeff·u(seed)`.
#![allow(unsafe_code)]

use std::ops::Range;

use candle_core::{DType, Device, Shape as Dims, Tensor};

use super::held::Held;
use super::launch::{Launch, Shape};
use crate::cpu::shift::groups;
use crate::direction::{Law, Seed};
use crate::error::{Error, Result};
use crate::param::Param;
use crate::points::Points;

/// A kernel's ShiftArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct ShiftArgs {
    key: u64,
    start: u64,
    len: u64,
    from: u64,
    stride: u64,
    dither: u64,
    law: u32,
    terms: u32,
    variants: u32,
    how: u32,
    by_four: u32,
    unused: u32,
}

/// A kernel's RowsArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct RowsArgs {
    shift: ShiftArgs,
    rows: u64,
    width: u64,
    quarters: u64,
}

/// Neighbouring points whose weights are made together, with their terms on the device.
pub(super) struct Group {
    /// The points.
    pub(super) points: Range<usize>,
    /// How many different weights they read: one each, or one in all where the weight does not move.
    pub(super) variants: usize,
    terms: Terms,
}

/// Terms in the device's memory, in the order in which they are added.
pub(super) struct Terms {
    /// Four words each: the seed and a coefficient for one or two points.
    pub(super) words: Tensor,
    /// How many; one of coefficient 0 stands where there are none.
    pub(super) count: u32,
    /// The first seed.
    first: Option<Seed>,
}

impl Terms {
    /// Uploads terms of one or two coefficients.
    pub(super) fn upload(terms: &[(Seed, [f32; 2])], device: &Device) -> Result<Self> {
        let one = |(seed, c): &(Seed, [f32; 2])| [seed.0 as u32, (seed.0 >> 32) as u32, c[0].to_bits(), c[1].to_bits()];
        let mut words: Vec<u32> = terms.iter().flat_map(one).collect();
        // A buffer can't be empty.
        words.resize(words.len().max(4), 0);
        let len = words.len();
        let words = Tensor::from_vec(words, len, device)?;
        Ok(Self { words, count: terms.len() as u32, first: terms.first().map(|(seed, _)| *seed) })
    }
}

/// The groups of `points`, for weights that move or for those that don't.
pub(super) fn upload_groups(points: &Points, moves: bool, device: &Device) -> Result<Vec<Group>> {
    let one = |group: crate::cpu::shift::Group| {
        let first = group.points.start;
        let second = if group.variants == 2 { first + 1 } else { first };
        let seeds = points.seeds().iter().enumerate().filter(|(s, _)| moves && points.coeffs(first)[*s] != 0.0);
        let terms: Vec<_> =
            seeds.map(|(s, seed)| (*seed, [points.coeffs(first)[s], points.coeffs(second)[s]])).collect();
        Ok(Group { points: group.points, variants: group.variants, terms: Terms::upload(&terms, device)? })
    };
    groups(points, moves).into_iter().map(one).collect()
}

impl Group {
    /// Whether the weights stay where they are.
    pub(super) fn rests(&self) -> bool {
        self.terms.count == 0
    }

    /// Which of its weights a point reads.
    pub(super) fn variant(&self, point: usize) -> usize {
        if self.variants == 1 { 0 } else { point - self.points.start }
    }

    /// Writes elements `start..start + len` of every variant into `out`, one variant after the other.
    ///
    /// `out` is f32, or bf16: then rounded by the bits of the first direction, or to the nearest where nothing moves.
    pub(super) fn read(&self, law: Law, held: &Held<'_>, start: usize, len: usize, out: &Tensor) -> Result<()> {
        let kernel = match (stored(held.param)?, out.dtype()) {
            (Stored::F32, DType::F32) => "shift_f32_f32",
            (Stored::Bf16, DType::F32) => "shift_bf16_f32",
            (Stored::F16, DType::F32) => "shift_f16_f32",
            (Stored::Carried, DType::F32) => "shift_carried_f32",
            (Stored::F32, _) => "shift_f32_bf16",
            (Stored::Bf16, _) => "shift_bf16_bf16",
            (Stored::F16, _) => "shift_f16_bf16",
            (Stored::Carried, _) => "shift_carried_bf16",
        };
        let args = self.args(law, held, start, len, len, out);
        let quarters = ((start + len).div_ceil(64) - start / 64) * 4;
        let low = held.carried.as_ref().unwrap_or(&self.terms.words);
        let shape = Shape::Threads(if len == 0 { 0 } else { quarters as u64 });
        Launch { kernel, shape, others: &[&held.tensor, low, &self.terms.words], args }.onto(out)
    }

    /// Writes rows `ids` of a table of `width` columns into `out`, those of every variant after one another.
    pub(super) fn rows(&self, law: Law, param: &Param, ids: &Tensor, width: usize, out: &Tensor) -> Result<()> {
        let held = &Held::all(param);
        let kernel = match stored(param)? {
            Stored::F32 => "rows_f32",
            Stored::Bf16 => "rows_bf16",
            Stored::F16 => "rows_f16",
            Stored::Carried => "rows_carried",
        };
        let count = ids.elem_count();
        let shift = self.args(law, held, 0, width, count * width, out);
        let quarters = (width.div_ceil(64) + 1) as u64 * 4;
        let args = RowsArgs { shift, rows: count as u64, width: width as u64, quarters };
        let low = param.carried.as_ref().unwrap_or(&self.terms.words);
        let shape = Shape::Threads(count as u64 * quarters);
        Launch { kernel, shape, others: &[&param.tensor, low, ids, &self.terms.words], args }.onto(out)
    }

    fn args(&self, law: Law, held: &Held<'_>, start: usize, len: usize, stride: usize, out: &Tensor) -> ShiftArgs {
        let dither = self.terms.first.filter(|_| out.dtype() == DType::BF16);
        let from = start - held.first;
        let low = held.carried.as_ref().map_or(0, offset);
        let places = [start, from, len, stride, offset(&held.tensor), offset(out), low];
        ShiftArgs {
            key: held.param.key.0,
            start: start as u64,
            len: len as u64,
            from: from as u64,
            stride: stride as u64,
            dither: dither.map_or(0, |seed| seed.0),
            law: law_word(law),
            terms: self.terms.count,
            variants: self.variants as u32,
            how: u32::from(dither.is_some()),
            by_four: by_four(&places),
            unused: 0,
        }
    }
}

/// A law as the kernels know it.
pub(super) fn law_word(law: Law) -> u32 {
    match law {
        Law::Gaussian => 0,
        Law::Rademacher => 1,
    }
}

/// Whether four neighbours can be read at once: all these places are multiples of four.
pub(super) fn by_four(places: &[usize]) -> u32 {
    u32::from(places.iter().all(|place| place % 4 == 0))
}

/// Where a tensor begins in its memory, in elements.
pub(super) fn offset(tensor: &Tensor) -> usize {
    tensor.layout().start_offset()
}

/// A tensor whose numbers are still to be written.
///
/// # Errors
/// Not enough memory.
pub(super) fn unwritten(dims: impl Into<Dims>, dtype: DType, device: &Device) -> Result<Tensor> {
    let dims: Dims = dims.into();
    // An allocation of nothing is an error on some devices.
    if dims.elem_count() == 0 {
        return Ok(Tensor::zeros(dims, dtype, device)?);
    }
    // SAFETY: whoever asks for it writes every number before reading any.
    Ok(unsafe { Tensor::empty(dims, dtype, device) }?)
}

/// The storage types that kernels read and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    F32,
    Bf16,
    F16,
    Carried,
}

/// How a parameter is stored.
pub(super) fn stored(param: &Param) -> Result<Stored> {
    match (param.tensor.dtype(), &param.carried) {
        (DType::F32, None) => Ok(Stored::F32),
        (DType::BF16, None) => Ok(Stored::Bf16),
        (DType::BF16, Some(_)) => Ok(Stored::Carried),
        (DType::F16, None) => Ok(Stored::F16),
        (dtype, _) => Err(Error::DType { what: param.name.clone(), dtype, path: "a GPU" }),
    }
}

/// The weights of a single point in f32, whole.
///
/// # Errors
/// A storage type that kernels do not read; not enough memory.
pub(crate) fn whole(param: &Param, points: &Points) -> Result<Tensor> {
    let device = param.tensor.device();
    let out = unwritten(param.tensor.shape(), DType::F32, device)?;
    for group in upload_groups(points, param.trainable, device)? {
        group.read(points.law(), &Held::all(param), 0, param.tensor.elem_count(), &out)?;
    }
    Ok(out)
}
