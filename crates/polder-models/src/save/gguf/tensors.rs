//! The tensors of a GGUF file: what each is called, how it is stored, and its bytes.

use std::io::{self, Write};

use candle_core::{CpuStorage, Device, Storage, Tensor};
use half::{bf16, f16};
use polder_perturb::{Param, ParamSet, carried};

use super::entries::text;
use super::quant::{BLOCK, encode};
use super::{ALIGNMENT, GgufType};
use crate::error::{Error, Result};
use crate::gguf::gguf_name;

/// The weights that are turned into bytes at once; a multiple of every block.
const WINDOW: usize = 1 << 18;

/// Where a tensor's weights come from.
enum From<'a> {
    Param(&'a Param),
    /// The factors of stretched frequencies.
    Factors(Vec<f32>),
}

/// A tensor of the file.
pub(super) struct FileTensor<'a> {
    name: String,
    from: From<'a>,
    shape: Vec<usize>,
    kind: GgufType,
    /// The heads whose halves are interleaved.
    interleaved: Option<usize>,
    offset: u64,
}

/// The heads of a model, where llama.cpp wants queries and keys interleaved.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub(super) query: usize,
    pub(super) key: usize,
}

/// The tensors in the order in which they are written; vectors stay f32, as do the factors of frequencies.
///
/// # Errors
/// A parameter that llama.cpp has no name for.
pub(super) fn plan<'a>(
    params: &'a ParamSet,
    to: GgufType,
    heads: Option<Heads>,
    factors: Option<Vec<f32>>,
) -> Result<Vec<FileTensor<'a>>> {
    let mut all = Vec::new();
    if let Some(factors) = factors {
        let (name, shape) = ("rope_freqs.weight".to_owned(), vec![factors.len()]);
        let from = From::Factors(factors);
        all.push(FileTensor { name, from, shape, kind: GgufType::F32, interleaved: None, offset: 0 });
    }
    for param in params.iter() {
        let name = gguf_name(&param.name).ok_or_else(|| Error::NoGguf {
            what: format!("llama.cpp has no name for `{}`", param.name),
            hint: "export it as safetensors",
        })?;
        let shape = param.tensor.dims().to_vec();
        let interleaved = heads.and_then(|heads| match () {
            () if param.name.contains(".q_proj.") => Some(heads.query),
            () if param.name.contains(".k_proj.") => Some(heads.key),
            () => None,
        });
        let kind = kind(&shape, to);
        all.push(FileTensor { name, from: From::Param(param), shape, kind, interleaved, offset: 0 });
    }
    let mut offset = 0;
    for tensor in &mut all {
        tensor.offset = offset;
        offset = (offset + tensor.bytes()).next_multiple_of(ALIGNMENT);
    }
    Ok(all)
}

/// How a tensor of that shape is stored in a file of a type: f32 for vectors, f16 for rows that are no whole blocks.
fn kind(shape: &[usize], to: GgufType) -> GgufType {
    match to {
        _ if shape.len() < 2 => GgufType::F32,
        GgufType::Q8_0 if !shape.last().is_some_and(|row| row.is_multiple_of(BLOCK)) => GgufType::F16,
        to => to,
    }
}

impl FileTensor<'_> {
    /// The bytes of its weights.
    pub(super) fn bytes(&self) -> u64 {
        let all = self.shape.iter().product::<usize>() as u64;
        match self.kind {
            GgufType::F32 => 4 * all,
            GgufType::F16 | GgufType::Bf16 => 2 * all,
            GgufType::Q8_0 => all / BLOCK as u64 * (BLOCK as u64 + 2),
        }
    }

    /// Whether it is stored in other than the file's type because its rows are no whole blocks.
    pub(super) fn is_odd(&self, to: GgufType) -> bool {
        self.shape.len() > 1 && self.kind != to
    }

    /// Its name in the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Appends what the header says of it: its axes are named from the fastest.
    pub(super) fn describe(&self, to: &mut Vec<u8>) {
        text(to, &self.name);
        to.extend((self.shape.len() as u32).to_le_bytes());
        self.shape.iter().rev().for_each(|&dim| to.extend((dim as u64).to_le_bytes()));
        to.extend(self.kind.number().to_le_bytes());
        to.extend(self.offset.to_le_bytes());
    }

    /// Writes its weights, and zeros up to where the next begins.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.from {
            From::Factors(all) => self.write_weights(out, &Held::F32(all))?,
            From::Param(param) => self.write_param(out, param)?,
        }
        let end = self.bytes();
        out.write_all(&[0; ALIGNMENT as usize][..(end.next_multiple_of(ALIGNMENT) - end) as usize])
    }

    fn write_param(&self, out: &mut impl Write, param: &Param) -> io::Result<()> {
        let tensor = on_cpu(&param.tensor)?;
        let low = param.carried.as_ref().map(on_cpu).transpose()?;
        let (guard, layout) = tensor.storage_and_layout();
        let low = low.as_ref().map(Tensor::storage_and_layout);
        let refused = || {
            let (what, dtype) = (param.name.clone(), tensor.dtype());
            Error::from(polder_perturb::Error::DType { what, dtype, path: "export" })
        };
        let (Storage::Cpu(cpu), Some((from, end))) = (&*guard, layout.contiguous_offsets()) else {
            return Err(refused().into());
        };
        let held = match (cpu, &low) {
            (CpuStorage::F32(all), None) => Held::F32(&all[from..end]),
            (CpuStorage::BF16(all), None) => Held::Bf16(&all[from..end]),
            (CpuStorage::F16(all), None) => Held::F16(&all[from..end]),
            (CpuStorage::BF16(high), Some((guard, layout))) => match (&**guard, layout.contiguous_offsets()) {
                (Storage::Cpu(CpuStorage::U8(low)), Some((at, to))) => Held::Carried(&high[from..end], &low[at..to]),
                _ => return Err(refused().into()),
            },
            _ => return Err(refused().into()),
        };
        self.write_weights(out, &held)
    }

    /// Window by window: a head at a time where halves are interleaved.
    fn write_weights(&self, out: &mut impl Write, held: &Held<'_>) -> io::Result<()> {
        let all = self.shape.iter().product::<usize>();
        let window = self.interleaved.map_or(WINDOW, |heads| all / heads.max(1)).max(1);
        let row = if self.shape.len() < 2 { 1 } else { self.shape[1] };
        let (mut weights, mut turned, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut from = 0;
        while from < all {
            let to = (from + window).min(all);
            held.read(from..to, &mut weights);
            bytes.clear();
            let some = if self.interleaved.is_some() {
                interleave(&weights, row, &mut turned);
                &turned
            } else {
                &weights
            };
            encode(some, self.kind, &mut bytes).map_err(|_| self.refusal(&weights, from))?;
            out.write_all(&bytes)?;
            from = to;
        }
        Ok(())
    }

    /// What is wrong with the first weight that the type can't hold.
    fn refusal(&self, weights: &[f32], from: usize) -> Error {
        let bad = |kind: GgufType| {
            weights.iter().position(|&x| encode(&[x; BLOCK], kind, &mut Vec::new()).is_err()).unwrap_or_default()
        };
        let tensor = match &self.from {
            From::Param(param) => param.name.clone(),
            From::Factors(_) => self.name.clone(),
        };
        let at = bad(self.kind);
        let (element, value) = (from + at, weights[at]);
        if value.is_finite() {
            Error::WeightTooLarge { tensor, element, value, storage: self.kind.name() }
        } else {
            Error::WeightNotFinite { tensor, element, value: f64::from(value) }
        }
    }
}

/// A tensor's weights in memory.
enum Held<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
    Carried(&'a [bf16], &'a [u8]),
}

impl Held<'_> {
    /// Some of them as f32, which loses nothing.
    fn read(&self, here: std::ops::Range<usize>, to: &mut Vec<f32>) {
        to.clear();
        match self {
            Self::F32(all) => to.extend_from_slice(&all[here]),
            Self::Bf16(all) => to.extend(all[here].iter().map(|x| x.to_f32())),
            Self::F16(all) => to.extend(all[here].iter().map(|x| x.to_f32())),
            Self::Carried(high, low) => {
                let pairs = high[here.clone()].iter().zip(&low[here]);
                to.extend(pairs.map(|(high, &low)| carried::join(high.to_bits(), low)));
            }
        }
    }
}

fn on_cpu(tensor: &Tensor) -> io::Result<Tensor> {
    let moved = tensor.to_device(&Device::Cpu).and_then(|tensor| tensor.contiguous());
    moved.map_err(|e| Error::from(e).into())
}

/// One head's rows as llama.cpp rotates them: row `2i` is row `i` of the first half, row `2i + 1` row `i` of the second.
fn interleave(head: &[f32], row: usize, to: &mut Vec<f32>) {
    let (first, second) = head.split_at(head.len() / 2);
    to.clear();
    for (first, second) in first.chunks(row.max(1)).zip(second.chunks(row.max(1))) {
        to.extend_from_slice(first);
        to.extend_from_slice(second);
    }
}
