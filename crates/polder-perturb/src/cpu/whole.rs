//! The weights of one point, made whole.

use candle_core::Tensor;

use crate::cpu::made::made;
use crate::cpu::shift::Shifted;
use crate::cpu::view::View;
use crate::error::{Error, Result};
use crate::gpu;
use crate::param::ParamSet;
use crate::points::Points;

/// Elements that one thread makes at a time.
const STRETCH: usize = 1 << 14;

/// The weights `θ + Σ coeff·u(seed)` of a single point in f32, under the names and sites of `params`: for a reader that
/// visits one point many times, as generation does. Nothing of `params` changes.
///
/// A [`CpuReader`](crate::CpuReader) in f32 arithmetic that reads them plainly gives the bits that it gives for `params`
/// read at the point. (In bf16 arithmetic it would not: there a shifted weight is rounded by its direction's bits.)
/// Weights that do not move and are held in f32, bf16 or f16 are shared with `params`, not copied.
///
/// # Errors
/// Several points; weights that can't be read where they lie; not enough memory.
pub fn materialise(params: &ParamSet, points: &Points) -> Result<ParamSet> {
    if points.count() != 1 {
        let what = "points to materialise".to_owned();
        return Err(Error::Shape { what, found: vec![points.count()], expected: "a single point".to_owned() });
    }
    let moves = points.coeffs(0).iter().any(|c| *c != 0.0);
    params.with_tensors(|param| {
        if !param.trainable || !moves {
            return param.joined();
        }
        if !param.tensor.device().is_cpu() {
            return gpu::whole(param, points);
        }
        let view = View::of(param)?;
        let weight = Shifted::new(param, &view, points)?;
        let whole = made(param.tensor.elem_count(), STRETCH, |i, out| weight.read_all(i * STRETCH, out.len(), out));
        Ok(Tensor::from_vec(whole, param.tensor.shape(), param.tensor.device())?)
    })
}

/// The bytes that [`materialise`] takes beside the weights.
pub fn materialised_bytes(params: &ParamSet) -> usize {
    let moving = params.iter().filter(|p| p.trainable || p.carried.is_some());
    moving.map(|p| p.tensor.elem_count().saturating_mul(4)).sum()
}
