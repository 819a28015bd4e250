//! Log-probabilities of wanted tokens, the vocabulary streamed in blocks; `[rows, vocabulary]` never exists.

use rayon::prelude::*;

use crate::cpu::kernel::PANEL;
use crate::cpu::level::{at_each_level, level};
use crate::cpu::math::exp;
use crate::cpu::matmul::{JOB, Layer, Panels, job, with_scratch};

/// What one block of the vocabulary gives: each lane's maximum and sum, and the wanted logits with their places.
type Part = (Vec<f32>, Vec<f32>, Vec<(usize, f32)>);

/// `log softmax(x·Wᵀ + b)` at each (row, token) pair of every point, `[points·pairs]`.
///
/// A block of the vocabulary gives each row its maximum and `Σ exp(logit − maximum)` in f32, in the order of the tokens;
/// blocks are joined in order in f64. The blocks are fixed, so the bits of a row depend on that row alone.
pub(super) fn log_probs(x: &Panels, head: &Layer<'_>, pairs: &[(u32, u32)]) -> Vec<f64> {
    let level = level();
    let mut by_token: Vec<usize> = (0..pairs.len()).collect();
    by_token.sort_by_key(|i| pairs[*i].1);
    let lanes = x.points * x.count() * PANEL;
    let blocks: Vec<usize> = (0..head.out).step_by(JOB).collect();
    let parts: Vec<Part> = blocks
        .par_iter()
        .map(|&first| {
            let tokens = first..(first + JOB).min(head.out);
            with_scratch(|scratch| {
                let mut most = vec![f32::NEG_INFINITY; lanes];
                let mut sums = vec![0f32; lanes];
                let begin = by_token.partition_point(|i| (pairs[*i].1 as usize) < tokens.start);
                let end = by_token.partition_point(|i| (pairs[*i].1 as usize) < tokens.end);
                let mut found = Vec::new();
                job(&head.weight, tokens.clone(), x, level, scratch, |point, panel, tile| {
                    add_bias(head, point, &tokens, tile);
                    let at = (point * x.count() + panel) * PANEL;
                    reduce(level, tile, &mut most[at..at + PANEL], &mut sums[at..at + PANEL]);
                    for &pair in &by_token[begin..end] {
                        let (row, token) = (pairs[pair].0 as usize, pairs[pair].1 as usize);
                        if row / PANEL == panel {
                            found.push((point * pairs.len() + pair, tile[(token - first) * PANEL + row % PANEL]));
                        }
                    }
                });
                (most, sums, found)
            })
        })
        .collect();
    let mut out = vec![0f64; x.points * pairs.len()];
    for (_, _, found) in &parts {
        for (place, logit) in found {
            out[*place] = f64::from(*logit);
        }
    }
    let mut normalisers = vec![f64::NAN; lanes];
    for point in 0..x.points {
        for (i, (row, _)) in pairs.iter().enumerate() {
            let lane = (point * x.count() + *row as usize / PANEL) * PANEL + *row as usize % PANEL;
            if normalisers[lane].is_nan() {
                normalisers[lane] = log_sum_exp(parts.iter().map(|(most, sums, _)| (most[lane], sums[lane])));
            }
            out[point * pairs.len() + i] -= normalisers[lane];
        }
    }
    out
}

/// `ln Σ s·e^m` over parts (m, s), in order.
pub(crate) fn log_sum_exp(parts: impl Iterator<Item = (f32, f32)> + Clone) -> f64 {
    let most = parts.clone().map(|(m, _)| f64::from(m)).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = parts.map(|(m, s)| f64::from(s) * (f64::from(m) - most).exp()).sum();
    most + sum.ln()
}

/// Adds the head's bias of these tokens, where it has one, to a tile of their logits.
pub(super) fn add_bias(head: &Layer<'_>, point: usize, tokens: &std::ops::Range<usize>, tile: &mut [f32]) {
    if let Some(bias) = &head.bias {
        for (logits, b) in tile.chunks_exact_mut(PANEL).zip(&bias[point][tokens.clone()]) {
            logits.iter_mut().for_each(|y| *y += b);
        }
    }
}

at_each_level! {
    /// Maximum and `Σ exp(logit − maximum)` of each lane of a tile `[tokens][PANEL]`.
    pub(super) fn reduce(tile: &[f32], most: &mut [f32], sums: &mut [f32]) {
        let mut m = [f32::NEG_INFINITY; PANEL];
        for logits in tile.chunks_exact(PANEL) {
            for (m, y) in m.iter_mut().zip(logits) {
                // A NaN stays: it must reach the loss.
                *m = if *y > *m || y.is_nan() { *y } else { *m };
            }
        }
        let mut s = [0f32; PANEL];
        for logits in tile.chunks_exact(PANEL) {
            for l in 0..PANEL {
                s[l] += exp(logits[l] - m[l]);
            }
        }
        most.copy_from_slice(&m);
        sums.copy_from_slice(&s);
    }
}
