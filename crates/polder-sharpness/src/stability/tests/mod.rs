//! Critical steps, bounds and the second-moment map against numbers made elsewhere.
//!
//! The numbers are roots of the critical equation and steps of the moment map in numpy, float64, for the spectrum
//! λᵢ = 1/i, i = 1..10, printed to all digits; the equations are in the documentation of what is tested.

use super::*;

mod advice;
mod map;
mod monte_carlo;

/// λᵢ = 1/i, i = 1..10.
fn harmonic() -> Spectrum {
    Spectrum::new((1..=10).map(|i| 1.0 / f64::from(i)).collect()).unwrap()
}

/// No momentum where β is 0, Polyak's otherwise.
fn polyak(beta: f64) -> Scheme {
    Scheme::of(Method::Polyak { beta })
}

fn sphere(dimension: u64) -> Directions {
    Directions::Sphere { dimension }
}

fn adam(beta1: f64) -> Scheme {
    Scheme::of(Method::FrozenAdam { beta1 })
}

/// pᵢ = linspace(0.5, 2, 10).
fn ramp() -> Vec<f64> {
    (0..10).map(|i| 0.5 + 1.5 * f64::from(i) / 9.0).collect()
}

fn critical(spectrum: &Spectrum, scheme: Scheme) -> f64 {
    critical_step(spectrum, &scheme).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}

/// Every scheme of the oracles, with its critical step on the harmonic spectrum.
fn oracles() -> Vec<(Scheme, f64)> {
    let mut all = vec![
        (polyak(0.0).with_directions(sphere(10)), 0.5754196163576302),
        (polyak(0.9).with_directions(sphere(10)), 0.07018620284176762),
    ];
    let table = [
        (1, [0.47951634696469186, 0.26911855199199153, 0.05655448033294767]),
        (4, [1.2098187720831441, 0.906434769104873, 0.2199958298217416]),
        (16, [1.7604628532300453, 2.0451631201314027, 0.7882712403499833]),
    ];
    for (queries, steps) in table {
        all.extend([0.0, 0.5, 0.9].into_iter().zip(steps).map(|(b, step)| (polyak(b).with_queries(queries), step)));
    }
    all
}

#[test]
fn critical_steps_are_those_of_the_oracles() {
    let spectrum = harmonic();
    close(spectrum.trace(), 2.9289682539682538, 1e-15);
    for (scheme, step) in oracles() {
        close(critical(&spectrum, scheme), step, 1e-12);
    }
    let preconditioned = spectrum.preconditioned(&ramp()).unwrap();
    for (beta1, step) in [(0.0, 0.2869992871736253), (0.5, 0.34083945379801833), (0.9, 0.3682881619737248)] {
        close(critical(&preconditioned, adam(beta1)), step, 1e-12);
        let bounds = step_bounds(preconditioned.trace(), preconditioned.largest(), &adam(beta1)).unwrap();
        // Printed to eight digits.
        assert!((bounds.upper - 0.50285714).abs() < 5e-9, "{bounds:?}");
        assert!(bounds.lower <= step && step <= bounds.upper, "{bounds:?}");
    }
    close(critical(&spectrum, Scheme::default()), critical(&spectrum, polyak(0.0)), 0.0);
}

#[test]
fn bounds_are_those_of_the_oracles_and_hold_the_critical_step() {
    let spectrum = harmonic();
    let bounds = |scheme: Scheme| step_bounds(spectrum.trace(), spectrum.largest(), &scheme).unwrap();
    let plain = bounds(polyak(0.0));
    close(plain.lower, 0.405764431205217, 1e-14);
    close(plain.upper, 0.6828343042948111, 1e-14);
    let momentum = bounds(polyak(0.9));
    close(momentum.lower, 0.0502310649971936, 1e-14);
    close(momentum.upper, 0.0682834304294811, 1e-14);
    let four = bounds(polyak(0.0).with_queries(4));
    close(four.lower, 8.0 / (spectrum.trace() + 5.0), 1e-15);
    close(four.upper, 8.0 / spectrum.trace(), 1e-15);
    let signs = polyak(0.5).with_directions(Directions::RademacherDiagonal);
    let schemes = oracles().into_iter().map(|(scheme, _)| scheme).chain([signs, signs.with_queries(3)]);
    for scheme in schemes {
        let (step, StepBounds { lower, upper }) = (critical(&spectrum, scheme), bounds(scheme));
        assert!(lower <= step && step <= upper, "{scheme:?}: {lower} {step} {upper}");
        assert!(step_for_any_spectrum(spectrum.trace(), &scheme).unwrap() <= lower, "{scheme:?}");
    }
}

#[test]
fn a_flat_spectrum_and_rank_one_have_closed_forms() {
    let flat = |d: usize| Spectrum::new(vec![1.0; d]).unwrap();
    let one = |l: f64| Spectrum::new(vec![l]).unwrap();
    close(critical(&flat(40), Scheme::default()), 0.047619047619047616, 1e-15);
    for d in [1usize, 2, 7, 1000] {
        close(critical(&flat(d), Scheme::default()), 2.0 / (d as f64 + 2.0), 1e-15);
        for beta in [0.3, 0.9, 0.99] {
            close(critical(&flat(d), polyak(beta)), 2.0 * (1.0 - beta) / (d as f64 + 2.0 / (1.0 + beta)), 1e-14);
        }
    }
    for l in [1e-12, 1.0, 3e5] {
        close(critical(&one(l), Scheme::default()), 2.0 / (3.0 * l), 1e-15);
        close(step_for_any_spectrum(l, &Scheme::default()).unwrap(), 2.0 / (3.0 * l), 1e-15);
        let four = Scheme::default().with_queries(4);
        close(step_for_any_spectrum(l, &four).unwrap(), 8.0 / (6.0 * l), 1e-15);
        close(critical(&one(l), four), 8.0 / (6.0 * l), 1e-15);
    }
}

#[test]
fn sphere_and_signs_have_their_exact_ratios() {
    let spectrum = harmonic();
    for d in [10, 11, 1000] {
        let ratio = 1.0 + 2.0 / d as f64;
        close(critical(&spectrum, polyak(0.0).with_directions(sphere(d))), ratio * 0.47951634696469186, 1e-12);
        close(rescaling(&polyak(0.0), &polyak(0.0).with_directions(sphere(d))).unwrap(), ratio, 1e-15);
    }
    let signs = Scheme::default().with_directions(Directions::RademacherDiagonal);
    close(critical(&spectrum, signs), 2.0 / spectrum.trace(), 1e-15);
    // In one dimension a sphere and signs are the same, and every step is that of exact gradients.
    let line = Spectrum::new(vec![2.0]).unwrap();
    for beta in [0.0, 0.5, 0.9] {
        for directions in [sphere(1), Directions::RademacherDiagonal] {
            for queries in [1, 5] {
                let scheme = polyak(beta).with_directions(directions).with_queries(queries);
                close(critical(&line, scheme), first_order_step(&line, scheme.method).unwrap(), 1e-13);
            }
        }
    }
}

#[test]
fn many_queries_come_to_the_first_order_step() {
    let spectrum = harmonic();
    for beta in [0.0, 0.5, 0.9] {
        let method = Method::Polyak { beta };
        let first = first_order_step(&spectrum, method).unwrap();
        close(first, 2.0 * (1.0 + beta), 1e-15);
        let many = critical(&spectrum, Scheme::of(method).with_queries(u32::MAX));
        // The distance is about Tr/(q λ_max)·(1+β)/(1−β), and it comes from below.
        assert!(many < first, "{many} {first}");
        close(many, first, 1e-7);
    }
    close(first_order_step(&spectrum, Method::Sgd).unwrap(), 2.0, 0.0);
    close(first_order_step(&spectrum, Method::FrozenAdam { beta1: 0.9 }).unwrap(), 2.0 * 1.9 / 0.1, 1e-14);
}

#[test]
fn zeros_scale_and_order_change_nothing_that_they_should_not() {
    let spectrum = harmonic();
    let step = critical(&spectrum, polyak(0.5));
    let mut with_zeros: Vec<f64> = spectrum.eigenvalues().iter().rev().copied().collect();
    with_zeros.extend([0.0; 5]);
    close(critical(&Spectrum::new(with_zeros).unwrap(), polyak(0.5)), step, 1e-15);
    for scale in [1e-200, 1e-3, 1e150] {
        let scaled = Spectrum::new(spectrum.eigenvalues().iter().map(|l| scale * l).collect()).unwrap();
        close(critical(&scaled, polyak(0.5)) * scale, step, 1e-14);
    }
    // A long, trace dominated spectrum: 2/Tr to within 2λ_max/Tr.
    let long = Spectrum::new((1..=100_000).map(|i| 1.0 / f64::from(i).sqrt()).collect()).unwrap();
    close(critical(&long, Scheme::default()), 2.0 / long.trace(), 2.0 / long.trace());
}

#[test]
fn rescaling_is_the_ratio_of_the_trace_dominated_steps() {
    let plain = Scheme::default();
    close(rescaling(&plain, &plain.with_queries(8)).unwrap(), 8.0, 1e-15);
    close(rescaling(&polyak(0.9), &plain).unwrap(), 10.0, 1e-14);
    close(rescaling(&plain, &adam(0.9)).unwrap(), 1.0, 0.0);
    let long = Spectrum::new(vec![1.0; 100_000]).unwrap();
    let (from, to) = (polyak(0.9).with_queries(2), plain.with_queries(3));
    // Off by about q λ_max/Tr = 3e-5.
    close(critical(&long, to) / critical(&long, from), rescaling(&from, &to).unwrap(), 1e-4);
}

#[test]
fn schemes_that_are_not_possible_are_refused() {
    let why = |scheme: Scheme| critical_step(&harmonic(), &scheme).unwrap_err().to_string();
    for beta in [1.0, -0.1, f64::NAN] {
        for scheme in [polyak(beta), adam(beta)] {
            assert!(why(scheme).contains("`beta`") && why(scheme).contains("hint:"), "{}", why(scheme));
        }
    }
    assert!(why(Scheme::default().with_queries(0)).contains("`queries` = 0"));
    assert!(why(Scheme::default().with_directions(sphere(0))).contains("`dimension` = 0"));
    assert!(why(Scheme::default().with_directions(sphere(9))).contains("10 eigenvalues, but the sphere lies in 9"));
    let bounds = |trace, largest| step_bounds(trace, largest, &Scheme::default()).unwrap_err().to_string();
    assert!(bounds(0.0, 1.0).contains("`trace` = 0"));
    assert!(bounds(1.0, f64::NAN).contains("`largest` = NaN"));
    assert!(bounds(1.0, 1.1).contains("`largest` = 1.1"));
}

#[test]
fn a_scheme_serialises_with_the_names_of_configurations() {
    let scheme = polyak(0.9).with_queries(4).with_directions(sphere(10));
    let json = serde_json::to_string(&scheme).unwrap();
    let expected = r#"{"method":{"polyak":{"beta":0.9}},"queries":4,"directions":{"sphere":{"dimension":10}}}"#;
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Scheme>(&json).unwrap(), scheme);
    assert_eq!(serde_json::from_str::<Scheme>("{}").unwrap(), Scheme::default());
}
