//! The inner product kernel in bf16: pairs of columns, multiplied and added to f32.
//!
//! A stored column is two columns k and k + 1 of bf16 in one word, the lower one in the lower half. As AVX512-BF16 has it,
//! `tile[g][lane]` first gets the product of the upper halves, then that of the lower halves; each product is exact in
//! f32 and each sum is rounded once. So these are the bits of [`kernel`](super::kernel) over rounded numbers in the order
//! 1, 0, 3, 2, 5, 4, …, wherever no intermediate is subnormal (the instruction takes such for 0).

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use crate::cpu::avx512;
use crate::cpu::kernel::{Columns, GROUP, PANEL, STRIDE, Tiles, at_once};

/// Whether this machine has AVX512-BF16.
pub(super) fn native() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Two numbers of bf16 (f32 with an empty lower half) as one word, which travels as an f32.
#[inline(always)]
pub(super) fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits(low.to_bits() >> 16 | high.to_bits() & 0xffff_0000)
}

/// [`kernel::multiply`](super::kernel::multiply) where columns and weights are pairs.
pub(super) fn multiply(x: Columns<'_>, s: &[f32], groups: usize, more: bool, tiles: &mut Tiles<'_>) {
    let native = native();
    let mut panel = 0;
    while panel < x.count {
        let at_once = at_once(native, x.count - panel);
        for group in 0..groups {
            let columns = &x.data[panel * x.stride..][..(at_once - 1) * x.stride + x.depth * PANEL];
            let s = &s[group * GROUP * STRIDE..][..(GROUP - 1) * STRIDE + x.depth];
            let tile = &mut tiles.data[panel * tiles.stride + group * GROUP * PANEL..];
            let tile = &mut tile[..(at_once - 1) * tiles.stride + GROUP * PANEL];
            #[cfg(target_arch = "x86_64")]
            if native {
                let block = avx512::Block {
                    x: columns.as_ptr(),
                    x_stride: x.stride,
                    s: s.as_ptr(),
                    depth: x.depth,
                    more,
                    tile: tile.as_mut_ptr(),
                    t_stride: tiles.stride,
                };
                // SAFETY: the machine has AVX512-BF16, and the slices are as long as they were just cut.
                unsafe { avx512::pairs(block, at_once) };
                continue;
            }
            portable(columns, s, more, tile);
        }
        panel += at_once;
    }
}

/// What the instruction does, for machines without it.
fn portable(x: &[f32], s: &[f32], more: bool, tile: &mut [f32]) {
    let halves = |word: f32| [f32::from_bits(word.to_bits() << 16), f32::from_bits(word.to_bits() & 0xffff_0000)];
    for (g, tile) in tile.chunks_exact_mut(PANEL).enumerate() {
        for (lane, y) in tile.iter_mut().enumerate() {
            let mut sum = if more { *y } else { 0.0 };
            for (k, x) in x.chunks_exact(PANEL).enumerate() {
                let ([x_low, x_high], [low, high]) = (halves(x[lane]), halves(s[g * STRIDE + k]));
                sum = low.mul_add(x_low, high.mul_add(x_high, sum));
            }
            *y = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::kernel;
    use crate::cpu::level::level;
    use crate::rounding::nearest_bf16;

    #[test]
    fn pairs_give_the_bits_of_the_f32_kernel_in_their_order() {
        for count in [1, 2, 3, 5] {
            pairs_give_those_bits(96, count);
        }
    }

    fn pairs_give_those_bits(depth: usize, count: usize) {
        let numbers = |n: usize, phase: f32| -> Vec<f32> {
            let bf16 = |i: usize| nearest_bf16((i as f32 * 0.37 + phase).sin());
            (0..n).map(|i| f32::from_bits(u32::from(bf16(i)) << 16)).collect()
        };
        let (x, s) = (numbers(count * depth * PANEL, 0.0), numbers(GROUP * STRIDE, 1.0));
        let start = numbers(count * GROUP * PANEL, 2.0);
        // Columns 1, 0, 3, 2, …
        let swapped_x: Vec<f32> = (0..x.len()).map(|i| x[((i / PANEL) ^ 1) * PANEL + i % PANEL]).collect();
        let swapped_s: Vec<f32> = (0..s.len()).map(|i| s[i / STRIDE * STRIDE + ((i % STRIDE) ^ 1)]).collect();
        let paired_x: Vec<f32> = (0..x.len() / 2)
            .map(|i| pair(x[2 * (i / PANEL) * PANEL + i % PANEL], x[(2 * (i / PANEL) + 1) * PANEL + i % PANEL]))
            .collect();
        let mut paired_s = vec![0f32; s.len()];
        for g in 0..GROUP {
            for k in 0..depth / 2 {
                paired_s[g * STRIDE + k] = pair(s[g * STRIDE + 2 * k], s[g * STRIDE + 2 * k + 1]);
            }
        }
        for more in [false, true] {
            let (mut one, mut two) = (start.clone(), start.clone());
            let stride = GROUP * PANEL;
            let columns = Columns { data: &swapped_x, stride: depth * PANEL, count, depth, last: PANEL };
            kernel::multiply(level(), columns, &swapped_s, 1, more, &mut Tiles { data: &mut one, stride });
            let columns = Columns { data: &paired_x, stride: depth / 2 * PANEL, count, depth: depth / 2, last: PANEL };
            multiply(columns, &paired_s, 1, more, &mut Tiles { data: &mut two, stride });
            assert_eq!(
                one.iter().map(|y| y.to_bits()).collect::<Vec<_>>(),
                two.iter().map(|y| y.to_bits()).collect::<Vec<_>>()
            );
        }
    }
}
