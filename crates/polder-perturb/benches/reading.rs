//! A linear layer read at points, beside candle's plain product of the same shape.
//!
//! `cargo bench -p polder-perturb --bench reading`. Items are multiply-adds times two, so a rate of 1 G items is 1 GFLOP/s.

use candle_core::{DType, Device, Tensor};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use polder_perturb::{Arithmetic, CpuReader, Law, Linear, ParamKey, ParamSet, Points, Reader, Seed, direction};

fn main() {
    divan::main();
}

/// (rows of a point, in, out): the layers and the head of SmolLM2-135M for a batch of 16 short examples, a layer of it for
/// one example and for long ones, and layers of larger models.
const SHAPES: [(usize, usize, usize); 8] = [
    (270, 576, 1536),
    (270, 1536, 576),
    (270, 576, 576),
    (16, 576, 49152),
    (16, 576, 1536),
    (1000, 576, 1536),
    (270, 2048, 5632),
    (270, 4096, 4096),
];

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

fn run(bencher: Bencher<'_, '_>, dtype: DType, points: &Points, shape: (usize, usize, usize)) {
    run_in(bencher, dtype, points, shape, Arithmetic::F32);
}

fn run_in(
    bencher: Bencher<'_, '_>,
    dtype: DType,
    points: &Points,
    (rows, width, out): (usize, usize, usize),
    arithmetic: Arithmetic,
) {
    let (params, layer) = layer(dtype, width, out);
    let x = numbers(2, (points.count() * rows, width));
    let reader = CpuReader::in_arithmetic(&params, points, arithmetic);
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

/// Products of bf16, by AVX512-BF16 where there is one.
#[divan::bench(args = SHAPES)]
fn gaussian_pair_bf16_arithmetic(bencher: Bencher<'_, '_>, shape: (usize, usize, usize)) {
    run_in(bencher, DType::BF16, &Points::pair(Law::Gaussian, Seed(7), 1e-3), shape, Arithmetic::Bf16);
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
