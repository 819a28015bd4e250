//! The second-moment map: its radius at the critical step, its values after fifteen steps.

use super::*;

/// Schemes whose radius is looked at: the oracles', and laws and methods beside them.
fn schemes() -> Vec<Scheme> {
    let signs = Directions::RademacherDiagonal;
    let mut all: Vec<_> = oracles().into_iter().map(|(scheme, _)| scheme).collect();
    all.extend([0.0, 0.5, 0.9].map(adam));
    all.extend([polyak(0.0).with_directions(signs), polyak(0.9).with_directions(signs).with_queries(3)]);
    all.push(adam(0.9).with_directions(sphere(12)).with_queries(4));
    all
}

fn radius(spectrum: &Spectrum, p: &[f64], scheme: &Scheme, step: f64) -> f64 {
    MomentMap::preconditioned(spectrum, p, scheme, step).unwrap().spectral_radius()
}

/// The spectral radius the slow way: how much a step lengthens moments that many steps have made.
fn power_iteration(map: &MomentMap, dimension: usize) -> f64 {
    let mut moments = Moments::start(&vec![1.0; dimension]);
    let size =
        |m: &Moments| [&m.position, &m.cross, &m.momentum].iter().flat_map(|l| l.iter()).map(|x| x.abs()).sum::<f64>();
    let mut growth = 0.0;
    for _ in 0..20_000 {
        let before = size(&moments);
        moments = map.apply(&moments).unwrap();
        growth = size(&moments) / before;
        for list in [&mut moments.position, &mut moments.cross, &mut moments.momentum] {
            list.iter_mut().for_each(|x| *x /= growth * before);
        }
    }
    growth
}

#[test]
fn the_radius_passes_one_at_the_critical_step() {
    let spectrum = harmonic();
    for scheme in schemes() {
        // The critical step is that of P⁻¹H, the map is of H and P.
        for p in [vec![1.0; 10], ramp()] {
            let step = critical(&spectrum.preconditioned(&p).unwrap(), scheme);
            let at = |factor: f64| radius(&spectrum, &p, &scheme, factor * step);
            assert!((at(1.0) - 1.0).abs() < 1e-12, "{scheme:?}: {}", at(1.0));
            assert!(at(0.99) < 1.0 && at(1.01) > 1.0, "{scheme:?}: {} {}", at(0.99), at(1.01));
        }
    }
}

#[test]
fn the_secular_equation_agrees_with_power_iteration() {
    let spectrum = harmonic();
    for scheme in schemes() {
        let step = critical(&spectrum, scheme);
        for factor in [0.5, 0.99, 1.0, 1.01, 3.0] {
            let map = MomentMap::new(&spectrum, &scheme, factor * step).unwrap();
            let (fast, slow) = (map.spectral_radius(), power_iteration(&map, 10));
            assert!((fast - slow).abs() < 1e-12 * fast, "{scheme:?} at {factor}: {fast} {slow}");
        }
    }
}

#[test]
fn flat_spectra_contract_fastest_at_half_of_the_critical_step() {
    for d in [1usize, 10, 300] {
        let spectrum = Spectrum::new(vec![2.0; d]).unwrap();
        let step = critical(&spectrum, Scheme::default());
        let at = |factor: f64| radius(&spectrum, &vec![1.0; d], &Scheme::default(), factor * step);
        // 1 − 2ηλ + (d + 2)η²λ² at half of 2/(d + 2).
        close(at(0.5), 1.0 - 1.0 / (d as f64 + 2.0), 1e-14);
        assert!(at(0.45) > at(0.5) && at(0.55) > at(0.5));
    }
}

#[test]
fn directions_of_no_curvature_don_t_count() {
    let (spectrum, scheme) = (harmonic(), polyak(0.5));
    let mut eigenvalues = spectrum.eigenvalues().to_vec();
    eigenvalues.insert(3, 0.0);
    let padded = Spectrum::new(eigenvalues).unwrap();
    close(radius(&padded, &[1.0; 11], &scheme, 0.2), radius(&spectrum, &[1.0; 10], &scheme, 0.2), 1e-15);
}

#[test]
fn fifteen_steps_are_those_of_the_oracle() {
    let spectrum = harmonic();
    let cases = [
        (polyak(0.0), 4.880932),
        (polyak(0.9), 7.017604),
        (polyak(0.5).with_queries(4), 1.224581),
        (polyak(0.0).with_directions(sphere(10)), 4.090883),
    ];
    for (scheme, expected) in cases {
        let map = MomentMap::new(&spectrum, &scheme, 0.6 * critical(&spectrum, scheme)).unwrap();
        let mut moments = Moments::start(&[1.0; 10]);
        for _ in 0..15 {
            moments = map.apply(&moments).unwrap();
        }
        // Printed to six digits.
        assert!((moments.distance() - expected).abs() < 1e-6, "{scheme:?}: {}", moments.distance());
    }
}

#[test]
fn moments_and_steps_that_don_t_fit_are_refused() {
    let spectrum = harmonic();
    let map = MomentMap::new(&spectrum, &Scheme::default(), 0.1).unwrap();
    let why = map.apply(&Moments::start(&[1.0; 9])).unwrap_err().to_string();
    assert_eq!(why, "a list of moments has 9 numbers, 10 were expected");
    for step in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let why = MomentMap::new(&spectrum, &Scheme::default(), step).unwrap_err().to_string();
        assert!(why.contains("`step`"), "{why}");
    }
    assert!(MomentMap::preconditioned(&spectrum, &[1.0; 3], &Scheme::default(), 0.1).is_err());
}
