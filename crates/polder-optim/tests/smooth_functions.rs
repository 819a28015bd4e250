//! The small objectives: gradients, traces, and the bits of losses.

use polder_optim::objectives::{
    Examples, LinearLoss, LinearModel, Network, QuadraticForm, RandomFeatures, Scratch, Smooth, Toy, stand_in,
};
use polder_perturb::Seed;

/// Every function with a point where it is nothing special.
fn functions() -> Vec<(&'static str, Box<dyn Smooth>, Vec<f64>)> {
    let wave = |d: usize| (0..d).map(|i| (1.3 * i as f64).sin()).collect::<Vec<_>>();
    let spectrum: Vec<f64> = (1..=12).map(|i| 2.0 / f64::from(i) - 0.3).collect();
    let plain = QuadraticForm::diagonal(spectrum.clone(), vec![0.5; 12]).unwrap();
    let rotated = plain.clone().rotated(Seed(4));
    let toy = Toy::new(20).unwrap();
    let (train, _) = stand_in(Seed(3), 90, 0);
    let lifted = RandomFeatures { width: 150, seed: Seed(5) }.reduced(&train, &[]).unwrap();
    let (logistic, hinge) = (
        LinearModel::new(lifted.train.clone(), LinearLoss::Logistic),
        LinearModel::new(lifted.train, LinearLoss::SquaredHinge),
    );
    let mlp = Network::mlp(Examples::random(Seed(6), 21, 5, 4).unwrap(), &[7, 6]).unwrap();
    let images = Network::convolutional(Examples::images(Seed(7), 13, 6).unwrap(), 5, 3).unwrap();
    let (mlp_start, images_start) = (mlp.start(Seed(8)), images.start(Seed(9)));
    // Biases that are not 0.
    let off = |x: Vec<f64>| x.iter().zip(wave(x.len())).map(|(x, w)| x + 0.1 * w).collect::<Vec<_>>();
    vec![
        ("quadratic", Box::new(plain), wave(12)),
        ("rotated quadratic", Box::new(rotated), wave(12)),
        ("toy", Box::new(toy), toy.start(Seed(1))),
        ("logistic", Box::new(logistic), lifted.start.clone()),
        ("squared hinge", Box::new(hinge), lifted.start),
        ("mlp", Box::new(mlp), off(mlp_start)),
        ("convolutional", Box::new(images), off(images_start)),
    ]
}

/// The gradient, and the value that comes with it.
fn gradient(smooth: &dyn Smooth, x: &[f64], rows: Option<&[usize]>) -> (f64, Vec<f64>) {
    let mut out = vec![f64::NAN; smooth.dimension()];
    let value = smooth.gradient(x, rows, &mut Scratch::new(), &mut out);
    (value, out)
}

#[test]
fn gradients_are_central_differences() {
    for (name, smooth, x) in functions() {
        let some: Vec<usize> = (0..smooth.examples()).rev().step_by(2).collect();
        for rows in [None, Some(some.as_slice())] {
            let (value, g) = gradient(&*smooth, &x, rows);
            let mut scratch = Scratch::new();
            assert_eq!(value.to_bits(), smooth.value(&x, rows, &mut scratch).to_bits(), "{name}");
            let largest = g.iter().fold(0.0f64, |most, g| most.max(g.abs()));
            assert!(largest > 1e-3, "{name} is not flat");
            // Rounding takes 2^-53·f/h, the third derivative h²/6 of itself.
            let (h, tolerance) = (1e-5, 1e-11 * value.abs() + 1e-8 * largest.max(1.0));
            let mut at = x.clone();
            for i in 0..x.len() {
                at[i] = x[i] + h;
                let above = smooth.value(&at, rows, &mut scratch);
                at[i] = x[i] - h;
                let below = smooth.value(&at, rows, &mut scratch);
                at[i] = x[i];
                let slope = (above - below) / (2.0 * h);
                assert!((slope - g[i]).abs() < tolerance, "{name}[{i}]: {slope}, {}", g[i]);
            }
        }
    }
}

#[test]
fn traces_are_those_of_the_gradients_differences() {
    let mut known = 0;
    for (name, smooth, x) in functions() {
        let Some(trace) = smooth.trace(&x) else { continue };
        known += 1;
        let (h, mut at, mut sum) = (1e-6, x.clone(), 0.0);
        for i in 0..x.len() {
            at[i] = x[i] + h;
            let above = gradient(&*smooth, &at, None).1[i];
            at[i] = x[i] - h;
            sum += (above - gradient(&*smooth, &at, None).1[i]) / (2.0 * h);
            at[i] = x[i];
        }
        assert!((sum - trace).abs() < 1e-6 * trace.abs(), "{name}: {sum}, {trace}");
    }
    assert_eq!(known, 5, "quadratics, toy and linear models");
}

/// An example's loss has the same bits alone, among others, in any order, and at a point that is read with another.
#[test]
fn losses_do_not_depend_on_company() {
    for (name, smooth, x) in functions() {
        let (n, mut scratch) = (smooth.examples(), Scratch::new());
        let alone: Vec<f64> = (0..n).map(|i| smooth.value(&x, Some(&[i]), &mut scratch)).collect();
        let mean = |rows: &[usize]| rows.iter().map(|i| alone[*i]).sum::<f64>() / rows.len() as f64;
        let all: Vec<usize> = (0..n).collect();
        let odd: Vec<usize> = all.iter().rev().copied().chain([0, 0, n - 1]).collect();
        assert_eq!(smooth.value(&x, None, &mut scratch).to_bits(), mean(&all).to_bits(), "{name}");
        if n > 1 {
            assert_eq!(smooth.value(&x, Some(&odd), &mut scratch).to_bits(), mean(&odd).to_bits(), "{name}");
        }
        let shifted: Vec<f64> = x.iter().map(|x| 0.9 * x + 0.01).collect();
        let points = [x.clone(), shifted.clone(), x.clone()].concat();
        for rows in [None, Some(&odd[..n.min(2)])] {
            let mut together = [0.0; 3];
            smooth.values(&points, rows, &mut scratch, &mut together);
            let one = [&x, &shifted, &x].map(|x| smooth.value(x, rows, &mut scratch));
            assert_eq!(together.map(f64::to_bits), one.map(f64::to_bits), "{name}");
        }
    }
}

#[test]
fn points_beyond_numbers_give_no_number() {
    for (name, smooth, mut x) in functions() {
        x[1] = f64::NAN;
        let value = smooth.value(&x, None, &mut Scratch::new());
        assert!(value.is_nan(), "{name}: {value}");
    }
}

#[test]
fn a_rotation_keeps_lengths_and_the_spectrum() {
    let lambda: Vec<f64> = (1..=30).map(f64::from).collect();
    let plain = QuadraticForm::diagonal(lambda, vec![1.0; 30]).unwrap();
    let rotated = plain.clone().rotated(Seed(11));
    let at = |axis: usize| (0..30).map(|i| if i == axis { 2.0 } else { 1.0 }).collect::<Vec<_>>();
    // ½eᵀHe summed over an orthonormal basis is half the trace; Hv has the length of λ in all.
    let mut squares = 0.0;
    let mut half_trace = 0.0;
    for axis in 0..30 {
        let (value, g) = gradient(&rotated, &at(axis), None);
        half_trace += value;
        squares += g.iter().map(|g| g * g).sum::<f64>();
        assert!((value - gradient(&plain, &at(axis), None).0).abs() > 1e-3, "it is rotated");
    }
    assert!((half_trace - 232.5).abs() < 1e-10, "{half_trace}");
    assert!((squares - 9455.0).abs() < 1e-8, "{squares}");
    assert_ne!(rotated, plain.clone().rotated(Seed(12)));
    assert!(QuadraticForm::diagonal(vec![1.0], vec![]).is_err() && QuadraticForm::diagonal(vec![], vec![]).is_err());
}

#[test]
fn toy_minima_are_where_they_should_be() {
    let toy = Toy::new(100).unwrap();
    let x = toy.minimum(Seed(3), 150.0, 70.0).unwrap();
    let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    assert!(toy.residual(&x).abs() < 1e-14);
    assert!((square(&x[..100]) - 150.0).abs() < 1e-11 && (square(&x[100..]) - 70.0).abs() < 1e-11);
    assert!((toy.balance(&x) - 40.0).abs() < 1e-11);
    assert!(toy.minimum(Seed(3), 0.5, 1.0).is_err() && toy.minimum(Seed(3), f64::NAN, 1.0).is_err());
    assert!(Toy::new(0).is_err() && Toy::new(1).unwrap().minimum(Seed(0), 2.0, 0.5).is_ok());
}

#[test]
fn networks_that_make_no_sense_are_refused() {
    let examples = || Examples::random(Seed(0), 4, 5, 3).unwrap();
    assert!(Network::mlp(examples(), &[3, 0]).is_err());
    assert!(Network::convolutional(examples(), 4, 2).is_err(), "five numbers are no image");
    let images = || Examples::images(Seed(0), 8, 8).unwrap();
    assert!(Network::convolutional(images(), 0, 2).is_err() && Network::convolutional(images(), 2, 0).is_err());
    assert!(Examples::new(vec![1.0; 5], vec![0, 1], 2).is_err() && Examples::new(vec![1.0; 4], vec![0, 2], 2).is_err());
    assert!(Examples::random(Seed(0), 0, 5, 3).is_err() && Examples::images(Seed(0), 4, 2).is_err());
}
