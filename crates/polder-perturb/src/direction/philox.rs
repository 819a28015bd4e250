//! Philox4x32-10, the counter-based generator (Salmon et al., SC 2011, §3.3 and table 2).

use super::ParamKey;

/// The multiplier of counter word 0.
pub(super) const M0: u32 = 0xd251_1f53;
/// The multiplier of counter word 2.
pub(super) const M1: u32 = 0xcd9e_8d57;
/// What each round adds to key word 0: the golden ratio.
pub(super) const W0: u32 = 0x9e37_79b9;
/// What each round adds to key word 1: √3 − 1.
pub(super) const W1: u32 = 0xbb67_ae85;

/// What a block of random bits is for; no two purposes share a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Gaussian directions.
    Gaussian = 0,
    /// Rademacher directions.
    Rademacher = 1,
    /// Stochastic rounding.
    Rounding = 2,
    /// Seeds derived from a seed.
    Seeds = 3,
}

/// The counter of a block: block mod 2⁵⁶ with the domain above it, then the parameter's key.
pub(super) fn counter(domain: Domain, block: u64, key: ParamKey) -> [u32; 4] {
    let high = (block >> 32) as u32 & 0x00ff_ffff;
    [block as u32, high | (domain as u32) << 24, key.0 as u32, (key.0 >> 32) as u32]
}

/// Four random words of a counter and a key, by ten rounds.
pub(super) fn philox4x32(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let p0 = u64::from(M0) * u64::from(c[0]);
        let p1 = u64::from(M1) * u64::from(c[2]);
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
        k = [k[0].wrapping_add(W0), k[1].wrapping_add(W1)];
    }
    c
}
