//! Shifted weights, made block by block: `w + Σ coeff·u(seed)`.

use crate::cpu::view::{Stored, View};
use crate::direction;
use crate::error::Result;
use crate::param::{Param, ParamSet, Site};
use crate::points::Points;

/// One parameter, read at points.
pub(super) struct Shifted<'a> {
    param: &'a Param,
    stored: Stored<'a>,
    points: &'a Points,
    /// Whether the points differ here: not where the parameter is frozen or no point has a term.
    moves: bool,
}

impl<'a> Shifted<'a> {
    pub(super) fn new(param: &'a Param, view: &'a View<'_>, points: &'a Points) -> Result<Self> {
        let moves = param.trainable && !points.seeds().is_empty();
        Ok(Self { param, stored: view.stored()?, points, moves })
    }

    /// How many different weights there are: the number of points, or 1 where all of them read the same.
    pub(super) fn variants(&self) -> usize {
        if self.moves { self.points.count() } else { 1 }
    }

    /// Writes elements `start..start + len` of every variant; `out[v]` begins at `v·stride`.
    ///
    /// Each element is `fma(c_S, u_S, … fma(c_1, u_1, w))` in f32: the same bits wherever the block begins.
    pub(super) fn read(&self, start: usize, len: usize, out: &mut [f32], stride: usize, direction: &mut [f32]) {
        self.stored.read(start, &mut out[..len]);
        if !self.moves {
            return;
        }
        let (law, key, at) = (self.points.law(), self.param.key, start as u64);
        if let ([seed], 2) = (self.points.seeds(), self.points.count()) {
            let (c0, c1) = (self.points.coeffs(0)[0], self.points.coeffs(1)[0]);
            // A term of coefficient 0 is left out, here as below: `−0 + 0·u` is not −0.
            if c0 != 0.0 && c1 != 0.0 {
                let (a, b) = out.split_at_mut(stride);
                let (a, b) = (&mut a[..len], &mut b[..len]);
                b.copy_from_slice(a);
                direction::add_scaled_pair(law, *seed, key, at, c0, c1, a, b);
                return;
            }
        }
        for v in 1..self.points.count() {
            out.copy_within(..len, v * stride);
        }
        for (s, seed) in self.points.seeds().iter().enumerate() {
            direction::fill(law, *seed, key, at, &mut direction[..len]);
            for v in 0..self.points.count() {
                let c = self.points.coeffs(v)[s];
                if c != 0.0 {
                    for (o, u) in out[v * stride..v * stride + len].iter_mut().zip(direction.iter()) {
                        *o = c.mul_add(*u, *o);
                    }
                }
            }
        }
    }
}

/// A whole vector (a norm's weight, a bias) at every point: `[P][len]`.
pub(super) fn vectors(params: &ParamSet, site: Site, points: &Points) -> Result<Vec<Vec<f32>>> {
    let param = params.get(site);
    let view = View::of(param)?;
    let len = param.tensor.elem_count();
    let shifted = Shifted::new(param, &view, points)?;
    let mut flat = vec![0f32; shifted.variants() * len];
    let mut direction = vec![0f32; len];
    shifted.read(0, len, &mut flat, len, &mut direction);
    Ok((0..points.count()).map(|p| flat[p % shifted.variants() * len..][..len].to_vec()).collect())
}
