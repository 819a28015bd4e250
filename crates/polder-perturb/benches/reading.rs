//! A linear layer read at points, beside candle's plain product of the same shape.
//!
//! `cargo bench -p polder-perturb --bench reading`. Items are multiply-adds times two, so a rate of 1 G items is 1 GFLOP/s.

use candle_core::{DType, Device, Tensor};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use polder_perturb::{CpuReader, Law, Linear, ParamKey, ParamSet, Points, Reader, Seed, direction};

fn main() {
    divan::main();
}

/// (rows of a point, in, out): a SmolLM2-135M batch of 16 short examples, and of long ones.
const SHAPES: [(usize, usize, usize); 4] = [(430, 576, 1536), (430, 1536, 576), (430, 576, 576), (16, 576, 49152)];

fn numbers(seed: u64, shape: (usize, usize)) -> Tensor {
    let mut out = vec![0f32; shape.0 * shape.1];
    direction::fill(Law::Gaussian, Seed(seed), ParamKey::of("bench"), 0, &mut out);
    Tensor::from_vec(out, shape, &Device::Cpu).expect("a tensor")
}

fn layer(dtype: DType, width: usize, out: usize) -> (ParamSet, Linear) {
    let mut params = ParamSet::new();
    let weight = numbers(1, (out, width)).to_dtype(dtype).expect("a stored weight");
    let weight = params.insert("w", weight).expect("a parameter");
    (params, Linear { weight, bias: None })
}

fn run(bencher: Bencher<'_, '_>, dtype: DType, points: &Points, (rows, width, out): (usize, usize, usize)) {
    let (params, layer) = layer(dtype, width, out);
    let x = numbers(2, (points.count() * rows, width));
    let reader = CpuReader::new(&params, points);
    bencher
        .counter(ItemsCount::new(2 * points.count() * rows * width * out))
        .bench(|| reader.linear(black_box(&x), layer).expect("a product"));
}

#[divan::bench(args = SHAPES)]
fn plain_f32(bencher: Bencher<'_, '_>, shape: (usize, usize, usize)) {
    run(bencher, DType::F32, &Points::plain(), shape);
}

#[divan::bench(args = SHAPES)]
fn gaussian_pair_f32(bencher: Bencher<'_, '_>, shape: (usize, usize, usize)) {
    run(bencher, DType::F32, &Points::pair(Law::Gaussian, Seed(7), 1e-3), shape);
}

#[divan::bench(args = SHAPES)]
fn gaussian_pair_bf16(bencher: Bencher<'_, '_>, shape: (usize, usize, usize)) {
    run(bencher, DType::BF16, &Points::pair(Law::Gaussian, Seed(7), 1e-3), shape);
}

#[divan::bench(args = SHAPES)]
fn rademacher_pair_f32(bencher: Bencher<'_, '_>, shape: (usize, usize, usize)) {
    run(bencher, DType::F32, &Points::pair(Law::Rademacher, Seed(7), 1e-3), shape);
}

#[divan::bench(args = SHAPES)]
fn candle_two_products_f32(bencher: Bencher<'_, '_>, (rows, width, out): (usize, usize, usize)) {
    let w = numbers(1, (out, width)).t().expect("a transposed weight");
    let x = numbers(2, (2 * rows, width));
    bencher.counter(ItemsCount::new(4 * rows * width * out)).bench(|| black_box(&x).matmul(&w).expect("a product"));
}
