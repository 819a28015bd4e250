//! The laws' loops, once for every kind of lanes, and the choice among them at run time.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::lanes::Lanes;
use super::philox::Domain;
use super::portable::Portable;
use super::rounds::{Rounds, blocks, sixteen};
use super::units::{Finish, Then, Unit, units};
use super::{Law, ParamKey, Seed, bits, gaussian, rademacher};

/// A kind of lanes that this machine has.
#[derive(Clone, Copy)]
pub(super) enum Level {
    /// Plain Rust.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Level {
    /// The widest kind there is; the standard library caches what it asks the processor.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(lanes) = Avx512::detect() {
                return Self::Avx512(lanes);
            }
            if let Some(lanes) = Avx2::detect() {
                return Self::Avx2(lanes);
            }
        }
        Self::Portable
    }

    /// Every kind that this machine has.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(Self::Avx2));
            all.extend(Avx512::detect().map(Self::Avx512));
        }
        all
    }
}

/// Work that is compiled once for every kind of lanes.
trait Work {
    fn on<L: Lanes>(self, s: L);
}

/// Runs work with a kind of lanes, its instructions enabled.
#[inline]
fn dispatch(level: Level, work: impl Work) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
        fn avx512(s: Avx512, work: impl Work) {
            work.on(s);
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2(s: Avx2, work: impl Work) {
            work.on(s);
        }
        match level {
            // SAFETY: the lanes exist, so the instructions do.
            Level::Avx512(s) => return unsafe { avx512(s, work) },
            // SAFETY: likewise.
            Level::Avx2(s) => return unsafe { avx2(s, work) },
            Level::Portable => {}
        }
    }
    let _ = level;
    work.on(Portable);
}

/// A stretch of a direction and where it goes.
pub(super) struct Job<'a, const K: usize> {
    pub(super) seed: Seed,
    pub(super) key: ParamKey,
    pub(super) start: u64,
    pub(super) then: Then<'a, K>,
    pub(super) outs: [&'a mut [f32]; K],
}

/// Does a job. All outputs have the same length.
pub(super) fn run<const K: usize>(level: Level, law: Law, job: Job<'_, K>) {
    let len = job.outs[0].len();
    assert!(job.outs.iter().all(|o| o.len() == len));
    if let Then::Shift(base, _) = job.then {
        assert_eq!(base.len(), len);
    }
    match law {
        Law::Gaussian => dispatch(level, Gaussian(job)),
        Law::Rademacher => dispatch(level, Rademacher(job)),
    }
}

struct Gaussian<'a, const K: usize>(Job<'a, K>);

impl<const K: usize> Work for Gaussian<'_, K> {
    #[inline(always)]
    fn on<L: Lanes>(self, s: L) {
        let Job { seed, key, start, then, outs } = self.0;
        let first = (start / gaussian::TILE as u64).wrapping_mul(16);
        let words = blocks(s, Domain::Gaussian, seed, key, first);
        units::<L, K, { gaussian::TILE }>(s, start, then, outs, GaussianTile::<L> { seed, key, words });
    }
}

/// The words of the next blocks: made while their predecessors became numbers.
struct GaussianTile<L: Lanes> {
    seed: Seed,
    key: ParamKey,
    words: [L::Words; 4],
}

impl<L: Lanes, const K: usize> Unit<L, K, { gaussian::TILE }> for GaussianTile<L> {
    #[inline(always)]
    unsafe fn whole<F: Finish<L, K>>(&mut self, s: L, tile: u64, finish: F, base: *const f32, at: [*mut f32; K]) {
        let mut first = 0;
        while first < 16 {
            let after = tile.wrapping_mul(16).wrapping_add((first + L::N) as u64);
            let mut next = Rounds::start(s, Domain::Gaussian, self.seed, self.key, after);
            let z = gaussian::from_words(s, self.words, &mut next);
            self.words = next.words(s);
            for (w, &z) in z.iter().enumerate() {
                let i = w * 16 + first;
                // SAFETY: 64 elements, first + N ≤ 16 and w < 4; a base that is none is not read.
                unsafe { finish.finish(s, z, base.wrapping_add(i), at.map(|at| at.wrapping_add(i))) };
            }
            first += L::N;
        }
    }
}

struct Rademacher<'a, const K: usize>(Job<'a, K>);

impl<const K: usize> Work for Rademacher<'_, K> {
    #[inline(always)]
    fn on<L: Lanes>(self, s: L) {
        let Job { seed, key, start, then, outs } = self.0;
        let unit = RademacherBlock { seed, key, group: None, words: [[0; 16]; 4] };
        units::<L, K, { rademacher::BLOCK }>(s, start, then, outs, unit);
    }
}

/// Sixteen blocks' words are made together and kept for the blocks that follow.
struct RademacherBlock {
    seed: Seed,
    key: ParamKey,
    group: Option<u64>,
    words: [[u32; 16]; 4],
}

impl<L: Lanes, const K: usize> Unit<L, K, { rademacher::BLOCK }> for RademacherBlock {
    #[inline(always)]
    unsafe fn whole<F: Finish<L, K>>(&mut self, s: L, block: u64, finish: F, base: *const f32, at: [*mut f32; K]) {
        if self.group != Some(block / 16) {
            self.group = Some(block / 16);
            self.words = sixteen(s, Domain::Rademacher, self.seed, self.key, block / 16);
        }
        let one = s.float(1.0);
        for w in 0..4 {
            let word = self.words[w][(block % 16) as usize];
            let mut lane = 0;
            while lane < 32 {
                let i = w * 32 + lane;
                let u = s.flip(one, word >> lane);
                // SAFETY: 128 elements, lane + N ≤ 32 and w < 4; a base that is none is not read.
                unsafe { finish.finish(s, u, base.wrapping_add(i), at.map(|at| at.wrapping_add(i))) };
                lane += L::N;
            }
        }
    }
}

struct Bits<'a>(Seed, ParamKey, u64, &'a mut [u16]);

impl Work for Bits<'_> {
    #[inline(always)]
    fn on<L: Lanes>(self, s: L) {
        let Self(seed, key, start, mut out) = self;
        let mut at = start;
        while !out.is_empty() {
            let words = sixteen(s, Domain::Rounding, seed, key, at / bits::TILE as u64);
            let within = (at % bits::TILE as u64) as usize;
            let take = (bits::TILE - within).min(out.len());
            let (now, rest) = out.split_at_mut(take);
            if let Ok(whole) = now.try_into() {
                halves(&words, whole);
            } else {
                let mut tile = [0; bits::TILE];
                halves(&words, &mut tile);
                now.copy_from_slice(&tile[within..within + take]);
            }
            out = rest;
            at = at.wrapping_add(take as u64);
        }
    }
}

/// The lower and the upper half of every word; a mere copy on little-endian machines.
#[inline(always)]
fn halves(words: &[[u32; 16]; 4], out: &mut [u16; bits::TILE]) {
    for (pair, word) in out.as_chunks_mut().0.iter_mut().zip(words.as_flattened()) {
        *pair = [*word as u16, (*word >> 16) as u16];
    }
}

/// `out[i]` = the 16 random bits for rounding element `start + i` of a parameter.
pub(crate) fn fill_bits(seed: Seed, key: ParamKey, start: u64, out: &mut [u16]) {
    fill_bits_at(Level::detect(), seed, key, start, out);
}

pub(super) fn fill_bits_at(level: Level, seed: Seed, key: ParamKey, start: u64, out: &mut [u16]) {
    dispatch(level, Bits(seed, key, start, out));
}
