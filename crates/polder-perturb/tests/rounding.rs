//! Stochastic rounding: exact where it can be, right on average elsewhere, never worse than a neighbour.

use half::{bf16, f16};
use polder_perturb::carried;
use polder_perturb::rounding::{Rounding, nearest_bf16, stochastic_bf16, stochastic_f16};

#[test]
fn what_16_bits_can_hold_stays() {
    for bits in 0..=u16::MAX {
        for random in [0, 1, 0x1234, 0x7fff, 0x8000, 0xffff] {
            let (b, h) = (bf16::from_bits(bits), f16::from_bits(bits));
            let (kept_b, kept_h) = (stochastic_bf16(b.to_f32(), random), stochastic_f16(h.to_f32(), random));
            assert!(kept_b == bits || (b.is_nan() && bf16::from_bits(kept_b).is_nan()), "{bits:x}");
            assert!(kept_h == bits || (h.is_nan() && f16::from_bits(kept_h).is_nan()), "{bits:x}");
        }
        assert!(nearest_bf16(bf16::from_bits(bits).to_f32()) == bits || bf16::from_bits(bits).is_nan());
    }
}

#[test]
fn a_finite_number_stays_finite() {
    for x in [65504.1f32, 65520.0, 1e9, 3.3e38, 3.39e38, f32::MAX] {
        for random in [0, 0x8000, 0xffff] {
            for x in [x, -x] {
                assert!(bf16::from_bits(stochastic_bf16(x, random)).is_finite(), "{x}");
                assert_eq!(f16::from_bits(stochastic_f16(x, random)), f16::MAX.copysign(f16::from_f32(x)), "{x}");
            }
        }
    }
}

#[test]
fn nan_with_a_payload_that_is_cut_off_stays_nan() {
    let nan = f32::from_bits(0x7f80_0001);
    assert!(bf16::from_bits(nearest_bf16(nan)).is_nan());
    assert!(bf16::from_bits(stochastic_bf16(nan, 0xffff)).is_nan());
    assert!(f16::from_bits(stochastic_f16(nan, 0xffff)).is_nan());
}

#[test]
fn sixteen_bits_and_eight_carried_are_the_upper_24_of_an_f32() {
    // Every upper half of an f32, with every carried byte.
    for bits in (0..=0xffff_ff00u32).step_by(256) {
        let x = f32::from_bits(bits);
        let largest = f32::from_bits(0x7f7f_7f00);
        let (high, low) = carried::nearest(x);
        let back = carried::join(high, low);
        if x.is_nan() {
            assert!(back.is_nan() && carried::join(carried::stochastic(x, 0xffff).0, 0).is_nan());
        } else if x.abs() <= largest || x.is_infinite() {
            assert_eq!(back.to_bits(), bits, "{x}");
            // The bf16 alone is the nearest one; a tie goes away from 0 here, to even in IEEE 754.
            let (alone, tie) = (bf16::from_bits(high), bits & 0xffff == 0x8000);
            let away = bf16::from_bits((bits >> 16) as u16 + 1);
            assert!(alone == if tie { away } else { bf16::from_f32(x) }, "{x}");
            for random in [0, 0xff, 0x100, 0x8000, 0xffff] {
                assert_eq!(carried::stochastic(x, random), (high, low), "what 24 bits can hold stays");
            }
        } else {
            assert_eq!(back, f32::INFINITY.copysign(x), "beyond the largest");
            let (high, low) = carried::stochastic(x, 0xffff);
            assert_eq!(carried::join(high, low), largest.copysign(x), "what is finite stays finite");
        }
    }
}

#[test]
fn carried_bits_are_right_on_average_and_to_the_nearest() {
    let mut bits = 7u32;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = f32::from_bits(bits);
        if !x.is_finite() || x.abs() > 3e38 {
            continue;
        }
        let of = |(high, low): (u16, u8)| f64::from(carried::join(high, low));
        // The lower eight of the sixteen random bits do nothing, the upper ones decide.
        let values: Vec<f64> = (0..256u16).map(|r| of(carried::stochastic(x, r << 8 | r))).collect();
        let mean = values.iter().sum::<f64>() / 256.0;
        assert_eq!(mean, f64::from(x));
        let (below, above) = (values[0].min(values[255]), values[0].max(values[255]));
        assert!(values.iter().all(|v| *v == below || *v == above), "only the two neighbours occur");
        let near = of(carried::nearest(x));
        let (x, middle) = (f64::from(x), (below + above) / 2.0);
        assert!(near == if x < middle { below } else { above } || x == middle, "{x}");
    }
    for tie in [0x3f80_0080, 0x3f80_0180u32] {
        let (high, low) = carried::nearest(f32::from_bits(tie));
        assert_eq!(carried::join(high, low).to_bits() >> 8 & 1, 0, "ties to even");
    }
}

/// The mean over all 2¹⁶ random numbers, and whether only two neighbours occur.
fn average(round: impl Fn(u16) -> f64) -> (f64, bool) {
    let mut values: Vec<f64> = (0..=u16::MAX).map(round).collect();
    let mean = values.iter().sum::<f64>() / 65536.0;
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    (mean, values.len() <= 2)
}

#[test]
fn the_average_is_the_number() {
    // Normal and subnormal f16, bf16 down to subnormals, across a power of two, and with bits at the very end.
    let numbers =
        [1.000_123_4, 0.999_999_9, 2.241_592_6, 65503.9, 6.1e-5, 6.103_5e-5, 5.96e-8, 3.3e-6, 1e-9, 1.23e-39, 1e30];
    for x in numbers.into_iter().flat_map(|x: f32| [x, -x]) {
        let (mean, two) = average(|r| bf16::from_bits(stochastic_bf16(x, r)).to_f64());
        assert!(two && mean == f64::from(x), "bf16: {x} became {mean}");
        if x.abs() < 65504.0 {
            let (mean, two) = average(|r| f16::from_bits(stochastic_f16(x, r)).to_f64());
            // Exact in the normal range; below it what lies under 2⁻⁴⁰ is cut off.
            let allowed = if x.abs() < 2f32.powi(-14) { 2f64.powi(-40) } else { 0.0 };
            assert!(two && (mean - f64::from(x)).abs() <= allowed, "f16: {x} became {mean}");
        }
    }
}

#[test]
fn nearest_is_what_half_does() {
    let mut bits = 1u32;
    for _ in 0..1_000_000 {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let x = f32::from_bits(bits);
        assert!(nearest_bf16(x) == bf16::from_f32(x).to_bits() || x.is_nan(), "{x}");
    }
    for tie in [0x3f80_8000, 0x3f81_8000].map(f32::from_bits) {
        assert_eq!(nearest_bf16(tie) & 1, 0);
    }
    assert_eq!(nearest_bf16(f32::MAX), 0x7f80);
}

#[test]
fn rounding_is_named() {
    for rounding in Rounding::ALL {
        assert_eq!(rounding.to_string().parse(), Ok(rounding));
    }
    assert!("down".parse::<Rounding>().is_err());
}
