//! Blocks of 16-bit weights to f32 and back.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::cpu::level::{at_each_level, level};
use crate::cpu::view::widen_bf16;
use crate::rounding;

/// A 16-bit storage type. Slices of one call have the same length.
pub(super) trait Narrow: Send + Sized {
    /// Exact.
    fn widen(x: &[Self], out: &mut [f32]);
    /// To the nearest, ties to even.
    fn nearest(x: &[f32], out: &mut [Self]);
    /// Exact on average over the random bits.
    fn stochastic(x: &[f32], random: &[u16], out: &mut [Self]);
}

impl Narrow for bf16 {
    fn widen(x: &[Self], out: &mut [f32]) {
        widen_bf16(level(), x, out);
    }
    fn nearest(x: &[f32], out: &mut [Self]) {
        nearest_bf16(level(), x, out);
    }
    fn stochastic(x: &[f32], random: &[u16], out: &mut [Self]) {
        stochastic_bf16(level(), x, random, out);
    }
}

impl Narrow for f16 {
    fn widen(x: &[Self], out: &mut [f32]) {
        x.convert_to_f32_slice(out);
    }
    fn nearest(x: &[f32], out: &mut [Self]) {
        out.convert_from_f32_slice(x);
    }
    fn stochastic(x: &[f32], random: &[u16], out: &mut [Self]) {
        stochastic_f16(level(), x, random, out);
    }
}

at_each_level! {
    fn nearest_bf16(x: &[f32], out: &mut [bf16]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = bf16::from_bits(rounding::nearest_bf16(*x));
        }
    }
}

at_each_level! {
    fn stochastic_bf16(x: &[f32], random: &[u16], out: &mut [bf16]) {
        for ((out, x), random) in out.iter_mut().zip(x).zip(random) {
            *out = bf16::from_bits(rounding::stochastic_bf16(*x, *random));
        }
    }
}

at_each_level! {
    fn stochastic_f16(x: &[f32], random: &[u16], out: &mut [f16]) {
        for ((out, x), random) in out.iter_mut().zip(x).zip(random) {
            *out = f16::from_bits(rounding::stochastic_f16(*x, *random));
        }
    }
}
