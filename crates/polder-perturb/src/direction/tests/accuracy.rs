//! The Gaussian map against the normal distribution in f64.

use super::super::gaussian::from_word;

/// `erfc(y)` for `y ≥ 0` with a relative error below 1e-13: the power series of erf, further out a continued fraction.
fn erfc(y: f64) -> f64 {
    if y < 1.8 {
        // erf(y) = 2/√π e^(−y²) Σ 2ⁿ y^(2n+1) / (1·3·5···(2n+1)): positive terms only.
        let (mut term, mut sum, mut n) = (y, y, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * y * y / (2.0 * n + 1.0);
            sum += term;
        }
        return 1.0 - std::f64::consts::FRAC_2_SQRT_PI * (-y * y).exp() * sum;
    }
    let fraction = (1..200).rev().fold(0.0, |f, k| f64::from(k) / 2.0 / (y + f));
    std::f64::consts::FRAC_2_SQRT_PI / 2.0 * (-y * y).exp() / (y + fraction)
}

/// The error of the map at a word of sign 0, relative to z, by one Newton step from what the map gave.
///
/// The map stands for `√2·erfinv(1 − t)` at the f32 number `t` that the word becomes.
fn error(word: u32) -> f64 {
    let t = f64::from((word as f32).mul_add(2f32.powi(-31), 2f32.powi(-32)));
    let z = f64::from(from_word(word));
    let density = (2.0 / std::f64::consts::PI).sqrt() * (-z * z / 2.0).exp();
    let step = (erfc(z / std::f64::consts::SQRT_2) - t) / density;
    // Second order: the slope of the density.
    (step + z * step * step / 2.0) / z
}

#[test]
fn the_map_is_the_inverse_distribution_to_a_millionth() {
    assert!((erfc(0.5) - 0.479_500_122_186_953_5).abs() < 1e-15);
    assert!((erfc(3.0) / 2.209_049_699_858_544e-5 - 1.0).abs() < 1e-13);
    // All small words (the tail: beyond 4.9 σ), then a stride through the rest, then words near x = 0 where a relative
    // error of z tells more about erfc's cancellation than about the map: absolute there.
    let mut worst: f64 = 0.0;
    for word in (0..2000).chain((2000..0x7f00_0000).step_by(30_011)) {
        worst = worst.max(error(word).abs());
    }
    assert!(worst < 1e-6, "relative error {worst:e}");
    for word in (0x7f00_0000..=0x7fff_ffff_u32).step_by(1009) {
        assert!((error(word) * f64::from(from_word(word))).abs() < 1e-8, "{word:x}");
    }
    println!("largest relative error {worst:e}");
}

#[test]
fn the_ends_are_what_the_specification_says() {
    assert_eq!(from_word(0x7fff_ffff), 0.0);
    assert_eq!(from_word(0xffff_ffff).to_bits(), (-0f32).to_bits());
    // Φ(−z) = 2⁻³³.
    assert!((from_word(0) - 6.337_958).abs() < 1e-5, "{}", from_word(0));
    assert_eq!(from_word(0x8000_0000), -from_word(0));
    let falling = (0..4096u32).map(|i| from_word(i << 19)).collect::<Vec<_>>();
    assert!(falling.windows(2).all(|w| w[0] > w[1]));
}
