//! Directions from seeds; weights read at points; weights changed by terms.
//!
//! A zeroth-order step needs three things of a model's weights, and this crate is all three:
//!
//! 1. a random direction `u(law, seed, parameter, element)` that is never stored ([`direction`]);
//! 2. a forward pass that reads its weights at points `θ + Σ coeff·u(seed)` without writing them ([`Reader`]);
//! 3. one in-place visitor that applies `x ← rule(x, Σ coeff·u(seed))` ([`update`]).
//!
//! It is the only crate with kernels and `unsafe`.

pub mod carried;
mod cpu;
mod digest;
pub mod direction;
mod error;
mod gpu;
mod param;
mod plain;
mod points;
mod reader;
mod readers;
pub mod rounding;
pub mod update;

pub use cpu::{CpuReader, materialise, materialised_bytes};
pub use direction::{Law, ParamKey, Seed};
pub use error::{Error, Result};
pub use gpu::gpu_scratch_elements;
pub use param::{Param, ParamSet, Site};
pub use plain::PlainReader;
pub use points::{Points, Shift, Term};
pub use reader::{
    Activation, Arithmetic, Attention, KeysValues, Linear, Next, Norm, NormKind, Reader, RopeTable, Sequence, Span,
    lineages,
};
pub use readers::reader;
