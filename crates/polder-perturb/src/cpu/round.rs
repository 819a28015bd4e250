//! Rounding to bf16 for products in that arithmetic.

use crate::cpu::kernel::PANEL;
use crate::cpu::level::{Level, at_each_level};
use crate::cpu::matmul::Layout;
use crate::cpu::pairs::pair;
use crate::rounding::{nearest_bf16, stochastic_bf16};

at_each_level! {
    /// Each number becomes the nearest one of bf16.
    pub(super) fn round_nearest(x: &mut [f32]) {
        for x in x {
            *x = f32::from_bits(u32::from(nearest_bf16(*x)) << 16);
        }
    }
}

at_each_level! {
    fn stochastic(x: &[f32], random: &[u16], bits: &mut [u16]) {
        for ((x, random), bits) in x.iter().zip(random).zip(bits) {
            *bits = stochastic_bf16(*x, *random);
        }
    }
}

at_each_level! {
    fn nearest(x: &[f32], bits: &mut [u16]) {
        for (x, bits) in x.iter().zip(bits) {
            *bits = nearest_bf16(*x);
        }
    }
}

at_each_level! {
    /// Two numbers in a word, the first one in its lower half.
    fn join(two: &[[u16; 2]], words: &mut [f32]) {
        for ([low, high], word) in two.iter().zip(words) {
            *word = f32::from_bits(u32::from(*low) | u32::from(*high) << 16);
        }
    }
}

/// Rounds a row of weights, by random bits where there are some, and lays it out; `bits` is a buffer.
pub(super) fn round_row(level: Level, row: &mut [f32], random: Option<&[u16]>, bits: &mut Vec<u16>, layout: Layout) {
    bits.resize(row.len().max(bits.len()), 0);
    let bits = &mut bits[..row.len()];
    match random {
        Some(random) => stochastic(level, row, random, bits),
        None => nearest(level, row, bits),
    }
    let single = |bits: u16| f32::from_bits(u32::from(bits) << 16);
    let (two, one) = bits.as_chunks::<2>();
    match layout {
        Layout::Plain => row.iter_mut().zip(bits).for_each(|(x, bits)| *x = single(*bits)),
        Layout::Exchanged => {
            row.chunks_exact_mut(2).zip(two).for_each(|(x, two)| x.copy_from_slice(&[single(two[1]), single(two[0])]));
            row.iter_mut().skip(2 * two.len()).zip(one).for_each(|(x, bits)| *x = single(*bits));
        }
        // A last one alone is paired with 0.
        Layout::Pairs => {
            join(level, two, row);
            row.iter_mut().skip(two.len()).zip(one).for_each(|(x, bits)| *x = f32::from_bits(u32::from(*bits)));
        }
    }
}

/// Exchanges each two columns of a panel.
pub(super) fn exchange_lanes(panel: &mut [f32]) {
    for two in panel.chunks_exact_mut(2 * PANEL) {
        let (a, b) = two.split_at_mut(PANEL);
        a.swap_with_slice(b);
    }
}

/// Each two columns of a panel in one; a last one alone is paired with zeros.
pub(super) fn join_lanes(whole: &[f32], panel: &mut [f32]) {
    for (two, joined) in whole.chunks(2 * PANEL).zip(panel.chunks_exact_mut(PANEL)) {
        let (low, high) = two.split_at(PANEL);
        for (lane, joined) in joined.iter_mut().enumerate() {
            *joined = pair(low[lane], high.get(lane).copied().unwrap_or(0.0));
        }
    }
}
