//! The running trace against weighted sums by hand, and fed by two-point steps.

use polder_optim::{Estimator, StepContext, TwoPoint, step_seeds};

use super::*;

/// The mean and standard error from all samples, weights first.
fn by_hand(samples: &[f64], memory: f64) -> (f64, f64) {
    let weights: Vec<f64> = (0..samples.len()).rev().map(|k| (1.0 - 1.0 / memory).powi(k as i32)).collect();
    let (w, w2): (f64, f64) = (weights.iter().sum(), weights.iter().map(|w| w * w).sum());
    let mean = samples.iter().zip(&weights).map(|(x, w)| w * x).sum::<f64>() / w;
    let spread: f64 = samples.iter().zip(&weights).map(|(x, w)| w * (x - mean).powi(2)).sum();
    (mean, (spread / (w - w2 / w) * w2).sqrt() / w)
}

#[test]
fn it_is_the_weighted_mean_of_its_samples() {
    let mut running = RunningTrace::new(5.0).unwrap();
    let mut samples = Vec::new();
    assert_eq!(running.measured(), None);
    for k in 0..30 {
        // ε = 1 and f(θ) = 2: the sample is f₊ + f₋ − 4.
        let (plus, minus) = (3.0 + (k as f64).sin(), 2.5 + (3.0 * k as f64).cos());
        samples.push(plus + minus - 4.0);
        running.feed(2.0, &[plus, minus], 1.0).unwrap();
        let Some(measured) = running.measured() else {
            assert_eq!(k, 0);
            continue;
        };
        let (mean, error) = by_hand(&samples, 5.0);
        assert!((measured.value - mean).abs() < 1e-14 && (measured.standard_error - error).abs() < 1e-14);
        assert_eq!((measured.samples, measured.forwards), (k + 1, k + 1));
    }
    // W²/Σw² of an endless series: (1 + γ)/(1 − γ) = 2·5 − 1.
    close(running.effective_samples(), 9.0, 0.01);
}

#[test]
fn a_training_loop_feeds_it_with_one_forward_pass_more_a_step() {
    let set = params(&[1.0, -1.0, 0.5, 2.0]);
    let hessian = [3.0, 1.0, 0.5, 2.0];
    let mut objective = Quadratic::diagonal(&set, Law::Gaussian, &hessian, vec![0.7; 4]).unwrap();
    let estimator = TwoPoint { eps: 1e-3, directions: 2, ..TwoPoint::default() };
    let mut running = RunningTrace::new(1000.0).unwrap();
    for step in 0..2000 {
        let context = StepContext { step, total: 2000, batch: Batch(step), elements: 4, lengths: &[] };
        let probes = estimator.probes(&context, &step_seeds(Seed(1), step, 2));
        let losses = objective.losses(context.batch, &probes).unwrap();
        let base = RunningTrace::base(&mut objective, context.batch).unwrap();
        running.feed(base, &losses.means(), estimator.eps).unwrap();
    }
    let measured = running.measured().unwrap();
    within(&measured, 6.5);
    // Var uᵀHu = 2‖H‖_F² = 28.5. About 1,900 effective samples of kurtosis 10 know it to 7 %, its root to half of that;
    // 10 % is three standard errors.
    close(measured.standard_error, (28.5 / running.effective_samples()).sqrt(), 0.1);
    assert_eq!((measured.samples, measured.forwards), (4000, 2000));
}

#[test]
fn it_forgets_what_is_older_than_its_memory() {
    let mut running = RunningTrace::new(10.0).unwrap();
    let mut feed = |trace: f64| running.feed(0.0, &[trace / 2.0, trace / 2.0], 1.0).unwrap();
    (0..50).for_each(|_| feed(1000.0));
    (0..200).for_each(|_| feed(3.0));
    // 997·0.9²⁰⁰ = 7e-7.
    assert!((running.measured().unwrap().value - 3.0).abs() < 1e-6);
}

#[test]
fn it_refuses_what_is_no_loss_and_keeps_what_it_had() {
    let mut running = RunningTrace::new(10.0).unwrap();
    running.feed(1.0, &[2.0, 2.0, 3.0, 3.0], 0.5).unwrap();
    let before = running.clone();
    let mut why = |base, means: &[f64], eps| running.feed(base, means, eps).unwrap_err().to_string();
    assert!(why(f64::NAN, &[1.0, 1.0], 0.5).starts_with("the loss is NaN at the weights themselves"));
    assert!(why(1.0, &[1.0, 1.0, f64::INFINITY, 1.0], 0.5).starts_with("the loss is inf at point 2 of the step"));
    assert!(why(1.0, &[1.0], 0.5).contains("1 points where 2"));
    assert!(why(1.0, &[1.0, 1.0], 0.0).contains("`eps` = 0"));
    assert_eq!(running, before);
    for memory in [1.0, 0.0, f64::NAN, f64::INFINITY] {
        assert!(RunningTrace::new(memory).unwrap_err().to_string().contains("`memory`"));
    }
}

#[test]
fn it_goes_on_after_it_was_written_down() {
    let mut running = RunningTrace::new(7.0).unwrap();
    (0..9).for_each(|k| running.feed(0.1, &[0.3 + k as f64, 0.2], 0.7).unwrap());
    let mut again: RunningTrace = serde_json::from_str(&serde_json::to_string(&running).unwrap()).unwrap();
    running.feed(0.1, &[0.9, 0.8], 0.7).unwrap();
    again.feed(0.1, &[0.9, 0.8], 0.7).unwrap();
    assert_eq!(running, again);
}
