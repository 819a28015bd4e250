//! Causal attention over packed sequences, fused: no `[heads, time, time]` in memory.
//!
//! Up to sixteen queries of one head travel in lanes (a few of them in eight, one alone in one). Keys come in tiles counted from the start of the sequence, and the
//! softmax is kept running (maximum, sum, weighted values) from tile to tile. Each lane's arithmetic is its own: one chain
//! of fused multiply-adds over the head's width for a score, one over the keys for a value, all in order. A key that a
//! query may not see adds an exact zero (of finite values), so the bits of a row depend only on the rows that it attends to.

// Lanes and columns of several arrays go in step; an index says so more plainly than a chain of zips.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use crate::cpu::level::{at_each_level, level};
use crate::cpu::math::exp;
use crate::cpu::view::Shared;
use crate::reader::{Attention, Span};

const LANES: usize = 16;
/// Keys of a tile.
const TILE: usize = 32;
/// Keys whose scores, or value columns whose sums, are accumulated together.
const STEP: usize = 8;

/// Keys or values: those of the pass, and those that come before every sequence.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `[points·rows, kv_width]`.
    pub(super) own: &'a [f32],
    /// `[points·S, kv_width]`.
    pub(super) stem: &'a [f32],
}

/// Queries, keys and values of one point and head, and their row widths.
#[derive(Clone, Copy)]
struct Operands<'a> {
    q: &'a [f32],
    k: Rows<'a>,
    v: Rows<'a>,
    q_width: usize,
    kv_width: usize,
    /// Rows that come before every sequence.
    stem: usize,
}

impl<'a> Rows<'a> {
    /// From element `own` of the pass and element `stem` of what comes before it.
    fn from(self, own: usize, stem: usize) -> Self {
        Self { own: &self.own[own..], stem: self.stem.get(stem..).unwrap_or_default() }
    }
}

impl<'a> Operands<'a> {
    /// The row at a place: places below `stem` come before the pass.
    #[inline(always)]
    fn row(&self, x: Rows<'a>, place: u32, from: usize, len: usize) -> &'a [f32] {
        let place = place as usize;
        match place.checked_sub(self.stem) {
            None => &x.stem[place * self.kv_width + from..][..len],
            Some(row) => &x.own[row * self.kv_width + from..][..len],
        }
    }
}

/// The places of all keys of a sequence, in order: what it sees of the stem, what it continues, itself.
pub(crate) fn places(stem: usize, before: &[Span], lineage: &[Span], own: Span) -> Vec<u32> {
    let before = before.iter().flat_map(|span| span.start..span.start + span.len);
    let rows = lineage.iter().chain([&own]).flat_map(|span| stem + span.start..stem + span.start + span.len);
    before.chain(rows).map(|place| place as u32).collect()
}

/// The heads' outputs, `[points·rows, heads·head_dim]`; `before` and `lineages` say what each sequence comes after, in the
/// stem and in the pass.
pub(super) fn attention(
    q: &[f32],
    k: Rows<'_>,
    v: Rows<'_>,
    points: usize,
    spec: &Attention<'_>,
    before: &[Vec<Span>],
    lineages: &[Vec<Span>],
) -> Vec<f32> {
    let (q_width, kv_width) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let rows = q.len() / q_width / points;
    let stem = k.stem.len() / kv_width / points;
    let each = spec.sequences.iter().zip(before).zip(lineages);
    let keys: Vec<Vec<u32>> = each.map(|((s, before), lineage)| places(stem, before, lineage, s.rows)).collect();
    let mut out = vec![0f32; q.len()];
    let place = Shared::new(&mut out);
    let tasks: Vec<(usize, usize, usize)> = (0..points)
        .flat_map(|p| (0..spec.sequences.len()).flat_map(move |s| (0..spec.heads).map(move |h| (p, s, h))))
        .collect();
    let level = level();
    tasks.par_iter().with_min_len(spec.heads.min(8)).for_each_init(Buffers::default, |buffers, &(p, s, h)| {
        let (q_at, kv_head) = (p * rows * q_width, h * spec.kv_heads / spec.heads * spec.head_dim);
        let (own, before) = (p * rows * kv_width + kv_head, p * stem * kv_width + kv_head);
        let q = &q[q_at + h * spec.head_dim..];
        let operands = Operands { q, k: k.from(own, before), v: v.from(own, before), q_width, kv_width, stem };
        let own = spec.sequences[s].rows;
        for first in (0..own.len).step_by(LANES) {
            let count = (own.len - first).min(LANES);
            buffers.prepare(spec.head_dim, lanes_of(count));
            head(level, operands, &keys[s], own, spec, first, count, buffers);
            for lane in 0..count {
                let row = own.start + first + lane;
                // SAFETY: this task alone writes head `h` of the rows of sequence `s` at point `p`.
                #[allow(unsafe_code)]
                let y = unsafe { place.slice(q_at + row * q_width + h * spec.head_dim, spec.head_dim) };
                for (y, sums) in y.iter_mut().zip(buffers.out.chunks_exact(lanes_of(count))) {
                    *y = sums[lane] / buffers.sum[lane];
                }
            }
        }
    });
    out
}

/// Lanes that so many queries travel in.
fn lanes_of(count: usize) -> usize {
    match count {
        1 => 1,
        2..=8 => 8,
        _ => LANES,
    }
}

/// What is kept of one group of queries.
struct Buffers {
    /// The queries, `[width][lanes]`.
    q: Vec<f32>,
    /// Weighted values, `[width][lanes]`.
    out: Vec<f32>,
    most: [f32; LANES],
    sum: [f32; LANES],
}

impl Default for Buffers {
    fn default() -> Self {
        Self { q: Vec::new(), out: Vec::new(), most: [f32::NEG_INFINITY; LANES], sum: [0.0; LANES] }
    }
}

impl Buffers {
    fn prepare(&mut self, width: usize, lanes: usize) {
        let len = width.next_multiple_of(STEP) * lanes;
        for buffer in [&mut self.q, &mut self.out] {
            buffer.clear();
            buffer.resize(len, 0.0);
        }
        self.most = [f32::NEG_INFINITY; LANES];
        self.sum = [0.0; LANES];
    }
}

at_each_level! {
    /// Queries `first..first + count` of a sequence (its rows are `own`, its keys at `places`), for one head: leaves sums
    /// and weighted values in `buffers`.
    fn head(
        x: Operands<'_>,
        places: &[u32],
        own: Span,
        spec: &Attention<'_>,
        first: usize,
        count: usize,
        buffers: &mut Buffers,
    ) {
        match lanes_of(count) {
            1 => lanes::<1>(x, places, own, spec, first, count, buffers),
            8 => lanes::<8>(x, places, own, spec, first, count, buffers),
            _ => lanes::<LANES>(x, places, own, spec, first, count, buffers),
        }
    }
}

/// [`head`] in N lanes; each lane's bits are its own, so they do not depend on N.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn lanes<const N: usize>(
    x: Operands<'_>,
    places: &[u32],
    own: Span,
    spec: &Attention<'_>,
    first: usize,
    count: usize,
    buffers: &mut Buffers,
) {
    let scale = spec.scale as f32;
    let Buffers { q: queries, out, most, sum } = buffers;
    let (queries, out) = (queries.as_chunks_mut::<N>().0, out.as_chunks_mut::<N>().0);
    for lane in 0..count {
        let row = &x.q[(own.start + first + lane) * x.q_width..][..spec.head_dim];
        for (q, y) in queries.iter_mut().zip(row) {
            q[lane] = y * scale;
        }
    }
    // Lane l stands at logical position `at + l`, and sees keys from `at + l + 1 - window` to itself.
    let at = places.len() - own.len + first;
    let keys = at + count;
    let begin = spec.window.map_or(0, |w| (at + 1).saturating_sub(w)) / TILE * TILE;
    for tile in (begin..keys).step_by(TILE) {
        let len = (keys - tile).min(TILE);
        let mut scores = [[0f32; N]; TILE];
        for step in (0..len).step_by(STEP) {
            let mut rows = [x.q; STEP];
            for (j, row) in rows.iter_mut().enumerate() {
                *row = x.row(x.k, places[(tile + step + j).min(keys - 1)], 0, spec.head_dim);
            }
            let mut acc = [[0f32; N]; STEP];
            for d in 0..spec.head_dim {
                let q = &queries[d];
                for j in 0..STEP {
                    let k = rows[j][d];
                    for l in 0..N {
                        acc[j][l] = k.mul_add(q[l], acc[j][l]);
                    }
                }
            }
            scores[step..step + STEP].copy_from_slice(&acc);
        }
        for (j, score) in scores.iter_mut().enumerate() {
            for (l, y) in score.iter_mut().enumerate() {
                let (key, query) = (tile + j, at + l);
                let seen = j < len && key <= query && spec.window.is_none_or(|w| key + w > query);
                *y = if seen { *y } else { f32::NEG_INFINITY };
            }
        }
        weigh(&mut scores, most, sum, out);
        for d in (0..spec.head_dim).step_by(STEP) {
            let mut acc = [[0f32; N]; STEP];
            acc.copy_from_slice(&out[d..d + STEP]);
            let width = (spec.head_dim - d).min(STEP);
            for (j, p) in scores.iter().enumerate().take(len) {
                let row = x.row(x.v, places[tile + j], d, width);
                for (c, v) in row.iter().enumerate() {
                    for l in 0..N {
                        acc[c][l] = v.mul_add(p[l], acc[c][l]);
                    }
                }
            }
            out[d..d + STEP].copy_from_slice(&acc);
        }
    }
}

/// Turns a tile's scores into weights relative to the running maximum, and rescales what was summed before.
#[inline(always)]
fn weigh<const N: usize>(
    scores: &mut [[f32; N]; TILE],
    most: &mut [f32; LANES],
    sum: &mut [f32; LANES],
    out: &mut [[f32; N]],
) {
    let mut new = [0f32; N];
    new.copy_from_slice(&most[..N]);
    for score in scores.iter() {
        for l in 0..N {
            new[l] = if score[l] > new[l] || score[l].is_nan() { score[l] } else { new[l] };
        }
    }
    let mut factor = [1f32; N];
    for l in 0..N {
        // A lane that has seen no key yet has nothing to rescale (and −∞ − −∞ is not a number).
        factor[l] = if most[l] == new[l] { 1.0 } else { exp(most[l] - new[l]) };
    }
    for score in scores.iter_mut() {
        for l in 0..N {
            score[l] = if score[l] == f32::NEG_INFINITY { 0.0 } else { exp(score[l] - new[l]) };
        }
    }
    for l in 0..N {
        sum[l] *= factor[l];
    }
    for score in scores.iter() {
        for l in 0..N {
            sum[l] += score[l];
        }
    }
    for out in out.iter_mut() {
        for l in 0..N {
            out[l] *= factor[l];
        }
    }
    most[..N].copy_from_slice(&new);
}
