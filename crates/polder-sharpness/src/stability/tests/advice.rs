//! Advice: the step, the range, the words, and when it is refused.

use super::*;

fn curvature(trace: f64, standard_error: f64, largest: Option<f64>) -> Curvature {
    Curvature { trace, standard_error, largest }
}

#[test]
fn the_step_is_a_share_of_the_stable_bound() {
    let plain = Scheme::default();
    let known = advise(&curvature(100.0, 5.0, Some(10.0)), &plain, 0.5).unwrap();
    close(known.step, 0.5 * 2.0 / 120.0, 1e-15);
    close(known.bounds.lower, 2.0 / 120.0, 1e-15);
    close(known.bounds.upper, 2.0 / 100.0, 1e-15);
    close(known.with_noise.lower, 2.0 / 130.0, 1e-15);
    close(known.with_noise.upper, 2.0 / 90.0, 1e-15);
    let unknown = advise(&curvature(100.0, 5.0, None), &plain, 0.8).unwrap();
    close(unknown.step, 0.8 * 2.0 / 300.0, 1e-15);
    close(unknown.bounds.upper, 2.0 / 100.0, 1e-15);
    let q = advise(&curvature(100.0, 5.0, None), &plain.with_queries(4), 1.0).unwrap();
    close(q.step, 8.0 / 600.0, 1e-15);
    let momentum = advise(&curvature(100.0, 5.0, Some(10.0)), &polyak(0.9), 1.0).unwrap();
    close(momentum.step, 0.2 / (100.0 + 20.0 / 1.9), 1e-14);
    let adam = advise(&curvature(100.0, 5.0, Some(10.0)), &adam(0.9), 1.0).unwrap();
    close(adam.step, 2.0 / (100.0 + 20.0 / 1.9), 1e-14);
    let ball = advise(&curvature(100.0, 5.0, None), &plain.with_directions(sphere(50)), 1.0).unwrap();
    close(ball.step, 1.04 * 2.0 / 300.0, 1e-15);
}

#[test]
fn an_eigenvalue_above_the_trace_counts_as_the_trace() {
    let scheme = Scheme::default();
    let noisy = advise(&curvature(100.0, 20.0, Some(110.0)), &scheme, 0.5).unwrap();
    close(noisy.step, 0.5 * 2.0 / 300.0, 1e-15);
    assert!(noisy.reason.contains("above the trace"), "{}", noisy.reason);
}

#[test]
fn the_reason_names_what_was_known_and_what_was_assumed() {
    let reason = |c: Curvature, scheme: Scheme| advise(&c, &scheme, 0.5).unwrap().reason;
    let plain = reason(curvature(100.0, 5.0, None), Scheme::default());
    for part in ["1.0000e2 ± 5.0e0", "not known", "one direction a step", "0.5 of", "Minibatches"] {
        assert!(plain.contains(part), "{part}: {plain}");
    }
    let momentum = reason(curvature(100.0, 5.0, Some(7.0)), polyak(0.9).with_queries(4));
    for part in ["largest eigenvalue is 7.0000e0", "4 directions a step", "momentum 0.9", "1 − β"] {
        assert!(momentum.contains(part), "{part}: {momentum}");
    }
    assert!(reason(curvature(100.0, 5.0, None), adam(0.9)).contains("P⁻¹H"));
}

#[test]
fn a_trace_within_its_noise_is_refused() {
    for (trace, error) in [(10.0, 5.0), (-3.0, 0.1), (0.0, 0.0), (f64::NAN, 1.0)] {
        let why = advise(&curvature(trace, error, None), &Scheme::default(), 0.5).unwrap_err().to_string();
        assert!(why.contains("not clear of zero") && why.contains("\nhint: keep the learning rate"), "{why}");
    }
    assert!(advise(&curvature(10.0, 4.999, None), &Scheme::default(), 0.5).is_ok());
    let why = |c, share| advise(&c, &Scheme::default(), share).unwrap_err().to_string();
    for share in [0.0, 1.1, f64::NAN] {
        assert!(why(curvature(10.0, 1.0, None), share).contains("`share`"));
    }
    assert!(why(curvature(10.0, f64::NAN, None), 0.5).contains("`standard_error`"));
    assert!(why(curvature(10.0, 1.0, Some(-1.0)), 0.5).contains("`largest`"));
}

#[test]
fn the_gaussian_limit_is_taken_for_signs_of_an_unknown_hessian() {
    for law in polder_perturb::Law::ALL {
        assert_eq!(Directions::from(law), Directions::Gaussian);
    }
    // Where signs have an exact limit, it is above.
    let spectrum = harmonic();
    for beta in [0.0, 0.5, 0.9] {
        let signs = polyak(beta).with_directions(Directions::RademacherDiagonal);
        assert!(critical(&spectrum, polyak(beta)) < critical(&spectrum, signs));
    }
}

#[test]
fn advice_serialises() {
    let advice = advise(&curvature(100.0, 5.0, Some(10.0)), &Scheme::default(), 0.5).unwrap();
    let json = serde_json::to_string(&advice).unwrap();
    assert_eq!(serde_json::from_str::<StepAdvice>(&json).unwrap(), advice);
}
