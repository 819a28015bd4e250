//! A reader made of plain candle operations: the reference in tests, and the way to devices without kernels of ours.
//!
//! It runs on every device and in every floating type, and candle's autograd passes through it: where the parameters
//! are `Var`s, the gradient of a result at θ + shift reaches them. Its sums are the vendor's, so its rows are
//! invariant up to rounding only; where bits count, use [`crate::CpuReader`].

mod attention;

use candle_core::{D, DType, Device, Tensor};

use crate::direction;
use crate::error::{Error, Result};
use crate::param::{Param, ParamSet, Site};
use crate::points::Points;
use crate::reader::{Activation, Attention, Linear, Norm, NormKind, Reader, RopeTable};

/// Reads weights at points by making each shifted weight whole, `w + Σ coeff·u`, in one chosen type.
///
/// `w` is widened from its storage type first, and the shift is formed in f32 (in f64 where that is the type), so a
/// point is the same one that the kernels read, up to the last bit of the sum.
#[derive(Debug)]
pub struct PlainReader<'a> {
    params: &'a ParamSet,
    points: &'a Points,
    dtype: DType,
    device: Device,
}

impl<'a> PlainReader<'a> {
    /// A reader of `params` at `points` that computes in `dtype`, on [`ParamSet::device`].
    pub fn new(params: &'a ParamSet, points: &'a Points, dtype: DType) -> Self {
        Self { params, points, dtype, device: params.device() }
    }

    /// The part of a weight's shift that belongs to the elements `start..start + len`; `None` where nothing moves.
    fn shift(&self, p: usize, param: &Param, start: usize, len: usize) -> Result<Option<Vec<f64>>> {
        if !param.trainable || self.points.coeffs(p).iter().all(|c| *c == 0.0) {
            return Ok(None);
        }
        let mut u = vec![0f32; len];
        let mut sum = vec![0f64; len];
        for (seed, &coeff) in self.points.seeds().iter().zip(self.points.coeffs(p)) {
            direction::fill(self.points.law(), *seed, param.key, start as u64, &mut u);
            for (s, u) in sum.iter_mut().zip(&u) {
                *s = if self.dtype == DType::F64 {
                    f64::from(coeff).mul_add(f64::from(*u), *s)
                } else {
                    f64::from(coeff.mul_add(*u, *s as f32))
                };
            }
        }
        Ok(Some(sum))
    }

    /// The whole parameter at point `p`, in the type of activations.
    fn weight(&self, p: usize, site: Site) -> Result<Tensor> {
        let param = self.params.get(site);
        let weight = param.joined()?.to_device(&self.device)?.to_dtype(self.dtype)?;
        match self.shift(p, param, 0, param.tensor.elem_count())? {
            None => Ok(weight),
            Some(shift) => Ok(weight.add(&self.tensor(shift, weight.dims())?)?),
        }
    }

    /// A tensor of the reader's type and device.
    fn tensor(&self, values: Vec<f64>, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)?)
    }

    /// Applies `f` to the rows of each point and puts the results under one another.
    fn each_point(&self, x: &Tensor, mut f: impl FnMut(usize, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let points = self.points.count();
        if points == 1 {
            return f(0, x);
        }
        let rows = self.rows(x)?;
        let parts = (0..points).map(|p| f(p, &x.narrow(0, p * rows, rows)?)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// The rows of one point in `x [P·R, …]`.
    fn rows(&self, x: &Tensor) -> Result<usize> {
        let rows = x.dim(0)?;
        if rows % self.points.count() != 0 {
            return Err(shape("activations", x, format!("a multiple of {} rows", self.points.count())));
        }
        Ok(rows / self.points.count())
    }

    /// `x·Wᵀ + b` at point `p`.
    fn affine(&self, p: usize, x: &Tensor, layer: Linear) -> Result<Tensor> {
        let weight = self.weight(p, layer.weight)?;
        if weight.rank() != 2 || x.dims().last() != weight.dims().last() {
            return Err(shape(&self.params.get(layer.weight).name, &weight, format!("[out, in] for {:?}", x.dims())));
        }
        let y = x.matmul(&weight.t()?)?;
        match layer.bias {
            None => Ok(y),
            Some(bias) => Ok(y.broadcast_add(&self.weight(p, bias)?)?),
        }
    }
}

impl Reader for PlainReader<'_> {
    fn points(&self) -> usize {
        self.points.count()
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor> {
        let param = self.params.get(table);
        let (len, width) =
            param.tensor.dims2().map_err(|_| shape(&param.name, &param.tensor, "[rows, width]".into()))?;
        check_indices("row", ids, len)?;
        let index = Tensor::from_slice(ids, ids.len(), &self.device)?;
        let looked_up = param.joined()?.to_device(&self.device)?.index_select(&index, 0)?.to_dtype(self.dtype)?;
        let mut parts = Vec::with_capacity(self.points.count());
        for p in 0..self.points.count() {
            let mut shifts = Vec::with_capacity(ids.len() * width);
            for &id in ids {
                match self.shift(p, param, id as usize * width, width)? {
                    None => break,
                    Some(row) => shifts.extend(row),
                }
            }
            parts.push(match shifts.is_empty() {
                true => looked_up.clone(),
                false => looked_up.add(&self.tensor(shifts, &[ids.len(), width])?)?,
            });
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>> {
        layers.iter().map(|layer| self.each_point(x, |p, x| self.affine(p, x, *layer))).collect()
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        if norm.width == 0 || width % norm.width != 0 {
            return Err(shape("norm input", x, format!("groups of {}", norm.width)));
        }
        let x = x.reshape((rows, width / norm.width, norm.width))?;
        let x = match norm.kind {
            NormKind::Rms => x,
            NormKind::Layer => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        };
        let root = x.sqr()?.mean_keepdim(D::Minus1)?.affine(1.0, norm.eps)?.sqrt()?;
        let y = self.each_point(&x.broadcast_div(&root)?, |p, y| {
            let y = match norm.weight {
                Some(site) => y.broadcast_mul(&self.weight(p, site)?)?,
                None => y.clone(),
            };
            match norm.bias {
                Some(site) => Ok(y.broadcast_add(&self.weight(p, site)?)?),
                None => Ok(y),
            }
        })?;
        Ok(y.reshape((rows, width))?)
    }

    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        Ok(x.add(y)?)
    }

    fn activate(&self, x: Tensor, activation: Activation) -> Result<Tensor> {
        Ok(match activation {
            Activation::Relu => x.relu()?,
            Activation::Gelu => x.gelu_erf()?,
            Activation::GeluTanh => x.gelu()?,
            Activation::Silu => x.silu()?,
        })
    }

    fn gate(&self, gate: Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok(self.activate(gate, activation)?.mul(up)?)
    }

    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        let (all, width) = x.dims2()?;
        let (rows, half) = (self.rows(&x)?, table.half);
        if half == 0 || width % (2 * half) != 0 || rows != positions.len() {
            return Err(shape("rope input", &x, format!("{} rows of heads of {}", positions.len(), 2 * half)));
        }
        check_indices("position", positions, (table.cos.len() / half).min(table.sin.len() / half))?;
        let pick = |values: &[f64]| {
            let rows = positions.iter().flat_map(|&p| &values[p as usize * half..][..half]);
            self.tensor(rows.copied().collect(), &[1, positions.len(), 1, half])
        };
        let (cos, sin) = (pick(&table.cos)?, pick(&table.sin)?);
        let x = x.reshape((self.points.count(), rows, width / (2 * half), 2 * half))?;
        let (first, second) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
        let turned_first = first.broadcast_mul(&cos)?.sub(&second.broadcast_mul(&sin)?)?;
        let turned_second = second.broadcast_mul(&cos)?.add(&first.broadcast_mul(&sin)?)?;
        Ok(Tensor::cat(&[turned_first, turned_second], 3)?.reshape((all, width))?)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        attention::attention(q, k, v, spec, self.points.count())
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let stride = self.rows(x)?;
        check_indices("row", rows, stride)?;
        let all: Vec<u32> =
            (0..self.points.count()).flat_map(|p| rows.iter().map(move |r| (p * stride) as u32 + r)).collect();
        Ok(x.index_select(&Tensor::from_slice(&all, all.len(), &self.device)?, 0)?)
    }

    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        let rows = self.rows(x)?;
        self.each_point(x, |p, x| {
            let logits = self.affine(p, x, head)?;
            // Losses are at least f32, whatever the activations are.
            let logits = if self.dtype == DType::F64 { logits } else { logits.to_dtype(DType::F32)? };
            let vocab = logits.dim(1)?;
            let (wanted_rows, tokens): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
            check_indices("row", &wanted_rows, rows)?;
            check_indices("token", &tokens, vocab)?;
            let flat: Vec<i64> = pairs.iter().map(|&(r, t)| i64::from(r) * vocab as i64 + i64::from(t)).collect();
            // The largest logit only guards against overflow; the result does not depend on it.
            let max = logits.max_keepdim(1)?.detach();
            let sums = logits.broadcast_sub(&max)?.exp()?.sum_keepdim(1)?.log()?.add(&max)?.squeeze(1)?;
            let picked = logits.flatten_all()?.index_select(&Tensor::new(flat, &self.device)?, 0)?;
            Ok(picked.sub(&sums.index_select(&Tensor::new(wanted_rows, &self.device)?, 0)?)?)
        })
    }
}

fn check_indices(what: &'static str, indices: &[u32], len: usize) -> Result<()> {
    match indices.iter().find(|i| **i as usize >= len) {
        Some(index) => Err(Error::Index { what, index: *index as usize, len }),
        None => Ok(()),
    }
}

fn shape(what: &str, found: &Tensor, expected: String) -> Error {
    Error::Shape { what: what.to_owned(), found: found.dims().to_vec(), expected }
}
