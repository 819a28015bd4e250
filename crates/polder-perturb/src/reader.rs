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

/// One packed sequence: its own rows, and the leading rows of the sequence that it continues, if any.
///
/// A branch (an option after a shared prompt) attends to all that it continues and causally to itself. Branches may have
/// branches, and leave a sequence anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The rows of this sequence.
    pub rows: Span,
    /// The leading rows of an earlier sequence, which come before this one; of length 0 where there are none.
    pub prefix: Span,
}

/// The rows that each sequence attends to before its own: those of the sequences that it continues, outermost first.
///
/// # Errors
/// A prefix that is not the leading rows of an earlier sequence.
pub fn lineages(sequences: &[Sequence]) -> Result<Vec<Vec<Span>>> {
    let mut by_start: HashMap<usize, usize> = HashMap::new();
    let mut lineages: Vec<Vec<Span>> = Vec::with_capacity(sequences.len());
    for (i, sequence) in sequences.iter().enumerate() {
        let mut lineage = Vec::new();
        if sequence.prefix.len > 0 {
            let holds = |j: &&usize| sequence.prefix.len <= sequences[**j].rows.len;
            let parent = by_start.get(&sequence.prefix.start).filter(holds);
            let Some(parent) = parent else {
                return Err(Error::Shape {
                    what: "a sequence's prefix".to_owned(),
                    found: vec![sequence.prefix.start, sequence.prefix.len],
                    expected: "[start, length] of leading rows of an earlier sequence".to_owned(),
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
    /// The rows of the stem that come before each sequence, in order, one list a sequence; all rows where absent. So one
    /// stem holds what several sequences said before.
    pub after: Option<&'a [Vec<Span>]>,
}

impl Attention<'_> {
    /// The rows of a stem of `rows` rows that come before each sequence.
    ///
    /// # Errors
    /// Another number of lists than of sequences; a span that reaches beyond the stem.
    pub(crate) fn stem_spans(&self, rows: usize) -> Result<Vec<Vec<Span>>> {
        let Some(after) = self.after else {
            return Ok(vec![vec![Span { start: 0, len: rows }]; self.sequences.len()]);
        };
        let wrong = |found: Vec<usize>, expected: String| {
            Err(Error::Shape { what: "what comes before the sequences".to_owned(), found, expected })
        };
        if after.len() != self.sequences.len() {
            return wrong(vec![after.len()], format!("a list a sequence, {}", self.sequences.len()));
        }
        match after.iter().flatten().find(|span| span.start.checked_add(span.len).is_none_or(|end| end > rows)) {
            Some(span) => wrong(vec![span.start, span.len], format!("[start, length] within {rows} rows")),
            None => Ok(after.to_vec()),
        }
    }
}

/// What the head says of the token that follows a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The likeliest token; the lowest id of equal ones.
    pub token: u32,
    /// Its logit, in nats; not a number where any logit is none.
    pub logit: f32,
    /// `log Σ exp(logit)` over all tokens: `logit − log_sum` is a token's log-probability, with the bits of
    /// [`Reader::log_probs`] where the reader is row-invariant.
    pub log_sum: f64,
    /// The logits of all tokens, in nats, where they were asked for; else empty.
    pub logits: Vec<f32>,
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
    /// Products of f32 on tensor cores, which round both factors to ten bits of mantissa: NVIDIA cards only.
    Tf32,
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

impl Next {
    /// What a row of logits says.
    fn of(logits: Vec<f32>, whole: bool) -> Self {
        let (mut token, mut logit) = (0, f32::NEG_INFINITY);
        for (id, y) in (0..).zip(&logits) {
            // What is no number stays: it must be seen.
            if *y > logit || (y.is_nan() && !logit.is_nan()) {
                (token, logit) = (id, *y);
            }
        }
        let most = f64::from(logit);
        let sum: f64 = logits.iter().map(|y| (f64::from(*y) - most).exp()).sum();
        Self { token, logit, log_sum: most + sum.ln(), logits: if whole { logits } else { Vec::new() } }
    }
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

    /// What may follow each row of x `[P·U, in]`, one a row, with the logits of all tokens where `whole`.
    fn next(&self, x: &Tensor, head: Linear, whole: bool) -> Result<Vec<Next>> {
        let logits = self.linear(x, head)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        Ok(logits.into_iter().map(|logits| Next::of(logits, whole)).collect())
    }
}
