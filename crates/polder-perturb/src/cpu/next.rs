//! What may follow a row: its likeliest token, the vocabulary streamed in blocks.

use rayon::prelude::*;

use crate::cpu::head::{add_bias, log_sum_exp, reduce};
use crate::cpu::kernel::PANEL;
use crate::cpu::level::level;
use crate::cpu::matmul::{JOB, Layer, Panels, job, with_scratch};
use crate::cpu::view::Shared;
use crate::reader::Next;

/// What one block of the vocabulary gives: each lane's maximum, the first token that has it, and the sum.
type Part = (Vec<f32>, Vec<u32>, Vec<f32>);

/// The likeliest token of every row, `[points·rows]`, with its logit, the normaliser and, where `whole`, all logits.
///
/// Blocks, sums and their order are those of [`log_probs`](super::head::log_probs). No more than a block of a row's logits
/// is held unless all are asked for.
pub(super) fn next(x: &Panels, head: &Layer<'_>, whole: bool) -> Vec<Next> {
    let level = level();
    let lanes = x.points * x.count() * PANEL;
    let mut logits = vec![0f32; if whole { x.points * x.rows * head.out } else { 0 }];
    let place = Shared::new(&mut logits);
    let blocks: Vec<usize> = (0..head.out).step_by(JOB).collect();
    let block = |&first: &usize| -> Part {
        let tokens = first..(first + JOB).min(head.out);
        with_scratch(|scratch| {
            let (mut most, mut sums) = (vec![f32::NEG_INFINITY; lanes], vec![0f32; lanes]);
            let mut best = vec![first as u32; lanes];
            job(&head.weight, tokens.clone(), x, level, scratch, |point, panel, tile| {
                add_bias(head, point, &tokens, tile);
                let at = (point * x.count() + panel) * PANEL;
                reduce(level, tile, &mut most[at..at + PANEL], &mut sums[at..at + PANEL]);
                for (lane, row) in x.rows_of(panel).enumerate() {
                    best[at + lane] += first_of(tile, lane, most[at + lane]);
                    if whole {
                        // SAFETY: this job alone writes these tokens' logits.
                        #[allow(unsafe_code)]
                        let all = unsafe { place.slice((point * x.rows + row) * head.out + first, tokens.len()) };
                        all.iter_mut().zip(tile.chunks_exact(PANEL)).for_each(|(y, logits)| *y = logits[lane]);
                    }
                }
            });
            (most, best, sums)
        })
    };
    let parts: Vec<Part> = blocks.par_iter().map(block).collect();
    let mut logits = logits.chunks_exact(head.out.max(1)).map(<[f32]>::to_vec);
    let rows = (0..x.points).flat_map(|point| (0..x.rows).map(move |row| (point, row)));
    rows.map(|(point, row)| {
        let lane = (point * x.count() + row / PANEL) * PANEL + row % PANEL;
        let (token, logit) = best_of(parts.iter().map(|(most, best, _)| (best[lane], most[lane])));
        let log_sum = log_sum_exp(parts.iter().map(|(most, _, sums)| (most[lane], sums[lane])));
        Next { token, logit, log_sum, logits: logits.next().unwrap_or_default() }
    })
    .collect()
}

/// The first token of a tile whose logit in a lane is `most`.
fn first_of(tile: &[f32], lane: usize, most: f32) -> u32 {
    let same = |logits: &[f32]| logits[lane] == most || (most.is_nan() && logits[lane].is_nan());
    tile.chunks_exact(PANEL).position(same).unwrap_or(0) as u32
}

/// The first of the largest logits; one that is no number comes before all others.
pub(crate) fn best_of(parts: impl Iterator<Item = (u32, f32)>) -> (u32, f32) {
    parts.fold((0, f32::NEG_INFINITY), |best, (token, logit)| {
        if logit > best.1 || (logit.is_nan() && !best.1.is_nan()) { (token, logit) } else { best }
    })
}
