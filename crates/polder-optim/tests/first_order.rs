//! First-order methods against closed forms.

use polder_optim::Error;
use polder_optim::objectives::{Descent, Examples, FirstOrder, Network, QuadraticForm, Scratch, Smooth};
use polder_perturb::Seed;

const START: [f64; 3] = [1.0, -2.0, 0.5];
const LAMBDA: [f64; 3] = [4.0, 1.0, 0.25];

/// `x` after that many steps on `½ Σ λᵢxᵢ²`.
fn run(method: FirstOrder, steps: usize) -> Vec<f64> {
    let bowl = QuadraticForm::diagonal(LAMBDA.to_vec(), vec![0.0; 3]).unwrap();
    let mut descent = Descent::new(&bowl, method, START.to_vec()).unwrap();
    for _ in 0..steps {
        let before = bowl.value(descent.x(), None, &mut Scratch::new());
        assert_eq!(descent.step(None), before, "a step gives the loss before it");
    }
    descent.x().to_vec()
}

/// The same by a recursion of one coordinate: `step(λ, x, state)` changes both.
fn coordinates(steps: usize, step: impl Fn(f64, &mut f64, &mut [f64; 2], i32)) -> Vec<f64> {
    START
        .into_iter()
        .zip(LAMBDA)
        .map(|(mut x, lambda)| {
            let mut state = [0.0; 2];
            (1..=steps).for_each(|t| step(lambda, &mut x, &mut state, t as i32));
            x
        })
        .collect()
}

fn close(found: &[f64], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12 * expected.abs().max(1e-3), "{found}, {expected}");
    }
}

#[test]
fn methods_follow_their_recursions() {
    let gradient = coordinates(9, |lambda, x, _, _| *x *= 1.0 - 0.3 * lambda);
    close(&run(FirstOrder::Gradient { lr: 0.3 }, 9), &gradient);
    let ball = coordinates(9, |lambda, x, m, _| {
        m[0] = 0.8 * m[0] + lambda * *x;
        *x -= 0.2 * m[0];
    });
    close(&run(FirstOrder::HeavyBall { lr: 0.2, beta: 0.8 }, 9), &ball);
    let adam = coordinates(9, |lambda, x, s, t| {
        let g = lambda * *x;
        *s = [0.7 * s[0] + 0.3 * g, 0.95 * s[1] + 0.05 * g * g];
        *x -= 0.1 * (s[0] / (1.0 - 0.7f64.powi(t))) / ((s[1] / (1.0 - 0.95f64.powi(t))).sqrt() + 1e-8);
    });
    close(&run(FirstOrder::Adam { lr: 0.1, betas: [0.7, 0.95], eps: 1e-8 }, 9), &adam);
    // SAM needs the whole gradient's length, so one step by hand: g = (4, −2, 1/8).
    let norm = (16.0 + 4.0 + 1.0 / 64.0f64).sqrt() + 1e-12;
    let by_hand: Vec<f64> = START.iter().zip(LAMBDA).map(|(x, l)| x - 0.1 * l * (x + 0.5 * l * x / norm)).collect();
    close(&run(FirstOrder::Sam { lr: 0.1, rho: 0.5 }, 1), &by_hand);
    close(&run(FirstOrder::Sam { lr: 0.3, rho: 0.0 }, 9), &gradient);
}

/// The critical steps 2/λ_max and 2(1 + β)/λ_max that arXiv 2604.14669 compares with.
#[test]
fn methods_are_stable_up_to_their_critical_steps() {
    for (make, critical) in [
        ((|lr| FirstOrder::Gradient { lr }) as fn(f64) -> FirstOrder, 2.0 / 4.0),
        (|lr| FirstOrder::HeavyBall { lr, beta: 0.5 }, 3.0 / 4.0),
    ] {
        assert!(run(make(0.98 * critical), 2000)[0].abs() < 1e-6);
        assert!(run(make(1.02 * critical), 2000)[0].abs() > 1e6);
    }
}

#[test]
fn a_step_on_some_rows_follows_their_gradient() {
    let network = Network::mlp(Examples::random(Seed(1), 10, 3, 2).unwrap(), &[4]).unwrap();
    let start = network.start(Seed(2));
    let mut descent = Descent::new(&network, FirstOrder::Gradient { lr: 0.5 }, start.clone()).unwrap();
    descent.step(Some(&[3, 7]));
    let mut g = vec![0.0; start.len()];
    network.gradient(&start, Some(&[3, 7]), &mut Scratch::new(), &mut g);
    let expected: Vec<f64> = start.iter().zip(g).map(|(x, g)| x - 0.5 * g).collect();
    assert_eq!(descent.x(), expected);
}

#[test]
fn settings_without_sense_are_refused() {
    let bowl = QuadraticForm::diagonal(vec![1.0], vec![0.0]).unwrap();
    for method in [
        FirstOrder::Gradient { lr: -1.0 },
        FirstOrder::Gradient { lr: f64::NAN },
        FirstOrder::HeavyBall { lr: 1.0, beta: 1.0 },
        FirstOrder::Adam { lr: 1.0, betas: [0.9, 1.0], eps: 1e-8 },
        FirstOrder::Adam { lr: 1.0, betas: [0.9, 0.999], eps: 0.0 },
        FirstOrder::Sam { lr: 1.0, rho: -0.1 },
    ] {
        assert!(matches!(Descent::new(&bowl, method, vec![0.0]), Err(Error::Setting { .. })), "{method:?}");
    }
    let wrong = Descent::new(&bowl, FirstOrder::Gradient { lr: 1.0 }, vec![0.0; 2]).map(drop);
    assert!(matches!(wrong, Err(Error::Size { found: 2, expected: 1, .. })));
}
