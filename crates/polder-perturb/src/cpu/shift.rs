//! Shifted weights, made block by block: `w + Σ coeff·u(seed)`.

use std::ops::Range;

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
    groups: Vec<Group>,
}

/// Neighbouring points whose weights are made together: their directions, and the stored weight, are made and read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The points.
    pub(crate) points: Range<usize>,
    /// How many different weights they read: one each, or one in all where the weight does not move.
    pub(crate) variants: usize,
}

impl<'a> Shifted<'a> {
    pub(super) fn new(param: &'a Param, view: &'a View<'_>, points: &'a Points) -> Result<Self> {
        Ok(Self { param, stored: view.stored()?, points, groups: groups(points, param.trainable) })
    }

    /// The points in groups, in order.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Asks for elements that will be read soon.
    pub(super) fn prefetch(&self, elements: Range<usize>) {
        self.stored.prefetch(elements);
    }

    /// Writes elements `start..start + len` of every variant of a group; `out[v]` begins at `v·stride`.
    ///
    /// Each element is `fma(c_S, u_S, … fma(c_1, u_1, w))` in f32: the same bits wherever the block begins. A term of
    /// coefficient 0 is left out, as `−0 + 0·u` is not −0. `wide` is a buffer for weights that are not stored in f32.
    pub(super) fn read(
        &self,
        group: &Group,
        start: usize,
        len: usize,
        out: &mut [f32],
        stride: usize,
        wide: &mut Vec<f32>,
    ) {
        let points = self.points;
        let (law, key, at) = (points.law(), self.param.key, start as u64);
        let first = group.points.start;
        let moving = self.param.trainable;
        let mut terms = (0..points.seeds().len()).filter(|s| moving && points.coeffs(first)[*s] != 0.0);
        let Some(s) = terms.next() else {
            self.stored.read(start, &mut out[..len]);
            return;
        };
        let base = self.stored.widened(start, len, wide);
        let seed = points.seeds()[s];
        let c = |v: usize, s: usize| points.coeffs(first + v)[s];
        if group.variants == 2 {
            let (a, b) = out.split_at_mut(stride);
            direction::shift(law, seed, key, at, base, [c(0, s), c(1, s)], [&mut a[..len], &mut b[..len]]);
        } else {
            direction::shift(law, seed, key, at, base, [c(0, s)], [&mut out[..len]]);
        }
        for s in terms {
            for v in 0..group.variants {
                direction::add_scaled(law, points.seeds()[s], key, at, c(v, s), &mut out[v * stride..][..len]);
            }
        }
    }

    /// Random bits by which a group's weights are rounded to 16 bits: those of its first direction, so that all points
    /// along it are rounded alike; none where the weight does not move.
    pub(super) fn dither<'b>(
        &self,
        group: &Group,
        start: usize,
        len: usize,
        bits: &'b mut Vec<u16>,
    ) -> Option<&'b [u16]> {
        let coeffs = self.points.coeffs(group.points.start);
        let moving = self.points.seeds().iter().zip(coeffs).find(|(_, c)| self.param.trainable && **c != 0.0);
        let (seed, _) = moving?;
        bits.resize(len.max(bits.len()), 0);
        direction::fill_bits(*seed, self.param.key, start as u64, &mut bits[..len]);
        Some(&bits[..len])
    }

    /// Elements `start..start + len` at every point: `out[p]` begins at `p·len`.
    pub(super) fn read_all(&self, start: usize, len: usize, out: &mut [f32]) {
        let mut wide = Vec::new();
        for group in &self.groups {
            let out = &mut out[group.points.start * len..group.points.end * len];
            self.read(group, start, len, out, len, &mut wide);
            for v in group.variants..group.points.len() {
                out.copy_within(..len, v * len);
            }
        }
    }
}

/// Pairs of neighbouring points that lie along the same seeds; all points where the weight does not move.
pub(crate) fn groups(points: &Points, moves: bool) -> Vec<Group> {
    let count = points.count();
    if !moves || points.seeds().is_empty() {
        return vec![Group { points: 0..count, variants: 1 }];
    }
    let along = |p: usize| points.coeffs(p).iter().map(|c| *c != 0.0).collect::<Vec<_>>();
    let mut groups = Vec::new();
    let mut first = 0;
    while first < count {
        let end = if first + 1 < count && along(first) == along(first + 1) { first + 2 } else { first + 1 };
        let variants = if along(first).contains(&true) { end - first } else { 1 };
        groups.push(Group { points: first..end, variants });
        first = end;
    }
    groups
}

/// A whole vector (a norm's weight, a bias) at every point: `[P][len]`.
pub(super) fn vectors(params: &ParamSet, site: Site, points: &Points) -> Result<Vec<Vec<f32>>> {
    let param = params.get(site);
    let view = View::of(param)?;
    let len = param.tensor.elem_count();
    let mut flat = vec![0f32; points.count() * len];
    Shifted::new(param, &view, points)?.read_all(0, len, &mut flat);
    Ok(flat.chunks_exact(len.max(1)).map(<[f32]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::{Law, Seed};
    use crate::points::Shift;

    #[test]
    fn neighbours_along_one_direction_are_made_together() {
        let along = |seed, coeff| Shift::along(Seed(seed), coeff);
        let none = Shift::none;
        let shifts =
            [along(1, 0.1), along(1, -0.1), along(2, 0.1), none(), none(), none(), along(2, 0.1), along(2, 0.3)];
        let points = Points::new(Law::Gaussian, &shifts);
        let group = |points, variants| Group { points, variants };
        let wanted = [group(0..2, 2), group(2..3, 1), group(3..5, 1), group(5..6, 1), group(6..8, 2)];
        assert_eq!(groups(&points, true), wanted);
        assert_eq!(groups(&points, false), [group(0..8, 1)]);
    }
}
