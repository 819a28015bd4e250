//! Lanes of AVX2 with FMA.
#![allow(unsafe_code)]
// SAFETY of every block here: a value of `Avx2` exists only where `Avx2::detect` found the instructions; loads and
// stores pass on their caller's promise.
#![allow(clippy::undocumented_unsafe_blocks)]

use std::arch::x86_64::*;

use super::lanes::Lanes;

/// Eight lanes of AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The lanes, where the machine has them.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Lanes for Avx2 {
    const N: usize = 8;
    type Words = __m256i;
    type Floats = __m256;
    type Wide = __m256i;

    #[inline(always)]
    fn wide(self, x: u32) -> __m256i {
        unsafe { _mm256_set1_epi64x(i64::from(x)) }
    }
    #[inline(always)]
    fn counters(self, first: u32) -> [__m256i; 2] {
        unsafe {
            let even = _mm256_add_epi64(_mm256_setr_epi64x(0, 2, 4, 6), self.wide(first));
            [even, _mm256_or_si256(even, _mm256_set1_epi64x(1))]
        }
    }
    #[inline(always)]
    fn product(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_mul_epu32(a, b) }
    }
    #[inline(always)]
    fn high(self, a: __m256i) -> __m256i {
        unsafe { _mm256_srli_epi64::<32>(a) }
    }
    #[inline(always)]
    fn xor3(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        unsafe { _mm256_xor_si256(_mm256_xor_si256(b, c), a) }
    }
    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_xor_si256(a, b) }
    }
    #[inline(always)]
    fn interleave(self, even: __m256i, odd: __m256i) -> __m256i {
        unsafe { _mm256_blend_epi32::<0xaa>(even, _mm256_slli_epi64::<32>(odd)) }
    }
    #[inline(always)]
    fn word(self, x: u32) -> __m256i {
        unsafe { _mm256_set1_epi32(x.cast_signed()) }
    }
    #[inline(always)]
    fn float(self, x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    fn minus(self, a: __m256i, b: __m256i) -> __m256i {
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    fn signed_float(self, a: __m256i) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(a) }
    }
    #[inline(always)]
    fn words(self, a: __m256) -> __m256i {
        unsafe { _mm256_castps_si256(a) }
    }
    #[inline(always)]
    fn floats(self, a: __m256i) -> __m256 {
        unsafe { _mm256_castsi256_ps(a) }
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn sqrt(self, a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    fn any_at_least(self, a: [__m256; 4], limit: f32) -> bool {
        unsafe {
            let most = _mm256_max_ps(_mm256_max_ps(a[0], a[1]), _mm256_max_ps(a[2], a[3]));
            _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(most, self.float(limit))) != 0
        }
    }
    #[inline(always)]
    fn choose_at_least(self, a: __m256, limit: f32, yes: __m256, no: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GE_OQ>(a, self.float(limit))) }
    }
    #[inline(always)]
    fn xor_sign(self, a: __m256, w: __m256i) -> __m256 {
        unsafe {
            let sign = _mm256_and_si256(w, self.word(0x8000_0000));
            _mm256_xor_ps(a, _mm256_castsi256_ps(sign))
        }
    }
    #[inline(always)]
    fn flip(self, a: __m256, bits: u32) -> __m256 {
        unsafe {
            let up = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24);
            self.xor_sign(a, _mm256_sllv_epi32(self.word(bits), up))
        }
    }
    #[inline(always)]
    unsafe fn load(self, at: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32, a: __m256) {
        unsafe { _mm256_storeu_ps(at, a) }
    }
    #[inline(always)]
    unsafe fn store_words(self, at: *mut u32, a: __m256i) {
        unsafe { _mm256_storeu_si256(at.cast(), a) }
    }
}
