//! Speed of a replay over 134 million weights: `cargo bench -p polder-optim`.
//!
//! An item is a step, so items a second are steps a second; 20,000 steps take 20,000 times the time of one. `walks` is
//! what a replay does, 64 steps in each walk through the weights; `one_by_one` is a walk for every step. `whole` replays
//! all 20,000, which takes a quarter of an hour or two: `cargo bench -p polder-optim --bench replay -- --ignored whole`.

use candle_core::{DType, Device, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use polder_optim::{Applied, Optimizer, Sgd, UpdateMode};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed};

fn main() {
    divan::main();
}

/// Steps of a walk.
const STEPS: u64 = 64;
/// Steps of a long run.
const WHOLE: u64 = 20_000;
const TYPES: [DType; 2] = [DType::F32, DType::BF16];

/// As many weights as SmolLM2-135M has, in matrices of its largest layer's size.
fn weights(dtype: DType) -> ParamSet {
    let mut params = ParamSet::new();
    for i in 0..152 {
        let matrix = Tensor::zeros((1536, 576), dtype, &Device::Cpu).expect("a matrix");
        params.insert(&format!("layer.{i}.weight"), matrix).expect("a parameter");
    }
    params
}

fn applied(steps: u64) -> Vec<Applied> {
    let step = |i| Applied {
        terms: vec![(Seed(1).derive(i, 0), 1e-6)],
        decay: 0.0,
        rounding_seed: Seed(2).derive(i, 0),
        scalars: Vec::new(),
    };
    (0..steps).map(step).collect()
}

fn run(bencher: Bencher<'_, '_>, dtype: DType, steps: u64, together: usize) {
    let (params, applied) = (weights(dtype), applied(steps));
    let mode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Stochastic };
    bencher.counter(ItemsCount::new(steps)).bench_local(|| {
        let mut optimizer = Sgd::default();
        for some in applied.chunks(together) {
            optimizer.apply_all(&params, &mode, some).expect("steps");
        }
    });
}

#[divan::bench(args = TYPES, sample_count = 3, sample_size = 1)]
fn walks(bencher: Bencher<'_, '_>, dtype: DType) {
    run(bencher, dtype, STEPS, STEPS as usize);
}

#[divan::bench(args = TYPES, sample_count = 3, sample_size = 1)]
fn one_by_one(bencher: Bencher<'_, '_>, dtype: DType) {
    run(bencher, dtype, STEPS, 1);
}

#[divan::bench(args = TYPES, sample_count = 1, sample_size = 1, ignore)]
fn whole(bencher: Bencher<'_, '_>, dtype: DType) {
    run(bencher, dtype, WHOLE, STEPS as usize);
}
