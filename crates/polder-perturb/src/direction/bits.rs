//! Random bits for stochastic rounding: 16 an element.

use super::philox::{Domain, counter, philox4x32};
use super::{ParamKey, Seed};

/// Elements of 16 blocks.
pub(super) const TILE: usize = 128;

/// The 16 random bits of an element: from high to low tile, word, block, half.
#[cfg_attr(not(test), expect(dead_code, reason = "the definition that tests hold the vector paths to"))]
pub(super) fn element(seed: Seed, key: ParamKey, index: u64) -> u16 {
    let words = philox4x32(counter(Domain::Rounding, index / 128 * 16 + index % 32 / 2, key), seed.philox_key());
    let word = words[(index % 128 / 32) as usize];
    (word >> (index % 2 * 16)) as u16
}
