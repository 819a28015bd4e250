//! The networks that the program makes its own data for.

mod zeroth_order;

use polder_optim::objectives::{Descent, Examples, FirstOrder, Network, Scratch, Smooth, SmoothObjective};
use polder_perturb::{Law, Seed};
use zeroth_order::Run;

/// The CPU-sized network of the edge of stability: 20-32-32-10, tanh, 200 examples, 2058 numbers.
fn mlp() -> Network {
    Network::mlp(Examples::random(Seed(0), 200, 20, 10).unwrap(), &[32, 32]).unwrap()
}

/// The outputs and the loss of an example, number by number.
fn plain(network: &Network, x: &[f64], example: usize) -> f64 {
    let mut at = 0;
    let mut values = network.data().input(example).to_vec();
    for (layer, outputs) in [32, 32, 10].into_iter().enumerate() {
        let n = values.len();
        let out = |j: usize| {
            let bias = x[at + n * outputs + j];
            let sum = values.iter().enumerate().fold(bias, |sum, (k, v)| sum + x[at + j * n + k] * v);
            if layer < 2 { sum.tanh() } else { sum }
        };
        values = (0..outputs).map(out).collect();
        at += (n + 1) * outputs;
    }
    assert_eq!(at, x.len());
    values[network.data().labels()[example]] -= 1.0;
    0.5 * values.iter().map(|v| v * v).sum::<f64>()
}

#[test]
fn the_mlp_is_what_it_says() {
    let network = mlp();
    assert_eq!((network.dimension(), network.examples()), (2058, 200));
    let x: Vec<f64> = network.start(Seed(1)).iter().enumerate().map(|(i, x)| x + 0.1 * (i as f64).sin()).collect();
    for example in [0, 7, 199] {
        let found = network.value(&x, Some(&[example]), &mut Scratch::new());
        let expected = plain(&network, &x, example);
        // Some hundred roundings, and another tanh.
        assert!((found - expected).abs() < 1e-13 * expected, "{example}: {found} {expected}");
    }
}

/// The trace is about 150 at the start (140 for another draw of such data), and gradient descent sharpens.
#[test]
fn gradient_descent_sharpens_the_mlp() {
    let network = mlp();
    let start = network.start(Seed(1));
    let trace = |x: &[f64]| {
        let (mut above, mut below) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut at, mut scratch, mut sum) = (x.to_vec(), Scratch::new(), 0.0);
        // Every fourth diagonal element, four times.
        for i in (0..x.len()).step_by(4) {
            at[i] = x[i] + 1e-5;
            network.gradient(&at, None, &mut scratch, &mut above);
            at[i] = x[i] - 1e-5;
            network.gradient(&at, None, &mut scratch, &mut below);
            at[i] = x[i];
            sum += 4.0 * (above[i] - below[i]) / 2e-5;
        }
        sum
    };
    let first = trace(&start);
    let mut descent = Descent::new(&network, FirstOrder::Gradient { lr: 0.1 }, start).unwrap();
    for _ in 0..2000 {
        descent.step(None);
    }
    let last = trace(descent.x());
    println!("trace {first} → {last}");
    assert!((110.0..170.0).contains(&first), "{first}");
    assert!(last > 1.2 * first, "{first} → {last}");
}

/// Well inside the stable range the loss falls; far outside (2/η = 50 against a trace above 100) it explodes.
#[test]
fn two_point_descent_learns_the_mlp_or_diverges() {
    let network = mlp();
    let start = network.start(Seed(1));
    let loss = |x: &[f64]| network.value(x, None, &mut Scratch::new());
    let run = |lr, steps| {
        let params = SmoothObjective::parameter(&start).unwrap();
        let mut objective = SmoothObjective::new(&network, &params, Law::Gaussian).unwrap();
        let run = Run { lr, eps: 1e-3, seed: Seed(3) };
        let losses = (0..steps).map(|step| run.step(&mut objective, &params, step, steps));
        losses.take_while(|loss| *loss < 1e6).last()
    };
    let first = loss(&start);
    let end = run(0.005, 4000).unwrap();
    println!("loss {first} → {end}");
    assert!(end < 0.5 * first, "{first} → {end}");
    assert!(run(0.04, 4000).unwrap() > 1e3, "it diverges");
}

#[test]
fn the_convolutional_network_learns_its_images() {
    let network = Network::convolutional(Examples::images(Seed(1), 64, 8).unwrap(), 8, 4).unwrap();
    assert_eq!(network.dimension(), 2012);
    let start = network.start(Seed(2));
    let chance = network.accuracy(&start).unwrap();
    let mut descent =
        Descent::new(&network, FirstOrder::Adam { lr: 0.01, betas: [0.9, 0.999], eps: 1e-8 }, start.clone()).unwrap();
    for _ in 0..300 {
        descent.step(None);
    }
    let learned = network.accuracy(descent.x()).unwrap();
    println!("accuracy {chance} → {learned}");
    assert!(chance < 0.6 && learned > 0.9, "{chance} → {learned}");
    let first = network.value(&start, None, &mut Scratch::new());
    let end = Run { lr: 0.002, eps: 1e-3, seed: Seed(3) }.descend(&network, &start, 1000);
    let last = network.value(&end, None, &mut Scratch::new());
    println!("two-point loss {first} → {last}");
    assert!(last < 0.9 * first, "{first} → {last}");
}
