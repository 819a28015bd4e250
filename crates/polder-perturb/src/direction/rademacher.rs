//! Rademacher directions: one random bit an element, 1 for −1.

use super::philox::{Domain, counter, philox4x32};
use super::{ParamKey, Seed};

/// Elements of a block.
pub(super) const BLOCK: usize = 128;

/// One element of a Rademacher direction.
pub(super) fn element(seed: Seed, key: ParamKey, index: u64) -> f32 {
    let words = philox4x32(counter(Domain::Rademacher, index / 128, key), seed.philox_key());
    let bit = words[(index % 128 / 32) as usize] >> (index % 32) & 1;
    if bit == 1 { -1.0 } else { 1.0 }
}
