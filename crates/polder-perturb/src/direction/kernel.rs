//! The loops over tiles, once for every kind of lanes, and the choice among them at run time.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::Avx512;
use super::lanes::Lanes;
use super::philox::Domain;
use super::portable::Portable;
use super::rounds::{Rounds, blocks, sixteen};
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

/// A stretch of a direction and where it goes: each of `outs` gets it with its own coefficient.
pub(super) struct Job<'a, const K: usize> {
    pub(super) seed: Seed,
    pub(super) key: ParamKey,
    pub(super) start: u64,
    pub(super) coeffs: [f32; K],
    pub(super) outs: [&'a mut [f32]; K],
}

/// Does a job: overwrites with the direction where `FILL`, otherwise adds coefficient times direction.
///
/// All outputs have the same length.
pub(super) fn run<const K: usize, const FILL: bool>(level: Level, law: Law, job: Job<'_, K>) {
    match law {
        Law::Gaussian => dispatch(level, Gaussian::<K, FILL>(job)),
        Law::Rademacher => dispatch(level, Rademacher::<K, FILL>(job)),
    }
}

/// What happens to one aligned unit of `U` elements; a method and no closure, so that it can always be inlined.
trait Unit<L: Lanes, const K: usize, const U: usize> {
    /// # Safety
    /// Each pointer is good for reading and writing `U` numbers.
    unsafe fn whole(&mut self, s: L, unit: u64, at: [*mut f32; K]);
}

/// Hands on every aligned unit of `U` elements, a part of a unit by way of a buffer.
#[inline(always)]
fn units<L: Lanes, const K: usize, const U: usize>(
    s: L,
    start: u64,
    outs: [&mut [f32]; K],
    mut work: impl Unit<L, K, U>,
) {
    let len = outs[0].len();
    assert!(outs.iter().all(|o| o.len() == len));
    let mut part = [[0f32; U]; K];
    let mut done = 0;
    while done < len {
        let at = start.wrapping_add(done as u64);
        let (unit, within) = (at / U as u64, (at % U as u64) as usize);
        let take = (U - within).min(len - done);
        let mut places = [std::ptr::null_mut(); K];
        for k in 0..K {
            places[k] = if take == U {
                outs[k][done..done + U].as_mut_ptr()
            } else {
                part[k][within..within + take].copy_from_slice(&outs[k][done..done + take]);
                part[k].as_mut_ptr()
            };
        }
        // SAFETY: each place has U elements.
        unsafe { work.whole(s, unit, places) };
        if take < U {
            for k in 0..K {
                outs[k][done..done + take].copy_from_slice(&part[k][within..within + take]);
            }
        }
        done += take;
    }
}

struct Gaussian<'a, const K: usize, const FILL: bool>(Job<'a, K>);

impl<const K: usize, const FILL: bool> Work for Gaussian<'_, K, FILL> {
    #[inline(always)]
    fn on<L: Lanes>(self, s: L) {
        let Job { seed, key, start, coeffs, outs } = self.0;
        let ready = (start / gaussian::TILE as u64).wrapping_mul(16);
        let words = blocks(s, Domain::Gaussian, seed, key, ready);
        units::<L, K, { gaussian::TILE }>(
            s,
            start,
            outs,
            GaussianTile::<L, K, FILL> { seed, key, coeffs, ready, words },
        );
    }
}

/// The words of the blocks from `ready` on have been made while their predecessors became numbers.
struct GaussianTile<L: Lanes, const K: usize, const FILL: bool> {
    seed: Seed,
    key: ParamKey,
    coeffs: [f32; K],
    ready: u64,
    words: [L::Words; 4],
}

impl<L: Lanes, const K: usize, const FILL: bool> Unit<L, K, { gaussian::TILE }> for GaussianTile<L, K, FILL> {
    #[inline(always)]
    unsafe fn whole(&mut self, s: L, tile: u64, at: [*mut f32; K]) {
        let mut first = 0;
        while first < 16 {
            let after = tile.wrapping_mul(16).wrapping_add((first + L::N) as u64);
            let mut next = Rounds::start(s, Domain::Gaussian, self.seed, self.key, after);
            let z = gaussian::from_words(s, self.words, &mut next);
            (self.ready, self.words) = (after, next.words(s));
            for (w, &z) in z.iter().enumerate() {
                for k in 0..K {
                    // SAFETY: 64 elements, first + N ≤ 16 and w < 4.
                    unsafe {
                        let at = at[k].add(w * 16 + first);
                        s.store(at, if FILL { z } else { s.fma(s.float(self.coeffs[k]), z, s.load(at)) });
                    }
                }
            }
            first += L::N;
        }
    }
}

struct Rademacher<'a, const K: usize, const FILL: bool>(Job<'a, K>);

impl<const K: usize, const FILL: bool> Work for Rademacher<'_, K, FILL> {
    #[inline(always)]
    fn on<L: Lanes>(self, s: L) {
        let Job { seed, key, start, coeffs, outs } = self.0;
        let unit = RademacherBlock::<K, FILL> { seed, key, coeffs, group: None, words: [[0; 16]; 4] };
        units::<L, K, { rademacher::BLOCK }>(s, start, outs, unit);
    }
}

/// Sixteen blocks' words are made together and kept for the blocks that follow.
struct RademacherBlock<const K: usize, const FILL: bool> {
    seed: Seed,
    key: ParamKey,
    coeffs: [f32; K],
    group: Option<u64>,
    words: [[u32; 16]; 4],
}

impl<L: Lanes, const K: usize, const FILL: bool> Unit<L, K, { rademacher::BLOCK }> for RademacherBlock<K, FILL> {
    #[inline(always)]
    unsafe fn whole(&mut self, s: L, block: u64, at: [*mut f32; K]) {
        if self.group != Some(block / 16) {
            self.group = Some(block / 16);
            self.words = sixteen(s, Domain::Rademacher, self.seed, self.key, block / 16);
        }
        for w in 0..4 {
            let word = self.words[w][(block % 16) as usize];
            let mut lane = 0;
            while lane < 32 {
                for k in 0..K {
                    // SAFETY: 128 elements, lane + N ≤ 32 and w < 4.
                    unsafe {
                        let at = at[k].add(w * 32 + lane);
                        // ±coefficient is exact, so this sum is the fused one.
                        let signed = s.flip(s.float(self.coeffs[k]), word >> lane);
                        s.store(at, if FILL { signed } else { s.fma(s.float(1.0), signed, s.load(at)) });
                    }
                }
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
            // On little-endian machines the words lie as they should and this is a copy.
            let mut tile = [[0u16; 2]; bits::TILE / 2];
            for (pair, word) in tile.iter_mut().zip(words.as_flattened()) {
                *pair = [*word as u16, (*word >> 16) as u16];
            }
            let within = (at % bits::TILE as u64) as usize;
            let take = (bits::TILE - within).min(out.len());
            let (now, rest) = out.split_at_mut(take);
            now.copy_from_slice(&tile.as_flattened()[within..within + take]);
            out = rest;
            at = at.wrapping_add(take as u64);
        }
    }
}

/// `out[i]` = the 16 random bits for rounding element `start + i` of a parameter.
pub(crate) fn fill_bits(seed: Seed, key: ParamKey, start: u64, out: &mut [u16]) {
    fill_bits_at(Level::detect(), seed, key, start, out);
}

pub(super) fn fill_bits_at(level: Level, seed: Seed, key: ParamKey, start: u64, out: &mut [u16]) {
    dispatch(level, Bits(seed, key, start, out));
}
