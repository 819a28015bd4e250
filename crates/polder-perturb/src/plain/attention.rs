//! Causal attention over packed sequences, in plain operations.

use candle_core::{D, DType, Tensor};

use super::shape;
use crate::error::Result;
use crate::reader::{Attention, Sequence, Span, lineages};

/// `softmax(scale·q·kᵀ + mask)·v`, each sequence over the stem, what it continues and, causally, itself.
///
/// Sequences of one length that continue nothing go in one batch; others go one by one.
pub(super) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>, points: usize) -> Result<Tensor> {
    let rows = check(q, k, v, spec, points)?;
    let (all, width) = q.dims2()?;
    let heads = |x: &Tensor, heads: usize| x.reshape((points, rows, heads, spec.head_dim));
    let (q, k, v) = (heads(q, spec.heads)?, heads(k, spec.kv_heads)?, heads(v, spec.kv_heads)?);
    let stem = match spec.stem {
        None => None,
        Some(stem) => {
            let before = stem.keys.dim(0)? / points.max(1);
            let shape = (points, before, spec.kv_heads, spec.head_dim);
            Some((stem.keys.reshape(shape)?, stem.values.reshape(shape)?))
        }
    };
    if let Some(len) = equal_length(spec.sequences).filter(|_| stem.is_none()) {
        let batch = |x: &Tensor| x.reshape((points * spec.sequences.len(), len, x.dim(2)?, spec.head_dim));
        let out = attend(&batch(&q)?, &batch(&k)?, &batch(&v)?, 0, spec)?;
        return Ok(out.reshape((all, width))?);
    }
    let before = spec.stem_spans(stem.as_ref().map_or(Ok(0), |(keys, _)| keys.dim(1))?)?;
    let mut sequences: Vec<_> = spec.sequences.iter().zip(before).zip(lineages(spec.sequences)?).collect();
    sequences.retain(|((s, _), _)| s.rows.len > 0);
    sequences.sort_by_key(|((s, _), _)| s.rows.start);
    let mut parts = Vec::with_capacity(sequences.len());
    for ((Sequence { rows: own, .. }, before), lineage) in sequences {
        let together = |x: &Tensor, stem: Option<&Tensor>| -> Result<Tensor> {
            let mut rows = Vec::new();
            for (stem, span) in stem.into_iter().flat_map(|stem| before.iter().map(move |span| (stem, span))) {
                rows.push(stem.narrow(1, span.start, span.len)?);
            }
            for span in lineage.iter().chain([own]) {
                rows.push(x.narrow(1, span.start, span.len)?);
            }
            Ok(Tensor::cat(&rows, 1)?)
        };
        let keys = together(&k, stem.as_ref().map(|s| &s.0))?;
        let values = together(&v, stem.as_ref().map(|s| &s.1))?;
        let before = keys.dim(1)? - own.len;
        parts.push(attend(&q.narrow(1, own.start, own.len)?, &keys, &values, before, spec)?);
    }
    Ok(Tensor::cat(&parts, 1)?.reshape((all, width))?)
}

/// Attention of q `[B, L, heads, d]` over k and v `[B, before + L, kv_heads, d]`.
fn attend(q: &Tensor, k: &Tensor, v: &Tensor, before: usize, spec: &Attention<'_>) -> Result<Tensor> {
    let (batch, len, _, dim) = q.dims4()?;
    let keys = before + len;
    let q = q.transpose(1, 2)?.contiguous()?;
    let repeat = |x: &Tensor| -> Result<Tensor> {
        let x = x.transpose(1, 2)?.contiguous()?;
        let shared = spec.heads / spec.kv_heads;
        if shared == 1 {
            return Ok(x);
        }
        let x = x.unsqueeze(2)?.broadcast_as((batch, spec.kv_heads, shared, keys, dim))?.contiguous()?;
        Ok(x.reshape((batch, spec.heads, keys, dim))?)
    };
    let (k, v) = (repeat(k)?, repeat(v)?);
    let scores = q.matmul(&k.t()?)?.affine(spec.scale, 0.0)?;
    let scores = scores.broadcast_add(&mask(len, before, spec.window, &scores)?)?;
    let max = scores.max_keepdim(D::Minus1)?.detach();
    let weights = scores.broadcast_sub(&max)?.exp()?;
    let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
    Ok(weights.matmul(&v)?.transpose(1, 2)?.contiguous()?)
}

/// `0` where the query sees the key, `−∞` elsewhere; `[L, before + L]`.
fn mask(len: usize, before: usize, window: Option<usize>, like: &Tensor) -> Result<Tensor> {
    let window = window.unwrap_or(usize::MAX);
    let seen = |query: usize, key: usize| key <= query && query - key < window;
    let values: Vec<f32> = (before..before + len)
        .flat_map(|query| (0..before + len).map(move |key| if seen(query, key) { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    let mask = Tensor::from_vec(values, (len, before + len), like.device())?;
    Ok(if like.dtype() == DType::F32 { mask } else { mask.to_dtype(like.dtype())? })
}

/// The common length, where all sequences follow one another, have no prefix and are equally long.
fn equal_length(sequences: &[Sequence]) -> Option<usize> {
    let len = sequences.first()?.rows.len;
    let regular = |(i, s): (usize, &Sequence)| s.rows == Span { start: i * len, len } && s.prefix.len == 0;
    (len > 0 && sequences.iter().enumerate().all(regular)).then_some(len)
}

/// Checks that the shapes and the sequences fit one another; gives the rows of a point.
fn check(q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>, points: usize) -> Result<usize> {
    let all = q.dim(0)?;
    let (wide, narrow) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    for (what, x, width) in [("queries", q, wide), ("keys", k, narrow), ("values", v, narrow)] {
        if x.dims() != [all, width] {
            return Err(shape(what, x, format!("[{all}, {width}]")));
        }
    }
    let rows = all / points.max(1);
    if spec.kv_heads == 0
        || !spec.heads.is_multiple_of(spec.kv_heads)
        || spec.window == Some(0)
        || !all.is_multiple_of(points.max(1))
    {
        return Err(shape("queries", q, "heads that the key heads divide, and a window of at least 1".to_owned()));
    }
    let mut covered = vec![false; rows];
    let mut once = true;
    for Sequence { rows: own, .. } in spec.sequences {
        let end = own.start.checked_add(own.len).filter(|end| *end <= rows);
        let Some(end) = end else {
            return Err(shape("sequence", q, format!("rows within {own:?}")));
        };
        once &= covered[own.start..end].iter_mut().all(|c| !std::mem::replace(c, true));
    }
    if !once || covered.contains(&false) {
        return Err(shape("sequences", q, "sequences that cover every row once".to_owned()));
    }
    Ok(rows)
}
