//! Expected and tilted sharpness against closed forms.

use super::*;
use crate::theory::gaussian_tilt;

const EIGENVALUES: [f64; 3] = [1.0, 2.0, 4.0];
const GRADIENT: [f64; 3] = [1.0, -1.0, 0.5];

/// Losses around a point of H = diag(1, 2, 4) where the gradient is (1, −1, ½).
fn around(delta: f64, probes: u32, at: u64) -> Neighbourhood {
    // Weights that f32 holds exactly, and the linear part that makes the gradient: b = g − Hx.
    let weights = [0.5f32, -0.25, 1.0];
    let linear = (0..3).map(|i| GRADIENT[i] - EIGENVALUES[i] * f64::from(weights[i])).collect();
    let set = params(&weights);
    let mut objective = Quadratic::diagonal(&set, Law::Gaussian, &EIGENVALUES, linear).unwrap();
    NeighbourhoodProbe { delta, probes, precision: None }.run(&mut objective, BATCH, round(at)).unwrap()
}

#[test]
fn expected_sharpness_is_half_delta_squared_times_the_trace() {
    for delta in [1e-3, 0.1, 2.0] {
        let near = around(delta, 4000, 1);
        let expected = near.expected();
        within(&expected, delta * delta / 2.0 * 7.0);
        // Without the gradient's noise: a sample's standard deviation is (δ²/2)√(2‖H‖_F²); 10 % is four standard errors
        // of it over 4,000 samples of kurtosis 10.
        close(expected.standard_error, delta * delta / 2.0 * (42f64 / 4000.0).sqrt(), 0.1);
        assert_eq!((expected.samples, expected.forwards), (4000, 8001));
    }
}

#[test]
fn the_variance_around_the_weights_is_that_of_a_quadratic() {
    for delta in [0.01, 0.35, 2.0] {
        let variance = around(delta, 8000, 2).variance();
        let squared = delta * delta;
        within(&variance, squared * 2.25 + squared * squared / 2.0 * 21.0);
        // Small against the value, so that the line above says something.
        assert!(variance.standard_error < 0.06 * variance.value, "{variance}");
    }
}

#[test]
fn tilted_sharpness_is_the_exact_one() {
    // ts²λ_max = 0.049, 0.245 and 0.49. Beyond 1/2 the samples have no variance, and just below it their variance is
    // itself hard to measure, so that the last case takes the most samples.
    for (tilt, probes) in [(0.1, 4000), (0.5, 10_000), (1.0, 100_000)] {
        let exact = gaussian_tilt(&EIGENVALUES, &GRADIENT, 0.35, tilt).unwrap();
        let tilted = around(0.35, probes, 3).tilted(tilt).unwrap();
        within(&tilted.sharpness, exact);
        assert!(tilted.sharpness.standard_error < 0.02 * exact, "{tilted:?}");
        assert!(tilted.effective_samples > 0.01 * f64::from(probes), "{tilted:?}");
        assert_eq!(tilted.sharpness.forwards, 2 * u64::from(probes) + 1);
    }
}

#[test]
fn the_standard_error_of_the_tilted_sharpness_is_that_of_many_runs() {
    let exact = gaussian_tilt(&EIGENVALUES, &GRADIENT, 0.35, 0.5).unwrap();
    let runs: Vec<_> = (0..200).map(|at| around(0.35, 200, 10 + at).tilted(0.5).unwrap().sharpness).collect();
    let count = runs.len() as f64;
    let mean = runs.iter().map(|m| m.value).sum::<f64>() / count;
    let spread = (runs.iter().map(|m| (m.value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    let claimed = (runs.iter().map(|m| m.standard_error.powi(2)).sum::<f64>() / count).sqrt();
    // 200 runs know their spread to 5 %; the delta method is off by a share of about 1/200.
    close(claimed, spread, 0.2);
    // The bias −t·se²/2 is far within the noise of the mean.
    assert!((mean - exact).abs() < 4.0 * spread / count.sqrt(), "{mean} {exact}");
}

#[test]
fn no_tilt_is_the_expected_sharpness_and_a_strong_one_the_largest_rise() {
    let near = around(0.35, 100, 4);
    let (none, little) = (near.tilted(0.0).unwrap(), near.tilted(1e-9).unwrap());
    assert_eq!((none.sharpness, none.effective_samples), (near.expected(), 100.0));
    // log(1 + x)/t loses 2⁻⁵²/t = 2e-7.
    assert!((little.sharpness.value - none.sharpness.value).abs() < 1e-6);
    assert!((little.sharpness.standard_error - none.sharpness.standard_error).abs() < 1e-6);
    let largest = near.rises.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let strong = near.tilted(1e6).unwrap();
    // One of 200 points carries all: R = largest − log(200)/t.
    close(strong.sharpness.value, largest - 200f64.ln() / 1e6, 1e-12);
    close(strong.effective_samples, 1.0, 1e-6);
    // Exponents of ±1e9 neither overflow nor vanish.
    assert!(near.tilted(1e9).unwrap().sharpness.value.is_finite());
}

#[test]
fn adding_a_constant_to_the_loss_changes_nothing_and_scaling_it_scales() {
    let near = around(0.35, 50, 5);
    let doubled = Neighbourhood { rises: near.rises.iter().map(|r| r.map(|x| 2.0 * x)).collect(), ..near.clone() };
    close(doubled.tilted(0.5).unwrap().sharpness.value, 2.0 * near.tilted(1.0).unwrap().sharpness.value, 1e-14);
    close(doubled.variance().value, 4.0 * near.variance().value, 1e-14);
}

#[test]
fn it_stops_once_precise_enough() {
    let set = params(&[0.5, 1.0, 2.0]);
    let mut objective = Quadratic::diagonal(&set, Law::Gaussian, &EIGENVALUES, vec![0.0; 3]).unwrap();
    let probe = NeighbourhoodProbe { delta: 0.1, probes: 10_000, precision: Some(Precision::Relative(0.1)) };
    let near = probe.run(&mut objective, BATCH, round(6)).unwrap();
    assert!(near.rises.len() < 1000 && near.expected().standard_error <= 0.1 * near.expected().value);
    assert_eq!(near.forwards, 2 * near.rises.len() as u64 + 1);
}

#[test]
fn a_neighbourhood_serialises() {
    let near = around(0.35, 3, 7);
    let json = serde_json::to_string(&near).unwrap();
    assert_eq!(serde_json::from_str::<Neighbourhood>(&json).unwrap(), near);
    let tilted = near.tilted(1.0).unwrap();
    let json = serde_json::to_string(&tilted).unwrap();
    assert_eq!(serde_json::from_str::<Tilted>(&json).unwrap(), tilted);
}
