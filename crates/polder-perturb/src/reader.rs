//! The seam between a model and its weights: what a forward pass may ask.
//!
//! Activations of `P` points travel together as `[P·R, width]`: the rows of point 0, then those of point 1, and so on.
//! A model asks for operations, never for weights, so a backend may make a shifted weight block by block, on whatever
//! device, and no pass ever writes one.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};
use crate::param::Site;

/// A run of consecutive rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first row.
    pub start: usize,
    /// How many rows.
    pub len: usize,
}

/// One packed sequence: its own rows, and the rows of the sequence that it continues, if any.
///
/// A branch (an option after a shared prompt) attends to all that it continues and causally to itself. Branches may have
/// branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The rows of this sequence.
    pub rows: Span,
    /// All rows of an earlier sequence, which comes before this one; of length 0 where there is none.
    pub prefix: Span,
}

/// The rows that each sequence attends to before its own: those of the sequences that it continues, outermost first.
///
/// # Errors
/// A prefix that is not the rows of an earlier sequence.
pub fn lineages(sequences: &[Sequence]) -> Result<Vec<Vec<Span>>> {
    let mut by_start: HashMap<usize, usize> = HashMap::new();
    let mut lineages: Vec<Vec<Span>> = Vec::with_capacity(sequences.len());
    for (i, sequence) in sequences.iter().enumerate() {
        let mut lineage = Vec::new();
        if sequence.prefix.len > 0 {
            let parent = by_start.get(&sequence.prefix.start).filter(|j| sequences[**j].rows == sequence.prefix);
            let Some(parent) = parent else {
                return Err(Error::Shape {
                    what: "a sequence's prefix".to_owned(),
                    found: vec![sequence.prefix.start, sequence.prefix.len],
                    expected: "[start, length] of an earlier sequence".to_owned(),
                });
            };
            lineage.clone_from(&lineages[*parent]);
            lineage.push(sequence.prefix);
        }
        lineages.push(lineage);
        if sequence.rows.len > 0 {
            by_start.insert(sequence.rows.start, i);
        }
    }
    Ok(lineages)
}

/// Keys and values of rows that come before every sequence of a pass, made by an earlier one: `[P·S, kv_heads·head_dim]`.
#[derive(Debug, Clone)]
pub struct KeysValues {
    /// The keys, with their rotary embedding where the model has one.
    pub keys: Tensor,
    /// The values.
    pub values: Tensor,
}

/// Causal attention over packed sequences.
#[derive(Debug, Clone)]
pub struct Attention<'a> {
    /// The sequences; together their `rows` cover every row of a point once.
    pub sequences: &'a [Sequence],
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// The factor on `q·k`, usually `1/√head_dim`.
    pub scale: f64,
    /// A query sees only this many latest keys, itself included.
    pub window: Option<usize>,
    /// What comes before every sequence.
    pub stem: Option<&'a KeysValues>,
}

/// A linear layer `y = x·Wᵀ + b`, W of shape `[out, in]`.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// The weight's site.
    pub weight: Site,
    /// The bias's site.
    pub bias: Option<Site>,
}

/// In what the products of linear layers are computed; everything else is f32 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// Single precision.
    #[default]
    F32,
    /// Products of bf16, summed in f32. Activations are rounded to the nearest, shifted weights stochastically, by random
    /// bits that belong to the direction: to the nearest, a part of the direction would be lost.
    Bf16,
}

/// Which normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// `x / √(mean(x²) + eps)`.
    Rms,
    /// `(x − mean(x)) / √(var(x) + eps)`, the biased variance.
    Layer,
}

/// A normalisation over groups of `weight.len()` consecutive elements, times weight, plus bias.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Which one.
    pub kind: NormKind,
    /// Its weight's site.
    pub weight: Option<Site>,
    /// Its bias's site.
    pub bias: Option<Site>,
    /// The width of a group.
    pub width: usize,
    /// The constant under the root.
    pub eps: f64,
}

/// An elementwise activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x·Φ(x)`, with the error function.
    Gelu,
    /// `x·Φ(x)`, with the tanh approximation.
    GeluTanh,
    /// `x / (1 + e^−x)`.
    Silu,
}

/// Cosines and sines of the rotary embedding, `[positions, head_dim / 2]` each, computed in f64.
#[derive(Debug, Clone)]
pub struct RopeTable {
    /// Cosines, row-major; scaled by the rope type's attention factor.
    pub cos: Vec<f64>,
    /// Sines, likewise.
    pub sin: Vec<f64>,
    /// Half the width of a head.
    pub half: usize,
}

/// A model's view of its weights at one or more points.
///
/// Row `p·R + r` of every `[P·R, …]` tensor belongs to point `p`. Every operation is row-invariant: the bits of a row
/// depend on the point and on what that row (and the rows it attends to) holds, not on the other rows.
pub trait Reader {
    /// The number of points P that are read together.
    fn points(&self) -> usize;

    /// The type of activations.
    fn dtype(&self) -> DType;

    /// The device of activations.
    fn device(&self) -> Device;

    /// Rows of a table, `[P·R, width]`, for R ids (the same ids at every point).
    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor>;

    /// Several linear layers of one input `x [P·R, in]`; each gives `[P·R, out]`.
    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>>;

    /// One linear layer.
    fn linear(&self, x: &Tensor, layer: Linear) -> Result<Tensor> {
        let mut out = self.linears(x, &[layer])?;
        Ok(out.remove(0))
    }

    /// A normalisation over the last axis, in groups of `norm.width`.
    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor>;

    /// `x + y`.
    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor>;

    /// An activation.
    fn activate(&self, x: Tensor, activation: Activation) -> Result<Tensor>;

    /// `activation(gate) · up`.
    fn gate(&self, gate: Tensor, up: &Tensor, activation: Activation) -> Result<Tensor>;

    /// The rotary embedding in the Hugging Face layout (first half, second half of each head).
    ///
    /// `x` is `[P·R, heads·2·half]`, `positions` has R entries.
    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor>;

    /// Causal attention over packed sequences: q `[P·R, heads·head_dim]`, k and v `[P·R, kv_heads·head_dim]`.
    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor>;

    /// The given rows of every point: `[P·R, w]` to `[P·rows.len(), w]`.
    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor>;

    /// `log softmax(x·Wᵀ + b)` at wanted (row, token) pairs, `[P·pairs.len()]`, in nats; x is `[P·U, in]`, rows are
    /// 0..U. At least f32, f64 where the backend can; never makes `[rows, vocabulary]` where it can avoid it.
    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor>;
}
