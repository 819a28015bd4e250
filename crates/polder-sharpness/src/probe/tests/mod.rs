//! Probes on quadratics, whose trace, sharpness and slices are known.

use candle_core::{Device, Tensor};
use polder_optim::{Batch, Losses, Objective, ObjectiveError, Quadratic};
use polder_perturb::{Law, ParamSet, Seed, Shift};

use super::*;
use crate::measured::Precision;
use crate::seeds::ProbeSeeds;
use crate::{Error, Measured};

mod neighbourhood;
mod refusals;
mod running;
mod slice;
mod trace;

const BATCH: Batch = Batch(0);

/// Parameters of two tensors with these weights, the first of one element less.
fn params(weights: &[f32]) -> ParamSet {
    let (head, tail) = weights.split_at(weights.len() / 2);
    let mut set = ParamSet::new();
    set.insert("head", Tensor::new(head, &Device::Cpu).unwrap()).unwrap();
    set.insert("tail", Tensor::new(tail, &Device::Cpu).unwrap()).unwrap();
    set
}

/// A dense symmetric Hessian of dimension 6, indefinite, with its numbers far from one another.
fn dense() -> Vec<f64> {
    let d = 6;
    let mut h = vec![0.0; d * d];
    for i in 0..d {
        for j in 0..=i {
            let value = ((3 * i + 5 * j) as f64).sin() + if i == j { 2.0 } else { 0.0 };
            (h[i * d + j], h[j * d + i]) = (value, value);
        }
    }
    h
}

/// The trace, the sum of all squares, and that of the diagonal's.
fn sizes(h: &[f64]) -> (f64, f64, f64) {
    let d = h.len().isqrt();
    let diagonal: Vec<f64> = h.iter().step_by(d + 1).copied().collect();
    (diagonal.iter().sum(), h.iter().map(|x| x * x).sum(), diagonal.iter().map(|x| x * x).sum())
}

fn round(round: u64) -> ProbeSeeds {
    ProbeSeeds::new(Seed(99), round)
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} is not {expected}");
}

/// Checks that a measurement is within four standard errors of the truth: one in 16,000 would fail by chance, and the
/// seeds are fixed.
#[track_caller]
fn within(measured: &Measured, truth: f64) {
    let off = (measured.value - truth).abs();
    assert!(off <= 4.0 * measured.standard_error, "{measured} is not {truth}");
}
