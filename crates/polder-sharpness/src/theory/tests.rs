//! The Corollary against Theorem 1, orders, and closed forms.

use super::*;

fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}

/// Smoothnesses in which each of the four limits binds in turn, with an ε for each.
fn cases() -> [(Smoothness, f64, usize); 4] {
    let new = |d, l1, l2, l3| Smoothness::new(d, l1, l2, l3).unwrap();
    [
        (new(3, 1e-3, 1e-3, 10.0), 1e4, 0),
        (new(1_000_000, 1.0, 1e-4, 1.0), 2500.0, 1),
        (new(10, 100.0, 0.1, 1.0), 1e-3, 2),
        (new(1000, 1.0, 1.0, 1.0), 1e-2, 3),
    ]
}

#[test]
fn the_corollary_is_theorem_1_with_its_lambda_and_steps() {
    for (smoothness, epsilon, binding) in cases() {
        let corollary = smoothness.corollary(epsilon, 2.0).unwrap();
        let binds: Vec<_> = (0..4).filter(|i| corollary.limits[*i].binds).collect();
        assert_eq!(binds, [binding], "{corollary:?}");
        let bound = smoothness.theorem1(corollary.lambda_squared.sqrt(), corollary.steps, 2.0).unwrap();
        // Each term gets a quarter of λ²ε/2, from which the trace's gap ≤ ε follows.
        let quarter = corollary.lambda_squared * epsilon / 8.0;
        let terms = [bound.descent, bound.smoothing, bound.third, bound.fourth];
        assert!(terms.iter().all(|term| *term <= quarter * (1.0 + 1e-12)), "{terms:?} {quarter}");
        close(bound.total(), terms.iter().sum(), 1e-15);
        // The limit that binds uses its quarter up: 1 is the fourth derivatives', 2 is F's, 3 the third derivatives'.
        let used = [None, Some(bound.fourth), Some(bound.smoothing), Some(bound.third)][binding];
        used.into_iter().for_each(|term| close(term, quarter, 1e-12));
        // The steps are whole, and one step fewer would not do.
        assert_eq!(corollary.steps.fract(), 0.0);
        let fewer = smoothness.theorem1(corollary.lambda_squared.sqrt(), corollary.steps - 1.0, 2.0).unwrap();
        assert!(corollary.steps > 1e9 || fewer.descent > quarter);
    }
}

#[test]
fn each_limit_is_reported_and_the_binding_one_decides() {
    for (smoothness, epsilon, binding) in cases() {
        let corollary = smoothness.corollary(epsilon, 1.0).unwrap();
        let limits = corollary.limits;
        assert!(limits.iter().all(|l| l.lambda_squared >= corollary.lambda_squared && l.steps <= corollary.steps));
        assert_eq!(limits[binding].lambda_squared, corollary.lambda_squared);
        assert_eq!(limits[binding].steps, corollary.steps);
        close(limits[0].lambda_squared, smoothness.smooth_up_to(), 0.0);
        assert_eq!(corollary.trace_gap, epsilon);
        close(corollary.step, smoothness.step(), 0.0);
        // (λ²/2)(dL₁ + ε) ≤ the paper's loss gap, since λ² is at most the fourth limit.
        assert!(corollary.loss_gap_at_lambda <= corollary.loss_gap);
    }
}

#[test]
fn one_case_by_hand() {
    // d = 4, L₁ = 2, L₂ = 1, L₃ = 3, ε = 0.5, distance² 1.
    let smoothness = Smoothness::new(4, 2.0, 1.0, 3.0).unwrap();
    let corollary = smoothness.corollary(0.5, 1.0).unwrap();
    close(corollary.step, 1.0 / 160.0, 1e-15);
    let limits = corollary.limits.map(|l| l.lambda_squared);
    close(limits[0], 2f64.sqrt() / 12.0, 1e-15);
    close(limits[1], 12.0 / (3.0 * 196.0), 1e-15);
    close(limits[2], 1.5 / 768.0, 1e-15);
    close(limits[3], 3.0 / 1000.0, 1e-15);
    // 64·10·2/(0.5·1.5/768) = 1,310,720.
    assert_eq!(corollary.steps, 1_310_720.0);
    // 3·4·0.5/(2·100)·(1 + 0.5/20).
    close(corollary.loss_gap, 0.03 * 1.025, 1e-15);
    close(smoothness.smoothing_gap(0.1), 3.0 / 24.0 * 1e-4 * 64.0, 1e-14);
    let second = 2.0 * 10.0 * 7.0 + 1e-4 / 3.0 * 1e4 + 9.0 / 288.0 * 1e-6 * 14f64.powi(5);
    close(smoothness.second_moment(0.1, 7.0), second, 1e-14);
    let bound = smoothness.theorem1(0.1, 1000.0, 1.0).unwrap();
    close(bound.descent, 0.16, 1e-15);
    close(bound.smoothing, 0.5 * 1e-4 * 64.0, 1e-14);
    close(bound.third, 1e-4 * 1000.0 / 48.0, 1e-14);
    close(bound.fourth, 9.0 / 2304.0 * 1e-6 * 14f64.powi(4), 1e-14);
}

#[test]
fn more_of_anything_that_hurts_needs_more_steps() {
    let run = |d, l1, l2, l3, epsilon| Smoothness::new(d, l1, l2, l3).unwrap().corollary(epsilon, 1.0).unwrap();
    let base = run(100, 1.0, 1.0, 1.0, 0.1);
    let worse = [
        run(200, 1.0, 1.0, 1.0, 0.1),
        run(100, 1.0, 2.0, 1.0, 0.1),
        run(100, 1.0, 1.0, 1e4, 0.1),
        run(100, 1.0, 1.0, 1.0, 0.05),
    ];
    for case in worse {
        assert!(case.steps > base.steps && case.lambda_squared < base.lambda_squared, "{case:?}");
    }
    let smoothness = Smoothness::new(100, 1.0, 1.0, 1.0).unwrap();
    assert!(smoothness.corollary(0.1, 2.0).unwrap().steps > base.steps);
    let bound = |lambda, steps| smoothness.theorem1(lambda, steps, 1.0).unwrap().total();
    assert!(bound(1e-3, 1e6) < bound(2e-3, 1e6) && bound(1e-3, 1e6) < bound(1e-3, 1e5));
}

#[test]
fn the_orders_are_d_to_the_fourth_over_epsilon_squared() {
    let run = |d, epsilon| Smoothness::new(d, 1.0, 1.0, 1.0).unwrap().corollary(epsilon, 1.0).unwrap();
    // At d = 10⁷ the 6 of (d + 6)⁴ is below 1e-5, and ceil is far below that.
    let (base, wider, finer) = (run(10_000_000, 1e-3), run(20_000_000, 1e-3), run(10_000_000, 5e-4));
    close(wider.steps / base.steps, 16.0, 1e-5);
    close(finer.steps / base.steps, 4.0, 1e-5);
    // λ = O(√ε/d^{3/2}), loss gap O(ε/d²).
    close(base.lambda_squared / wider.lambda_squared, 8.0, 1e-5);
    close(base.lambda_squared / finer.lambda_squared, 2.0, 1e-5);
    close(base.loss_gap / wider.loss_gap, 4.0, 1e-5);
    close(base.loss_gap / finer.loss_gap, 2.0, 1e-5);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let constants = |d, l1, l2, l3| Smoothness::new(d, l1, l2, l3).unwrap_err().to_string();
    assert!(constants(0, 1.0, 1.0, 1.0).contains("`dimension` = 0"));
    assert!(constants(1, 0.0, 1.0, 1.0).contains("`l1` = 0"));
    assert!(constants(1, 1.0, -1.0, 1.0).contains("`l2` = -1"));
    assert!(constants(1, 1.0, 1.0, f64::NAN).contains("`l3` = NaN"));
    let smoothness = Smoothness::new(2, 1.0, 1.0, 1.0).unwrap();
    let corollary = |epsilon, distance| smoothness.corollary(epsilon, distance).unwrap_err().to_string();
    assert!(corollary(0.0, 1.0).contains("`epsilon`"));
    assert!(corollary(1.0, f64::INFINITY).contains("`squared_distance`"));
    let theorem = |lambda, steps| smoothness.theorem1(lambda, steps, 1.0).unwrap_err().to_string();
    assert!(theorem(0.8, 10.0).contains("`lambda` = 0.8") && theorem(0.8, 10.0).contains("Lemma 2"));
    assert!(theorem(-0.1, 10.0).contains("`lambda`"));
    assert!(theorem(0.1, 0.0).contains("`steps`"));
}

#[test]
fn the_tilted_loss_of_a_quadratic_is_that_of_the_oracle() {
    let tilt = |s, t| gaussian_tilt(&[1.0, 2.0, 4.0], &[1.0, -1.0, 0.5], s, t);
    close(tilt(0.35, 1.0).unwrap(), 0.723481110738558, 1e-14);
    close(tilt(0.35, 0.0).unwrap(), 0.35 * 0.35 / 2.0 * 7.0, 1e-15);
    // Next term in t: t·Var/2 = (t/2)(s²‖g‖² + (s⁴/2)‖H‖²); the one after is of order t².
    let (s, t) = (0.35f64, 1e-5);
    let second = t / 2.0 * (s * s * 2.25 + s.powi(4) / 2.0 * 21.0);
    close(tilt(s, t).unwrap(), s * s / 2.0 * 7.0 + second, 1e-9);
    let why = |s, t| tilt(s, t).unwrap_err().to_string();
    assert!(why(0.5, 1.0).contains("t·s²·λ_max = 1 is not below 1"));
    assert!(why(0.0, 1.0).contains("`scale`"));
    assert!(why(0.1, -1.0).contains("`tilt` = -1"));
    assert!(gaussian_tilt(&[1.0], &[], 0.1, 1.0).is_err());
}
