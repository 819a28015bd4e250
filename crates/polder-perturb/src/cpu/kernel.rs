//! The inner product kernel: groups of weight rows times panels of activation rows.
//!
//! `tile[g][lane] += Σ_k s[g][k]·x[k][lane]`, one fused multiply-add after the other in the order of k, for each element
//! alone. So the bits of a product depend on its row and its column and on nothing else: not on the level, the number of
//! rows, the block sizes or the threads.

#![allow(unsafe_code)]

use crate::cpu::level::Level;
#[cfg(target_arch = "x86_64")]
use crate::cpu::{avx512, few};

/// Activation rows in a panel.
pub(super) const PANEL: usize = 16;
/// Weight rows in a group.
pub(super) const GROUP: usize = 12;
/// The most columns (k) of a block; a longer row goes on in the next block with the same accumulators.
pub(super) const DEPTH: usize = 768;
/// Elements from one weight row to the next in a block; not a power of two, so that rows lie in different cache sets.
pub(super) const STRIDE: usize = DEPTH + 16;
/// Columns that go through all groups before the next ones: those of a panel, or of two, stay in the first cache.
const SLICE: usize = 256;

/// Panels of activations, each `[depth][PANEL]`.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) data: &'a [f32],
    /// Elements from one panel to the next.
    pub(super) stride: usize,
    /// How many panels.
    pub(super) count: usize,
    /// How many columns of each are multiplied.
    pub(super) depth: usize,
    /// How many lanes of the last panel are asked for; those behind them may be left as they are.
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused, reason = "only vectors of x86-64 make less than a panel"))]
    pub(super) last: usize,
}

/// Where the products of each panel go, `[groups·GROUP][PANEL]`.
pub(super) struct Tiles<'a> {
    pub(super) data: &'a mut [f32],
    /// Elements from one panel's tile to the next.
    pub(super) stride: usize,
}

/// Writes the products of every panel with `groups` groups of weight rows to the panels' tiles, or adds them to what is
/// there where `more`.
///
/// `s` is `groups·GROUP` rows of `STRIDE`, of which `x.depth` are read.
pub(super) fn multiply(level: Level, x: Columns<'_>, s: &[f32], groups: usize, more: bool, tiles: &mut Tiles<'_>) {
    let (count, depth, last) = (x.count, x.depth, x.last);
    assert!(groups > 0 && depth <= DEPTH && s.len() >= (groups * GROUP - 1) * STRIDE + depth);
    assert!(count == 0 || x.data.len() >= (count - 1) * x.stride + depth * PANEL);
    assert!(count == 0 || tiles.data.len() >= (count - 1) * tiles.stride + groups * GROUP * PANEL);
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx2 && count == 1 && last <= few::MOST {
        let rows = few::Rows { s: s.as_ptr(), count: groups * GROUP, depth };
        // SAFETY: the machine has the level's instructions; the slices are as long as asserted above.
        unsafe { few::multiply(level, x.data.as_ptr(), last, rows, more, tiles.data.as_mut_ptr()) };
        return;
    }
    let mut panel = 0;
    while panel < count {
        let at_once = at_once(level == Level::Avx512, count - panel);
        for from in (0..depth).step_by(SLICE) {
            let slice = (depth - from).min(SLICE);
            let more = more || from > 0;
            for group in 0..groups {
                let s = &s[group * GROUP * STRIDE + from..];
                let x_at = panel * x.stride + from * PANEL;
                let tile_at = panel * tiles.stride + group * GROUP * PANEL;
                match level {
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx512 => {
                        let block = avx512::Block {
                            x: x.data[x_at..].as_ptr(),
                            x_stride: x.stride,
                            s: s.as_ptr(),
                            depth: slice,
                            more,
                            tile: tiles.data[tile_at..].as_mut_ptr(),
                            t_stride: tiles.stride,
                        };
                        // SAFETY: the machine has AVX-512F at this level; the slices are as long as asserted above.
                        unsafe { avx512::numbers(block, at_once) }
                    }
                    #[cfg(target_arch = "x86_64")]
                    Level::Avx2 => {
                        let (x0, t0) = (x.data[x_at..].as_ptr(), tiles.data[tile_at..].as_mut_ptr());
                        // SAFETY: the machine has AVX2 and FMA at this level; the slices are as long as asserted above.
                        unsafe {
                            if panel + 1 == count && last <= PANEL / 2 {
                                avx2::half(x0, s.as_ptr(), slice, more, t0);
                            } else {
                                avx2::whole(x0, s.as_ptr(), slice, more, t0);
                                avx2::whole(x0, s[6 * STRIDE..].as_ptr(), slice, more, t0.add(6 * PANEL));
                            }
                        }
                    }
                    _ => portable(&x.data[x_at..], s, slice, more, &mut tiles.data[tile_at..]),
                }
            }
        }
        panel += at_once;
    }
}

/// Panels that go through the groups together where so many are left: several only in vectors of 512 bits, which would wait
/// for their broadcasts with one alone.
pub(super) fn at_once(wide: bool, left: usize) -> usize {
    match (wide, left) {
        (true, 3) => 3,
        (true, left) => left.min(2),
        (false, _) => 1,
    }
}

/// The same of one panel and one group in plain Rust, four weight rows at a time.
fn portable(x: &[f32], s: &[f32], depth: usize, more: bool, tile: &mut [f32]) {
    for group in (0..GROUP).step_by(4) {
        let mut acc = [[0f32; PANEL]; 4];
        if more {
            for (g, acc) in acc.iter_mut().enumerate() {
                acc.copy_from_slice(&tile[(group + g) * PANEL..][..PANEL]);
            }
        }
        for (k, x) in x.chunks_exact(PANEL).take(depth).enumerate() {
            for (g, acc) in acc.iter_mut().enumerate() {
                let w = s[(group + g) * STRIDE + k];
                for (a, x) in acc.iter_mut().zip(x) {
                    *a = w.mul_add(*x, *a);
                }
            }
        }
        for (g, acc) in acc.iter().enumerate() {
            tile[(group + g) * PANEL..][..PANEL].copy_from_slice(acc);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{GROUP, PANEL, STRIDE};

    /// A group and the first eight lanes of one panel.
    ///
    /// # Safety
    /// AVX2 and FMA; a panel of `depth·PANEL` elements; GROUP rows of STRIDE in `s`; a tile of GROUP·PANEL, initialised where
    /// `more`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn half(x: *const f32, s: *const f32, depth: usize, more: bool, tile: *mut f32) {
        // SAFETY: all accesses lie within what the caller promises.
        unsafe {
            let mut acc = [_mm256_setzero_ps(); GROUP];
            if more {
                for (g, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm256_loadu_ps(tile.add(g * PANEL));
                }
            }
            for k in 0..depth {
                let x0 = _mm256_loadu_ps(x.add(k * PANEL));
                for (g, acc) in acc.iter_mut().enumerate() {
                    *acc = _mm256_fmadd_ps(_mm256_set1_ps(*s.add(g * STRIDE + k)), x0, *acc);
                }
            }
            for (g, acc) in acc.iter().enumerate() {
                _mm256_storeu_ps(tile.add(g * PANEL), *acc);
            }
        }
    }

    /// Half a group and one panel.
    ///
    /// # Safety
    /// AVX2 and FMA; a panel of `depth·PANEL` elements; six rows of STRIDE in `s`; a tile of 6·PANEL, initialised where
    /// `more`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn whole(x: *const f32, s: *const f32, depth: usize, more: bool, tile: *mut f32) {
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
        for groups in [1, 2, 4] {
            one_chain(groups);
        }
    }

    fn one_chain(groups: usize) {
        for (depth, count, last) in [
            (1, 1, 16),
            (7, 2, 3),
            (64, 3, 9),
            (333, 1, 8),
            (333, 1, 1),
            (65, 5, 4),
            (DEPTH, 3, 16),
            (DEPTH, 1, 1),
            (5, 1, 2),
            (48, 1, 3),
            (71, 1, 4),
        ] {
            let stride = depth * PANEL + 5;
            let (x, s) = (numbers(count * stride, 1), numbers(groups * GROUP * STRIDE, 2));
            let tile_stride = groups * GROUP * PANEL + 3;
            let start = numbers(count * tile_stride, 3);
            for (level, more) in available().into_iter().flat_map(|l| [(l, false), (l, true)]) {
                let mut data = start.clone();
                let x_ = Columns { data: &x, stride, count, depth, last };
                multiply(level, x_, &s, groups, more, &mut Tiles { data: &mut data, stride: tile_stride });
                for (i, (found, before)) in data.iter().zip(&start).enumerate() {
                    let (panel, at) = (i / tile_stride, i % tile_stride);
                    let (g, lane) = (at / PANEL, at % PANEL);
                    if panel + 1 == count && g < groups * GROUP && lane >= last {
                        continue;
                    }
                    let wanted = match g < groups * GROUP {
                        false => *before,
                        true => (0..depth).fold(if more { *before } else { 0.0 }, |a, k| {
                            s[g * STRIDE + k].mul_add(x[panel * stride + k * PANEL + lane], a)
                        }),
                    };
                    assert_eq!(found.to_bits(), wanted.to_bits(), "{level:?} {depth} {panel} {g} {lane}");
                }
            }
        }
    }
}
