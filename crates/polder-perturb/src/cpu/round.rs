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
    fn round_stochastic(x: &mut [f32], random: &[u16]) {
        for (x, random) in x.iter_mut().zip(random) {
            *x = f32::from_bits(u32::from(stochastic_bf16(*x, *random)) << 16);
        }
    }
}

/// Rounds a row of weights, by random bits where there are some, and lays it out.
pub(super) fn round_row(level: Level, row: &mut [f32], random: Option<&[u16]>, layout: Layout) {
    match random {
        Some(random) => round_stochastic(level, row, random),
        None => round_nearest(level, row),
    }
    match layout {
        Layout::Plain => {}
        Layout::Exchanged => row.chunks_exact_mut(2).for_each(|two| two.swap(0, 1)),
        Layout::Pairs => {
            for k in 0..row.len().div_ceil(2) {
                row[k] = pair(row[2 * k], row.get(2 * k + 1).copied().unwrap_or(0.0));
            }
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
