//! A smooth function behind the seam of losses.

use candle_core::{DType, Device, Tensor};
use polder_optim::objectives::{Examples, Network, Scratch, Smooth, SmoothObjective, Toy};
use polder_optim::{Batch, Objective};
use polder_perturb::{Law, ParamKey, ParamSet, Seed, Shift, Term, direction};

/// `x + Σ coeff·u`, number by number, the terms in the order in which they are given.
fn point(x: &[f64], law: Law, terms: &[(Seed, f32)]) -> Vec<f64> {
    let key = ParamKey::of("x");
    let number = |i: usize| {
        terms.iter().fold(x[i], |x, (seed, coeff)| {
            x + f64::from(*coeff) * f64::from(direction::element(law, *seed, key, i as u64))
        })
    };
    (0..x.len()).map(number).collect()
}

fn shift(terms: &[(u64, f64)]) -> Shift {
    Shift { terms: terms.iter().map(|(seed, coeff)| Term { seed: Seed(*seed), coeff: *coeff }).collect() }
}

fn mlp() -> Network {
    Network::mlp(Examples::random(Seed(6), 40, 5, 3).unwrap(), &[9, 8]).unwrap()
}

/// All points, also those of several terms, have the bits of a direct evaluation.
#[test]
fn losses_are_those_of_a_direct_evaluation() {
    let (network, toy) = (mlp(), Toy::new(37).unwrap());
    for (smooth, x) in [(&network as &dyn Smooth, network.start(Seed(1))), (&toy, toy.start(Seed(2)))] {
        for law in Law::ALL {
            let params = SmoothObjective::parameter(&x).unwrap();
            let mut objective = SmoothObjective::new(smooth, &params, law).unwrap();
            let shifts = [
                shift(&[(5, 1e-3)]),
                shift(&[(5, -1e-3)]),
                Shift::none(),
                shift(&[(9, 0.1), (4, 0.2)]),
                shift(&[(9, -0.1), (4, 0.3)]),
                shift(&[(9, 0.7), (4, -0.3)]),
                shift(&[(4, -0.3), (9, 0.7)]),
                shift(&[(8, 0.25), (8, 0.5)]),
            ];
            let (e, f) = (Seed(5), 1e-3f64 as f32);
            let (a, b) = (Seed(4), Seed(9));
            let terms: [&[(Seed, f32)]; 8] = [
                &[(e, f)],
                &[(e, -f)],
                &[],
                &[(a, 0.2), (b, 0.1)],
                &[(a, 0.3), (b, -0.1)],
                &[(a, -0.3), (b, 0.7)],
                &[(a, -0.3), (b, 0.7)],
                &[(Seed(8), 0.75)],
            ];
            let losses = objective.losses(Batch(0), &shifts).unwrap();
            assert_eq!(losses.weights, [1.0]);
            for (p, terms) in terms.into_iter().enumerate() {
                let expected = smooth.value(&point(&x, law, terms), None, &mut Scratch::new());
                assert_eq!(losses.points[p].len(), 1);
                assert_eq!(losses.mean(p).to_bits(), expected.to_bits(), "{smooth:?} {law} point {p}");
                let alone = objective.losses(Batch(3), &shifts[p..=p]).unwrap();
                assert_eq!(alone.mean(0).to_bits(), expected.to_bits(), "a point is the same in any company");
            }
            assert_eq!(objective.weights().unwrap(), x, "probing leaves the weights");
        }
    }
}

#[test]
fn minibatches_are_a_function_of_their_number() {
    let network = mlp();
    let x = network.start(Seed(1));
    let params = SmoothObjective::parameter(&x).unwrap();
    let make =
        |size, seed| SmoothObjective::new(&network, &params, Law::Gaussian).unwrap().minibatches(size, Seed(seed)).ok();
    let (mut objective, mut other) = (make(12, 1).unwrap(), make(12, 2).unwrap());
    let mut seen = [0; 40];
    for number in [7, 3, 7, 0, 1 << 40] {
        let rows = objective.rows(Batch(number)).unwrap().to_vec();
        let mut sorted = rows.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert!(sorted.len() == 12 && sorted[11] < 40);
        rows.iter().for_each(|row| seen[*row] += 1);
        let loss = objective.losses(Batch(number), &[Shift::none()]).unwrap().mean(0);
        assert_eq!(loss.to_bits(), network.value(&x, Some(&rows), &mut Scratch::new()).to_bits());
        assert_ne!(other.rows(Batch(number)).unwrap(), rows);
    }
    assert_eq!(objective.rows(Batch(7)), make(12, 1).unwrap().rows(Batch(7)));
    assert_ne!(objective.rows(Batch(7)).map(<[usize]>::to_vec), objective.rows(Batch(8)).map(<[usize]>::to_vec));
    assert!(seen.iter().filter(|n| **n > 0).count() > 24, "the batches differ");
    assert!(make(0, 1).is_none() && make(41, 1).is_none());
    let mut whole = make(40, 1).unwrap();
    let full = network.value(&x, None, &mut Scratch::new());
    let found = whole.losses(Batch(0), &[Shift::none()]).unwrap().mean(0);
    assert!((found - full).abs() < 1e-14 * full, "all rows in another order");
}

#[test]
fn frozen_weights_stay_where_they_are() {
    let toy = Toy::new(4).unwrap();
    let mut params = SmoothObjective::parameter(&toy.start(Seed(2))).unwrap();
    params.set_trainable(|_| false);
    let mut objective = SmoothObjective::new(&toy, &params, Law::Gaussian).unwrap();
    let losses = objective.losses(Batch(0), &[shift(&[(1, 1.0)]), Shift::none()]).unwrap();
    assert_eq!(losses.mean(0), losses.mean(1));
}

#[test]
fn other_parameters_are_refused() {
    let toy = Toy::new(2).unwrap();
    let set = |names: &[&str], dtype, len: usize| {
        let mut params = ParamSet::new();
        for name in names {
            params.insert(name, Tensor::zeros(len, dtype, &Device::Cpu).unwrap()).unwrap();
        }
        params
    };
    let error =
        |params: &ParamSet| SmoothObjective::new(&toy, params, Law::Gaussian).map(drop).unwrap_err().to_string();
    assert!(error(&set(&["y"], DType::F64, 4)).contains("no parameter named `x`"));
    assert!(error(&set(&["x"], DType::F32, 4)).contains("F32"));
    assert!(error(&set(&["x"], DType::F64, 5)).contains("has 5 numbers, 4 were expected"));
    assert!(error(&set(&["x", "y"], DType::F64, 4)).contains("has 8 numbers, 4 were expected"));
    assert!(SmoothObjective::new(&toy, &set(&["x"], DType::F64, 4), Law::Gaussian).is_ok());
}
