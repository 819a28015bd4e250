//! Tilted and one-sided estimates against closed forms, limits and invariances.

use candle_core::{DType, Device, Tensor};
use polder_optim::{
    Batch, Correction, Estimate, Estimator, Losses, Objective, OneSided, Quadratic, Ramp, Scaling, Sides, StepContext,
    TwoPoint, Zest, estimator_from, step_seeds,
};
use polder_perturb::{Law, ParamSet, Seed, direction};
use serde_json::json;

const CONTEXT: StepContext<'static> = StepContext { step: 25, total: 100, batch: Batch(25), elements: 8, lengths: &[] };

/// F₊ and F₋ of three directions, with t = 2 and s = 0.1: the oracle's losses.
const PAIRS: [f64; 6] = [1.0, 1.1, 1.2, 0.8, 0.9, 1.05];

fn estimate(estimator: &dyn Estimator, context: &StepContext<'_>, means: &[f64]) -> Estimate {
    let seeds = step_seeds(Seed(3), context.step, estimator.directions());
    let losses = Losses { points: means.iter().map(|m| vec![*m]).collect(), weights: vec![1.0] };
    estimator.combine(context, &seeds, &losses).unwrap()
}

fn coefficients(estimator: &dyn Estimator, means: &[f64]) -> Vec<f64> {
    estimate(estimator, &CONTEXT, means).terms.iter().map(|t| t.coeff).collect()
}

/// ε = 1/8 is an f32, 0.1 is not: the oracle's numbers for s = 0.1 are compared as C·a·s.
const EPS: f64 = 0.125;

fn zest(t: f64, correction: Correction) -> Zest {
    Zest { eps: EPS, t, directions: 3, correction, ..Zest::default() }
}

#[test]
fn coefficients_are_those_of_the_oracle() {
    // c_i with C = 1, to 30 digits and rounded; V1, V2, V3.
    let oracle = [
        (Correction::None, [-0.03510179029396611, 0.1302435626629252, -0.04541299614814791]),
        (Correction::Delta, [-0.03602886181008474, 0.1318479756339828, -0.04339942976507773]),
        (Correction::Jackknife, [-0.03602659665143154, 0.1317589667919366, -0.04343769207238201]),
    ];
    for (correction, expected) in oracle {
        let found = coefficients(&zest(2.0, correction), &PAIRS);
        for (found, expected) in found.iter().zip(expected) {
            let found = found * 2.0 * EPS;
            assert!((found / expected - 1.0).abs() < 1e-14, "{correction:?}: {found}, expected {expected}");
        }
    }
    let tilt = estimate(&zest(2.0, Correction::None), &CONTEXT, &PAIRS).tilt.unwrap();
    assert!((tilt.effective - 2.988822829723019).abs() < 1e-14);
    assert!((tilt.loss - 1.02498593704319).abs() < 1e-14 && tilt.t == 2.0);
    // One direction: (1/ts)·tanh(t(F₊ − F₋)/2), 1.8997… for s = 0.1.
    let one = Zest { directions: 1, ..zest(2.0, Correction::None) };
    let found = coefficients(&one, &[1.2, 0.8])[0] * EPS / 0.1;
    assert!((found - 1.899744811276124).abs() < 1e-14, "{found}");
    // One side: softmax of t·F₊ over ts.
    let side = Zest { sides: Sides::One, ..zest(2.0, Correction::None) };
    let expected = [0.3020641142811064, 0.4506267059556897, 0.2473091797632038];
    for (found, expected) in coefficients(&side, &[1.0, 1.2, 0.9]).iter().zip(expected) {
        assert!((found * 2.0 * EPS - expected).abs() < 1e-15, "{found}");
    }
}

#[test]
fn no_tilt_is_the_two_point_average() {
    let two = TwoPoint { eps: EPS, directions: 3, ..TwoPoint::default() };
    let expected = estimate(&two, &CONTEXT, &PAIRS);
    for correction in [Correction::None, Correction::Delta, Correction::Jackknife] {
        let none = estimate(&zest(0.0, correction), &CONTEXT, &PAIRS);
        assert_eq!((none.terms, none.loss, none.projected), {
            let e = expected.clone();
            (e.terms, e.loss, e.projected)
        });
        let tilt = none.tilt.unwrap();
        assert!((tilt.effective - 3.0).abs() < 1e-15 && (tilt.loss - expected.loss).abs() < 1e-15);
        for t in [1e-300, 1e-12, 1e-6] {
            let near = coefficients(&zest(t, correction), &PAIRS);
            for (near, term) in near.iter().zip(&expected.terms) {
                assert!((near / term.coeff - 1.0).abs() < 2.0 * t + 1e-15, "t {t} {correction:?}: {near}");
            }
        }
    }
}

#[test]
fn any_tilt_is_stable_and_bounded() {
    let spread = [3.0, 700.0, -900.0, 5.0, 699.0, -2.0];
    for correction in [Correction::None, Correction::Delta, Correction::Jackknife] {
        for t in [1e-9, 1.0, 1e3, 1e9, 1e300] {
            let found = estimate(&zest(t, correction), &CONTEXT, &spread);
            let sizes: Vec<f64> = found.terms.iter().map(|term| term.coeff.abs() * t * EPS).collect();
            assert!(sizes.iter().all(|c| c.is_finite()), "{correction:?} t {t}: {sizes:?}");
            let tilt = found.tilt.unwrap();
            assert!(tilt.loss <= 700.0 && (1.0..=3.0 + 1e-12).contains(&tilt.effective), "{tilt:?}");
            // Σ|aᵢ| ≤ 1 without a correction.
            assert!(correction != Correction::None || sizes.iter().sum::<f64>() <= 1.0 + 1e-12, "{sizes:?}");
        }
    }
}

#[test]
fn shifts_and_scales_of_the_loss_do_what_they_should() {
    for correction in [Correction::None, Correction::Delta, Correction::Jackknife] {
        let plain = coefficients(&zest(2.0, correction), &PAIRS);
        let raised = coefficients(&zest(2.0, correction), &PAIRS.map(|f| f + 8.0));
        let scaled = coefficients(&zest(0.5, correction), &PAIRS.map(|f| 4.0 * f));
        for ((plain, raised), scaled) in plain.iter().zip(raised).zip(scaled) {
            assert!((raised - plain).abs() < 1e-13, "{correction:?}: {plain} {raised}");
            assert!((scaled - 4.0 * plain).abs() < 1e-13, "{correction:?}: {plain} {scaled}");
        }
    }
}

#[test]
fn ramps_go_where_they_should() {
    let at = |ramp, step| {
        let zest = Zest { ramp, ..zest(4.0, Correction::None) };
        assert_eq!(zest.bound_to_total(), ramp != Ramp::Constant);
        estimate(&zest, &StepContext { step, ..CONTEXT }, &PAIRS).tilt.unwrap().t
    };
    assert_eq!([0, 25, 99].map(|step| at(Ramp::Constant, step)), [4.0; 3]);
    assert_eq!([0, 25, 50].map(|step| at(Ramp::Up, step)), [0.0, 1.0, 2.0]);
    assert_eq!([0, 25, 50].map(|step| at(Ramp::Down, step)), [4.0, 3.0, 2.0]);
}

/// On a quadratic, `E ĝ·(k → ∞) = (I − ts²H)⁻¹∇f`: a ratio of means over many directions at once.
#[test]
fn many_directions_give_the_tilted_gradient() {
    let mut params = ParamSet::new();
    params.insert("x", Tensor::zeros((3, 1), DType::F64, &Device::Cpu).unwrap()).unwrap();
    let mut objective = Quadratic::diagonal(&params, Law::Gaussian, &[1.0, 2.0, 4.0], vec![1.0, -1.0, 0.5]).unwrap();
    // H = diag(1, 2, 4), ∇f = (1, −1, 0.5), s = 0.35, t = 1.
    let expected = [1.13960113960114, -1.324503311258278, 0.9803921568627451];
    let k = 60_000;
    let zest = Zest { eps: 0.35, t: 1.0, directions: k, ..Zest::default() };
    let (mut sums, mut squares) = ([0f64; 3], [0f64; 3]);
    let rounds = 4;
    for step in 0..rounds {
        let context = StepContext { step, elements: 3, ..CONTEXT };
        let seeds = step_seeds(Seed(9), step, k);
        let losses = objective.losses(Batch(0), &zest.probes(&context, &seeds)).unwrap();
        let found = zest.combine(&context, &seeds, &losses).unwrap();
        let tilt = found.tilt.unwrap();
        assert!((tilt.loss - 0.723481110738558).abs() < 0.02, "f_t − f: {}", tilt.loss);
        let key = params.iter().next().unwrap().key;
        for (i, (sum, square)) in sums.iter_mut().zip(&mut squares).enumerate() {
            let part = |term: &polder_perturb::Term| {
                term.coeff * f64::from(direction::element(Law::Gaussian, term.seed, key, i as u64))
            };
            let parts: Vec<f64> = found.terms.iter().map(part).collect();
            *sum += parts.iter().sum::<f64>() / rounds as f64;
            // The error of a ratio of means, to first order.
            *square +=
                parts.iter().map(|p| (p - expected[i] / k as f64).powi(2)).sum::<f64>() / (rounds * rounds) as f64;
        }
    }
    for ((sum, square), expected) in sums.iter().zip(squares).zip(expected) {
        let error = square.sqrt();
        assert!((sum - expected).abs() < 4.5 * error && error < 0.03, "{sum} ± {error}, expected {expected}");
    }
}

/// With few directions the plain tilt is biased by what the tables say, and the corrections bring it down.
#[test]
fn biases_are_those_of_the_table() {
    // d = 20, H = diag(4/i), ∇f = (1, …, 1), s = 0.35, t = 1, k = 5: bias .38, .33, .26 (± .005 there).
    let (d, s, k, repeats) = (20usize, 0.35f64, 5, 40_000u64);
    let lambda: Vec<f64> = (1..=d).map(|i| 4.0 / i as f64).collect();
    let exact: Vec<f64> = lambda.iter().map(|l| 1.0 / (1.0 - s * s * l)).collect();
    let norm = exact.iter().map(|g| g * g).sum::<f64>().sqrt();
    let key = polder_perturb::ParamKey::of("x");
    for (correction, expected) in [(Correction::None, 0.38), (Correction::Delta, 0.33), (Correction::Jackknife, 0.26)] {
        let zest = Zest { eps: s, t: 1.0, directions: k, correction, ..Zest::default() };
        let mut mean = vec![0f64; d];
        for step in 0..repeats {
            let seeds = step_seeds(Seed(1), step, k);
            let mut directions = vec![vec![0f32; d]; k];
            seeds.iter().zip(&mut directions).for_each(|(seed, u)| direction::fill(Law::Gaussian, *seed, key, 0, u));
            let s = f64::from(s as f32);
            let loss = |u: &[f32], s: f64| {
                let x = u.iter().map(|u| s * f64::from(*u));
                x.zip(&lambda).map(|(x, l)| x + 0.5 * l * x * x).sum::<f64>()
            };
            let means: Vec<f64> = directions.iter().flat_map(|u| [loss(u, s), loss(u, -s)]).collect();
            let context = StepContext { step, elements: d, ..CONTEXT };
            let losses = Losses { points: means.iter().map(|m| vec![*m]).collect(), weights: vec![1.0] };
            for (term, u) in zest.combine(&context, &seeds, &losses).unwrap().terms.iter().zip(&directions) {
                mean.iter_mut().zip(u).for_each(|(m, u)| *m += term.coeff * f64::from(*u) / repeats as f64);
            }
        }
        let bias = mean.iter().zip(&exact).map(|(m, g)| (m - g).powi(2)).sum::<f64>().sqrt() / norm;
        // rmse 1.5 to 2.0 over 40,000 repeats adds 0.01 in quadrature; the table's own error is 0.005.
        assert!((bias - expected).abs() < 0.015, "{correction:?}: {bias}, expected {expected}");
    }
}

#[test]
fn one_sided_slopes_are_normalised_by_their_spread() {
    let one = OneSided { eps: EPS, directions: 3, ..OneSided::default() };
    let losses = [1.0, 1.5, 0.5, 1.25];
    let found = estimate(&one, &CONTEXT, &losses);
    assert_eq!(found.projected, [4.0, -4.0, 2.0]);
    assert_eq!(found.loss, 1.0);
    assert_eq!(coefficients(&one, &losses), [4.0 / 3.0, -4.0 / 3.0, 2.0 / 3.0]);
    // σ² of (1.5, 0.5, 1.25) with n − 1: mean 13/12.
    let sigma = ([1.5, 0.5, 1.25].map(|l: f64| (l - 13.0 / 12.0).powi(2)).iter().sum::<f64>() / 2.0).sqrt();
    let normalised = OneSided { normalize: true, ..one.clone() };
    for (found, difference) in coefficients(&normalised, &losses).iter().zip([0.5, -0.5, 0.25]) {
        assert!((found - difference / (3.0 * sigma)).abs() < 1e-15, "{found}");
    }
    // A step of the same length whatever the loss is multiplied by; none where nothing distinguishes the directions.
    let tenfold = coefficients(&normalised, &losses.map(|l| 8.0 * l));
    assert_eq!(tenfold, coefficients(&normalised, &losses));
    assert_eq!(coefficients(&normalised, &[1.0, 2.0, 2.0, 2.0]), [0.0; 3]);
}

/// A direction on the sphere is √d·z/‖z‖: probed there, and its slope and its term are those of that vector.
#[test]
fn spheres_scale_probes_and_terms() {
    let lengths = [2.0, 5.0, 3.0];
    let context = StepContext { lengths: &lengths, ..CONTEXT };
    let seeds = step_seeds(Seed(3), 25, 3);
    let sphere = |name: &str| estimator_from(name, &json!({"eps": EPS, "directions": 3, "scaling": "sphere"})).unwrap();
    for (name, losses) in [("two-point", &PAIRS[..]), ("zest", &PAIRS[..]), ("one-sided", &PAIRS[..4])] {
        let estimator = sphere(name);
        assert!(estimator.needs_lengths());
        let shifts = estimator.probes(&context, &seeds);
        for (i, seed) in seeds.iter().enumerate() {
            let step = f64::from((EPS * 8f64.sqrt() / lengths[i]) as f32);
            assert!(shifts.iter().any(|s| s.terms.iter().any(|t| (t.seed, t.coeff) == (*seed, step))), "{name}");
        }
        // The same losses along directions u = scale·z: the coefficient of z is scale times that of u.
        let plain = estimator_from(name, &json!({"eps": EPS, "directions": 3})).unwrap();
        let (found, plain) = (estimate(&*estimator, &context, losses), estimate(&*plain, &context, losses));
        for ((a, b), length) in found.terms.iter().zip(&plain.terms).zip(lengths) {
            let scale = 8f64.sqrt() / length;
            assert!((a.coeff / (b.coeff * scale) - 1.0).abs() < 1e-6, "{name}: steps are f32");
        }
        let short = StepContext { lengths: &lengths[..2], ..CONTEXT };
        let losses = Losses { points: losses.iter().map(|m| vec![*m]).collect(), weights: vec![1.0] };
        assert!(estimator.combine(&short, &seeds, &losses).is_err());
    }
    assert!(Scaling::Plain.is_plain() && !Scaling::Sphere.is_plain());
}

#[test]
fn settings_without_sense_are_refused() {
    for (name, settings, key) in [
        ("zest", json!({"t": -1.0}), "t"),
        ("zest", json!({"eps": 0.0}), "eps"),
        ("zest", json!({"directions": 0}), "directions"),
        ("zest", json!({"t": 0.0, "sides": "one"}), "t"),
        ("zest", json!({"ramp": "up", "sides": "one"}), "ramp"),
        ("zest", json!({"clip": 1.0, "sides": "one"}), "clip"),
        ("zest", json!({"directions": 1, "correction": "delta"}), "directions"),
        ("one-sided", json!({"eps": -1.0}), "eps"),
        ("one-sided", json!({"directions": 0}), "directions"),
        ("one-sided", json!({"directions": 1, "normalize": true}), "directions"),
        ("one-sided", json!({"clip": 0.0}), "clip"),
    ] {
        let error = estimator_from(name, &settings).unwrap_err();
        assert!(matches!(&error, polder_optim::Error::Setting { name, .. } if *name == key), "{settings}: {error}");
    }
    let nan = Losses { points: vec![vec![1.0], vec![f64::NAN]], weights: vec![1.0] };
    let one = Zest { directions: 1, ..Zest::default() };
    let error = one.combine(&CONTEXT, &step_seeds(Seed(0), 0, 1), &nan).unwrap_err().to_string();
    assert!(error.contains("- eps·u of direction 0"), "{error}");
}
