//! The inner product kernel: a group of weight rows times a panel of activation rows.
//!
//! `tile[g][lane] += Σ_k s[g][k]·x[k][lane]`, one fused multiply-add after the other in the order of k, for each element
//! alone. So the bits of a product depend on its row and its column and on nothing else: not on the level, the number of
//! rows, the block sizes or the threads.

#![allow(unsafe_code)]

use crate::cpu::level::Level;

/// Activation rows in a panel.
pub(super) const PANEL: usize = 32;
/// Weight rows in a group.
pub(super) const GROUP: usize = 12;
/// The most columns (k) of a block; a longer row goes on in the next block with the same accumulators.
pub(super) const DEPTH: usize = 768;
/// Elements from one weight row to the next in a block; not a power of two, so that rows lie in different cache sets.
pub(super) const STRIDE: usize = DEPTH + 16;

/// Writes the products of `depth` columns to `tile`, `[GROUP][PANEL]`, or adds them to what is there where `more`.
///
/// `x` is `[depth][PANEL]`, `s` is `GROUP` rows of `STRIDE`, of which `depth` are read. With `half`, only the first 16
/// lanes are wanted.
pub(super) fn multiply(level: Level, x: &[f32], s: &[f32], depth: usize, half: bool, more: bool, tile: &mut [f32]) {
    assert!(x.len() >= depth * PANEL && depth <= DEPTH);
    assert!(s.len() >= (GROUP - 1) * STRIDE + depth && tile.len() >= GROUP * PANEL);
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            // SAFETY: the machine has AVX-512F at this level, and the slices are as long as asserted above.
            unsafe {
                if half {
                    x86::avx512_half(x.as_ptr(), s.as_ptr(), depth, more, tile.as_mut_ptr());
                } else {
                    x86::avx512(x.as_ptr(), s.as_ptr(), depth, more, tile.as_mut_ptr());
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            // SAFETY: the machine has AVX2 and FMA at this level, and the slices are as long as asserted above.
            unsafe {
                for lane in (0..if half { PANEL / 2 } else { PANEL }).step_by(16) {
                    for group in (0..GROUP).step_by(6) {
                        let tile = tile.as_mut_ptr().add(group * PANEL + lane);
                        x86::avx2(x.as_ptr().add(lane), s.as_ptr().add(group * STRIDE), depth, more, tile);
                    }
                }
            }
        }
        _ => portable(x, s, depth, more, tile),
    }
}

/// The same in plain Rust, four weight rows and sixteen lanes at a time.
fn portable(x: &[f32], s: &[f32], depth: usize, more: bool, tile: &mut [f32]) {
    const LANES: usize = 16;
    for group in (0..GROUP).step_by(4) {
        for lane in (0..PANEL).step_by(LANES) {
            let mut acc = [[0f32; LANES]; 4];
            if more {
                for (g, acc) in acc.iter_mut().enumerate() {
                    acc.copy_from_slice(&tile[(group + g) * PANEL + lane..][..LANES]);
                }
            }
            for k in 0..depth {
                let x = &x[k * PANEL + lane..][..LANES];
                for (g, acc) in acc.iter_mut().enumerate() {
                    let w = s[(group + g) * STRIDE + k];
                    for (a, x) in acc.iter_mut().zip(x) {
                        *a = w.mul_add(*x, *a);
                    }
                }
            }
            for (g, acc) in acc.iter().enumerate() {
                tile[(group + g) * PANEL + lane..][..LANES].copy_from_slice(acc);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{GROUP, PANEL, STRIDE};

    /// # Safety
    /// AVX-512F; `x` has `depth·PANEL` elements, `s` GROUP rows of STRIDE, `tile` GROUP·PANEL, initialised where `more`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(x: *const f32, s: *const f32, depth: usize, more: bool, tile: *mut f32) {
        // SAFETY: all accesses lie within what the caller promises.
        unsafe {
            let mut acc = [[_mm512_setzero_ps(); 2]; GROUP];
            if more {
                for (g, acc) in acc.iter_mut().enumerate() {
                    acc[0] = _mm512_loadu_ps(tile.add(g * PANEL));
                    acc[1] = _mm512_loadu_ps(tile.add(g * PANEL + 16));
                }
            }
            for k in 0..depth {
                let x0 = _mm512_loadu_ps(x.add(k * PANEL));
                let x1 = _mm512_loadu_ps(x.add(k * PANEL + 16));
                for (g, acc) in acc.iter_mut().enumerate() {
                    let w = _mm512_set1_ps(*s.add(g * STRIDE + k));
                    acc[0] = _mm512_fmadd_ps(w, x0, acc[0]);
                    acc[1] = _mm512_fmadd_ps(w, x1, acc[1]);
                }
            }
            for (g, acc) in acc.iter().enumerate() {
                _mm512_storeu_ps(tile.add(g * PANEL), acc[0]);
                _mm512_storeu_ps(tile.add(g * PANEL + 16), acc[1]);
            }
        }
    }

    /// # Safety
    /// As `avx512`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_half(x: *const f32, s: *const f32, depth: usize, more: bool, tile: *mut f32) {
        // SAFETY: all accesses lie within what the caller promises.
        unsafe {
            let mut acc = [_mm512_setzero_ps(); GROUP];
            if more {
                for (g, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm512_loadu_ps(tile.add(g * PANEL));
                }
            }
            for k in 0..depth {
                let x0 = _mm512_loadu_ps(x.add(k * PANEL));
                for (g, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm512_fmadd_ps(_mm512_set1_ps(*s.add(g * STRIDE + k)), x0, *acc);
                }
            }
            for (g, acc) in acc.iter().enumerate() {
                _mm512_storeu_ps(tile.add(g * PANEL), *acc);
            }
        }
    }

    /// Six weight rows and sixteen lanes.
    ///
    /// # Safety
    /// AVX2 and FMA; `x` and `tile` have rows of PANEL, `s` six rows of STRIDE.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(x: *const f32, s: *const f32, depth: usize, more: bool, tile: *mut f32) {
        // SAFETY: all accesses lie within what the caller promises.
        unsafe {
            let mut acc = [[_mm256_setzero_ps(); 2]; 6];
            if more {
                for (g, acc) in acc.iter_mut().enumerate() {
                    acc[0] = _mm256_loadu_ps(tile.add(g * PANEL));
                    acc[1] = _mm256_loadu_ps(tile.add(g * PANEL + 8));
                }
            }
            for k in 0..depth {
                let x0 = _mm256_loadu_ps(x.add(k * PANEL));
                let x1 = _mm256_loadu_ps(x.add(k * PANEL + 8));
                for (g, acc) in acc.iter_mut().enumerate() {
                    let w = _mm256_set1_ps(*s.add(g * STRIDE + k));
                    acc[0] = _mm256_fmadd_ps(w, x0, acc[0]);
                    acc[1] = _mm256_fmadd_ps(w, x1, acc[1]);
                }
            }
            for (g, acc) in acc.iter().enumerate() {
                _mm256_storeu_ps(tile.add(g * PANEL), acc[0]);
                _mm256_storeu_ps(tile.add(g * PANEL + 8), acc[1]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::level::available;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect()
    }

    #[test]
    fn every_level_gives_the_bits_of_one_chain_of_fused_multiply_adds() {
        for depth in [1, 7, 64, 333, DEPTH] {
            let (x, s) = (numbers(depth * PANEL, 1), numbers(GROUP * STRIDE, 2));
            let start = numbers(GROUP * PANEL, 3);
            for half in [false, true] {
                for (level, more) in available().into_iter().flat_map(|l| [(l, false), (l, true)]) {
                    let mut tile = start.clone();
                    multiply(level, &x, &s, depth, half, more, &mut tile);
                    for g in 0..GROUP {
                        for lane in 0..if half { 16 } else { PANEL } {
                            let first = if more { start[g * PANEL + lane] } else { 0.0 };
                            let chain =
                                (0..depth).fold(first, |a, k| s[g * STRIDE + k].mul_add(x[k * PANEL + lane], a));
                            assert_eq!(
                                tile[g * PANEL + lane].to_bits(),
                                chain.to_bits(),
                                "{level:?} {depth} {g} {lane}"
                            );
                        }
                    }
                }
            }
        }
    }
}
