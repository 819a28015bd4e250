//! The inner product kernels of AVX-512: numbers of f32, or pairs of bf16.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::cpu::kernel::{GROUP, PANEL, STRIDE};

/// A block of one group of weight rows and as many panels as are multiplied at once.
///
/// Two panels keep 24 sums in registers, three keep 18 of half a group: enough of them to fill the multipliers, and few
/// enough broadcasts a sum. One panel alone is bound by its broadcasts, so an odd number of panels ends with three.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// The first panel, `[depth][PANEL]`.
    pub(super) x: *const f32,
    /// Elements to the next panel.
    pub(super) x_stride: usize,
    /// `GROUP` rows of `STRIDE`.
    pub(super) s: *const f32,
    /// Columns.
    pub(super) depth: usize,
    /// Whether sums go on from what the tile holds.
    pub(super) more: bool,
    /// The first panel's tile, `[GROUP][PANEL]`.
    pub(super) tile: *mut f32,
    /// Elements to the next panel's tile.
    pub(super) t_stride: usize,
}

/// Multiplies numbers of f32.
///
/// # Safety
/// AVX-512F; everything that the block says is there, for `panels` (at most three) of them.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn numbers(block: Block, panels: usize) {
    // SAFETY: the caller's promise.
    unsafe { group(block, panels, |sum, w, x| _mm512_fmadd_ps(w, x, sum)) }
}

/// Multiplies pairs of bf16.
///
/// # Safety
/// As [`numbers`], and AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn pairs(block: Block, panels: usize) {
    // SAFETY: vectors of numbers and of pairs have the same size.
    let pair = |x: __m512| unsafe { std::mem::transmute::<__m512, __m512bh>(x) };
    // SAFETY: the caller's promise.
    unsafe { group(block, panels, |sum, w, x| _mm512_dpbf16_ps(sum, pair(w), pair(x))) }
}

/// # Safety
/// As the callers', whose instructions `dot` may use.
#[inline(always)]
unsafe fn group(block: Block, panels: usize, dot: impl Fn(__m512, __m512, __m512) -> __m512 + Copy) {
    // SAFETY: the caller's promise; the second half of a group begins six rows on.
    unsafe {
        match panels {
            1 => sums::<GROUP, 1>(block, dot),
            2 => sums::<GROUP, 2>(block, dot),
            _ => {
                sums::<{ GROUP / 2 }, 3>(block, dot);
                let (s, tile) = (block.s.add(GROUP / 2 * STRIDE), block.tile.add(GROUP / 2 * PANEL));
                sums::<{ GROUP / 2 }, 3>(Block { s, tile, ..block }, dot);
            }
        }
    }
}

/// R weight rows and P panels, their sums in registers.
///
/// # Safety
/// As [`group`].
#[inline(always)]
unsafe fn sums<const R: usize, const P: usize>(block: Block, dot: impl Fn(__m512, __m512, __m512) -> __m512 + Copy) {
    let Block { x, x_stride, s, depth, more, tile, t_stride } = block;
    // SAFETY: all accesses lie within what the caller promises.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); P]; R];
        if more {
            for (g, sums) in sums.iter_mut().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_loadu_ps(tile.add(p * t_stride + g * PANEL));
                }
            }
        }
        for k in 0..depth {
            let mut columns = [_mm512_setzero_ps(); P];
            for (p, column) in columns.iter_mut().enumerate() {
                *column = _mm512_loadu_ps(x.add(p * x_stride + k * PANEL));
            }
            for (g, sums) in sums.iter_mut().enumerate() {
                let w = _mm512_set1_ps(*s.add(g * STRIDE + k));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = dot(*sum, w, column);
                }
            }
        }
        for (g, sums) in sums.iter().enumerate() {
            for (p, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(tile.add(p * t_stride + g * PANEL), *sum);
            }
        }
    }
}
