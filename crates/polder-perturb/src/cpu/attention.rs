//! Causal attention over packed sequences, fused: no `[heads, time, time]` in memory.
//!
//! Sixteen queries of one head travel in lanes. Keys come in tiles counted from the start of the sequence, and the
//! softmax is kept running (maximum, sum, weighted values) from tile to tile. Each lane's arithmetic is its own: one chain
//! of fused multiply-adds over the head's width for a score, one over the keys for a value, all in order. A key that a
//! query may not see adds an exact zero (of finite values), so the bits of a row depend only on the rows that it attends to.

// Lanes and columns of several arrays go in step; an index says so more plainly than a chain of zips.
#![allow(clippy::needless_range_loop)]

use rayon::prelude::*;

use crate::cpu::level::{at_each_level, level};
use crate::cpu::math::exp;
use crate::cpu::view::Shared;
use crate::reader::{Attention, Sequence};

const LANES: usize = 16;
/// Keys of a tile.
const TILE: usize = 32;
/// Keys whose scores, or value columns whose sums, are accumulated together.
const STEP: usize = 8;

/// Queries, keys and values of one point, and their row widths.
#[derive(Clone, Copy)]
struct Operands<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    q_width: usize,
    kv_width: usize,
}

/// The heads' outputs, `[points·rows, heads·head_dim]`.
pub(super) fn attention(q: &[f32], k: &[f32], v: &[f32], points: usize, spec: &Attention<'_>) -> Vec<f32> {
    let (q_width, kv_width) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let rows = q.len() / q_width / points;
    let mut out = vec![0f32; q.len()];
    let place = Shared::new(&mut out);
    let tasks: Vec<(usize, usize, usize)> = (0..points)
        .flat_map(|p| (0..spec.sequences.len()).flat_map(move |s| (0..spec.heads).map(move |h| (p, s, h))))
        .collect();
    let level = level();
    tasks.par_iter().with_min_len(spec.heads.min(8)).for_each_init(Buffers::default, |buffers, &(p, s, h)| {
        let (q_at, kv_at) = (p * rows * q_width, p * rows * kv_width);
        let operands = Operands {
            q: &q[q_at + h * spec.head_dim..],
            k: &k[kv_at + h * spec.kv_heads / spec.heads * spec.head_dim..],
            v: &v[kv_at + h * spec.kv_heads / spec.heads * spec.head_dim..],
            q_width,
            kv_width,
        };
        let sequence = spec.sequences[s];
        for first in (0..sequence.rows.len).step_by(LANES) {
            let count = (sequence.rows.len - first).min(LANES);
            buffers.prepare(spec.head_dim);
            head(level, operands, &sequence, spec, first, count, buffers);
            for lane in 0..count {
                let row = sequence.rows.start + first + lane;
                // SAFETY: this task alone writes head `h` of the rows of sequence `s` at point `p`.
                #[allow(unsafe_code)]
                let y = unsafe { place.slice(q_at + row * q_width + h * spec.head_dim, spec.head_dim) };
                for (d, y) in y.iter_mut().enumerate() {
                    *y = buffers.out[d][lane] / buffers.sum[lane];
                }
            }
        }
    });
    out
}

/// Lanes of one group of queries.
struct Buffers {
    q: Vec<[f32; LANES]>,
    out: Vec<[f32; LANES]>,
    most: [f32; LANES],
    sum: [f32; LANES],
}

impl Default for Buffers {
    fn default() -> Self {
        Self { q: Vec::new(), out: Vec::new(), most: [f32::NEG_INFINITY; LANES], sum: [0.0; LANES] }
    }
}

impl Buffers {
    fn prepare(&mut self, width: usize) {
        let width = width.next_multiple_of(STEP);
        self.q.clear();
        self.q.resize(width, [0.0; LANES]);
        self.out.clear();
        self.out.resize(width, [0.0; LANES]);
        self.most = [f32::NEG_INFINITY; LANES];
        self.sum = [0.0; LANES];
    }
}

/// The row of key `i` of a sequence: first its prefix, then itself.
#[inline(always)]
fn key_row(sequence: &Sequence, i: usize) -> usize {
    if i < sequence.prefix.len { sequence.prefix.start + i } else { sequence.rows.start + i - sequence.prefix.len }
}

at_each_level! {
    /// Queries `first..first + count` of a sequence, for one head: leaves sums and weighted values in `buffers`.
    fn head(
        x: Operands<'_>,
        sequence: &Sequence,
        spec: &Attention<'_>,
        first: usize,
        count: usize,
        buffers: &mut Buffers,
    ) {
        let scale = spec.scale as f32;
        for lane in 0..count {
            let row = &x.q[(sequence.rows.start + first + lane) * x.q_width..][..spec.head_dim];
            for (q, y) in buffers.q.iter_mut().zip(row) {
                q[lane] = y * scale;
            }
        }
        // Lane l stands at logical position `at + l`, and sees keys from `at + l + 1 - window` to itself.
        let at = sequence.prefix.len + first;
        let keys = at + count;
        let begin = spec.window.map_or(0, |w| (at + 1).saturating_sub(w)) / TILE * TILE;
        for tile in (begin..keys).step_by(TILE) {
            let len = (keys - tile).min(TILE);
            let mut scores = [[0f32; LANES]; TILE];
            for step in (0..len).step_by(STEP) {
                let mut rows = [x.k; STEP];
                for (j, row) in rows.iter_mut().enumerate() {
                    let key = (tile + step + j).min(keys - 1);
                    *row = &x.k[key_row(sequence, key) * x.kv_width..][..spec.head_dim];
                }
                let mut acc = [[0f32; LANES]; STEP];
                for d in 0..spec.head_dim {
                    let q = &buffers.q[d];
                    for j in 0..STEP {
                        let k = rows[j][d];
                        for l in 0..LANES {
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
            weigh(&mut scores, buffers);
            for d in (0..spec.head_dim).step_by(STEP) {
                let mut acc = [[0f32; LANES]; STEP];
                acc.copy_from_slice(&buffers.out[d..d + STEP]);
                let width = (spec.head_dim - d).min(STEP);
                for (j, p) in scores.iter().enumerate().take(len) {
                    let row = &x.v[key_row(sequence, tile + j) * x.kv_width + d..][..width];
                    for (c, v) in row.iter().enumerate() {
                        for l in 0..LANES {
                            acc[c][l] = v.mul_add(p[l], acc[c][l]);
                        }
                    }
                }
                buffers.out[d..d + STEP].copy_from_slice(&acc);
            }
        }
    }
}

/// Turns a tile's scores into weights relative to the running maximum, and rescales what was summed before.
#[inline(always)]
fn weigh(scores: &mut [[f32; LANES]; TILE], buffers: &mut Buffers) {
    let mut most = buffers.most;
    for score in scores.iter() {
        for l in 0..LANES {
            most[l] = if score[l] > most[l] || score[l].is_nan() { score[l] } else { most[l] };
        }
    }
    let mut factor = [1f32; LANES];
    for l in 0..LANES {
        // A lane that has seen no key yet has nothing to rescale (and −∞ − −∞ is not a number).
        factor[l] = if buffers.most[l] == most[l] { 1.0 } else { exp(buffers.most[l] - most[l]) };
    }
    let mut sum = [0f32; LANES];
    for l in 0..LANES {
        sum[l] = buffers.sum[l] * factor[l];
    }
    for score in scores.iter_mut() {
        for l in 0..LANES {
            score[l] = if score[l] == f32::NEG_INFINITY { 0.0 } else { exp(score[l] - most[l]) };
            sum[l] += score[l];
        }
    }
    for out in &mut buffers.out {
        for l in 0..LANES {
            out[l] *= factor[l];
        }
    }
    buffers.most = most;
    buffers.sum = sum;
}
