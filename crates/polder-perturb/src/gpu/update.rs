//! Weights changed on the device: the visitor's work on one parameter.

use candle_core::Tensor;

use super::launch::{Launch, Shape};
use super::shift::{Stored, Terms, by_four, law_word, offset, stored};
use crate::direction::{Law, ParamKey, Seed};
use crate::error::{Error, Result};
use crate::param::Param;
use crate::rounding::Rounding;
use crate::update::Formula;

/// A kernel's UpdateArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct UpdateArgs {
    key: u64,
    len: u64,
    rounding_seed: u64,
    m_key: u64,
    v_key: u64,
    law: u32,
    terms: u32,
    rule: u32,
    how: u32,
    by_four: u32,
    state: u32,
    decay: f32,
    lr: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    scale: f32,
    eps: f32,
}

/// One change of one parameter: its terms, all of them of coefficients that are not 0, and what becomes of a weight.
pub(crate) struct Step<'a> {
    pub(crate) law: Law,
    pub(crate) terms: &'a [(Seed, f32)],
    pub(crate) formula: Formula,
    pub(crate) rounding: Rounding,
    pub(crate) rounding_seed: Seed,
    /// The keys of the bits by which state of 16 bits is rounded.
    pub(crate) state_keys: [ParamKey; 2],
}

/// Checks that [`change`] can change this parameter.
///
/// # Errors
/// A storage type without a kernel.
pub(crate) fn check(param: &Param) -> Result<()> {
    stored(param).map(|_| ())
}

/// Queues the change of a parameter on a GPU and of its state: as many tensors as the formula has slots, all of one type.
///
/// # Errors
/// As [`check`]; a state of another size or type; not enough memory.
pub(crate) fn change(param: &Param, step: &Step<'_>, state: &[&Tensor]) -> Result<()> {
    let kernel = match stored(param)? {
        Stored::F32 => "update_f32",
        Stored::Bf16 => "update_bf16",
        Stored::F16 => "update_f16",
        Stored::Carried => "update_carried",
    };
    let len = param.tensor.elem_count();
    let misfit = |why: &str| Error::State { name: param.name.clone(), why: why.to_owned() };
    if state.len() != step.formula.slots() || state.iter().any(|x| x.elem_count() != len) {
        return Err(misfit("its size or number of slots is another one"));
    }
    let kind = match state.first().map(|x| x.dtype()) {
        None => 0,
        Some(candle_core::DType::F32) => 1,
        Some(candle_core::DType::BF16) => 2,
        Some(_) => return Err(misfit("a GPU holds it in f32 or bf16 only")),
    };
    if state.iter().any(|x| x.dtype() != state[0].dtype()) {
        return Err(misfit("its slots have different types"));
    }
    let terms: Vec<_> = step.terms.iter().map(|(seed, c)| (*seed, [*c, *c])).collect();
    let terms = Terms::upload(&terms, param.tensor.device())?;
    let low = param.carried.as_ref().unwrap_or(&terms.words);
    let slot = |i: usize| state.get(i).copied().unwrap_or(&terms.words);
    let others = &[low, slot(0), slot(1), &terms.words];
    let places: Vec<usize> = others.iter().chain([&&param.tensor]).map(|x| offset(x)).collect();
    let args = UpdateArgs { by_four: by_four(&places), state: kind, terms: terms.count, ..arguments(param, step) };
    let shape = Shape::Threads((len.div_ceil(64) * 4) as u64);
    Launch { kernel, shape, others, args }.onto(&param.tensor)
}

/// The formula's numbers.
fn arguments(param: &Param, step: &Step<'_>) -> UpdateArgs {
    let [m_key, v_key] = step.state_keys.map(|key| key.0);
    let plain = UpdateArgs {
        key: param.key.0,
        len: param.tensor.elem_count() as u64,
        rounding_seed: step.rounding_seed.0,
        m_key,
        v_key,
        law: law_word(step.law),
        terms: 0,
        rule: 0,
        how: u32::from(step.rounding == Rounding::Stochastic),
        by_four: 0,
        state: 0,
        decay: 0.0,
        lr: 0.0,
        beta1: 0.0,
        rest1: 0.0,
        beta2: 0.0,
        rest2: 0.0,
        scale: 0.0,
        eps: 0.0,
    };
    match step.formula {
        Formula::Sgd { decay } => UpdateArgs { rule: 0, decay, ..plain },
        Formula::Add => UpdateArgs { rule: 1, ..plain },
        Formula::Momentum { lr, beta, decay } => UpdateArgs { rule: 2, lr, beta1: beta, decay, ..plain },
        Formula::Adam(adam) => UpdateArgs {
            rule: 3,
            lr: adam.lr,
            beta1: adam.beta1,
            rest1: 1.0 - adam.beta1,
            beta2: adam.beta2,
            rest2: 1.0 - adam.beta2,
            scale: adam.scale,
            eps: adam.eps,
            decay: adam.decay,
            ..plain
        },
        Formula::Sign { lr, decay } => UpdateArgs { rule: 4, lr, decay, ..plain },
    }
}
