//! Storing f32 in 16 bits.

use std::fmt;
use std::str::FromStr;

use crate::direction::UnknownName;

/// How an updated weight is stored in fewer bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Rounding {
    /// To the nearest, ties to even; beyond the largest number to infinity, as IEEE 754 has it.
    Nearest,
    /// To one of the two neighbours, with probabilities that make it exact on average; see [`stochastic_bf16`].
    #[default]
    Stochastic,
}

impl Rounding {
    /// Every way of rounding.
    pub const ALL: [Self; 2] = [Self::Nearest, Self::Stochastic];

    /// The name in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Stochastic => "stochastic",
        }
    }
}

impl fmt::Display for Rounding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rounding {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|r| r.name() == name).ok_or_else(|| UnknownName {
            what: "rounding",
            found: name.to_owned(),
            choices: "`nearest`, `stochastic`",
        })
    }
}

/// The bits of a bf16 that is `x` on average over 16 uniform random bits.
///
/// The random bits are added below the last kept bit of the magnitude and what lies there is cut off: `x` between
/// neighbours `a < b` becomes `b` with probability exactly `(x − a)/(b − a)`. What bf16 can hold stays as it is, also
/// −0, infinities and NaN; a finite number never leaves the finite ones (beyond the largest it becomes the largest).
#[inline(always)]
pub fn stochastic_bf16(x: f32, random: u16) -> u16 {
    let (sign, magnitude) = ((x.to_bits() >> 16) as u16 & 0x8000, x.to_bits() & 0x7fff_ffff);
    let rounded = ((magnitude + u32::from(random)) >> 16).min(0x7f7f) as u16;
    let quiet = if magnitude > 0x7f80_0000 { 0x0040 } else { 0 };
    let special = (magnitude >> 16) as u16 | quiet;
    sign | if magnitude >= 0x7f80_0000 { special } else { rounded }
}

/// The bits of an f16 that is `x` on average over 16 uniform random bits.
///
/// As for bf16. Thirteen bits are cut from a number in f16's normal range, so the upper 13 random bits decide and the
/// average is exact. Below 2⁻¹⁴ f16 has a fixed step of 2⁻²⁴; there all 16 bits decide and what `x` has below 2⁻⁴⁰ is
/// cut off first, a bias of less than 2⁻⁴⁰.
#[inline(always)]
pub fn stochastic_f16(x: f32, random: u16) -> u16 {
    let (sign, magnitude) = ((x.to_bits() >> 16) as u16 & 0x8000, x.to_bits() & 0x7fff_ffff);
    // Exponent bias 127 becomes 15; the carry of the addition moves on into the exponent, as it should.
    let normal = (magnitude.wrapping_sub(112 << 23).wrapping_add(u32::from(random >> 3)) >> 13).min(0x7bff) as u16;
    // The magnitude in units of 2⁻⁴⁰, below 2²⁶; exponents up to 112 lie under 2⁻¹⁴, subnormal f32 become 0.
    let exponent = (magnitude >> 23).min(112);
    let fixed = (((magnitude & 0x007f_ffff) | 0x0080_0000) << 2) >> (112 - exponent).min(31);
    let small = ((fixed + u32::from(random)) >> 16) as u16;
    let special = 0x7c00 | if magnitude > 0x7f80_0000 { 0x0200 | (magnitude >> 13 & 0x03ff) as u16 } else { 0 };
    let finite = if magnitude < 113 << 23 { small } else { normal };
    sign | if magnitude >= 0x7f80_0000 { special } else { finite }
}

/// The bits of the bf16 nearest to `x`, ties to even; NaN stays NaN.
#[inline(always)]
pub fn nearest_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if bits & 0x7fff_ffff > 0x7f80_0000 { (bits >> 16) as u16 | 0x0040 } else { rounded }
}
