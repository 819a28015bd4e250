//! Attention: which keys each group of queries sees, and the launch.

use candle_core::{DType, Tensor};

use super::launch::{Launch, Shape};
use super::shift::{by_four, offset, unwritten};
use super::text::{ATTENTION_LANES, MOST_DIMS, QUERIES};
use super::{GpuReader, shape};
use crate::cpu::attention::places;
use crate::cpu::check_sequences;
use crate::error::{Error, Result};
use crate::reader::{Attention, KeysValues, Sequence, Span, lineages};

/// A kernel's AttentionArgs.
#[derive(Clone, Copy)]
#[repr(C)]
struct AttentionArgs {
    tiles: u64,
    rows: u64,
    stem_rows: u64,
    heads: u32,
    kv_heads: u32,
    dims: u32,
    window: u32,
    by_four: u32,
    scale: f32,
}

/// How the sequences of a pass attend, on the device; the same in every layer.
#[derive(Clone)]
pub(super) struct Plan {
    sequences: Vec<Sequence>,
    before: Vec<Vec<Span>>,
    stem_rows: usize,
    /// Four words a group of queries: the kernel's QueryTile.
    tiles: Tensor,
    count: u64,
    /// The places of every sequence's keys.
    places: Tensor,
}

/// Plans that are kept at once.
const PLANS: usize = 2;

impl GpuReader<'_> {
    pub(super) fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        let (q, rows, _) = self.input(q, Some(spec.heads * spec.head_dim), "attention's queries")?;
        let width = spec.kv_heads * spec.head_dim;
        let alike = |x: &Tensor, what: &str, rows: usize| -> Result<Tensor> {
            let (x, found, _) = self.input(x, Some(width), what)?;
            if found != rows {
                return Err(shape(what, x.dims(), format!("[{}·{rows}, {width}]", self.points.count())));
            }
            Ok(x)
        };
        let (k, v) = (alike(k, "attention's keys", rows)?, alike(v, "attention's values", rows)?);
        check(spec, rows)?;
        let stem = match spec.stem {
            None => None,
            Some(KeysValues { keys, values }) => {
                let (keys, rows, _) = self.input(keys, Some(width), "a stem's keys")?;
                Some((keys, alike(values, "a stem's values", rows)?, rows))
            }
        };
        let stem_rows = stem.as_ref().map_or(0, |(_, _, rows)| *rows);
        let plan = self.plan(spec, stem_rows)?;
        let (k_stem, v_stem) = stem.as_ref().map_or((&k, &v), |(k, v, _)| (k, v));
        let args = AttentionArgs {
            tiles: plan.count,
            rows: rows as u64,
            stem_rows: stem_rows as u64,
            heads: spec.heads as u32,
            kv_heads: spec.kv_heads as u32,
            dims: spec.head_dim as u32,
            window: spec.window.map_or(0, |w| u32::try_from(w).unwrap_or(0)),
            by_four: by_four(&[spec.head_dim, offset(&k), offset(k_stem)]),
            scale: spec.scale as f32,
        };
        let out = unwritten(q.shape(), DType::F32, &self.device)?;
        let groups = plan.count * (spec.heads * self.points.count()) as u64;
        let others = &[&q, &k, &v, k_stem, v_stem, &plan.tiles, &plan.places];
        Launch { kernel: "attention", shape: Shape::Groups(groups, ATTENTION_LANES), others, args }.onto(&out)?;
        Ok(out)
    }

    /// The plan of these sequences, made once for all layers.
    fn plan(&self, spec: &Attention<'_>, stem_rows: usize) -> Result<Plan> {
        let before = spec.stem_spans(stem_rows)?;
        let mut kept = self.kept.borrow_mut();
        let same =
            |plan: &&Plan| plan.sequences == spec.sequences && plan.before == before && plan.stem_rows == stem_rows;
        if let Some(plan) = kept.plans.iter().find(same) {
            return Ok(plan.clone());
        }
        let (mut all, mut tiles) = (Vec::new(), Vec::new());
        for ((sequence, before), lineage) in spec.sequences.iter().zip(&before).zip(lineages(spec.sequences)?) {
            let (own, from) = (sequence.rows, all.len());
            all.extend(places(stem_rows, before, &lineage, own));
            let first_key = all.len() - from - own.len;
            for first in (0..own.len).step_by(QUERIES) {
                let count = (own.len - first).min(QUERIES);
                for word in [own.start + first, count, from, first_key + first] {
                    let most = u32::MAX as usize;
                    tiles.push(u32::try_from(word).map_err(|_| Error::Index {
                        what: "key",
                        index: word,
                        len: most,
                    })?);
                }
            }
        }
        let count = (tiles.len() / 4) as u64;
        let (tiles, places) = (self.upload(&tiles)?, self.upload(&all)?);
        let plan = Plan { sequences: spec.sequences.to_vec(), before, stem_rows, tiles, count, places };
        if kept.plans.len() == PLANS {
            kept.plans.remove(0);
        }
        kept.plans.push(plan.clone());
        Ok(plan)
    }
}

/// Checks heads, window and sequences.
fn check(spec: &Attention<'_>, rows: usize) -> Result<()> {
    check_sequences(spec.sequences, rows)?;
    let heads = [spec.heads, spec.kv_heads, spec.head_dim];
    if spec.kv_heads == 0 || !spec.heads.is_multiple_of(spec.kv_heads) || spec.window == Some(0) {
        let expected = "key and value heads that divide the query heads, and a window of at least 1";
        return Err(shape("attention's heads", &heads, expected.to_owned()));
    }
    if spec.head_dim > MOST_DIMS {
        return Err(shape("attention's heads", &heads, format!("heads of at most {MOST_DIMS} numbers on a GPU")));
    }
    Ok(())
}
