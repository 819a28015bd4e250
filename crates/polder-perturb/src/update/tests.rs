//! The visitor against plain loops.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::*;
use crate::direction::{ParamKey, element};
use crate::rounding;

const TERMS: [(Seed, f32); 3] = [(Seed(1), -3e-3), (Seed(2), 0.0), (Seed(3), 1e-2)];

/// A matrix of more than two blocks, a vector without decay, and a frozen parameter.
fn params(dtype: DType) -> ParamSet {
    let make = |shape: &[usize], phase: f64| {
        let n: usize = shape.iter().product();
        let x: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7 + phase).sin()).collect();
        Tensor::from_vec(x, shape, &Device::Cpu).and_then(|t| t.to_dtype(dtype)).unwrap()
    };
    let mut set = ParamSet::new();
    set.insert("w.weight", make(&[97, 101], 0.0)).unwrap();
    set.insert("w.bias", make(&[101], 1.0)).unwrap();
    set.insert("frozen.weight", make(&[30, 5], 2.0)).unwrap();
    set.set_trainable(|name| !name.starts_with("frozen"));
    set
}

fn values(set: &ParamSet) -> Vec<Vec<u64>> {
    set.iter()
        .map(|p| {
            let t = p.tensor.flatten_all().and_then(|t| t.to_dtype(DType::F64)).unwrap();
            t.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
        })
        .collect()
}

/// The terms of an element, from the definition.
fn g(law: Law, key: ParamKey, i: usize) -> f32 {
    let nonzero = TERMS.iter().filter(|(_, c)| *c != 0.0);
    nonzero.fold(0.0, |g, (seed, c)| c.mul_add(element(law, *seed, key, i as u64), g))
}

/// What one weight becomes under decay 0.01, by the plain formula.
fn expected(set: &ParamSet, law: Law, rounding: Rounding) -> Vec<Vec<u64>> {
    let before = values(set);
    let rows = set.iter().zip(before).map(|(p, before)| {
        let mut random = vec![0u16; before.len()];
        direction::fill_bits(Seed(77), p.key, 0, &mut random);
        let one = |(i, bits): (usize, u64)| {
            let x = f64::from_bits(bits);
            if !p.trainable {
                return bits;
            }
            let (g, decay) = (g(law, p.key, i), if p.decay { 0.01f32 } else { 0.0 });
            let wide = if p.decay { x as f32 + (g - decay * x as f32) } else { x as f32 + g };
            let new = match (p.tensor.dtype(), rounding) {
                (DType::F64, _) if p.decay => x + (f64::from(g) - f64::from(decay) * x),
                (DType::F64, _) => x + f64::from(g),
                (DType::F32, _) => f64::from(wide),
                (DType::BF16, Rounding::Nearest) => bf16::from_f32(wide).to_f64(),
                (DType::F16, Rounding::Nearest) => f16::from_f32(wide).to_f64(),
                (DType::BF16, _) => bf16::from_bits(rounding::stochastic_bf16(wide, random[i])).to_f64(),
                (_, _) => f16::from_bits(rounding::stochastic_f16(wide, random[i])).to_f64(),
            };
            new.to_bits()
        };
        before.into_iter().enumerate().map(one).collect()
    });
    rows.collect()
}

#[test]
fn every_storage_follows_the_plain_formula_bit_for_bit() {
    for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
        for law in Law::ALL {
            for rounding in Rounding::ALL {
                let set = params(dtype);
                let wanted = expected(&set, law, rounding);
                assert_ne!(values(&set)[0], wanted[0]);
                visit(&set, law, &TERMS, &Sgd { decay: 0.01 }, rounding, Seed(77)).unwrap();
                assert!(values(&set) == wanted, "{dtype:?} {law} {rounding}");
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads| {
        let set = params(DType::BF16);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| visit(&set, Law::Gaussian, &TERMS, &Sgd { decay: 0.1 }, Rounding::Stochastic, Seed(5)))
            .unwrap();
        set.digest().unwrap()
    };
    assert_eq!(run(1), run(2));
    assert_eq!(run(1), run(5));
}

#[test]
fn a_step_of_nothing_leaves_every_bit() {
    let mut set = ParamSet::new();
    set.insert("w", Tensor::new(&[[-0f32, 0.0, f32::NAN, f32::INFINITY, 1e-42]], &Device::Cpu).unwrap()).unwrap();
    set.insert("b", Tensor::new(&[-0f32, 0.0], &Device::Cpu).unwrap()).unwrap();
    let before = set.digest().unwrap();
    let zero = [(Seed(1), 0.0), (Seed(2), -0.0)];
    visit(&set, Law::Gaussian, &zero, &Sgd { decay: 0.0 }, Rounding::Stochastic, Seed(5)).unwrap();
    visit(&set, Law::Rademacher, &zero, &Add, Rounding::Nearest, Seed(5)).unwrap();
    assert_eq!(set.digest().unwrap(), before);
    // With decay alone, parameters that are exempt from it stay.
    visit(&set, Law::Gaussian, &zero, &Sgd { decay: 0.5 }, Rounding::Stochastic, Seed(5)).unwrap();
    assert_ne!(set.digest().unwrap(), before);
    assert_eq!(values(&set)[1], [(-0f64).to_bits(), 0]);
}

#[test]
fn tied_weights_move_once() {
    let mut set = params(DType::F32);
    set.tie("lm_head.weight", "w.weight").unwrap();
    let wanted = expected(&set, Law::Gaussian, Rounding::Nearest);
    visit(&set, Law::Gaussian, &TERMS, &Sgd { decay: 0.01 }, Rounding::Nearest, Seed(77)).unwrap();
    assert!(values(&set) == wanted);
}

#[test]
fn a_refused_storage_changes_nothing() {
    let mut set = params(DType::F32);
    set.insert("ids", Tensor::new(&[1u32, 2], &Device::Cpu).unwrap()).unwrap();
    set.set_trainable(|_| true);
    let before = set.digest().unwrap();
    let result = visit(&set, Law::Gaussian, &TERMS, &Add, Rounding::Nearest, Seed(0));
    assert!(matches!(result, Err(Error::DType { what, .. }) if what == "ids"));
    assert_eq!(set.digest().unwrap(), before);
}

#[test]
fn a_part_of_a_larger_storage_is_updated_alone() {
    let whole = Tensor::arange(0f32, 30.0, &Device::Cpu).and_then(|t| t.reshape((3, 10))).unwrap();
    let mut set = ParamSet::new();
    set.insert("w", whole.narrow(0, 1, 1).unwrap()).unwrap();
    visit(&set, Law::Rademacher, &[(Seed(9), 0.5)], &Add, Rounding::Nearest, Seed(0)).unwrap();
    for (i, x) in whole.flatten_all().and_then(|t| t.to_vec1::<f32>()).unwrap().into_iter().enumerate() {
        let moved = if (10..20).contains(&i) { 0.5 } else { 0.0 };
        assert_eq!((x - i as f32).abs(), moved);
    }
}

#[test]
fn small_steps_survive_in_16_bits_on_average() {
    // A hundredth of a bf16 step each time: rounding to the nearest loses all of it, stochastic rounding none on average.
    let (n, steps, move_by) = (20_000, 50, 2f32.powi(-7) / 100.0);
    let run = |rounding| {
        let mut set = ParamSet::new();
        set.insert("w", Tensor::ones(n, DType::BF16, &Device::Cpu).unwrap()).unwrap();
        for step in 0..steps {
            visit(&set, Law::Rademacher, &[(Seed(4), move_by)], &Add, rounding, Seed(100).derive(step, 0)).unwrap();
        }
        let x =
            set.iter().next().map(|p| p.tensor.to_dtype(DType::F32).and_then(|t| t.to_vec1::<f32>()).unwrap()).unwrap();
        let key = ParamKey::of("w");
        let along = |(i, x): (usize, &f32)| f64::from((x - 1.0) * element(Law::Rademacher, Seed(4), key, i as u64));
        let moves: Vec<f64> = x.iter().enumerate().map(along).collect();
        let mean = moves.iter().sum::<f64>() / n as f64;
        let variance = moves.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        (mean, (variance / n as f64).sqrt())
    };
    let (mean, error) = run(Rounding::Stochastic);
    let wanted = f64::from(move_by) * steps as f64;
    assert!((mean - wanted).abs() < 4.0 * error && error < wanted / 20.0, "{mean} ± {error}, wanted {wanted}");
    assert_eq!(run(Rounding::Nearest).0, 0.0);
}
