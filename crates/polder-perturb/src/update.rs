//! The one place where weights change: `x ← rule(x, Σ coeff·u(seed))`, in place.
//!
//! [`visit`] walks the trainable parameters in blocks, makes all terms of a block in one pass, applies an elementwise
//! [`Rule`] and stores the result as the parameter is stored. The bits depend neither on the number of threads nor on
//! the size of a block.

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
use crate::direction::{self, Law, Seed};
use crate::error::{Error, Result};
use crate::param::{Param, ParamSet};
use crate::rounding::Rounding;
use store::Narrow;

/// Elements of a block: weights, terms and random bits of one stay in the first two caches.
const BLOCK: usize = 4096;

/// Applies `x ← rule(x, g)` to every trainable parameter, where `g = Σ coeff·u(law, seed)`.
///
/// `g` is formed in f32 by fused multiply-adds onto 0 in the order of the terms; a term of coefficient 0 is no term.
/// A weight of 16 or 24 bits is widened to f32, and the result is stored with `rounding`, whose random bits are those of
/// `rounding_seed` (give each step its own). An f32 weight is what the rule makes of it; an f64 weight is changed by
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
    let terms: Vec<_> = terms.iter().copied().filter(|(_, coeff)| *coeff != 0.0).collect();
    let visited = || params.iter().filter(|p| p.trainable && !(terms.is_empty() && rule.rests(p)));
    if let Some(param) =
        visited().find(|p| !matches!(p.tensor.dtype(), DType::F32 | DType::F64 | DType::BF16 | DType::F16))
    {
        return Err(Error::DType { what: param.name.clone(), dtype: param.tensor.dtype(), path: "the update" });
    }
    for param in visited() {
        param.tensor.inplace_op1(&Pass { param, law, terms: &terms, rule, rounding, rounding_seed })?;
    }
    Ok(())
}

/// One parameter's visit.
struct Pass<'a> {
    param: &'a Param,
    law: Law,
    terms: &'a [(Seed, f32)],
    rule: &'a dyn Rule,
    rounding: Rounding,
    rounding_seed: Seed,
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
                self.blocks(part(x, from, to)?, |start, x, g| self.rule.apply(self.param, start, x, g))
            }
            CpuStorage::F64(x) => {
                self.blocks(part(x, from, to)?, |start, x, g| self.rule.apply64(self.param, start, x, g));
            }
            CpuStorage::BF16(x) => match &self.param.carried {
                Some(carried) => {
                    carried.inplace_op1(&CarriedPass { of: self, high: RefCell::new(part(x, from, to)?) })?;
                }
                None => self.blocks(part(x, from, to)?, |start, x, g| self.narrow(start, x, g)),
            },
            CpuStorage::F16(x) => self.blocks(part(x, from, to)?, |start, x, g| self.narrow(start, x, g)),
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
    /// Calls `change(start, block, terms of the block)` on every block, in parallel where there are several.
    fn blocks<T: Send>(&self, x: &mut [T], change: impl Fn(usize, &mut [T], &[f32]) + Sync) {
        let one = |(i, x): (usize, &mut [T])| {
            let mut g = [0f32; BLOCK];
            let (start, g) = (i * BLOCK, &mut g[..x.len()]);
            self.add_terms(start, g);
            change(start, x, g);
        };
        if x.len() <= BLOCK {
            x.chunks_mut(BLOCK).enumerate().for_each(one);
        } else {
            x.par_chunks_mut(BLOCK).enumerate().for_each(one);
        }
    }

    /// Adds all terms of a block to `g`.
    fn add_terms(&self, start: usize, g: &mut [f32]) {
        for &(seed, coeff) in self.terms {
            direction::add_scaled(self.law, seed, self.param.key, start as u64, coeff, g);
        }
    }

    /// A block of bf16 weights that carry bits: joined, changed, rounded.
    fn carried(&self, start: usize, high: &mut [bf16], low: &mut [u8]) {
        let (mut g, mut wide, mut random) = ([0f32; BLOCK], [0f32; BLOCK], [0u16; BLOCK]);
        let (g, wide) = (&mut g[..high.len()], &mut wide[..high.len()]);
        self.add_terms(start, g);
        carried::widen(high, low, wide);
        self.rule.apply(self.param, start, wide, g);
        let random = match self.rounding {
            Rounding::Nearest => None,
            Rounding::Stochastic => {
                let random = &mut random[..high.len()];
                direction::fill_bits(self.rounding_seed, self.param.key, start as u64, random);
                Some(&*random)
            }
        };
        carried::store(wide, random, high, low);
    }

    /// A block of 16-bit weights: widened, changed, rounded.
    fn narrow<T: Narrow>(&self, start: usize, x: &mut [T], g: &[f32]) {
        let mut wide = [0f32; BLOCK];
        let wide = &mut wide[..x.len()];
        T::widen(x, wide);
        self.rule.apply(self.param, start, wide, g);
        match self.rounding {
            Rounding::Nearest => T::nearest(wide, x),
            Rounding::Stochastic => {
                let mut random = [0u16; BLOCK];
                let random = &mut random[..x.len()];
                direction::fill_bits(self.rounding_seed, self.param.key, start as u64, random);
                T::stochastic(wide, random, x);
            }
        }
    }
}
