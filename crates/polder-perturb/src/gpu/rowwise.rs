//! Norms, activations and the rotary embedding.

use candle_core::{DType, Tensor};

use super::launch::{Launch, Shape};
use super::shift::unwritten;
use super::text::LANES;
use super::{GpuReader, check_indices, shape};
use crate::error::Result;
use crate::reader::{Activation, Norm, NormKind, RopeTable};

/// A kernel's NormArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct NormArgs {
    groups: u64,
    width: u64,
    centred: u32,
    weight: u32,
    bias: u32,
    eps: f32,
}

/// A kernel's ActivateArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct ActivateArgs {
    len: u64,
    kind: u32,
    gated: u32,
}

/// A kernel's RopeArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct RopeArgs {
    all: u64,
    rows: u64,
    heads: u64,
    pairs: u64,
}

/// Tables of angles that are kept at once: models have one or two.
const TABLES: usize = 4;

impl GpuReader<'_> {
    pub(super) fn norm_rows(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (x, rows, width) = self.input(x, None, "a norm's input")?;
        if norm.width == 0 || width % norm.width != 0 {
            return Err(shape("a norm's input", x.dims(), format!("[rows, multiple of {}]", norm.width)));
        }
        let vectors = |site: Option<_>| site.map(|site| self.vectors(site, norm.width)).transpose();
        let (weight, bias) = (vectors(norm.weight)?, vectors(norm.bias)?);
        let groups = (rows * (width / norm.width)) as u64;
        let args = NormArgs {
            groups,
            width: norm.width as u64,
            centred: u32::from(norm.kind == NormKind::Layer),
            weight: u32::from(weight.is_some()),
            bias: u32::from(bias.is_some()),
            eps: norm.eps as f32,
        };
        let out = unwritten(x.shape(), DType::F32, &self.device)?;
        let shape = Shape::Groups(groups * self.points.count() as u64, LANES);
        let others = &[&x, weight.as_ref().unwrap_or(&x), bias.as_ref().unwrap_or(&x)];
        Launch { kernel: "normalise", shape, others, args }.onto(&out)?;
        Ok(out)
    }

    /// `activation(x)`, times `up` where there is one.
    pub(super) fn activated(&self, x: &Tensor, up: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        let x = x.to_dtype(DType::F32)?.contiguous()?;
        let up = match up {
            Some(up) if up.dims() != x.dims() => {
                return Err(shape("a gate's second factor", up.dims(), format!("{:?}", x.dims())));
            }
            Some(up) => Some(up.to_dtype(DType::F32)?.contiguous()?),
            None => None,
        };
        let kind = match activation {
            Activation::Relu => 0,
            Activation::Gelu => 1,
            Activation::GeluTanh => 2,
            Activation::Silu => 3,
        };
        let len = x.elem_count() as u64;
        let args = ActivateArgs { len, kind, gated: u32::from(up.is_some()) };
        let out = unwritten(x.shape(), DType::F32, &self.device)?;
        let others = &[&x, up.as_ref().unwrap_or(&x)];
        Launch { kernel: "activate", shape: Shape::Threads(len), others, args }.onto(&out)?;
        Ok(out)
    }

    pub(super) fn turned(&self, x: &Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        let what = "the rotary embedding's input";
        let (x, rows, width) = self.input(x, None, what)?;
        let half = table.half;
        check_indices("position", positions, table.cos.len().min(table.sin.len()).checked_div(half).unwrap_or(0))?;
        if half == 0 || width % (2 * half) != 0 || positions.len() != rows {
            let expected = format!("[{}·{}, multiple of {}]", self.points.count(), positions.len(), 2 * half);
            return Err(shape(what, x.dims(), expected));
        }
        let (cos, sin) = self.angles(table, positions)?;
        let (all, heads) = (rows * self.points.count(), width / (2 * half));
        let args = RopeArgs { all: all as u64, rows: rows as u64, heads: heads as u64, pairs: half as u64 };
        let out = unwritten(x.shape(), DType::F32, &self.device)?;
        let shape = Shape::Threads((all * heads * half) as u64);
        Launch { kernel: "rope", shape, others: &[&x, &cos, &sin], args }.onto(&out)?;
        Ok(out)
    }

    /// Cosines and sines of rows, on the device; uploaded once for all layers that ask for the same.
    fn angles(&self, table: &RopeTable, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let pick = |values: &[f64]| -> Vec<f32> {
            let rows = positions.iter().flat_map(|p| &values[*p as usize * table.half..][..table.half]);
            rows.map(|x| *x as f32).collect()
        };
        let (cos, sin) = (pick(&table.cos), pick(&table.sin));
        let mut kept = self.kept.borrow_mut();
        if let Some((_, _, cos, sin)) = kept.angles.iter().find(|(c, s, _, _)| *c == cos && *s == sin) {
            return Ok((cos.clone(), sin.clone()));
        }
        let upload = |x: &[f32]| Tensor::from_slice(x, x.len(), &self.device);
        let tensors = (upload(&cos)?, upload(&sin)?);
        if kept.angles.len() == TABLES {
            kept.angles.remove(0);
        }
        kept.angles.push((cos, sin, tensors.0.clone(), tensors.1.clone()));
        Ok(tensors)
    }
}
