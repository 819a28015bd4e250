//! The CPU backend: every operation of [`Reader`] as a kernel of its own, in f32, on all threads.

pub(crate) mod attention;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod few;
pub(crate) mod head;
mod kernel;
pub(crate) mod level;
mod made;
mod math;
mod matmul;
pub(crate) mod next;
mod pack;
mod pairs;
pub(crate) mod prefetch;
mod round;
mod rowwise;
pub(crate) mod shift;
pub(crate) mod view;
mod whole;

pub use whole::{materialise, materialised_bytes};

use crate::error::{Error, Result};
use crate::param::{ParamSet, Site};
use crate::points::Points;
use crate::reader::{
    Activation, Arithmetic, Attention, KeysValues, Linear, Next, Norm, Reader, RopeTable, Sequence, Span, lineages,
};
use attention::Rows;
use candle_core::{DType, Device, Tensor};
use made::made;
use matmul::{Layer, Layout, Panels};
use shift::{Shifted, vectors};
use view::{View, tensor};

/// Reads weights on the CPU at points, with activations in f32.
///
/// Weights are stored in f32, bf16 or f16; the shift is formed in f32. Bits depend on the point and on a sequence's own
/// tokens: not on the batch, the packing, the number of points in the pass, the threads or the machine's vector width.
#[derive(Debug, Clone, Copy)]
pub struct CpuReader<'a> {
    params: &'a ParamSet,
    points: &'a Points,
    arithmetic: Arithmetic,
}

impl<'a> CpuReader<'a> {
    /// A reader of `params` at `points`, in f32.
    pub fn new(params: &'a ParamSet, points: &'a Points) -> Self {
        Self::in_arithmetic(params, points, Arithmetic::F32)
    }

    /// A reader whose linear layers and head multiply in that arithmetic.
    ///
    /// In bf16 a row's bits depend on what they do in f32, and on no more: a machine with AVX512-BF16 multiplies with its
    /// instruction, others multiply the same rounded numbers in f32, in the same order. (The instruction takes subnormal
    /// numbers for 0.)
    pub fn in_arithmetic(params: &'a ParamSet, points: &'a Points, arithmetic: Arithmetic) -> Self {
        Self { params, points, arithmetic }
    }

    /// Checks that `x` is `[P·R, width]`, and gives R.
    fn rows(&self, x: &Tensor, width: Option<usize>, what: &str) -> Result<usize> {
        let points = self.points.count();
        match x.dims() {
            [rows, w] if rows % points == 0 && *w > 0 && width.is_none_or(|want| want == *w) => Ok(rows / points),
            dims => Err(Error::Shape {
                what: what.to_owned(),
                found: dims.to_vec(),
                expected: format!("[{points}·rows, {}]", width.map_or("width".to_owned(), |w| w.to_string())),
            }),
        }
    }

    /// Checks the keys and values that come before every sequence, and gives them contiguous.
    fn stem(&self, stem: &KeysValues, spec: &Attention<'_>) -> Result<(Tensor, Tensor)> {
        let width = spec.kv_heads * spec.head_dim;
        let rows = self.rows(&stem.keys, Some(width), "a stem's keys")?;
        if self.rows(&stem.values, Some(width), "a stem's values")? != rows {
            return Err(Error::Shape {
                what: "a stem's values".to_owned(),
                found: stem.values.dims().to_vec(),
                expected: format!("as many rows as its keys, {}", rows * self.points()),
            });
        }
        Ok((stem.keys.contiguous()?, stem.values.contiguous()?))
    }

    fn vectors(&self, site: Option<Site>, width: usize) -> Result<Option<Vec<Vec<f32>>>> {
        let Some(site) = site else { return Ok(None) };
        let param = self.params.get(site);
        if param.tensor.elem_count() != width {
            return Err(Error::Shape {
                what: param.name.clone(),
                found: param.tensor.dims().to_vec(),
                expected: format!("[{width}]"),
            });
        }
        vectors(self.params, site, self.points).map(Some)
    }

    /// Runs `f` on the layers, their weights held for reading.
    fn with_layers<T>(&self, layers: &[Linear], width: usize, f: impl FnOnce(&[Layer<'_>]) -> T) -> Result<T> {
        let mut views = Vec::with_capacity(layers.len());
        for layer in layers {
            let param = self.params.get(layer.weight);
            match param.tensor.dims() {
                [_, w] if *w == width => views.push(View::of(param)?),
                dims => {
                    return Err(Error::Shape {
                        what: param.name.clone(),
                        found: dims.to_vec(),
                        expected: format!("[out, {width}]"),
                    });
                }
            }
        }
        let mut held = Vec::with_capacity(layers.len());
        for (layer, view) in layers.iter().zip(&views) {
            let param = self.params.get(layer.weight);
            let out = param.tensor.dims()[0];
            let weight = Shifted::new(param, view, self.points)?;
            held.push(Layer { weight, bias: self.vectors(layer.bias, out)?, out });
        }
        Ok(f(&held))
    }
}

/// Checks that sequences lie within `rows` and that their own rows cover each row once: attention writes them at once.
pub(crate) fn check_sequences(sequences: &[Sequence], rows: usize) -> Result<()> {
    for span in sequences.iter().map(|s| s.rows) {
        let end = span.start.saturating_add(span.len);
        if end > rows {
            return Err(Error::Index { what: "a sequence's row", index: end - 1, len: rows });
        }
    }
    let mut own: Vec<Span> = sequences.iter().map(|s| s.rows).filter(|s| s.len > 0).collect();
    own.sort_unstable_by_key(|s| s.start);
    let covered = own.iter().try_fold(0, |end, span| (span.start == end).then_some(end + span.len));
    if covered != Some(rows) {
        return Err(Error::Shape {
            what: "attention's sequences".to_owned(),
            found: own.iter().map(|s| s.start).collect(),
            expected: format!("sequences that cover each of {rows} rows once"),
        });
    }
    Ok(())
}

impl Reader for CpuReader<'_> {
    fn points(&self) -> usize {
        self.points.count()
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor> {
        let param = self.params.get(table);
        let (vocabulary, width) = param.tensor.dims2()?;
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(Error::Index { what: "token id", index: *id as usize, len: vocabulary });
        }
        let view = View::of(param)?;
        let weight = Shifted::new(param, &view, self.points)?;
        let points = self.points();
        let by_id = made(ids.len() * points * width, points * width, |i, row| {
            weight.read_all(ids[i] as usize * width, width, row);
        });
        let mut out = Vec::with_capacity(by_id.len());
        for point in 0..points {
            for row in by_id.chunks_exact(points * width) {
                out.extend_from_slice(&row[point * width..][..width]);
            }
        }
        tensor(out, self.points() * ids.len(), width)
    }

    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>> {
        self.rows(x, None, "a linear layer's input")?;
        let (rows, width) = x.dims2()?;
        let x = x.contiguous()?;
        let view = View::new(&x, "a linear layer's input")?;
        let panels = Panels::new(view.f32()?, self.points(), width, Layout::of(self.arithmetic));
        self.with_layers(layers, width, |held| {
            let outputs = matmul::linears(&panels, held);
            outputs.into_iter().zip(held).map(|(y, layer)| tensor(y, rows, layer.out)).collect()
        })?
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.rows(x, None, "a norm's input")?;
        let (rows, width) = x.dims2()?;
        if norm.width == 0 || width % norm.width != 0 {
            return Err(Error::Shape {
                what: "a norm's input".to_owned(),
                found: vec![rows, width],
                expected: format!("[rows, multiple of {}]", norm.width),
            });
        }
        let (weight, bias) = (self.vectors(norm.weight, norm.width)?, self.vectors(norm.bias, norm.width)?);
        let x = x.contiguous()?;
        let view = View::new(&x, "a norm's input")?;
        let eps = norm.eps as f32;
        let y =
            rowwise::norm(view.f32()?, self.points(), norm.width, norm.kind, eps, weight.as_deref(), bias.as_deref());
        tensor(y, rows, width)
    }

    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        self.rows(y, Some(width), "a sum's second term")?;
        let (x, y) = (x.contiguous()?, y.contiguous()?);
        let (xs, ys) = (View::new(&x, "a sum's first term")?, View::new(&y, "a sum's second term")?);
        if y.dims2()?.0 != rows {
            return Err(Error::Shape {
                what: "a sum's second term".to_owned(),
                found: y.dims().to_vec(),
                expected: format!("[{rows}, {width}]"),
            });
        }
        tensor(rowwise::add(xs.f32()?, ys.f32()?), rows, width)
    }

    fn activate(&self, x: Tensor, activation: Activation) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let x = x.contiguous()?;
        let view = View::new(&x, "an activation's input")?;
        tensor(rowwise::gate(view.f32()?, None, activation), rows, width)
    }

    fn gate(&self, gate: Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
        let (rows, width) = gate.dims2()?;
        if up.dims() != gate.dims() {
            return Err(Error::Shape {
                what: "a gate's second factor".to_owned(),
                found: up.dims().to_vec(),
                expected: format!("[{rows}, {width}]"),
            });
        }
        let (gate, up) = (gate.contiguous()?, up.contiguous()?);
        let (g, u) = (View::new(&gate, "a gate's input")?, View::new(&up, "a gate's second factor")?);
        tensor(rowwise::gate(g.f32()?, Some(u.f32()?), activation), rows, width)
    }

    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        let rows = self.rows(&x, None, "the rotary embedding's input")?;
        let width = x.dims2()?.1;
        let limit = table.cos.len().min(table.sin.len()).checked_div(table.half).unwrap_or(0);
        if let Some(p) = positions.iter().find(|p| **p as usize >= limit) {
            return Err(Error::Index { what: "position", index: *p as usize, len: limit });
        }
        if table.half == 0 || width % (2 * table.half) != 0 || positions.len() != rows {
            return Err(Error::Shape {
                what: "the rotary embedding's input".to_owned(),
                found: x.dims().to_vec(),
                expected: format!("[{}·{}, multiple of {}]", self.points(), positions.len(), 2 * table.half),
            });
        }
        let x = x.contiguous()?;
        let view = View::new(&x, "the rotary embedding's input")?;
        tensor(rowwise::rope(view.f32()?, width, table, positions), rows * self.points(), width)
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        let rows = self.rows(q, Some(spec.heads * spec.head_dim), "attention's queries")?;
        for (x, what) in [(k, "attention's keys"), (v, "attention's values")] {
            if self.rows(x, Some(spec.kv_heads * spec.head_dim), what)? != rows {
                return Err(Error::Shape {
                    what: what.to_owned(),
                    found: x.dims().to_vec(),
                    expected: format!("as many rows as the queries, {}", rows * self.points()),
                });
            }
        }
        check_sequences(spec.sequences, rows)?;
        if spec.kv_heads == 0 || !spec.heads.is_multiple_of(spec.kv_heads) {
            return Err(Error::Shape {
                what: "attention's heads".to_owned(),
                found: vec![spec.heads, spec.kv_heads],
                expected: "key and value heads that divide the query heads".to_owned(),
            });
        }
        let lineages = lineages(spec.sequences)?;
        let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
        let (qs, ks, vs) = (View::new(&q, "queries")?, View::new(&k, "keys")?, View::new(&v, "values")?);
        let stem = spec.stem.map(|stem| self.stem(stem, spec)).transpose()?;
        let stem =
            stem.as_ref().map(|(k, v)| Ok::<_, Error>((View::new(k, "a stem's keys")?, View::new(v, "its values")?)));
        let stem = stem.transpose()?;
        let (k_stem, v_stem) = match &stem {
            Some((k, v)) => (k.f32()?, v.f32()?),
            None => (&[][..], &[][..]),
        };
        let (ks, vs) = (Rows { own: ks.f32()?, stem: k_stem }, Rows { own: vs.f32()?, stem: v_stem });
        let before = spec.stem_spans(k_stem.len() / (spec.kv_heads * spec.head_dim).max(1) / self.points())?;
        let y = attention::attention(qs.f32()?, ks, vs, self.points(), spec, &before, &lineages);
        tensor(y, rows * self.points(), spec.heads * spec.head_dim)
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let count = self.rows(x, None, "the rows to select from")?;
        if let Some(row) = rows.iter().find(|r| **r as usize >= count) {
            return Err(Error::Index { what: "row", index: *row as usize, len: count });
        }
        let width = x.dims2()?.1;
        let x = x.contiguous()?;
        let view = View::new(&x, "the rows to select from")?;
        tensor(rowwise::select(view.f32()?, self.points(), width, rows), rows.len() * self.points(), width)
    }

    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        let rows = self.rows(x, None, "the head's input")?;
        let vocabulary = self.params.get(head.weight).tensor.dims().first().copied().unwrap_or(0);
        for (row, token) in pairs {
            if *row as usize >= rows {
                return Err(Error::Index { what: "row", index: *row as usize, len: rows });
            }
            if *token as usize >= vocabulary {
                return Err(Error::Index { what: "token id", index: *token as usize, len: vocabulary });
            }
        }
        let width = x.dims2()?.1;
        let x = x.contiguous()?;
        let view = View::new(&x, "the head's input")?;
        let panels = Panels::new(view.f32()?, self.points(), width, Layout::of(self.arithmetic));
        let out = self.with_layers(&[head], width, |held| head::log_probs(&panels, &held[0], pairs))?;
        let len = out.len();
        Ok(Tensor::from_vec(out, len, &Device::Cpu)?)
    }

    fn next(&self, x: &Tensor, head: Linear, whole: bool) -> Result<Vec<Next>> {
        self.rows(x, None, "the head's input")?;
        let width = x.dims2()?.1;
        let x = x.contiguous()?;
        let view = View::new(&x, "the head's input")?;
        let panels = Panels::new(view.f32()?, self.points(), width, Layout::of(self.arithmetic));
        self.with_layers(&[head], width, |held| next::next(&panels, &held[0], whole))
    }
}
