//! The product of few activation rows: sixteen weight rows travel in the lanes of vectors, turned in cache or registers.
//!
//! In [`kernel`](super::kernel) sixteen activation rows travel there, and of one row, as in generation, fifteen lanes would
//! be nobody's. Each sum is the same chain of fused multiply-adds.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use crate::cpu::kernel::{PANEL, STRIDE};
use crate::cpu::level::Level;
use crate::cpu::pack::square_avx2;

/// The most activation rows that count as few.
pub(super) const MOST: usize = 4;

/// Weight rows that travel together.
const LANES: usize = 16;

/// Weight rows of STRIDE.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The first row.
    pub(super) s: *const f32,
    /// How many.
    pub(super) count: usize,
    /// Columns of each.
    pub(super) depth: usize,
}

/// Multiplies the first `lanes` (at most [`MOST`]) lanes of the panel at `x` with weight rows, into the tile `[rows][PANEL]`,
/// whose sums go on where `more`; [`MOST`] of a tile's lanes may be written.
///
/// # Safety
/// The level's instructions, AVX2 or more; a panel of `depth·PANEL` elements, the rows, and a tile of as many, initialised
/// where `more`.
pub(super) unsafe fn multiply(level: Level, x: *const f32, lanes: usize, rows: Rows, more: bool, tile: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        match (level, lanes) {
            (Level::Avx512, 1) => avx512::<1>(x, rows, more, tile),
            (Level::Avx512, 2) => avx512::<2>(x, rows, more, tile),
            (Level::Avx512, _) => avx512::<MOST>(x, rows, more, tile),
            (_, 1) => avx2::<1>(x, rows, more, tile),
            (_, 2) => avx2::<2>(x, rows, more, tile),
            _ => avx2::<MOST>(x, rows, more, tile),
        }
    }
}

/// The sums of a tile's first lanes, of `count` rows from `tile` on; zeros of the rows behind them.
///
/// # Safety
/// Those rows are there, and initialised.
#[inline(always)]
unsafe fn load<const L: usize>(tile: *const f32, count: usize) -> [[f32; LANES]; L] {
    // SAFETY: the caller's promise.
    std::array::from_fn(|l| std::array::from_fn(|i| if i < count { unsafe { *tile.add(i * PANEL + l) } } else { 0.0 }))
}

/// Writes sums where [`load`] finds them.
///
/// # Safety
/// Those rows are there.
#[inline(always)]
unsafe fn store<const L: usize>(tile: *mut f32, count: usize, sums: &[[f32; LANES]; L]) {
    for (l, sums) in sums.iter().enumerate() {
        for (i, sum) in sums.iter().enumerate().take(count) {
            // SAFETY: the caller's promise.
            unsafe { *tile.add(i * PANEL + l) = *sum };
        }
    }
}

/// # Safety
/// As [`multiply`], of L lanes, with AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const L: usize>(x: *const f32, rows: Rows, more: bool, tile: *mut f32) {
    for first in (0..rows.count).step_by(LANES) {
        let count = (rows.count - first).min(LANES);
        // SAFETY: all accesses lie within what the caller promises; of rows that are not there the last one is read again.
        unsafe {
            let tile = tile.add(first * PANEL);
            let mut sums = if more { load::<L>(tile, count) } else { [[0.0; LANES]; L] };
            let mut acc: [__m512; L] = std::array::from_fn(|l| _mm512_loadu_ps(sums[l].as_ptr()));
            for k in (0..rows.depth).step_by(LANES) {
                let width = (rows.depth - k).min(LANES);
                let mask = u16::MAX >> (LANES - width);
                let row = |i: usize| rows.s.add((first + i.min(count - 1)) * STRIDE + k);
                let columns = transposed(std::array::from_fn(|i| _mm512_maskz_loadu_ps(mask, row(i))));
                for (j, column) in columns.iter().enumerate().take(width) {
                    for (l, acc) in acc.iter_mut().enumerate() {
                        *acc = _mm512_fmadd_ps(*column, _mm512_set1_ps(*x.add((k + j) * PANEL + l)), *acc);
                    }
                }
            }
            sums.iter_mut().zip(acc).for_each(|(sums, acc)| _mm512_storeu_ps(sums.as_mut_ptr(), acc));
            store(tile, count, &sums);
        }
    }
}

/// # Safety
/// As [`multiply`], of L lanes, with AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const L: usize>(x: *const f32, rows: Rows, more: bool, tile: *mut f32) {
    const COLUMNS: usize = 8;
    let mut turned = [0f32; COLUMNS * LANES];
    for first in (0..rows.count).step_by(LANES) {
        let count = (rows.count - first).min(LANES);
        // SAFETY: all accesses lie within what the caller promises, or within the arrays here.
        unsafe {
            let tile = tile.add(first * PANEL);
            let mut sums = if more { load::<L>(tile, count) } else { [[0.0; LANES]; L] };
            let mut acc: [[__m256; 2]; L] =
                std::array::from_fn(|l| [0, 8].map(|half| _mm256_loadu_ps(sums[l][half..].as_ptr())));
            for k in (0..rows.depth).step_by(COLUMNS) {
                let width = (rows.depth - k).min(COLUMNS);
                let row = |i: usize| rows.s.add((first + i) * STRIDE + k);
                if width == COLUMNS && count == LANES {
                    square_avx2(row(0), STRIDE, turned.as_mut_ptr(), LANES);
                    square_avx2(row(8), STRIDE, turned[8..].as_mut_ptr(), LANES);
                } else {
                    for (i, j) in (0..count).flat_map(|i| (0..width).map(move |j| (i, j))) {
                        turned[j * LANES + i] = *row(i).add(j);
                    }
                }
                for (j, column) in turned.chunks_exact(LANES).enumerate().take(width) {
                    let w = [0, 8].map(|half| _mm256_loadu_ps(column[half..].as_ptr()));
                    for (l, acc) in acc.iter_mut().enumerate() {
                        let x = _mm256_set1_ps(*x.add((k + j) * PANEL + l));
                        *acc = [_mm256_fmadd_ps(w[0], x, acc[0]), _mm256_fmadd_ps(w[1], x, acc[1])];
                    }
                }
            }
            for (sums, acc) in sums.iter_mut().zip(acc) {
                _mm256_storeu_ps(sums.as_mut_ptr(), acc[0]);
                _mm256_storeu_ps(sums[8..].as_mut_ptr(), acc[1]);
            }
            store(tile, count, &sums);
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
