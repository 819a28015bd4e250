//! Two-point descent finds flat minima: the acceptance oracles of arXiv 2506.05454 on the small objectives.

mod zeroth_order;

use std::path::PathBuf;

use polder_optim::objectives::{
    Descent, FirstOrder, LinearLoss, LinearModel, RandomFeatures, Smooth, SmoothObjective, SparseData, Toy, stand_in,
};
use polder_perturb::{Law, Seed};
use zeroth_order::Run;

/// The toy of the paper, 2·100 numbers, and a start whose residual is small.
fn toy(which: u64) -> (Toy, Vec<f64>) {
    let toy = Toy::new(100).unwrap();
    let mut starts = (1000 * which..).map(|seed| toy.start(Seed(seed)));
    (toy, starts.find(|x| toy.residual(x).abs() <= 5.0).unwrap())
}

/// What is left of the trace after two-point descent with the paper's step size.
fn trace_ratio(eps: f64, which: u64) -> f64 {
    let (toy, start) = toy(which);
    let end = Run { lr: 1e-3, eps, seed: Seed(which) }.descend(&toy, &start, 100_000);
    toy.trace(&end).unwrap() / toy.trace(&start).unwrap()
}

#[test]
fn two_point_descent_lowers_the_trace_of_the_toy_with_lambda() {
    for which in 0..2 {
        for (eps, least, most) in [(0.1, 0.14, 0.21), (0.05, 0.58, 0.65), (0.01, 0.96, 1.0)] {
            let ratio = trace_ratio(eps, which);
            assert!((least..=most).contains(&ratio), "λ {eps}, start {which}: {ratio}");
        }
        let ratio = trace_ratio(1e-4, which);
        assert!((0.96..=1.04).contains(&ratio), "λ → 0, start {which}: {ratio}");
    }
}

#[test]
fn gradient_descent_keeps_the_trace_of_the_toy() {
    for which in 0..3 {
        let (toy, start) = toy(which);
        let trace = toy.trace(&start).unwrap();
        let mut descent = Descent::new(&toy, FirstOrder::Gradient { lr: 1.0 / trace }, start.clone()).unwrap();
        let mut balance = toy.balance(&start);
        for _ in 0..1000 {
            let r = toy.residual(descent.x());
            descent.step(None);
            balance *= 1.0 - (r / trace).powi(2);
        }
        let ratio = toy.trace(descent.x()).unwrap() / trace;
        assert!((0.97..=1.03).contains(&ratio), "start {which}: {ratio}");
        assert!(toy.residual(descent.x()).abs() < 1e-12);
        assert!((toy.balance(descent.x()) - balance).abs() < 1e-9, "a step makes it B(1 − η²r²)");
    }
}

/// `E B_t = B₀·e^{−2ηλ²t}`, from a minimum with a large balance.
#[test]
fn the_balance_of_the_toy_decays_at_its_rate() {
    let toy = Toy::new(100).unwrap();
    for (eps, formula, least, most) in [(0.1, 0.135, 0.05, 0.2), (0.05, 0.607, 0.5, 0.7)] {
        let ratios: Vec<f64> = (0..4)
            .map(|seed| {
                let start = toy.minimum(Seed(seed), 150.0, 70.0).unwrap();
                let end = Run { lr: 1e-3, eps, seed: Seed(seed) }.descend(&toy, &start, 100_000);
                toy.balance(&end) / toy.balance(&start)
            })
            .collect();
        assert!(ratios.iter().all(|ratio| (least..=most).contains(ratio)), "λ {eps}: {ratios:?}");
        // Single runs scatter by about 0.04.
        let mean = ratios.iter().sum::<f64>() / 4.0;
        assert!((mean - formula).abs() < 0.06, "λ {eps}: {ratios:?}");
    }
}

/// At a minimum of trace S: gradient descent is stable just for η < 2/S, the second moments of two-point descent, which
/// a step multiplies by `1 − 2ηS + 3η²S²`, for η < 2/(3S).
#[test]
fn the_toy_is_stable_up_to_two_and_two_thirds() {
    let toy = Toy::new(100).unwrap();
    let minimum = toy.minimum(Seed(1), 120.0, 100.0).unwrap();
    let trace = toy.trace(&minimum).unwrap();
    // The residual 2e-3 is small, so the Hessian stays, and large against the λ²·v·w that the estimate adds to it.
    let start: Vec<f64> = minimum.iter().map(|x| x * (1.0 + 1e-3)).collect();
    let first = toy.residual(&start);
    for (share, grows) in [(1.9, false), (2.1, true)] {
        let mut descent = Descent::new(&toy, FirstOrder::Gradient { lr: share / trace }, start.clone()).unwrap();
        for _ in 0..40 {
            descent.step(None);
        }
        let ratio = (toy.residual(descent.x()) / first).abs();
        assert_eq!(ratio > 1.0, grows, "gradient descent at ηS = {share}: {ratio}");
    }
    for share in [0.55, 0.8] {
        let square = |seed| {
            let run = Run { lr: share / trace, eps: 1e-4, seed: Seed(seed) };
            (toy.residual(&run.descend(&toy, &start, 1)) / first).powi(2)
        };
        let squares: Vec<f64> = (0..20_000).map(square).collect();
        let mean = squares.iter().sum::<f64>() / 2e4;
        let error = (squares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / 2e4 / 2e4).sqrt();
        let expected = 1.0 - 2.0 * share + 3.0 * share * share;
        assert_eq!(expected > 1.0, share > 2.0 / 3.0);
        assert!((mean - expected).abs() < 4.0 * error && error < 0.04, "{share}: {mean} ± {error}, {expected}");
    }
}

/// The trace at the start, its largest value and that at the end of 10,000 steps, with the test accuracy.
#[derive(Debug)]
struct Course {
    start: f64,
    peak: f64,
    end: f64,
    accuracy: f64,
}

impl Course {
    /// Of the course of a descent, looked at every 100 steps.
    fn of(models: &[LinearModel; 2], start: &[f64], mut steps: impl FnMut() -> Vec<f64>) -> Self {
        let trace = |x: &[f64]| models[0].trace(x).unwrap();
        let first = trace(start);
        let mut course = Self { start: first, peak: first, end: first, accuracy: 0.0 };
        for _ in 0..100 {
            let x = steps();
            course.end = trace(&x);
            course.peak = course.peak.max(course.end);
            course.accuracy = models[1].accuracy(&x).unwrap();
        }
        course
    }

    fn gradient(models: &[LinearModel; 2], start: &[f64], lr: f64) -> Self {
        let mut descent = Descent::new(&models[0], FirstOrder::Gradient { lr }, start.to_vec()).unwrap();
        Self::of(models, start, || {
            for _ in 0..100 {
                descent.step(None);
            }
            descent.x().to_vec()
        })
    }

    fn two_point(models: &[LinearModel; 2], start: &[f64], lr: f64, eps: f64) -> Self {
        let params = SmoothObjective::parameter(start).unwrap();
        let mut objective = SmoothObjective::new(&models[0], &params, Law::Gaussian).unwrap();
        let (run, mut step) = (Run { lr, eps, seed: Seed(29) }, 0);
        Self::of(models, start, || {
            for _ in 0..100 {
                run.step(&mut objective, &params, step, 10_000);
                step += 1;
            }
            objective.weights().unwrap()
        })
    }
}

/// Models on training and test rows, with the start.
fn models(train: &SparseData, test: &SparseData, width: usize, loss: LinearLoss) -> ([LinearModel; 2], Vec<f64>) {
    let lifted = RandomFeatures { width, seed: Seed(29) }.reduced(train, &[test]).unwrap();
    let [test]: [_; 1] = lifted.others.try_into().unwrap();
    ([LinearModel::new(lifted.train, loss), LinearModel::new(test, loss)], lifted.start)
}

/// The paper's setting on data of a5a's kind: 10,000 random features, 10,000 steps.
#[test]
fn two_point_descent_halves_the_trace_of_an_svm_and_gradient_descent_does_not() {
    let (train, test) = stand_in(Seed(1), 600, 600);
    let (models, start) = models(&train, &test, 10_000, LinearLoss::SquaredHinge);
    let gradient = Course::gradient(&models, &start, 1e-4);
    let two_point = Course::two_point(&models, &start, 1e-4, 0.05);
    println!("{gradient:?}\n{two_point:?}");
    assert!(two_point.end < 0.5 * two_point.start, "{two_point:?}");
    assert!(gradient.end > 0.5 * gradient.start, "{gradient:?}");
    assert!(two_point.accuracy > models[1].features().majority(), "{two_point:?}");
}

/// The real a5a, where `POLDER_TEST_DATA` names a folder that has it.
fn a5a(loss: LinearLoss) -> Option<([LinearModel; 2], Vec<f64>)> {
    let Some(folder) = std::env::var_os("POLDER_TEST_DATA").map(PathBuf::from) else {
        println!("skipped: POLDER_TEST_DATA is not set");
        return None;
    };
    let [train, test] = ["a5a", "a5a.t"].map(|name| folder.join("libsvm").join(name));
    if !(train.is_file() && test.is_file()) {
        println!("skipped: POLDER_TEST_DATA has no libsvm/a5a and libsvm/a5a.t");
        return None;
    }
    let train = SparseData::read(&train).unwrap();
    let test = train.read_like(&test).unwrap();
    // One of the 123 features occurs in no training row.
    assert_eq!((train.rows(), test.rows(), train.features(), test.features()), (6_414, 26_147, 122, 123));
    let found = models(&train, &test, 10_000, loss);
    assert_eq!(found.0[0].dimension(), 124);
    assert!((found.0[0].features().majority() - 0.755).abs() < 5e-4);
    assert!((found.0[1].features().majority() - 0.760).abs() < 5e-4);
    Some(found)
}

#[test]
fn a5a_svm_follows_lambda_under_the_edge() {
    let Some((models, start)) = a5a(LinearLoss::SquaredHinge) else { return };
    let gradient = Course::gradient(&models, &start, 1e-4);
    let wide = Course::two_point(&models, &start, 1e-4, 0.05);
    let narrow = Course::two_point(&models, &start, 1e-4, 0.005);
    println!("{gradient:?}\n{wide:?}\n{narrow:?}");
    assert!((4.4e3..4.7e3).contains(&wide.end) && 2.0 * wide.end <= wide.start, "{wide:?}");
    assert!((1.0e4..1.15e4).contains(&narrow.end), "{narrow:?}");
    assert!(gradient.end > 1.3e4 && 2.0 * gradient.end > gradient.start, "{gradient:?}");
    assert!((gradient.accuracy - 0.843).abs() < 5e-3 && (wide.accuracy - 0.816).abs() < 2e-2);
}

#[test]
fn a5a_logistic_regression_stops_at_the_edge() {
    let Some((models, start)) = a5a(LinearLoss::Logistic) else { return };
    for eps in [0.1, 0.01] {
        let course = Course::two_point(&models, &start, 0.01, eps);
        println!("η .01, λ {eps}: {course:?}");
        assert!((course.end / 200.0 - 1.0).abs() < 0.15, "λ {eps}: {course:?}");
    }
}

#[test]
fn a5a_logistic_regression_follows_lambda_below_the_edge() {
    let Some((models, start)) = a5a(LinearLoss::Logistic) else { return };
    for (eps, least, most) in [(0.1, 280.0, 320.0), (0.01, 1000.0, 1100.0)] {
        let course = Course::two_point(&models, &start, 1e-3, eps);
        println!("η .001, λ {eps}: {course:?}");
        assert!((least..most).contains(&course.end), "λ {eps}: {course:?}");
    }
}
