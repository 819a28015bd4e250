//! The two-point estimator and SGD against closed forms.

use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};
use polder_optim::{
    Batch, Error, Estimate, Estimator, Losses, Objective, Optimizer, Quadratic, Sgd, StepContext, TwoPoint, UpdateMode,
    rounding_seed, step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed, Term, direction};

const MODE: UpdateMode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Stochastic };

fn context(step: u64) -> StepContext<'static> {
    StepContext { step, total: 100, batch: Batch(step), elements: 8, lengths: &[] }
}

/// A matrix [2, 3] and a vector [2]: eight weights, f64.
fn eight() -> ParamSet {
    let mut params = ParamSet::new();
    let w = [0.3, -1.2, 0.7, 2.0, -0.4, 0.9];
    params.insert("layer.weight", Tensor::from_slice(&w, (2, 3), &Device::Cpu).unwrap()).unwrap();
    params.insert("layer.bias", Tensor::from_slice(&[1.5f64, -0.6], 2, &Device::Cpu).unwrap()).unwrap();
    params
}

/// A dense, symmetric, indefinite Hessian and two examples.
fn quadratic(params: &ParamSet, law: Law) -> Quadratic<'_> {
    let d = params.elements();
    let h = |i: usize, j: usize| ((i * j) as f64 * 0.7 + (i + j) as f64).sin() + if i == j { 1.0 } else { 0.0 };
    let hessian = (0..d * d).map(|k| h(k / d, k % d)).collect();
    let linear = [0.5, 1.5].map(|s| (0..d).map(|i| s * (i as f64 - 2.5)).collect()).to_vec();
    Quadratic::new(params, law, hessian, linear).unwrap()
}

/// `Σ coeff·u` over all eight weights.
fn dense(params: &ParamSet, law: Law, estimate: &Estimate) -> Vec<f64> {
    let mut all = Vec::new();
    for param in params.iter() {
        let mut g = vec![0f64; param.tensor.elem_count()];
        let mut u = vec![0f32; g.len()];
        for term in &estimate.terms {
            direction::fill(law, term.seed, param.key, 0, &mut u);
            g.iter_mut().zip(&u).for_each(|(g, u)| *g += term.coeff * f64::from(*u));
        }
        all.append(&mut g);
    }
    all
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn estimate(two: &TwoPoint, objective: &mut Quadratic<'_>, run: Seed, step: u64) -> Estimate {
    let seeds = step_seeds(run, step, two.directions);
    let losses = objective.losses(Batch(step), &two.probes(&context(step), &seeds)).unwrap();
    assert_eq!(losses.points.len() as u64, two.forwards());
    two.combine(&context(step), &seeds, &losses).unwrap()
}

/// On a quadratic the central difference is the slope itself, whatever ε: `ĝ = (uᵀ∇f)·u`.
#[test]
fn the_slope_is_exact_on_a_quadratic_for_every_eps() {
    let params = eight();
    for law in Law::ALL {
        let mut objective = quadratic(&params, law);
        let gradient = objective.gradient(&objective.weights().unwrap());
        for eps in [1e-4, 1e-3, 0.3, 1.0, 7.0, 1e3] {
            let two = TwoPoint { eps, directions: 3, ..TwoPoint::default() };
            let found = estimate(&two, &mut objective, Seed(11), 5);
            for (i, seed) in step_seeds(Seed(11), 5, 3).into_iter().enumerate() {
                let unit =
                    Estimate { terms: vec![Term { seed, coeff: 1.0 }], loss: 0.0, projected: vec![], tilt: None };
                let u = dense(&params, law, &unit);
                let slope = dot(&u, &gradient);
                // The losses, of size 10 + 30·ε², carry some units of 2^-53 each into a difference over 2ε.
                let rounding = 100.0 * f64::EPSILON * (10.0 + 30.0 * eps * eps) / (2.0 * eps);
                assert!((found.projected[i] - slope).abs() < rounding + 1e-14, "{law} eps {eps}: {slope} {found:?}");
                assert_eq!(found.terms[i], Term { seed, coeff: found.projected[i] / 3.0 });
            }
        }
    }
}

/// Mean and standard error of a sample.
fn mean_se(sample: &[f64]) -> (f64, f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    let var = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (var / n).sqrt())
}

/// `Eĝ = ∇f`, and `E‖ĝ − ∇f‖² = c‖∇f‖²/q` with c = d + 1 (Gaussian) or d − 1 (Rademacher).
#[test]
fn moments_of_the_estimate_are_those_of_the_theory() {
    let params = eight();
    for (law, c) in [(Law::Gaussian, 9.0), (Law::Rademacher, 7.0)] {
        let mut objective = quadratic(&params, law);
        let gradient = objective.gradient(&objective.weights().unwrap());
        let square = dot(&gradient, &gradient);
        for q in [1, 4] {
            let two = TwoPoint { eps: 0.5, directions: q, ..TwoPoint::default() };
            let draws: Vec<Vec<f64>> = (0..20_000)
                .map(|step| dense(&params, law, &estimate(&two, &mut objective, Seed(3 + q as u64), step)))
                .collect();
            for (i, g) in gradient.iter().enumerate() {
                let (mean, se) = mean_se(&draws.iter().map(|d| d[i]).collect::<Vec<_>>());
                assert!((mean - g).abs() < 4.5 * se, "{law} q {q} weight {i}: {mean} ± {se}, expected {g}");
                assert!(se < 0.05 * square.sqrt(), "the test would see a wrong mean: {se}");
            }
            let norms: Vec<f64> = draws.iter().map(|d| dot(d, d)).collect();
            let (mean, se) = mean_se(&norms);
            let expected = square * (1.0 + c / q as f64);
            assert!((mean - expected).abs() < 4.5 * se, "{law} q {q}: {mean} ± {se}, expected {expected}");
            assert!(se < 0.03 * expected, "{se} of {expected}");
        }
    }
}

#[test]
fn a_clip_bounds_each_slope_and_keeps_its_sign() {
    let losses =
        Losses { points: vec![vec![5.0], vec![1.0], vec![1.0], vec![5.0], vec![1.0], vec![1.5]], weights: vec![1.0] };
    let seeds = step_seeds(Seed(0), 0, 3);
    let clipped = TwoPoint { eps: 0.5, directions: 3, clip: Some(2.0), ..TwoPoint::default() }
        .combine(&context(0), &seeds, &losses)
        .unwrap();
    assert_eq!(clipped.projected, vec![2.0, -2.0, -0.5]);
    assert_eq!(clipped.loss, 14.5 / 6.0);
    assert_eq!(clipped.terms[2].coeff, -0.5 / 3.0);
}

#[test]
fn losses_that_make_no_sense_are_refused() {
    let two = TwoPoint { directions: 2, ..TwoPoint::default() };
    let seeds = step_seeds(Seed(0), 0, 2);
    let combine = |points: Vec<Vec<f64>>, weights: Vec<f64>| {
        two.combine(&context(7), &seeds, &Losses { points, weights }).unwrap_err()
    };
    let fine = vec![vec![1.0, 2.0]; 4];
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut points = fine.clone();
        points[3][1] = bad;
        let text = combine(points, vec![1.0; 2]).to_string();
        assert!(
            text.contains("step 7") && text.contains("- eps·u of direction 1") && text.contains("hint: "),
            "{text}"
        );
    }
    assert!(matches!(combine(fine[..3].to_vec(), vec![1.0; 2]), Error::LossShape { found: 3, expected: 4, .. }));
    assert!(matches!(combine(fine.clone(), vec![1.0; 3]), Error::LossShape { found: 2, expected: 3, .. }));
    for weights in [vec![0.0, 0.0], vec![1.0, -1.0], vec![f64::NAN, 1.0]] {
        assert!(matches!(combine(fine.clone(), weights), Error::NoWeight { examples: 2, .. }));
    }
    assert!(matches!(combine(vec![vec![]; 4], vec![]), Error::NoWeight { examples: 0, .. }));
    let losses = Losses { points: fine, weights: vec![1.0; 2] };
    assert!(matches!(two.combine(&context(7), &seeds[..1], &losses), Err(Error::LossShape { what: "seeds", .. })));
}

fn values(params: &ParamSet, name: &str) -> Vec<f64> {
    let tensor = &params.get(params.site(name).unwrap()).tensor;
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

#[test]
fn what_is_decided_is_what_is_logged_and_applied() {
    let params = eight();
    let before = [values(&params, "layer.weight"), values(&params, "layer.bias")];
    let (a, b) = (Seed(5), Seed(6));
    let terms = vec![Term { seed: a, coeff: 1.1 }, Term { seed: b, coeff: -0.7 }];
    let estimate = Estimate { terms, loss: 1.0, projected: vec![], tilt: None };
    let mut sgd = Sgd { lr: 1.0, weight_decay: 0.2 };
    let applied = sgd.step(&params, &MODE, &estimate, 0.3, rounding_seed(Seed(0), 0)).unwrap();
    let (ca, cb, decay) = ((-0.3 * 1.1) as f32, (-0.3 * -0.7) as f32, (0.3 * 0.2) as f32);
    assert_eq!((applied.terms, applied.decay), (vec![(a, ca), (b, cb)], decay));
    for (name, before, decay) in [("layer.weight", &before[0], decay), ("layer.bias", &before[1], 0.0)] {
        let param = params.get(params.site(name).unwrap());
        for (i, (x, now)) in before.iter().zip(values(&params, name)).enumerate() {
            let u = |seed| f64::from(direction::element(Law::Gaussian, seed, param.key, i as u64));
            let expected = x + (f64::from(ca) * u(a) + f64::from(cb) * u(b) - f64::from(decay) * x);
            // The terms are summed in f32.
            assert!((now - expected).abs() < 4.0 * f64::from(f32::EPSILON), "{name}[{i}]: {now}, expected {expected}");
            assert_ne!(now, *x);
        }
    }
}

#[test]
fn numbers_beyond_f32_change_nothing() {
    let params = eight();
    let before = params.digest().unwrap();
    for (coeff, lr, weight_decay) in
        [(1e30, 1e30, 0.0), (f64::NAN, 1.0, 0.0), (f64::INFINITY, 0.0, 0.0), (0.0, 1.0, 1e60)]
    {
        let estimate =
            Estimate { terms: vec![Term { seed: Seed(1), coeff }], loss: 1.0, projected: vec![], tilt: None };
        let done = Sgd { lr, weight_decay }.step(&params, &MODE, &estimate, lr, Seed(0));
        assert!(matches!(done, Err(Error::NonFiniteUpdate { .. })), "{coeff} {lr}");
    }
    assert_eq!(params.digest().unwrap(), before);
}

/// Also −0, subnormal, infinite and NaN weights keep their bits at learning rate 0.
#[test]
fn learning_rate_zero_leaves_every_bit() {
    let odd = [0.0f32, -0.0, 1.0, -3.5e-39, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-8, -7.25];
    for dtype in [DType::F64, DType::F32, DType::BF16, DType::F16] {
        let mut params = ParamSet::new();
        let tensor = Tensor::from_slice(&odd, (2, 5), &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        params.insert("w", tensor).unwrap();
        let before = params.digest().unwrap();
        let terms = vec![Term { seed: Seed(1), coeff: 17.0 }, Term { seed: Seed(2), coeff: -3.0 }];
        let estimate = Estimate { terms, loss: 1.0, projected: vec![], tilt: None };
        for rounding in Rounding::ALL {
            let mode = UpdateMode { law: Law::Gaussian, rounding };
            let mut sgd = Sgd { lr: 1.0, weight_decay: 0.1 };
            sgd.step(&params, &mode, &estimate, 0.0, Seed(9)).unwrap();
            assert_eq!(params.digest().unwrap(), before, "{dtype:?} {rounding}");
        }
    }
}

/// The mean-square critical step of `λᵢ = 1/i`, i = 1..10, one Gaussian direction a step: the η that solves
/// `Σ ηλᵢ/(2(1 − ηλᵢ)) = 1`.
fn critical_step() -> f64 {
    static STEP: OnceLock<f64> = OnceLock::new();
    *STEP.get_or_init(|| {
        let sum = |eta: f64| (1..=10).map(|i| eta / f64::from(i)).map(|e| e / (2.0 * (1.0 - e))).sum::<f64>();
        let (mut low, mut high) = (0.0, 0.999);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if sum(middle) < 1.0 { low = middle } else { high = middle }
        }
        low
    })
}

/// `‖x‖²` after `steps` steps of ZO-SGD from x = (1, …, 1) on `½ Σ xᵢ²/i`.
fn descend(eta: f64, run: Seed, steps: u64) -> f64 {
    let mut params = ParamSet::new();
    params.insert("x", Tensor::ones((10, 1), DType::F64, &Device::Cpu).unwrap()).unwrap();
    let eigenvalues: Vec<f64> = (1..=10).map(|i| 1.0 / f64::from(i)).collect();
    let mut objective = Quadratic::diagonal(&params, Law::Gaussian, &eigenvalues, vec![0.0; 10]).unwrap();
    let (two, mut sgd) = (TwoPoint { eps: 0.1, ..TwoPoint::default() }, Sgd { lr: eta, weight_decay: 0.0 });
    for step in 0..steps {
        let found = estimate(&two, &mut objective, run, step);
        sgd.step(&params, &MODE, &found, eta, rounding_seed(run, step)).unwrap();
    }
    let x = objective.weights().unwrap();
    dot(&x, &x)
}

#[test]
fn sgd_converges_below_the_critical_step_and_diverges_far_above() {
    // Golden value: the root to 30 digits is 0.47951634696469186….
    assert!((critical_step() - 0.479_516_346_964_691_86).abs() < 1e-15);
    for run in 0..4 {
        let end = descend(0.6 * critical_step(), Seed(run), 1500);
        assert!(end < 1e-8, "run {run} ended at {end}");
        let end = descend(10.0 * critical_step(), Seed(run), 300);
        assert!(end > 1e8, "run {run} ended at {end}");
    }
}

/// The mean of `‖x‖²` follows `aᵢ' = aᵢ(1 − 2ηλᵢ + 2η²λᵢ²) + η² Σ λⱼ²aⱼ` (Gaussian fourth moments).
#[test]
fn the_mean_square_follows_its_recursion() {
    let eta = 0.6 * critical_step();
    let lambda: Vec<f64> = (1..=10).map(|i| 1.0 / f64::from(i)).collect();
    let mut a = vec![1.0; 10];
    for _ in 0..15 {
        let t: f64 = lambda.iter().zip(&a).map(|(l, a)| l * l * a).sum();
        a.iter_mut()
            .zip(&lambda)
            .for_each(|(a, l)| *a = *a * (1.0 - 2.0 * eta * l + 2.0 * eta * eta * l * l) + eta * eta * t);
    }
    let expected: f64 = a.iter().sum();
    assert!((expected - 4.880_932).abs() < 1e-6, "{expected}");
    let ends: Vec<f64> = (0..4000).map(|run| descend(eta, Seed(1000 + run), 15)).collect();
    let (mean, se) = mean_se(&ends);
    assert!((mean - expected).abs() < 4.5 * se && se < 0.03 * expected, "{mean} ± {se}, expected {expected}");
}
