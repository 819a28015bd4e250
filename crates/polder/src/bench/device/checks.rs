//! What a device computes, held against golden numbers and against the CPU.

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use polder_models::StorageType;
use polder_perturb::rounding::Rounding;
use polder_perturb::{Arithmetic, Law, ParamKey, ParamSet, Points, Seed, Shift, Term, direction, reader, update};
use serde::Serialize;

use super::super::Shape;
use super::super::step::tokens;
use crate::device::{Kind, Place};
use crate::engine::Engine;
use crate::error::Result;

/// Directions made by exact arithmetic in another language; see DIRECTIONS.md.
const GOLDEN: &str = include_str!("../../../../polder-perturb/tests/golden/directions.txt");

/// The most by which log-probabilities may differ, in nats: sums of f32 in another order differ by some 1e-6 of logits of
/// a few nats; a wrong kernel is off by more than 1e-2.
const NATS: f64 = 1e-4;

/// Numbers of a device beside those that they should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// `directions`, `reads`, `updates`, `logits` or `offloaded`.
    pub name: &'static str,
    /// What was compared.
    pub what: String,
    /// How many numbers.
    pub compared: usize,
    /// How many of them have other bits.
    pub different: usize,
    /// The largest difference.
    pub largest: f64,
    /// The largest that is allowed: 0 where bits are promised.
    pub allowed: f64,
    /// Whether it agrees.
    pub passed: bool,
}

impl Check {
    /// Compares numbers, `found` on the device.
    fn of(name: &'static str, what: String, found: &[f64], expected: &[f64], allowed: f64) -> Self {
        let pairs = || found.iter().zip(expected);
        let different = pairs().filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        // A number that is none counts as endlessly wrong.
        let off = |(a, b): (&f64, &f64)| if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
        let largest = pairs().map(off).fold(0.0, f64::max);
        let agree = if allowed == 0.0 { different == 0 } else { largest <= allowed };
        let passed = agree && found.len() == expected.len() && !found.is_empty();
        Self { name, what, compared: found.len(), different, largest, allowed, passed }
    }
}

/// All checks.
///
/// # Errors
/// An operation that fails on the device.
pub(super) fn all(device: &Device, heard: &mut dyn FnMut(&str)) -> Result<Vec<Check>> {
    heard("directions against golden numbers and the CPU");
    let mut checks = vec![golden(device)?];
    for law in [Law::Gaussian, Law::Rademacher] {
        checks.push(long(device, law)?);
    }
    heard("reads at points against the CPU");
    for storage in StorageType::ALL {
        checks.push(reads(device, storage)?);
    }
    heard("updates against the CPU");
    for storage in StorageType::ALL {
        checks.push(updates(device, storage)?);
    }
    heard("logits against the CPU, and those of offloaded weights");
    let shapes: &[&str] = if Kind::of(device) == Kind::Cpu { &["tiny"] } else { &["tiny", "opt-125m"] };
    for shape in shapes.iter().filter_map(|name| Shape::named(name)) {
        checks.extend(logits(device, shape)?);
    }
    Ok(checks)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// A direction as the device makes it: added to weights of 0.
fn made(device: &Device, law: Law, seed: Seed, name: &str, len: usize) -> Result<Vec<f64>> {
    let mut params = ParamSet::new();
    let site = params.insert(name, Tensor::zeros(len, DType::F32, device)?)?;
    update::visit(&params, law, &[(seed, 1.0)], &update::Add, Rounding::Nearest, Seed(0))?;
    Ok(wide(&params.get(site).tensor.to_vec1::<f32>()?))
}

/// Golden directions that begin with the first element.
fn golden(device: &Device) -> Result<Check> {
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for line in GOLDEN.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [law, seed, name, "0", ref values @ ..] = fields[..] else { continue };
        let (Ok(law), Ok(seed)) = (law.parse::<Law>(), u64::from_str_radix(seed, 16)) else { continue };
        let bits = values.iter().filter_map(|bits| u32::from_str_radix(bits, 16).ok());
        expected.extend(bits.map(|bits| f64::from(f32::from_bits(bits))));
        found.extend(made(device, law, Seed(seed), name, values.len())?);
    }
    Ok(Check::of("directions", "golden numbers".to_owned(), &found, &expected, 0.0))
}

/// A long direction with an odd tail.
fn long(device: &Device, law: Law) -> Result<Check> {
    const LEN: usize = 100_003;
    let (name, seed) = ("model.layers.3.mlp.up_proj.weight", Seed(0x0123_4567_89ab_cdef));
    let mut expected = vec![0f32; LEN];
    direction::fill(law, seed, ParamKey::of(name), 0, &mut expected);
    let found = made(device, law, seed, name, LEN)?;
    Ok(Check::of("directions", format!("{LEN} numbers, {} law", law.name()), &found, &wide(&expected), 0.0))
}

/// Rows of a table of weights in a storage type, read at both points of a pair.
fn reads(device: &Device, storage: StorageType) -> Result<Check> {
    let points = Points::pair(Law::Gaussian, Seed(11), 1e-3);
    let ids: Vec<u32> = (0..40).map(|i| i * 37 % 512).collect();
    let rows = |device: &Device| -> Result<Vec<f64>> {
        let (_, params) = Shape::named("tiny").unwrap_or(&super::SHAPES[0]).random_on(storage, device)?;
        let reader = reader(&params, &points, Arithmetic::F32)?;
        let table = params.site("model.embed_tokens.weight")?;
        Ok(wide(&reader.embed(table, &ids)?.flatten_all()?.to_vec1::<f32>()?))
    };
    let (found, expected) = (rows(device)?, rows(&Device::Cpu)?);
    Ok(Check::of("reads", format!("rows at two points, weights in {}", storage.name()), &found, &expected, 0.0))
}

/// Weights after three steps of SGD with decay over two terms, rounded stochastically, and one of the sign rule.
fn updates(device: &Device, storage: StorageType) -> Result<Check> {
    let after = |device: &Device| -> Result<Vec<f64>> {
        let (_, params) = Shape::named("tiny").unwrap_or(&super::SHAPES[0]).random_on(storage, device)?;
        for step in 0..3 {
            let terms = [(Seed(20 + step), 3e-4), (Seed(30 + step), -2e-4)];
            let rule = update::Sgd { decay: 1e-3 };
            update::visit(&params, Law::Gaussian, &terms, &rule, Rounding::Stochastic, Seed(step))?;
        }
        let rule = update::Sign { lr: 1e-4, decay: 1e-3 };
        update::visit(&params, Law::Rademacher, &[(Seed(40), 1.0)], &rule, Rounding::Stochastic, Seed(9))?;
        numbers(&params)
    };
    let (found, expected) = (after(device)?, after(&Device::Cpu)?);
    Ok(Check::of("updates", format!("four steps, weights in {}", storage.name()), &found, &expected, 0.0))
}

/// All weights, with the bits that they carry.
fn numbers(params: &ParamSet) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for param in params.iter() {
        let tensor = param.tensor.flatten_all()?;
        match tensor.dtype() {
            DType::BF16 => all.extend(tensor.to_vec1::<bf16>()?.into_iter().map(f64::from)),
            DType::F16 => all.extend(tensor.to_vec1::<f16>()?.into_iter().map(f64::from)),
            _ => all.extend(wide(&tensor.to_vec1::<f32>()?)),
        }
        if let Some(carried) = &param.carried {
            all.extend(carried.flatten_all()?.to_vec1::<u8>()?.into_iter().map(f64::from));
        }
    }
    Ok(all)
}

/// Log-probabilities of a model with random weights at both points of a pair: against the CPU's and, on a device to which
/// weights can be offloaded, those of offloaded weights against those of weights that lie there.
fn logits(device: &Device, shape: &Shape) -> Result<Vec<Check>> {
    let shifts = [1e-3, -1e-3].map(|coeff| Shift { terms: vec![Term { seed: Seed(5), coeff }] });
    let points = Points::new(Law::Gaussian, &shifts);
    let tokens = tokens(4, 24, shape.vocabulary());
    let scores = |place: Place| -> Result<Vec<f64>> {
        let (model, params) = shape.random_on(StorageType::Bf16, place)?;
        Engine::new(model.as_ref(), &params).log_probs(&points, &tokens)
    };
    let (found, expected) = (scores(device.into())?, scores((&Device::Cpu).into())?);
    let what = format!("log-probabilities of {} at two points, in nats", shape.name);
    let mut checks = vec![Check::of("logits", what.clone(), &found, &expected, NATS)];
    if let Some(place) = Place::new(device.clone(), true).ok().filter(Place::offloads) {
        checks.push(Check::of("offloaded", what, &scores(place)?, &found, 0.0));
    }
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_bit_and_a_number_that_is_none_are_seen() {
        let check = |found: &[f64], allowed| Check::of("reads", String::new(), found, &[1.0, 2.0], allowed);
        assert!(check(&[1.0, 2.0], 0.0).passed);
        let wrong = check(&[1.0, 2.0 + 1e-12], 0.0);
        assert!(!wrong.passed && wrong.different == 1 && wrong.largest > 0.0);
        assert!(check(&[1.0, 2.0 + 1e-12], NATS).passed && !check(&[1.0, 2.1], NATS).passed);
        assert!(!check(&[1.0, f64::NAN], NATS).passed && !check(&[1.0], 0.0).passed);
        assert!(!Check::of("reads", String::new(), &[], &[], 0.0).passed, "nothing was compared");
    }

    #[test]
    fn another_direction_would_be_seen() {
        let golden = golden(&Device::Cpu).unwrap();
        assert!(golden.passed && golden.compared >= 100, "{golden:?}");
        let one = made(&Device::Cpu, Law::Gaussian, Seed(1), "a", 64).unwrap();
        let two = made(&Device::Cpu, Law::Gaussian, Seed(2), "a", 64).unwrap();
        assert!(!Check::of("directions", String::new(), &one, &two, 0.0).passed);
    }
}
