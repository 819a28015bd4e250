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

/// Multiplies numbers of f32 of the first `lanes` (at most four) lanes of one panel with `rows` weight rows.
///
/// Sixteen weight rows travel in the lanes of a vector, turned in registers, instead of sixteen activation rows of which
/// few are there: the same chain of sums for each, in a fraction of the multiplications.
///
/// # Safety
/// AVX-512F; `rows` rows of STRIDE in the block's `s`, and a tile of as many rows.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn few(block: Block, rows: usize, lanes: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match lanes {
            1 => turned::<1>(block, rows),
            2 => turned::<2>(block, rows),
            _ => turned::<4>(block, rows),
        }
    }
}

/// Weight rows of a vector.
const ROWS: usize = 16;

/// # Safety
/// As [`few`], of L lanes.
#[target_feature(enable = "avx512f")]
unsafe fn turned<const L: usize>(block: Block, rows: usize) {
    let Block { x, s, depth, more, tile, .. } = block;
    for first in (0..rows).step_by(ROWS) {
        let count = (rows - first).min(ROWS);
        let mut sums = [[0f32; ROWS]; L];
        // SAFETY: all accesses lie within what the caller promises; of rows that are not there the last one is read again.
        unsafe {
            for (l, sums) in sums.iter_mut().enumerate().filter(|_| more) {
                let of_row = |i: usize| *tile.add((first + i) * PANEL + l);
                sums.iter_mut().take(count).enumerate().for_each(|(i, sum)| *sum = of_row(i));
            }
            let mut acc: [__m512; L] = std::array::from_fn(|l| _mm512_loadu_ps(sums[l].as_ptr()));
            for k in (0..depth).step_by(ROWS) {
                let width = (depth - k).min(ROWS);
                let mask = (u16::MAX) >> (ROWS - width);
                let row = |i: usize| s.add((first + i.min(count - 1)) * STRIDE + k);
                let columns = transposed(std::array::from_fn(|i| _mm512_maskz_loadu_ps(mask, row(i))));
                for (j, column) in columns.iter().enumerate().take(width) {
                    for (l, acc) in acc.iter_mut().enumerate() {
                        *acc = _mm512_fmadd_ps(*column, _mm512_set1_ps(*x.add((k + j) * PANEL + l)), *acc);
                    }
                }
            }
            for (l, acc) in acc.iter().enumerate() {
                _mm512_storeu_ps(sums[l].as_mut_ptr(), *acc);
                (0..count).for_each(|i| *tile.add((first + i) * PANEL + l) = sums[l][i]);
            }
        }
    }
}

/// Sixteen rows as sixteen columns.
#[target_feature(enable = "avx512f")]
fn transposed(r: [__m512; 16]) -> [__m512; 16] {
    let pairs: [__m512; 16] = std::array::from_fn(|i| {
        let (a, b) = (r[i & !1], r[i | 1]);
        if i % 2 == 0 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) }
    });
    // Quarter q of `fours[4i + c]`: column 4q + c of rows 4i to 4i + 3.
    let fours: [__m512; 16] = std::array::from_fn(|i| {
        let at = i / 4 * 4 + i % 4 / 2;
        let (a, b) = (_mm512_castps_pd(pairs[at]), _mm512_castps_pd(pairs[at + 2]));
        _mm512_castpd_ps(if i % 2 == 0 { _mm512_unpacklo_pd(a, b) } else { _mm512_unpackhi_pd(a, b) })
    });
    let mut out = [_mm512_setzero_ps(); 16];
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
        let (even_2, odd_2) = (_mm512_shuffle_f32x4::<0x88>(d, e), _mm512_shuffle_f32x4::<0xdd>(d, e));
        out[c] = _mm512_shuffle_f32x4::<0x88>(even, even_2);
        out[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd, odd_2);
        out[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even, even_2);
        out[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd, odd_2);
    }
    out
}
