//! The one place where weights change: `x ← rule(x, Σ coeff·u(seed))`, in place.
//!
//! [`visit`] walks the trainable parameters in blocks, makes all terms of a block in one pass, applies an elementwise
//! [`Rule`] and stores the result as the parameter is stored. The bits depend neither on the number of threads nor on
//! the size of a block. [`visit_each`] makes many changes in one walk.

mod rule;
mod store;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout};
use half::bf16;
use rayon::prelude::*;

pub use rule::{Add, Rule, Sgd};

use crate::carried;
use crate::cpu::prefetch::prefetch;
use crate::direction::{self, Law, Seed};
use crate::error::{Error, Result};
use crate::param::{Param, ParamSet};
use crate::rounding::Rounding;
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
/// A parameter stored as anything but f32, f64, bf16 or f16 (then nothing is changed); weights on a device that has no
/// such pass yet.
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
    let visits = params.iter().filter(|p| p.trainable).map(|param| {
        let changes: Vec<Change<'_>> = changes.iter().copied().filter(|c| !c.spares(param)).collect();
        Pass { param, law, changes, rounding }
    });
    let visits: Vec<Pass<'_>> = visits.filter(|pass| !pass.changes.is_empty()).collect();
    let can =
        |pass: &&Pass<'_>| !matches!(pass.param.tensor.dtype(), DType::F32 | DType::F64 | DType::BF16 | DType::F16);
    if let Some(Pass { param, .. }) = visits.iter().find(can) {
        return Err(Error::DType { what: param.name.clone(), dtype: param.tensor.dtype(), path: "the update" });
    }
    for pass in &visits {
        pass.param.tensor.inplace_op1(pass)?;
    }
    Ok(())
}

/// One parameter's visit.
struct Pass<'a> {
    param: &'a Param,
    law: Law,
    /// Those that do not spare the parameter.
    changes: Vec<Change<'a>>,
    rounding: Rounding,
}

impl InplaceOp1 for Pass<'_> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            candle_core::bail!("the weights of `{}` are not contiguous", self.param.name);
        };
        match storage {
            CpuStorage::F32(x) => {
                self.blocks(part(x, from, to)?, |c, start, x, g| c.rule.apply(self.param, start, x, g))
            }
            CpuStorage::F64(x) => {
                self.blocks(part(x, from, to)?, |c, start, x, g| c.rule.apply64(self.param, start, x, g));
            }
            CpuStorage::BF16(x) => match &self.param.carried {
                Some(carried) => {
                    carried.inplace_op1(&CarriedPass { of: self, high: RefCell::new(part(x, from, to)?) })?;
                }
                None => self.blocks(part(x, from, to)?, |c, start, x, g| self.narrow(c, start, x, g)),
            },
            CpuStorage::F16(x) => self.blocks(part(x, from, to)?, |c, start, x, g| self.narrow(c, start, x, g)),
            _ => candle_core::bail!("the storage of `{}` cannot be updated", self.param.name),
        }
        Ok(())
    }
}

/// The visit of a parameter whose bf16 weights, held already, carry bits.
struct CarriedPass<'a> {
    of: &'a Pass<'a>,
    high: RefCell<&'a mut [bf16]>,
}

impl InplaceOp1 for CarriedPass<'_> {
    fn name(&self) -> &'static str {
        "update of carried bits"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::U8(low), Some((from, to))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("the carried bits of `{}` are no contiguous bytes", self.of.param.name);
        };
        let low = part(low, from, to)?;
        let mut high = self.high.borrow_mut();
        let blocks = high.par_chunks_mut(BLOCK).zip(low.par_chunks_mut(BLOCK));
        blocks.enumerate().for_each(|(i, (high, low))| self.of.carried(i * BLOCK, high, low));
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
    /// Calls `apply(change, start, block, terms of the block)` for every change of every block, in parallel where there are
    /// several blocks.
    fn blocks<T: Send>(&self, x: &mut [T], apply: impl Fn(&Change<'_>, usize, &mut [T], &[f32]) + Sync) {
        let one = |(i, x): (usize, &mut [T])| {
            let mut g = [0f32; BLOCK];
            let (start, g) = (i * BLOCK, &mut g[..x.len()]);
            for (n, change) in self.changes.iter().enumerate() {
                self.make(change, start, g, if n == 0 { Some(&*x) } else { None });
                apply(change, start, x, g);
            }
        };
        if x.len() <= BLOCK {
            x.chunks_mut(BLOCK).enumerate().for_each(one);
        } else {
            x.par_chunks_mut(BLOCK).enumerate().for_each(one);
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
            g.fill(0.0);
            for (seed, coeff) in change.terms() {
                direction::add_scaled(self.law, seed, self.param.key, (start + at) as u64, coeff, g);
            }
        }
    }

    /// A block of bf16 weights that carry bits: joined, changed, rounded.
    fn carried(&self, start: usize, high: &mut [bf16], low: &mut [u8]) {
        let (mut g, mut wide, mut random) = ([0f32; BLOCK], [0f32; BLOCK], [0u16; BLOCK]);
        let (g, wide) = (&mut g[..high.len()], &mut wide[..high.len()]);
        for (n, change) in self.changes.iter().enumerate() {
            self.make(change, start, g, if n == 0 { Some(&*high) } else { None });
            carried::widen(high, low, wide);
            change.rule.apply(self.param, start, wide, g);
            carried::store(wide, self.random(change, start, &mut random[..high.len()]), high, low);
        }
    }

    /// A change to a block of 16-bit weights: widened, changed, rounded.
    fn narrow<T: Narrow>(&self, change: &Change<'_>, start: usize, x: &mut [T], g: &[f32]) {
        let (mut wide, mut random) = ([0f32; BLOCK], [0u16; BLOCK]);
        let wide = &mut wide[..x.len()];
        T::widen(x, wide);
        change.rule.apply(self.param, start, wide, g);
        match self.random(change, start, &mut random[..x.len()]) {
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
}
