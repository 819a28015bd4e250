//! Lanes in plain Rust, for machines without a path of their own; compilers turn it into NEON and its like.
#![allow(unsafe_code)]

use super::lanes::Lanes;

/// Sixteen lanes of arrays.
#[derive(Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn zip<A: Copy, B: Copy, const N: usize>(a: [A; N], b: [A; N], f: impl Fn(A, A) -> B) -> [B; N] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Lanes for Portable {
    const N: usize = 16;
    type Words = [u32; 16];
    type Floats = [f32; 16];
    type Wide = [u64; 8];

    #[inline(always)]
    fn wide(self, x: u32) -> [u64; 8] {
        [u64::from(x); 8]
    }
    #[inline(always)]
    fn counters(self, first: u32) -> [[u64; 8]; 2] {
        [0, 1].map(|odd| std::array::from_fn(|i| u64::from(first) + 2 * i as u64 + odd))
    }
    #[inline(always)]
    fn product(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, |a, b| u64::from(a as u32) * u64::from(b as u32))
    }
    #[inline(always)]
    fn high(self, a: [u64; 8]) -> [u64; 8] {
        a.map(|a| a >> 32)
    }
    #[inline(always)]
    fn xor3(self, a: [u64; 8], b: [u64; 8], c: [u64; 8]) -> [u64; 8] {
        self.xor(self.xor(a, b), c)
    }
    #[inline(always)]
    fn xor(self, a: [u64; 8], b: [u64; 8]) -> [u64; 8] {
        zip(a, b, |a, b| a ^ b)
    }
    #[inline(always)]
    fn interleave(self, even: [u64; 8], odd: [u64; 8]) -> [u32; 16] {
        std::array::from_fn(|i| if i % 2 == 0 { even[i / 2] as u32 } else { odd[i / 2] as u32 })
    }
    #[inline(always)]
    fn word(self, x: u32) -> [u32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn float(self, x: f32) -> [f32; 16] {
        [x; 16]
    }
    #[inline(always)]
    fn and(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        zip(a, b, |a, b| a & b)
    }
    #[inline(always)]
    fn minus(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        zip(a, b, u32::wrapping_sub)
    }
    #[inline(always)]
    fn signed_float(self, a: [u32; 16]) -> [f32; 16] {
        a.map(|a| a as i32 as f32)
    }
    #[inline(always)]
    fn words(self, a: [f32; 16]) -> [u32; 16] {
        a.map(f32::to_bits)
    }
    #[inline(always)]
    fn floats(self, a: [u32; 16]) -> [f32; 16] {
        a.map(f32::from_bits)
    }
    #[inline(always)]
    fn fma(self, a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    fn sub(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: [f32; 16], b: [f32; 16]) -> [f32; 16] {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn sqrt(self, a: [f32; 16]) -> [f32; 16] {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    fn any_at_least(self, a: [[f32; 16]; 4], limit: f32) -> bool {
        a.iter().flatten().fold(false, |any, &a| any | (a >= limit))
    }
    #[inline(always)]
    fn choose_at_least(self, a: [f32; 16], limit: f32, yes: [f32; 16], no: [f32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| if a[i] >= limit { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn xor_sign(self, a: [f32; 16], w: [u32; 16]) -> [f32; 16] {
        std::array::from_fn(|i| f32::from_bits(a[i].to_bits() ^ (w[i] & 0x8000_0000)))
    }
    #[inline(always)]
    fn flip(self, a: [f32; 16], bits: u32) -> [f32; 16] {
        std::array::from_fn(|i| f32::from_bits(a[i].to_bits() ^ (bits >> i) << 31))
    }
    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> [f32; 16] {
        // SAFETY: the caller's promise; an array of f32 needs no more alignment than an f32.
        unsafe { at.cast::<[f32; 16]>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32, a: [f32; 16]) {
        // SAFETY: the caller's promise, and alignment as above.
        unsafe { at.cast::<[f32; 16]>().write(a) }
    }
    #[inline(always)]
    unsafe fn store_words(self, at: *mut u32, a: [u32; 16]) {
        // SAFETY: the caller's promise, and alignment as above.
        unsafe { at.cast::<[u32; 16]>().write(a) }
    }
}
