//! Random directions that are never stored: `u(law, seed, parameter, element)`.
//!
//! A direction is a pure function. Its numbers are a specification of their own, with golden values, in
//! `DIRECTIONS.md` beside this crate's manifest; [`VERSION`] names it. Every path (AVX-512, AVX2, plain Rust) gives the
//! same bits, so a seed and a coefficient in a log are enough to make a weight update again on another machine.
//!
//! ```
//! use polder_perturb::direction::{Law, ParamKey, Seed, fill};
//!
//! let (seed, key) = (Seed(7), ParamKey::of("model.norm.weight"));
//! let mut all = [0f32; 300];
//! fill(Law::Gaussian, seed, key, 0, &mut all);
//! let mut part = [0f32; 50];
//! fill(Law::Gaussian, seed, key, 123, &mut part);
//! assert_eq!(part, all[123..173]);
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bits;
mod gaussian;
mod kernel;
mod lanes;
mod philox;
mod portable;
mod rademacher;
mod rounds;
#[cfg(test)]
mod tests;
mod units;

use std::fmt;
use std::str::FromStr;

pub(crate) use kernel::fill_bits;
use kernel::{Job, Level};
use philox::{Domain, counter, philox4x32};
use units::Then;

/// The version of the specification that these directions follow.
pub const VERSION: u32 = 1;

/// Names one direction over all parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of direction `index` of step `step` of the run that has this seed.
    ///
    /// Words 0 and 1 of Philox at counter (step mod 2⁵⁶, domain 3, index) under this seed as key.
    #[must_use]
    pub fn derive(self, step: u64, index: u64) -> Self {
        let words = philox4x32(counter(Domain::Seeds, step, ParamKey(index)), self.philox_key());
        Self(u64::from(words[0]) | u64::from(words[1]) << 32)
    }

    /// The generator's key: low word, high word.
    pub(crate) fn philox_key(self) -> [u32; 2] {
        [self.0 as u32, (self.0 >> 32) as u32]
    }
}

/// The distribution of a direction's elements; both have mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Law {
    /// Standard normal.
    #[default]
    Gaussian,
    /// −1 or +1 with equal probability.
    Rademacher,
}

impl Law {
    /// Every law, in the order of their counter domains.
    pub const ALL: [Self; 2] = [Self::Gaussian, Self::Rademacher];

    /// The name in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Rademacher => "rademacher",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is none of a fixed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`\nhint: one of {choices}")]
pub struct UnknownName {
    /// What was to be named.
    pub what: &'static str,
    /// The name that was given.
    pub found: String,
    /// The names there are, each in backticks.
    pub choices: &'static str,
}

impl FromStr for Law {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|law| law.name() == name).ok_or_else(|| UnknownName {
            what: "law of directions",
            found: name.to_owned(),
            choices: "`gaussian`, `rademacher`",
        })
    }
}

/// The key of a parameter's directions: a stable 64-bit hash of its canonical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ParamKey(pub u64);

impl ParamKey {
    /// FNV-1a (64 bits) of the name's UTF-8 bytes, then the finaliser of splitmix64.
    ///
    /// FNV alone changes mostly the low bits when only the last letters of a name differ; the finaliser spreads that
    /// over all of them. It is a bijection, so it adds no collisions.
    pub fn of(name: &str) -> Self {
        let fnv = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let h = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(h ^ (h >> 31))
    }
}

/// One element of a direction: the definition that every faster path repeats bit for bit.
pub fn element(law: Law, seed: Seed, key: ParamKey, index: u64) -> f32 {
    match law {
        Law::Gaussian => gaussian::element(seed, key, index),
        Law::Rademacher => rademacher::element(seed, key, index),
    }
}

/// `out[i] = u(law, seed, key, start + i)`.
pub fn fill(law: Law, seed: Seed, key: ParamKey, start: u64, out: &mut [f32]) {
    fill_at(Level::detect(), law, seed, key, start, out);
}

/// `out[i] = fma(coeff, u(law, seed, key, start + i), 0)`: what [`add_scaled`] makes of zeros.
pub(crate) fn fill_scaled(law: Law, seed: Seed, key: ParamKey, start: u64, coeff: f32, out: &mut [f32]) {
    scale_at(Level::detect(), law, seed, key, start, coeff, out);
}

/// `acc[i] = fma(coeff, u(law, seed, key, start + i), acc[i])`: one rounding an element.
pub fn add_scaled(law: Law, seed: Seed, key: ParamKey, start: u64, coeff: f32, acc: &mut [f32]) {
    add_at(Level::detect(), law, seed, key, start, coeff, acc);
}

/// Makes a direction once and reads a base at several points along it: `outs[k][i] = fma(coeffs[k], u, base[i])`.
///
/// # Panics
/// Base and outputs of different lengths.
pub fn shift<const K: usize>(
    law: Law,
    seed: Seed,
    key: ParamKey,
    start: u64,
    base: &[f32],
    coeffs: [f32; K],
    outs: [&mut [f32]; K],
) {
    shift_at(Level::detect(), law, seed, key, start, base, coeffs, outs);
}

fn fill_at(level: Level, law: Law, seed: Seed, key: ParamKey, start: u64, out: &mut [f32]) {
    kernel::run::<1>(level, law, Job { seed, key, start, then: Then::Fill, outs: [out] });
}

fn scale_at(level: Level, law: Law, seed: Seed, key: ParamKey, start: u64, coeff: f32, out: &mut [f32]) {
    kernel::run::<1>(level, law, Job { seed, key, start, then: Then::Scale([coeff]), outs: [out] });
}

fn add_at(level: Level, law: Law, seed: Seed, key: ParamKey, start: u64, coeff: f32, acc: &mut [f32]) {
    kernel::run::<1>(level, law, Job { seed, key, start, then: Then::Add([coeff]), outs: [acc] });
}

#[expect(clippy::too_many_arguments, reason = "a level, a direction's four names, a base, coefficients and outputs")]
fn shift_at<const K: usize>(
    level: Level,
    law: Law,
    seed: Seed,
    key: ParamKey,
    start: u64,
    base: &[f32],
    coeffs: [f32; K],
    outs: [&mut [f32]; K],
) {
    kernel::run::<K>(level, law, Job { seed, key, start, then: Then::Shift(base, coeffs), outs });
}
