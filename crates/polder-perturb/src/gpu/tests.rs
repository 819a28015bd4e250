//! The kernels against the CPU backend, on the host.

mod bits;
mod compiled;
pub(crate) mod host;
mod reading;
mod updates;

use candle_core::{DType, Device, Tensor};
use half::bf16;

use crate::carried;
use crate::direction::{self, Law, ParamKey, Seed};
use crate::param::ParamSet;

/// Standard normal numbers, scaled.
fn numbers(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    let mut out = vec![0f32; len];
    direction::fill(Law::Gaussian, Seed(seed), ParamKey::of("test data"), 0, &mut out);
    out.iter_mut().for_each(|x| *x *= scale);
    out
}

/// How weights of a test are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Storage {
    Plain(DType),
    Carried,
}

const STORAGES: [Storage; 4] =
    [Storage::Plain(DType::F32), Storage::Plain(DType::BF16), Storage::Plain(DType::F16), Storage::Carried];

/// A tensor that begins `offset` elements into its memory, and does not fill it.
fn within<T: candle_core::WithDType>(x: Vec<T>, shape: &[usize], offset: usize) -> Tensor {
    let len = x.len();
    let mut all = vec![T::zero(); offset];
    all.extend(x);
    all.extend(vec![T::zero(); 5]);
    let total = all.len();
    let all = Tensor::from_vec(all, total, &Device::Cpu).expect("a tensor");
    all.narrow(0, offset, len).and_then(|x| x.reshape(shape)).expect("a part")
}

/// Adds a parameter of random weights, stored in one way.
fn add_param(set: &mut ParamSet, name: &str, shape: &[usize], storage: Storage, offset: usize, seed: u64) {
    let x = numbers(seed, shape.iter().product(), 0.2);
    match storage {
        Storage::Plain(DType::F32) => set.insert(name, within(x, shape, offset)),
        Storage::Plain(DType::BF16) => {
            set.insert(name, within(x.into_iter().map(bf16::from_f32).collect(), shape, offset))
        }
        Storage::Plain(_) => set.insert(name, within(x.into_iter().map(half::f16::from_f32).collect(), shape, offset)),
        Storage::Carried => {
            let (high, low): (Vec<u16>, Vec<u8>) = x.into_iter().map(carried::nearest).unzip();
            let high: Vec<bf16> = high.into_iter().map(bf16::from_bits).collect();
            set.insert_carried(name, within(high, shape, offset), within(low, shape, offset))
        }
    }
    .expect("a parameter");
}

fn bits(x: &Tensor) -> Vec<u32> {
    let x = x.flatten_all().and_then(|x| x.to_dtype(DType::F32)).and_then(|x| x.to_vec1::<f32>()).expect("values");
    x.into_iter().map(f32::to_bits).collect()
}

/// Largest difference, as a share of the largest value.
fn distance(x: &Tensor, y: &Tensor) -> f64 {
    assert_eq!(x.dims(), y.dims());
    let values = |x: &Tensor| -> Vec<f64> {
        x.flatten_all().and_then(|x| x.to_dtype(DType::F64)).and_then(|x| x.to_vec1()).expect("values")
    };
    let (x, y) = (values(x), values(y));
    let most = y.iter().fold(0f64, |m, v| m.max(v.abs()));
    x.iter().zip(&y).fold(0f64, |m, (a, b)| if (a - b).is_nan() { f64::NAN } else { m.max((a - b).abs()) }) / most
}
