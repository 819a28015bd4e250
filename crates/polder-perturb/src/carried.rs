//! bf16 weights that carry 8 more bits beside them: 3 bytes a weight, the precision of a 24-bit float.
//!
//! A weight is the upper 24 bits of an f32. Its bf16 is the nearest one (ties away from 0), so that whoever reads the
//! bf16 alone reads the weight rounded; the carried byte is the difference, a signed count of steps of 2⁸ in the bits of
//! the f32. The random walk of stochastic rounding is at least 16 times shorter than in bf16: its step is 256 times smaller,
//! and a move below the step adds a variance of about move · step.

use half::bf16;

use crate::cpu::level::{at_each_level, level};

/// The largest finite magnitude, as the upper 24 bits of an f32: its bf16 is the largest one.
const LARGEST: u32 = 0x7f_7f7f;
/// Infinity, likewise.
const INFINITY: u32 = 0x7f_8000;

/// The weight that a bf16's bits and its carried byte stand for; exact.
#[inline(always)]
pub fn join(high: u16, carried: u8) -> f32 {
    let steps = i32::from(carried.cast_signed()) << 8;
    f32::from_bits((u32::from(high) << 16).wrapping_add_signed(steps))
}

/// The bf16 and the carried byte of a magnitude of 24 bits, as a sign bit at the place of bf16's says.
#[inline(always)]
fn split(sign: u16, magnitude: u32) -> (u16, u8) {
    let high = (magnitude + 0x80) >> 8;
    (sign | high as u16, magnitude.wrapping_sub(high << 8) as u8)
}

/// Infinities and NaN as bf16 keeps them, with nothing carried.
#[inline(always)]
fn special(sign: u16, magnitude: u32) -> (u16, u8) {
    let quiet = if magnitude > 0x7f80_0000 { 0x0040 } else { 0 };
    (sign | (magnitude >> 16) as u16 | quiet, 0)
}

/// The nearest weight of 24 bits, ties to even; beyond the largest to infinity, as IEEE 754 has it. NaN stays NaN.
#[inline(always)]
pub fn nearest(x: f32) -> (u16, u8) {
    let (sign, magnitude) = parts(x);
    let rounded = (magnitude + 0x7f + (magnitude >> 8 & 1)) >> 8;
    let finite = split(sign, if rounded > LARGEST { INFINITY } else { rounded });
    if magnitude >= 0x7f80_0000 { special(sign, magnitude) } else { finite }
}

/// The weight of 24 bits that is `x` on average over 8 uniform random bits, the upper ones of `random`.
///
/// As [`crate::rounding::stochastic_bf16`]: what 24 bits can hold stays as it is, and what is finite stays finite.
#[inline(always)]
pub fn stochastic(x: f32, random: u16) -> (u16, u8) {
    let (sign, magnitude) = parts(x);
    let rounded = ((magnitude + u32::from(random >> 8)) >> 8).min(LARGEST);
    if magnitude >= 0x7f80_0000 { special(sign, magnitude) } else { split(sign, rounded) }
}

/// The sign, where bf16 has it, and the other bits.
#[inline(always)]
fn parts(x: f32) -> (u16, u32) {
    ((x.to_bits() >> 16) as u16 & 0x8000, x.to_bits() & 0x7fff_ffff)
}

/// Writes the weights of two slices of one length; exact.
pub(crate) fn widen(high: &[bf16], carried: &[u8], out: &mut [f32]) {
    widen_at(level(), high, carried, out);
}

/// Stores `x` with `random` bits, to the nearest where there are none.
pub(crate) fn store(x: &[f32], random: Option<&[u16]>, high: &mut [bf16], carried: &mut [u8]) {
    match random {
        Some(random) => stochastic_at(level(), x, random, high, carried),
        None => nearest_at(level(), x, high, carried),
    }
}

at_each_level! {
    fn widen_at(high: &[bf16], carried: &[u8], out: &mut [f32]) {
        for ((out, high), carried) in out.iter_mut().zip(high).zip(carried) {
            *out = join(high.to_bits(), *carried);
        }
    }
}

at_each_level! {
    fn nearest_at(x: &[f32], high: &mut [bf16], carried: &mut [u8]) {
        for ((x, high), carried) in x.iter().zip(high).zip(carried) {
            let (bits, rest) = nearest(*x);
            (*high, *carried) = (bf16::from_bits(bits), rest);
        }
    }
}

at_each_level! {
    fn stochastic_at(x: &[f32], random: &[u16], high: &mut [bf16], carried: &mut [u8]) {
        for (((x, random), high), carried) in x.iter().zip(random).zip(high).zip(carried) {
            let (bits, rest) = stochastic(*x, *random);
            (*high, *carried) = (bf16::from_bits(bits), rest);
        }
    }
}
