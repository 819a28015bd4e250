//! Philox on many blocks at once.
#![allow(unsafe_code)]

use super::lanes::{Lanes, four};
use super::philox::{Domain, M0, M1, W0, W1, counter};
use super::{ParamKey, Seed};

/// The words of 16 blocks, `[word][block]`.
#[inline(always)]
pub(super) fn sixteen<L: Lanes>(s: L, domain: Domain, seed: Seed, key: ParamKey, group: u64) -> [[u32; 16]; 4] {
    let mut out = [[0; 16]; 4];
    let mut first = 0;
    while first < 16 {
        let words = blocks(s, domain, seed, key, group.wrapping_mul(16) + first as u64);
        for w in 0..4 {
            // SAFETY: first + N ≤ 16.
            unsafe { s.store_words(out[w][first..first + L::N].as_mut_ptr(), words[w]) };
        }
        first += L::N;
    }
    out
}

/// The words of `N` blocks from `first` on, a multiple of `N`: word w of block `first + i` in lane i of vector w.
#[inline(always)]
pub(super) fn blocks<L: Lanes>(s: L, domain: Domain, seed: Seed, key: ParamKey, first: u64) -> [L::Words; 4] {
    let mut rounds = Rounds::start(s, domain, seed, key, first);
    for _ in 2..10 {
        rounds.round(s);
    }
    rounds.words(s)
}

/// `N` blocks of Philox on their way.
///
/// A lane of 64 bits holds one block's word in its low half, so a product needs no shuffling; even and odd blocks
/// go side by side.
pub(super) struct Rounds<L: Lanes> {
    even: [L::Wide; 4],
    odd: [L::Wide; 4],
    key: [u32; 2],
}

impl<L: Lanes> Rounds<L> {
    /// The first two rounds, in which most words do not depend on the block and stay scalars.
    #[inline(always)]
    pub(super) fn start(s: L, domain: Domain, seed: Seed, key: ParamKey, first: u64) -> Self {
        let [c0, c1, c2, c3] = counter(domain, first, key);
        let [k0, k1] = seed.philox_key();
        let p1 = u64::from(M1) * u64::from(c2);
        let p0 = u64::from(M0) * u64::from((p1 >> 32) as u32 ^ c1 ^ k0);
        let (mul0, mul1) = (s.wide(M0), s.wide(M1));
        let c3_k1 = s.wide(c3 ^ k1);
        let key = [k0.wrapping_add(W0), k1.wrapping_add(W1)];
        let (c1_k0, low0) = (s.wide(p1 as u32 ^ key[0]), s.wide(p0 as u32));
        let p0_k1 = s.wide((p0 >> 32) as u32 ^ key[1]);
        let [even, odd] = s.counters(c0);
        let (e3, o3) = (s.product(even, mul0), s.product(odd, mul0));
        let e1 = s.product(s.xor(s.high(e3), c3_k1), mul1);
        let o1 = s.product(s.xor(s.high(o3), c3_k1), mul1);
        Self {
            even: [s.xor(s.high(e1), c1_k0), e1, s.xor(e3, p0_k1), low0],
            odd: [s.xor(s.high(o1), c1_k0), o1, s.xor(o3, p0_k1), low0],
            key,
        }
    }

    /// One more round, made where it stands among the making of others' sums.
    #[inline(always)]
    pub(super) fn round_beside(&mut self, s: L, sums: &mut [L::Floats; 4]) {
        self.round(s);
        s.pin(&mut self.even, &mut self.odd, sums);
    }

    /// One more round; eight are to follow the start.
    #[inline(always)]
    pub(super) fn round(&mut self, s: L) {
        self.key = [self.key[0].wrapping_add(W0), self.key[1].wrapping_add(W1)];
        let key = [s.wide(self.key[0]), s.wide(self.key[1])];
        self.even = round(s, self.even, key);
        self.odd = round(s, self.odd, key);
    }

    /// The words after the last round.
    #[inline(always)]
    pub(super) fn words(&self, s: L) -> [L::Words; 4] {
        four!(w => s.interleave(self.even[w], self.odd[w]))
    }
}

#[inline(always)]
fn round<L: Lanes>(s: L, c: [L::Wide; 4], key: [L::Wide; 2]) -> [L::Wide; 4] {
    let (p0, p1) = (s.product(c[0], s.wide(M0)), s.product(c[2], s.wide(M1)));
    [s.xor3(s.high(p1), c[1], key[0]), p1, s.xor3(s.high(p0), c[3], key[1]), p0]
}
