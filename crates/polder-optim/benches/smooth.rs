//! Speed of the small objectives: `cargo bench -p polder-optim --bench smooth`.
//!
//! `step` is a whole two-point step through the traits: probes, two losses, estimate, decision, update.

use divan::Bencher;
use polder_optim::objectives::{
    Examples, LinearLoss, LinearModel, Network, RandomFeatures, Scratch, Smooth, SmoothObjective, Toy, stand_in,
};
use polder_optim::{
    Batch, Estimator, Objective, Optimizer, Sgd, StepContext, TwoPoint, UpdateMode, rounding_seed, step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, Seed};

fn main() {
    divan::main();
}

const NAMES: [&str; 4] = ["toy", "svm", "mlp", "convolutional"];

/// A function with its start, of the size that the experiments have.
fn function(name: &str) -> (Box<dyn Smooth>, Vec<f64>) {
    match name {
        "toy" => {
            let toy = Toy::new(100).expect("a toy");
            (Box::new(toy), toy.minimum(Seed(1), 20.0, 20.0).expect("a minimum"))
        }
        "svm" => {
            let (train, _) = stand_in(Seed(1), 6414, 0);
            let lifted = RandomFeatures { width: 500, seed: Seed(2) }.reduced(&train, &[]).expect("features");
            (Box::new(LinearModel::new(lifted.train, LinearLoss::SquaredHinge)), lifted.start)
        }
        "mlp" => {
            let network = Network::mlp(Examples::random(Seed(1), 200, 20, 10).expect("examples"), &[32, 32]);
            let network = network.expect("a network");
            let start = network.start(Seed(2));
            (Box::new(network), start)
        }
        _ => {
            let network = Network::convolutional(Examples::images(Seed(1), 64, 8).expect("images"), 8, 4);
            let network = network.expect("a network");
            let start = network.start(Seed(2));
            (Box::new(network), start)
        }
    }
}

#[divan::bench(args = NAMES)]
fn value(bencher: Bencher<'_, '_>, name: &str) {
    let ((smooth, x), mut scratch) = (function(name), Scratch::new());
    bencher.bench_local(|| smooth.value(&x, None, &mut scratch));
}

#[divan::bench(args = NAMES)]
fn gradient(bencher: Bencher<'_, '_>, name: &str) {
    let ((smooth, x), mut scratch) = (function(name), Scratch::new());
    let mut out = vec![0.0; x.len()];
    bencher.bench_local(|| smooth.gradient(&x, None, &mut scratch, &mut out));
}

#[divan::bench(args = NAMES)]
fn step(bencher: Bencher<'_, '_>, name: &str) {
    let (smooth, x) = function(name);
    let params = SmoothObjective::parameter(&x).expect("a parameter");
    let mut objective = SmoothObjective::new(&*smooth, &params, Law::Gaussian).expect("an objective");
    let (two, mut sgd) = (TwoPoint::default(), Sgd { lr: 1e-6, weight_decay: 0.0 });
    let mode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };
    let mut step = 0;
    bencher.bench_local(|| {
        let context = StepContext { step, total: u64::MAX, batch: Batch(step), elements: x.len(), lengths: &[] };
        let seeds = step_seeds(Seed(1), step, 1);
        let losses = objective.losses(context.batch, &two.probes(&context, &seeds)).expect("losses");
        let estimate = two.combine(&context, &seeds, &losses).expect("an estimate");
        sgd.step(&params, &mode, &estimate, sgd.lr, rounding_seed(Seed(1), step)).expect("a step");
        step += 1;
    });
}
