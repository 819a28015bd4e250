//! How weights are held in memory.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device, Shape, Tensor};
use half::{bf16, f16};
use polder_perturb::{ParamSet, carried};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How weights are stored; arithmetic on them is a choice of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageType {
    /// 4 bytes a weight, 24 bits of precision.
    F32,
    /// 2 bytes a weight, 8 bits of precision and the range of f32.
    #[default]
    Bf16,
    /// 2 bytes a weight, 11 bits of precision, up to 65504.
    F16,
    /// 3 bytes a weight, 16 bits of precision and the range of f32: bf16 and eight more bits beside it
    /// ([`polder_perturb::carried`]). Files hold it as f32, which loses nothing.
    #[serde(rename = "bf16+8")]
    Bf16Plus8,
}

impl StorageType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::Bf16, Self::F16, Self::Bf16Plus8];

    /// Its name: `f32`, `bf16`, `f16` or `bf16+8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::Bf16Plus8 => "bf16+8",
        }
    }

    /// The bytes of a weight in memory.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16Plus8 => 3,
            Self::Bf16 | Self::F16 => 2,
        }
    }

    /// The type of its weights in a safetensors file.
    pub const fn file_dtype(self) -> DType {
        match self {
            Self::F32 | Self::Bf16Plus8 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

impl fmt::Display for StorageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for StorageType {
    type Err = Error;

    /// # Errors
    /// A name other than `f32`, `bf16`, `f16`, `bf16+8`.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name).ok_or_else(|| Error::UnknownStorage { name: name.to_owned() })
    }
}

/// A tensor's weights while they are being read, in the type in which they stay.
pub(crate) enum Weights {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
    Carried(Vec<bf16>, Vec<u8>),
}

impl Weights {
    /// Room for `len` weights.
    ///
    /// The caller has checked `len` against the size of a file, so a failure here is a machine with too little memory.
    pub(crate) fn zeros(storage: StorageType, len: usize) -> Self {
        match storage {
            StorageType::F32 => Self::F32(vec![0.0; len]),
            StorageType::Bf16 => Self::Bf16(vec![bf16::ZERO; len]),
            StorageType::F16 => Self::F16(vec![f16::ZERO; len]),
            StorageType::Bf16Plus8 => Self::Carried(vec![bf16::ZERO; len], vec![0; len]),
        }
    }

    /// The weights from `start`, as a slice that several threads can fill in pieces.
    pub(crate) fn pieces(&mut self, start: usize, len: usize, piece: usize) -> Vec<Piece<'_>> {
        fn cut<T>(all: &mut [T], start: usize, len: usize, piece: usize) -> impl Iterator<Item = &mut [T]> {
            all[start..start + len].chunks_mut(piece)
        }
        match self {
            Self::F32(all) => cut(all, start, len, piece).map(Piece::F32).collect(),
            Self::Bf16(all) => cut(all, start, len, piece).map(Piece::Bf16).collect(),
            Self::F16(all) => cut(all, start, len, piece).map(Piece::F16).collect(),
            Self::Carried(all, low) => cut(all, start, len, piece)
                .zip(cut(low, start, len, piece))
                .map(|(high, low)| Piece::Carried(high, low))
                .collect(),
        }
    }

    /// Puts the rows of a query or key projection back in the Hugging Face order.
    ///
    /// llama.cpp interleaves the halves of each head: its row `2i + j` of a head is row `j·d/2 + i` of the original.
    pub(crate) fn deinterleave(&mut self, heads: usize, row: usize) {
        match self {
            Self::F32(all) => deinterleave(all, heads, row),
            Self::Bf16(all) => deinterleave(all, heads, row),
            Self::F16(all) => deinterleave(all, heads, row),
            Self::Carried(all, low) => {
                deinterleave(all, heads, row);
                deinterleave(low, heads, row);
            }
        }
    }

    /// Adds them to a model's parameters, in tensors of that shape.
    ///
    /// # Errors
    /// The device has no room; the shape has another number of elements; a name that is there already.
    pub(crate) fn insert_into(self, params: &mut ParamSet, name: &str, shape: &[usize], device: &Device) -> Result<()> {
        let shape = Shape::from(shape.to_vec());
        match self {
            Self::F32(all) => params.insert(name, Tensor::from_vec(all, shape, device)?)?,
            Self::Bf16(all) => params.insert(name, Tensor::from_vec(all, shape, device)?)?,
            Self::F16(all) => params.insert(name, Tensor::from_vec(all, shape, device)?)?,
            Self::Carried(all, low) => {
                let all = Tensor::from_vec(all, &shape, device)?;
                params.insert_carried(name, all, Tensor::from_vec(low, shape, device)?)?
            }
        };
        Ok(())
    }
}

fn deinterleave<T: Copy>(all: &mut [T], heads: usize, row: usize) {
    let head = all.len() / heads.max(1);
    if head == 0 || row == 0 {
        return;
    }
    let half = head / row / 2;
    if !head.is_multiple_of(row) || head / row != 2 * half {
        return;
    }
    let mut old = Vec::with_capacity(head);
    for new in all.chunks_exact_mut(head) {
        old.clear();
        old.extend_from_slice(new);
        for (at, to) in new.chunks_exact_mut(row).enumerate() {
            let from = 2 * (at % half) + at / half;
            to.copy_from_slice(&old[from * row..(from + 1) * row]);
        }
    }
}

/// A part of a tensor's weights.
pub(crate) enum Piece<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    F16(&'a mut [f16]),
    Carried(&'a mut [bf16], &'a mut [u8]),
}

impl Piece<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(to) => to.len(),
            Self::Bf16(to) => to.len(),
            Self::F16(to) => to.len(),
            Self::Carried(to, _) => to.len(),
        }
    }

    /// Stores `values`, rounded to the nearest, ties to even; gives the first that is not finite once stored.
    pub(crate) fn store(&mut self, values: &[f32]) -> Option<usize> {
        match self {
            Self::F32(to) => {
                to.copy_from_slice(values);
                first(to, |v| !v.is_finite())
            }
            Self::Bf16(to) => {
                to.iter_mut().zip(values).for_each(|(to, &v)| *to = bf16::from_f32(v));
                first(to, |v| !v.is_finite())
            }
            Self::F16(to) => {
                to.iter_mut().zip(values).for_each(|(to, &v)| *to = f16::from_f32(v));
                first(to, |v| !v.is_finite())
            }
            Self::Carried(to, low) => {
                for ((to, low), &v) in to.iter_mut().zip(low.iter_mut()).zip(values) {
                    let (high, carried) = carried::nearest(v);
                    (*to, *low) = (bf16::from_bits(high), carried);
                }
                first(to, |v| !v.is_finite())
            }
        }
    }
}

/// The first element for which `bad` holds; the common case, none, is one pass without branches.
fn first<T: Copy>(all: &[T], bad: impl Fn(T) -> bool) -> Option<usize> {
    let any = all.iter().fold(false, |any, &v| any | bad(v));
    if any { all.iter().position(|&v| bad(v)) } else { None }
}
