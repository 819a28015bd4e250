//! The Gaussian map: one random word to one standard normal number, by the inverse distribution function.
//!
//! `z = √2·erfinv(x)` with the sign of bit 31. As in Giles (GPU Computing Gems, 2011) it is `x` times a polynomial in
//! `l = −ln(1 − x²)`, and far out in `√l`; splitting, logarithm and coefficients are this crate's own. The fit and the
//! measured error are in `tests/golden/fit_gaussian.py` and `DIRECTIONS.md`.

use super::lanes::{Lanes, four};
use super::philox::{Domain, counter, philox4x32};
use super::rounds::Rounds;
use super::{ParamKey, Seed};

/// Elements of 16 blocks: the unit that a vector path makes at once.
pub(super) const TILE: usize = 64;

/// From here on in `l = −ln(1 − x²)` the tail's polynomial holds.
pub(super) const SPLIT: f32 = 6.25;
/// The bits of 2/3: a mantissa is taken from [2/3, 4/3).
pub(super) const TWO_THIRDS: u32 = 0x3f2a_aaab;
/// The exponent and sign of an f32.
pub(super) const EXPONENT: u32 = 0xff80_0000;
/// −ln 2 · 2⁻²³, for an exponent that still stands at bit 23.
pub(super) const MINUS_LN2: f32 = f32::from_bits(0xb3b1_7218);
/// −ln(1 + f) on [−1/3, 1/3), highest power first.
pub(super) const LN: [f32; 7] =
    bits([0x3e4f_b556, 0xbe6c_c5bc, 0x3e7c_e212, 0xbea9_be7a, 0x3f00_0575, 0xbf80_00d6, 0xb4c9_8baa]);
/// z / x as a polynomial in l, for l < [`SPLIT`], highest power first.
pub(super) const CENTRAL: [f32; 8] =
    bits([0x34f7_247a, 0xb751_0d63, 0x38fc_ee48, 0xb995_41a1, 0xbb51_c624, 0x3c85_7321, 0x3ea7_ff6f, 0x3fa0_6c9d]);
/// The middle of the tail in √l; a polynomial around it does not cancel.
pub(super) const TAIL_CENTRE: f32 = 3.5;
/// z / x as a polynomial in √l − 3.5, for l ≥ [`SPLIT`], highest power first.
pub(super) const TAIL: [f32; 8] =
    bits([0xb98e_9157, 0x3a4b_ec66, 0xba85_8f01, 0x3abd_931f, 0xbb3e_1918, 0x3b98_8be6, 0x3fb6_5a6b, 0x4096_f263]);

const fn bits<const N: usize>(words: [u32; N]) -> [f32; N] {
    let mut out = [0.0; N];
    let mut i = 0;
    while i < N {
        out[i] = f32::from_bits(words[i]);
        i += 1;
    }
    out
}

/// The standard normal number of a random word: the definition.
pub(super) fn from_word(word: u32) -> f32 {
    let m = (word & 0x7fff_ffff) as f32;
    let t = m.mul_add(f32::from_bits(0x3000_0000), f32::from_bits(0x2f80_0000));
    let x = 1.0 - t;
    let v = t * (2.0 - t);
    let e = v.to_bits().wrapping_sub(TWO_THIRDS) & EXPONENT;
    let f = f32::from_bits(v.to_bits().wrapping_sub(e)) - 1.0;
    let l = (e as i32 as f32).mul_add(MINUS_LN2, horner(&LN, f));
    let ratio = if l < SPLIT { horner(&CENTRAL, l) } else { horner(&TAIL, l.sqrt() - TAIL_CENTRE) };
    f32::from_bits((x * ratio).to_bits() ^ (word & 0x8000_0000))
}

fn horner(coefficients: &[f32], at: f32) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |sum, &c| sum.mul_add(at, c))
}

/// One element of a Gaussian direction.
pub(super) fn element(seed: Seed, key: ParamKey, index: u64) -> f32 {
    let block = index / 64 * 16 + index % 16;
    let words = philox4x32(counter(Domain::Gaussian, block, key), seed.philox_key());
    from_word(words[(index % 64 / 16) as usize])
}

/// [`from_word`] on four vectors of words in step, while the generator makes the next ones.
///
/// The chain of one number's operations is long, and so is the generator's; side by side they fill the waits of each
/// other, which a processor does not find out by itself (its window is half a tile), and which a compiler undoes where
/// nothing pins it: 0.69 ns a number in place of 0.79 on a Zen 4 with AVX-512.
#[inline(always)]
pub(super) fn from_words<L: Lanes>(s: L, words: [L::Words; 4], next: &mut Rounds<L>) -> [L::Floats; 4] {
    let (scale, half) = (s.float(f32::from_bits(0x3000_0000)), s.float(f32::from_bits(0x2f80_0000)));
    let (one, two, third) = (s.float(1.0), s.float(2.0), s.word(TWO_THIRDS));
    let m = four!(i => s.signed_float(s.and(words[i], s.word(0x7fff_ffff))));
    let mut t = four!(i => s.fma(m[i], scale, half));
    next.round_beside(s, &mut t);
    let v = four!(i => s.words(s.mul(t[i], s.sub(two, t[i]))));
    let e = four!(i => s.and(s.minus(v[i], third), s.word(EXPONENT)));
    let mut f = four!(i => s.sub(s.floats(s.minus(v[i], e[i])), one));
    next.round_beside(s, &mut f);
    let log = horners(s, &LN, f, next, 3);
    let l = four!(i => s.fma(s.signed_float(e[i]), s.float(MINUS_LN2), log[i]));
    let mut ratio = horners(s, &CENTRAL, l, next, 3);
    if s.any_at_least(l, SPLIT) {
        let far = horners(s, &TAIL, four!(i => s.sub(s.sqrt(l[i]), s.float(TAIL_CENTRE))), next, 0);
        ratio = four!(i => s.choose_at_least(l[i], SPLIT, far[i], ratio[i]));
    }
    four!(i => s.xor_sign(s.mul(s.sub(one, t[i]), ratio[i]), words[i]))
}

#[inline(always)]
fn horners<L: Lanes, const N: usize>(
    s: L,
    coefficients: &[f32; N],
    at: [L::Floats; 4],
    next: &mut Rounds<L>,
    rounds: usize,
) -> [L::Floats; 4] {
    let mut sum = [s.float(coefficients[0]); 4];
    for (step, &c) in coefficients[1..].iter().enumerate() {
        let c = s.float(c);
        sum = four!(i => s.fma(sum[i], at[i], c));
        if step % 2 == 0 && step / 2 < rounds {
            next.round_beside(s, &mut sum);
        }
    }
    sum
}
