//! Lanes of AVX-512 (F, DQ, BW and VL).
#![allow(unsafe_code)]
// SAFETY of every block here: a value of `Avx512` exists only where `Avx512::detect` found the instructions; loads and
// stores pass on their caller's promise.
#![allow(clippy::undocumented_unsafe_blocks)]

use std::arch::x86_64::*;

use super::lanes::{Lanes, four};

/// Sixteen lanes of AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The lanes, where the machine has them.
    pub(super) fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        there.then_some(Self(()))
    }
}

impl Lanes for Avx512 {
    const N: usize = 16;
    type Words = __m512i;
    type Floats = __m512;
    type Wide = __m512i;

    #[inline(always)]
    fn wide(self, x: u32) -> __m512i {
        unsafe { _mm512_set1_epi64(i64::from(x)) }
    }
    #[inline(always)]
    fn counters(self, first: u32) -> [__m512i; 2] {
        unsafe {
            let even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
            let even = _mm512_add_epi64(even, self.wide(first));
            [even, _mm512_or_si512(even, _mm512_set1_epi64(1))]
        }
    }
    #[inline(always)]
    fn product(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_mul_epu32(a, b) }
    }
    #[inline(always)]
    fn high(self, a: __m512i) -> __m512i {
        unsafe { _mm512_shuffle_epi32::<0xf5>(a) }
    }
    #[inline(always)]
    fn xor3(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        unsafe { _mm512_ternarylogic_epi64::<0x96>(a, b, c) }
    }
    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_xor_si512(a, b) }
    }
    #[inline(always)]
    fn interleave(self, even: __m512i, odd: __m512i) -> __m512i {
        unsafe { _mm512_mask_shuffle_epi32::<0xa0>(even, 0xaaaa, odd) }
    }
    #[inline(always)]
    fn word(self, x: u32) -> __m512i {
        unsafe { _mm512_set1_epi32(x.cast_signed()) }
    }
    #[inline(always)]
    fn float(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    fn minus(self, a: __m512i, b: __m512i) -> __m512i {
        unsafe { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn signed_float(self, a: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn words(self, a: __m512) -> __m512i {
        unsafe { _mm512_castps_si512(a) }
    }
    #[inline(always)]
    fn floats(self, a: __m512i) -> __m512 {
        unsafe { _mm512_castsi512_ps(a) }
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    fn any_at_least(self, a: [__m512; 4], limit: f32) -> bool {
        unsafe {
            let limit = self.float(limit);
            let m = four!(i => _mm512_cmp_ps_mask::<_CMP_GE_OQ>(a[i], limit));
            (m[0] | m[1] | m[2] | m[3]) != 0
        }
    }
    #[inline(always)]
    fn choose_at_least(self, a: __m512, limit: f32, yes: __m512, no: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, self.float(limit)), no, yes) }
    }
    #[inline(always)]
    fn xor_sign(self, a: __m512, w: __m512i) -> __m512 {
        unsafe {
            let sign = self.word(0x8000_0000);
            _mm512_castsi512_ps(_mm512_ternarylogic_epi32::<0x78>(_mm512_castps_si512(a), w, sign))
        }
    }
    #[inline(always)]
    fn flip(self, a: __m512, bits: u32) -> __m512 {
        unsafe {
            let (bit, a) = (_mm512_set1_epi32(i32::MIN), _mm512_castps_si512(a));
            _mm512_castsi512_ps(_mm512_mask_xor_epi32(a, bits as __mmask16, a, bit))
        }
    }
    #[inline(always)]
    fn pin(self, even: &mut [__m512i; 4], odd: &mut [__m512i; 4], sums: &mut [__m512; 4]) {
        unsafe { pin(even, odd, sums) }
    }
    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32, a: __m512) {
        unsafe { _mm512_storeu_ps(at, a) }
    }
    #[inline(always)]
    unsafe fn store_words(self, at: *mut u32, a: __m512i) {
        unsafe { _mm512_storeu_si512(at.cast(), a) }
    }
}

/// Twelve registers through no instruction at all.
#[target_feature(enable = "avx512f")]
#[inline]
fn pin(even: &mut [__m512i; 4], odd: &mut [__m512i; 4], sums: &mut [__m512; 4]) {
    let ([e0, e1, e2, e3], [o0, o1, o2, o3], [s0, s1, s2, s3]) = (even, odd, sums);
    unsafe {
        std::arch::asm!(
            "/* {} {} {} {} {} {} {} {} {} {} {} {} */",
            inout(zmm_reg) * e0,
            inout(zmm_reg) * e1,
            inout(zmm_reg) * e2,
            inout(zmm_reg) * e3,
            inout(zmm_reg) * o0,
            inout(zmm_reg) * o1,
            inout(zmm_reg) * o2,
            inout(zmm_reg) * o3,
            inout(zmm_reg) * s0,
            inout(zmm_reg) * s1,
            inout(zmm_reg) * s2,
            inout(zmm_reg) * s3,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
}
