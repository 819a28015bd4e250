//! The one place where weights change: `x ← rule(x, Σ coeff·u(seed))`, in place.
//!
//! [`visit`] walks the trainable parameters in blocks, makes all terms of a block in one pass, applies an elementwise
//! [`Rule`] and stores the result as the parameter is stored. The bits depend neither on the number of threads nor on
//! the size of a block. [`visit_each`] makes many changes in one walk; [`visit_with_state`] does so for rules that keep numbers for
//! every weight.

mod rule;
mod state;
mod store;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout};
use half::bf16;
use rayon::prelude::*;

pub use rule::{Adam, Add, Formula, Momentum, Rule, Sgd, Sign};
pub use state::{Precision, State};

use crate::carried;
use crate::cpu::prefetch::prefetch;
use crate::direction::{self, Law, Seed};
use crate::error::{Error, Result};
use crate::gpu::update as gpu;
use crate::param::{Param, ParamSet};
use crate::rounding::Rounding;
#[cfg(test)]
pub(crate) use state::key as state_key;
use state::{Buffer, Slots};
use store::Narrow;

/// Elements of a block: weights, terms and random bits of one stay in the first two caches.
const BLOCK: usize = 4096;
/// Elements that are made while as many weights are on their way from memory.
const STRETCH: usize = 512;

/// One change of all weights: `x ← rule(x, Σ coeff·u(seed))`.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// The terms, added in this order; one of coefficient 0 is no term.
    pub terms: &'a [(Seed, f32)],
    /// What becomes of a weight.
    pub rule: &'a dyn Rule,
    /// The seed of the random bits of stochastic rounding: each step has its own.
    pub rounding_seed: Seed,
}

impl Change<'_> {
    fn terms(&self) -> impl Iterator<Item = (Seed, f32)> {
        self.terms.iter().copied().filter(|(_, coeff)| *coeff != 0.0)
    }

    /// Whether it leaves every bit of this parameter as it is.
    fn spares(&self, param: &Param) -> bool {
        self.rule.rests(param) && self.terms().next().is_none()
    }
}

/// Applies `x ← rule(x, g)` to every trainable parameter, where `g = Σ coeff·u(law, seed)`.
///
/// `g` is formed in f32 by fused multiply-adds onto 0 in the order of the terms. A weight of 16 or 24 bits is widened to
/// f32, and the result is stored with `rounding`. An f32 weight is what the rule makes of it; an f64 weight is changed by
/// [`Rule::apply64`]. Where no term is left, only parameters are visited which the rule changes at `g = 0`, so a step
/// of coefficient 0 leaves every bit as it was.
///
/// # Errors
/// A parameter stored as anything but f32, f64, bf16 or f16 (then nothing is changed). On a GPU also f64, and a rule
/// without a [`Formula`].
pub fn visit(
    params: &ParamSet,
    law: Law,
    terms: &[(Seed, f32)],
    rule: &dyn Rule,
    rounding: Rounding,
    rounding_seed: Seed,
) -> Result<()> {
    visit_each(params, law, &[Change { terms, rule, rounding_seed }], rounding)
}

/// Applies changes one after the other, as calls of [`visit`] would: the same bits.
///
/// All of them are made to a block of weights before the next block is visited, so however many there are, the weights
/// go through memory once: what a replay needs.
///
/// # Errors
/// As [`visit`].
pub fn visit_each(params: &ParamSet, law: Law, changes: &[Change<'_>], rounding: Rounding) -> Result<()> {
    walk(params, law, changes, rounding, |_| &mut [])
}

/// The same for rules that keep a state: `(x, state) ← rule(x, g, state)`, element by element.
///
/// State of 16 bits is widened to f32 for the rule and rounded stochastically, with bits of its own from the change's
/// rounding seed.
///
/// # Errors
/// As [`visit`]; a state that was made for other parameters (then nothing is changed).
pub fn visit_with_state(
    params: &ParamSet,
    law: Law,
    changes: &[Change<'_>],
    rounding: Rounding,
    state: &mut State,
) -> Result<()> {
    state.check(params)?;
    let mut buffers = state.buffers();
    walk(params, law, changes, rounding, |param| {
        let at = params.iter().position(|p| p.key == param.key).unwrap_or(usize::MAX);
        buffers.get_mut(at).map(std::mem::take).unwrap_or_default()
    })
}

/// Visits every parameter that a change does not spare, with the state that `state_of` has for it.
fn walk<'a, 's>(
    params: &'a ParamSet,
    law: Law,
    changes: &[Change<'a>],
    rounding: Rounding,
    mut state_of: impl FnMut(&Param) -> &'s mut [Buffer],
) -> Result<()> {
    let passes = params.iter().filter(|p| p.trainable).map(|param| {
        let changes: Vec<Change<'_>> = changes.iter().copied().filter(|c| !c.spares(param)).collect();
        Pass { param, law, changes, rounding }
    });
    let passes: Vec<Pass<'_>> = passes.filter(|pass| !pass.changes.is_empty()).collect();
    let can =
        |pass: &&Pass<'_>| !matches!(pass.param.tensor.dtype(), DType::F32 | DType::F64 | DType::BF16 | DType::F16);
    if let Some(Pass { param, .. }) = passes.iter().find(can) {
        return Err(Error::DType { what: param.name.clone(), dtype: param.tensor.dtype(), path: "the update" });
    }
    for pass in &passes {
        pass.check_device()?;
    }
    for pass in passes {
        let tensor = &pass.param.tensor;
        if !tensor.device().is_cpu() {
            pass.on_device(state_of(pass.param))?;
            continue;
        }
        let state = RefCell::new(state_of(pass.param));
        tensor.inplace_op1(&Visit { pass, state })?;
    }
    Ok(())
}

/// What a parameter's visit does.
struct Pass<'a> {
    param: &'a Param,
    law: Law,
    /// Those that do not spare the parameter.
    changes: Vec<Change<'a>>,
    rounding: Rounding,
}

/// One parameter's visit, with its state.
struct Visit<'a, 's> {
    pass: Pass<'a>,
    state: RefCell<&'s mut [Buffer]>,
}

/// A block of weights, from element `start` on, with its part of each buffer of the state.
struct Block<'a, T> {
    start: usize,
    x: &'a mut [T],
    slots: Slots<'a>,
}

/// What a thread needs for a block, all as long as the block.
#[derive(Default)]
struct Scratch {
    /// The change's `g`.
    g: Vec<f32>,
    /// Weights of fewer bits, widened.
    wide: Vec<f32>,
    /// Their random bits.
    random: Vec<u16>,
}

impl Scratch {
    fn resize(&mut self, len: usize) {
        self.g.resize(len, 0.0);
        self.wide.resize(len, 0.0);
        self.random.resize(len, 0);
    }
}

/// The blocks of a parameter.
fn blocks_of<'a, T>(x: &'a mut [T], state: &'a mut [Buffer]) -> Vec<Block<'a, T>> {
    let whole = x.chunks_mut(BLOCK).enumerate();
    let mut blocks: Vec<_> = whole.map(|(i, x)| Block { start: i * BLOCK, x, slots: Slots::default() }).collect();
    for buffer in state {
        for (block, part) in blocks.iter_mut().zip(buffer.parts(BLOCK)) {
            block.slots.push(part);
        }
    }
    blocks
}

impl InplaceOp1 for Visit<'_, '_> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let pass = &self.pass;
        let Some((from, to)) = layout.contiguous_offsets() else {
            candle_core::bail!("the weights of `{}` are not contiguous", pass.param.name);
        };
        let state: &mut [Buffer] = &mut self.state.borrow_mut();
        match storage {
            CpuStorage::F32(x) => pass.blocks(blocks_of(part(x, from, to)?, state), |change, block, scratch| {
                pass.change(change, block.start, block.x, &scratch.g, &mut block.slots);
            }),
            CpuStorage::F64(x) => pass.blocks(blocks_of(part(x, from, to)?, state), |change, block, scratch| {
                let g = &scratch.g;
                block.slots.double(|slots| change.rule.apply64(pass.param, block.start, block.x, g, slots));
            }),
            CpuStorage::BF16(x) => match &pass.param.carried {
                Some(carried) => {
                    let blocks = RefCell::new(blocks_of(part(x, from, to)?, state));
                    carried.inplace_op1(&CarriedVisit { pass, blocks })?;
                }
                None => pass
                    .blocks(blocks_of(part(x, from, to)?, state), |c, block, scratch| pass.narrow(c, block, scratch)),
            },
            CpuStorage::F16(x) => {
                pass.blocks(blocks_of(part(x, from, to)?, state), |c, block, scratch| pass.narrow(c, block, scratch));
            }
            _ => candle_core::bail!("the storage of `{}` cannot be updated", pass.param.name),
        }
        Ok(())
    }
}

/// The visit of a parameter whose bf16 weights, held already, carry bits.
struct CarriedVisit<'a> {
    pass: &'a Pass<'a>,
    blocks: RefCell<Vec<Block<'a, bf16>>>,
}

impl InplaceOp1 for CarriedVisit<'_> {
    fn name(&self) -> &'static str {
        "update of carried bits"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let pass = self.pass;
        let (CpuStorage::U8(low), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("the carried bits of `{}` are no contiguous bytes", pass.param.name);
        };
        let low = part(low, from, to)?;
        let blocks = self.blocks.take();
        blocks
            .into_par_iter()
            .zip(low.par_chunks_mut(BLOCK))
            .for_each_init(Scratch::default, |scratch, (mut block, low)| pass.carried(&mut block, low, scratch));
        Ok(())
    }
}

fn part<T>(x: &mut [T], from: usize, to: usize) -> candle_core::Result<&mut [T]> {
    match x.get_mut(from..to) {
        Some(part) => Ok(part),
        None => candle_core::bail!("a layout of {from}..{to} reaches beyond its storage"),
    }
}

impl Pass<'_> {
    /// Whether a device that is not the CPU can do all of it.
    fn check_device(&self) -> Result<()> {
        if self.param.tensor.device().is_cpu() {
            return Ok(());
        }
        gpu::check(self.param)?;
        match self.changes.iter().find(|change| change.rule.formula(self.param).is_none()) {
            Some(_) => Err(Error::Device {
                what: format!("this rule, for `{}`,", self.param.name),
                device: if self.param.tensor.device().is_cuda() { "cuda" } else { "metal" },
                hint: "load the weights on the CPU",
            }),
            None => Ok(()),
        }
    }

    /// Makes every change where the weights lie: a launch each, which are the bits of one walk.
    fn on_device(&self, state: &mut [Buffer]) -> Result<()> {
        let mut slots = Vec::with_capacity(state.len());
        for buffer in state {
            slots.extend(buffer.on_device()?);
        }
        for change in &self.changes {
            let Some(formula) = change.rule.formula(self.param) else { continue };
            let terms: Vec<(Seed, f32)> = change.terms().collect();
            gpu::change(
                self.param,
                &gpu::Step {
                    law: self.law,
                    terms: &terms,
                    formula,
                    rounding: self.rounding,
                    rounding_seed: change.rounding_seed,
                    state_keys: [0, 1].map(|slot| state::key(self.param.key, slot)),
                },
                &slots,
            )?;
        }
        Ok(())
    }

    /// Calls `apply(change, block, terms of the block)` for every change of every block, in parallel where there are
    /// several blocks.
    fn blocks<T: Send>(
        &self,
        mut blocks: Vec<Block<'_, T>>,
        apply: impl Fn(&Change<'_>, &mut Block<'_, T>, &mut Scratch) + Sync,
    ) {
        let one = |scratch: &mut Scratch, block: &mut Block<'_, T>| {
            scratch.resize(block.x.len());
            for (n, change) in self.changes.iter().enumerate() {
                self.make(change, block.start, &mut scratch.g, if n == 0 { Some(&*block.x) } else { None });
                apply(change, block, scratch);
            }
        };
        match &mut blocks[..] {
            [block] => one(&mut Scratch::default(), block),
            blocks => blocks.par_iter_mut().for_each_init(Scratch::default, one),
        }
    }

    /// Writes a change's `g` of the elements from `start` on.
    ///
    /// `weights`, if given, are the block's, not read yet: they are fetched into the cache while the terms are made.
    fn make<T>(&self, change: &Change<'_>, start: usize, g: &mut [f32], weights: Option<&[T]>) {
        for (i, g) in g.chunks_mut(STRETCH).enumerate() {
            let at = i * STRETCH;
            if let Some(weights) = weights {
                prefetch(&weights[at..at + g.len()]);
            }
            let (key, start) = (self.param.key, (start + at) as u64);
            let mut terms = change.terms();
            match terms.next() {
                Some((seed, coeff)) => direction::fill_scaled(self.law, seed, key, start, coeff, g),
                None => g.fill(0.0),
            }
            for (seed, coeff) in terms {
                direction::add_scaled(self.law, seed, key, start, coeff, g);
            }
        }
    }

    /// Applies a change's rule to weights that were widened to f32.
    fn change(&self, change: &Change<'_>, start: usize, wide: &mut [f32], g: &[f32], slots: &mut Slots<'_>) {
        let apply = |slots: &mut [&mut [f32]]| change.rule.apply(self.param, start, wide, g, slots);
        slots.wide(apply, |slot, bits| self.state_bits(change, slot, start, bits));
    }

    /// A block of bf16 weights that carry bits: joined, changed, rounded.
    fn carried(&self, block: &mut Block<'_, bf16>, low: &mut [u8], scratch: &mut Scratch) {
        let Block { start, x: high, slots } = block;
        scratch.resize(high.len());
        let Scratch { g, wide, random } = scratch;
        for (n, change) in self.changes.iter().enumerate() {
            self.make(change, *start, g, if n == 0 { Some(&**high) } else { None });
            carried::widen(high, low, wide);
            self.change(change, *start, wide, g, slots);
            carried::store(wide, self.random(change, *start, random), high, low);
        }
    }

    /// A change to a block of 16-bit weights: widened, changed, rounded.
    fn narrow<T: Narrow>(&self, change: &Change<'_>, block: &mut Block<'_, T>, scratch: &mut Scratch) {
        let Block { start, x, slots } = block;
        let Scratch { g, wide, random } = scratch;
        T::widen(x, wide);
        self.change(change, *start, wide, g, slots);
        match self.random(change, *start, random) {
            None => T::nearest(wide, x),
            Some(random) => T::stochastic(wide, random, x),
        }
    }

    /// The random bits of a block, where rounding asks for some.
    fn random<'b>(&self, change: &Change<'_>, start: usize, bits: &'b mut [u16]) -> Option<&'b [u16]> {
        match self.rounding {
            Rounding::Nearest => None,
            Rounding::Stochastic => {
                direction::fill_bits(change.rounding_seed, self.param.key, start as u64, bits);
                Some(bits)
            }
        }
    }

    /// The random bits by which a block of 16-bit state is rounded.
    fn state_bits(&self, change: &Change<'_>, slot: usize, start: usize, bits: &mut [u16]) {
        direction::fill_bits(change.rounding_seed, state::key(self.param.key, slot), start as u64, bits);
    }
}
