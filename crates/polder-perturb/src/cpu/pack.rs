//! Transposition between rows of activations and panels of lanes.

#![allow(unsafe_code)]

use crate::cpu::kernel::PANEL;
use crate::cpu::level::Level;
use crate::cpu::view::Shared;

/// Writes `rows ≤ PANEL` rows of `width` (stride `width`) as a panel `[width][PANEL]`; lanes without a row become 0.
pub(super) fn pack(level: Level, x: &[f32], width: usize, rows: usize, panel: &mut [f32]) {
    assert!(rows <= PANEL && x.len() >= rows * width && panel.len() >= width * PANEL);
    let mut row = 0;
    while row < rows {
        let mut k = 0;
        if wide(level) && rows - row >= 8 {
            while k + 8 <= width {
                // SAFETY: eight rows and eight columns are there on both sides (asserted above); AVX2 as `wide` says.
                unsafe { square(x[row * width + k..].as_ptr(), width, panel[k * PANEL + row..].as_mut_ptr(), PANEL) };
                k += 8;
            }
        }
        let height = if wide(level) && rows - row >= 8 { 8 } else { 1 };
        for r in row..row + height {
            for k in k..width {
                panel[k * PANEL + r] = x[r * width + k];
            }
        }
        row += height;
    }
    if rows < PANEL {
        for lanes in panel[..width * PANEL].chunks_exact_mut(PANEL) {
            lanes[rows..].fill(0.0);
        }
    }
}

/// Writes a tile `[columns][PANEL]` as `rows` rows of `columns`, the first at `out`, each `stride` after the one before.
///
/// # Safety
/// Those places lie in the slice that `out` was made of, and no other thread touches them.
pub(super) unsafe fn unpack(
    level: Level,
    tile: &[f32],
    columns: usize,
    rows: usize,
    out: Shared,
    at: usize,
    stride: usize,
) {
    assert!(rows <= PANEL && tile.len() >= columns * PANEL);
    let mut row = 0;
    while row < rows {
        let height = (rows - row).min(8);
        let mut done = 0;
        if wide(level) && height == 8 {
            while done + 8 <= columns {
                // SAFETY: eight columns of eight lanes are there, and their places are the caller's promise.
                unsafe {
                    let to = out.at(at + row * stride + done);
                    square(tile[done * PANEL + row..].as_ptr(), PANEL, to, stride);
                }
                done += 8;
            }
        }
        for r in row..row + height {
            for c in done..columns {
                // SAFETY: the caller's promise.
                unsafe { out.at(at + r * stride + c).write(tile[c * PANEL + r]) };
            }
        }
        row += height;
    }
}

fn wide(level: Level) -> bool {
    level >= Level::Avx2
}

/// Transposes 8 × 8 elements.
///
/// # Safety
/// AVX2; `from` points to eight rows of stride `from_stride`, `to` to eight rows of stride `to_stride`.
#[cfg(target_arch = "x86_64")]
unsafe fn square(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe { square_avx2(from, from_stride, to, to_stride) }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn square(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    for r in 0..8 {
        for c in 0..8 {
            // SAFETY: the caller's promise.
            unsafe { *to.add(c * to_stride + r) = *from.add(r * from_stride + c) };
        }
    }
}

/// [`square`], to be called where AVX2 is known to be there.
///
/// # Safety
/// As there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn square_avx2(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    unsafe {
        let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(from.add(i * from_stride)));
        let mut t = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        let mut s = [_mm256_setzero_ps(); 8];
        for i in 0..2 {
            s[4 * i] = _mm256_shuffle_ps::<0x44>(t[4 * i], t[4 * i + 2]);
            s[4 * i + 1] = _mm256_shuffle_ps::<0xEE>(t[4 * i], t[4 * i + 2]);
            s[4 * i + 2] = _mm256_shuffle_ps::<0x44>(t[4 * i + 1], t[4 * i + 3]);
            s[4 * i + 3] = _mm256_shuffle_ps::<0xEE>(t[4 * i + 1], t[4 * i + 3]);
        }
        for i in 0..4 {
            _mm256_storeu_ps(to.add(i * to_stride), _mm256_permute2f128_ps::<0x20>(s[i], s[i + 4]));
            _mm256_storeu_ps(to.add((i + 4) * to_stride), _mm256_permute2f128_ps::<0x31>(s[i], s[i + 4]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::level::available;

    #[test]
    fn packing_and_unpacking_transpose() {
        for (rows, width) in [(1, 1), (7, 5), (8, 8), (15, 20), (16, 33), (9, 64)] {
            let x: Vec<f32> = (0..rows * width).map(|i| i as f32 + 1.0).collect();
            for level in available() {
                let mut panel = vec![-1f32; width * PANEL];
                pack(level, &x, width, rows, &mut panel);
                for k in 0..width {
                    for lane in 0..PANEL {
                        let want = if lane < rows { x[lane * width + k] } else { 0.0 };
                        assert_eq!(panel[k * PANEL + lane], want);
                    }
                }
                let mut back = vec![0f32; rows * width];
                let base = Shared::new(&mut back);
                // SAFETY: `back` has `rows` rows of `width`.
                unsafe { unpack(level, &panel, width, rows, base, 0, width) };
                assert_eq!(back, x);
            }
        }
    }
}
