//! Speed of directions (one core) and of updates (all cores): `cargo bench -p polder-perturb --bench directions`.
//!
//! An item is an element, so items a second are the reciprocal of seconds an element; bytes are those of the weights
//! or of the output.

use candle_core::{DType, Device, Tensor};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use polder_perturb::direction::{Law, ParamKey, Seed, add_scaled, fill, shift};
use polder_perturb::rounding::Rounding;
use polder_perturb::{ParamSet, update};

/// Stays in the first cache, as the blocks of a forward pass do.
const BLOCK: usize = 4096;
/// Does not fit into the second cache.
const WEIGHTS: usize = 1 << 23;

fn main() {
    divan::main();
}

#[divan::bench(args = [Law::Gaussian, Law::Rademacher])]
fn filling(bencher: Bencher, law: Law) {
    let mut out = vec![0f32; BLOCK];
    bencher.counter(ItemsCount::new(BLOCK)).counter(BytesCount::of_slice(&out)).bench_local(|| {
        fill(law, Seed(1), ParamKey(2), black_box(0), black_box(&mut out));
    });
}

#[divan::bench(args = [Law::Gaussian, Law::Rademacher])]
fn adding(bencher: Bencher, law: Law) {
    let mut out = vec![0f32; BLOCK];
    bencher.counter(ItemsCount::new(BLOCK)).counter(BytesCount::of_slice(&out)).bench_local(|| {
        add_scaled(law, Seed(1), ParamKey(2), black_box(0), 1e-3, black_box(&mut out));
    });
}

/// What a forward pass does with a block of weights at two points.
#[divan::bench(args = [Law::Gaussian, Law::Rademacher])]
fn shifting_to_a_pair(bencher: Bencher, law: Law) {
    let (w, mut a, mut b) = (vec![0.1f32; BLOCK], vec![0f32; BLOCK], vec![0f32; BLOCK]);
    bencher.counter(ItemsCount::new(BLOCK)).counter(BytesCount::of_slice(&a)).bench_local(|| {
        shift(law, Seed(1), ParamKey(2), black_box(0), &w, [1e-3, -1e-3], [black_box(&mut a), black_box(&mut b)]);
    });
}

#[divan::bench(sample_count = 20, args = [
    (DType::F32, Law::Gaussian, Rounding::Nearest),
    (DType::BF16, Law::Gaussian, Rounding::Nearest),
    (DType::BF16, Law::Gaussian, Rounding::Stochastic),
    (DType::F16, Law::Gaussian, Rounding::Stochastic),
    (DType::F32, Law::Rademacher, Rounding::Nearest),
    (DType::BF16, Law::Rademacher, Rounding::Stochastic),
])]
fn updating(bencher: Bencher, (dtype, law, rounding): (DType, Law, Rounding)) {
    let mut params = ParamSet::new();
    let weights = Tensor::zeros((WEIGHTS >> 10, 1 << 10), dtype, &Device::Cpu);
    if let Err(error) = weights.map_err(Into::into).and_then(|w| params.insert("w", w)) {
        eprintln!("no weights to update: {error}");
        return;
    }
    bencher.counter(ItemsCount::new(WEIGHTS)).counter(BytesCount::new(params.bytes())).bench_local(|| {
        update::visit(&params, law, &[(Seed(1), 1e-3)], &update::Sgd { decay: 1e-5 }, rounding, Seed(2))
    });
}
