//! Slices of candle tensors on the CPU, and tensors of vectors.

use std::mem::MaybeUninit;
use std::ops::{Deref, Range};

use candle_core::{CpuStorage, Device, Storage, Tensor};
use half::{bf16, f16};

use crate::carried;
use crate::cpu::level::{at_each_level, level};
use crate::cpu::prefetch::prefetch;
use crate::error::{Error, Result};
use crate::param::Param;

/// A contiguous CPU tensor, held for reading.
pub(crate) struct View<'a> {
    guard: Box<dyn Deref<Target = Storage> + 'a>,
    start: usize,
    len: usize,
    what: &'a str,
    carried: Option<Box<View<'a>>>,
}

/// The elements of a weight as they are stored.
#[derive(Clone, Copy)]
pub(crate) enum Stored<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    F16(&'a [f16]),
    Carried(&'a [bf16], &'a [u8]),
}

impl<'a> View<'a> {
    /// Holds `tensor`, which `what` names in errors.
    pub(crate) fn new(tensor: &'a Tensor, what: &'a str) -> Result<Self> {
        let (guard, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(Error::Shape {
                what: what.to_owned(),
                found: layout.dims().to_vec(),
                expected: "a contiguous tensor".to_owned(),
            });
        };
        Ok(Self { guard: Box::new(guard), start, len: end - start, what, carried: None })
    }

    /// Holds a parameter's weights, with the bits that they carry.
    pub(crate) fn of(param: &'a Param) -> Result<Self> {
        let mut view = Self::new(&param.tensor, &param.name)?;
        if let Some(carried) = &param.carried {
            view.carried = Some(Box::new(Self::new(carried, &param.name)?));
        }
        Ok(view)
    }

    /// The elements as stored.
    pub(crate) fn stored(&self) -> Result<Stored<'_>> {
        let range = self.start..self.start + self.len;
        match (&**self.guard, &self.carried) {
            (Storage::Cpu(CpuStorage::BF16(v)), Some(carried)) => Ok(Stored::Carried(&v[range], carried.bytes()?)),
            (Storage::Cpu(CpuStorage::F32(v)), _) => Ok(Stored::F32(&v[range])),
            (Storage::Cpu(CpuStorage::BF16(v)), None) => Ok(Stored::Bf16(&v[range])),
            (Storage::Cpu(CpuStorage::F16(v)), _) => Ok(Stored::F16(&v[range])),
            (other, _) => {
                Err(Error::DType { what: self.what.to_owned(), dtype: other.dtype(), path: "the CPU reader" })
            }
        }
    }

    fn bytes(&self) -> Result<&[u8]> {
        match &**self.guard {
            Storage::Cpu(CpuStorage::U8(v)) => Ok(&v[self.start..self.start + self.len]),
            other => Err(Error::DType { what: self.what.to_owned(), dtype: other.dtype(), path: "carried bits" }),
        }
    }

    /// The elements of an f32 tensor.
    pub(super) fn f32(&self) -> Result<&[f32]> {
        match self.stored()? {
            Stored::F32(v) => Ok(v),
            _ => Err(Error::DType {
                what: self.what.to_owned(),
                dtype: self.guard.dtype(),
                path: "the CPU reader's activations",
            }),
        }
    }
}

impl Stored<'_> {
    /// Asks for elements that will be read soon.
    pub(super) fn prefetch(&self, elements: Range<usize>) {
        match self {
            Self::F32(v) => prefetch(&v[elements]),
            Self::Bf16(v) => prefetch(&v[elements]),
            Self::F16(v) => prefetch(&v[elements]),
            Self::Carried(high, low) => {
                prefetch(&high[elements.clone()]);
                prefetch(&low[elements]);
            }
        }
    }

    /// Elements `start..start + len` as f32: those stored, or their widened copies in `wide`.
    pub(super) fn widened<'b>(&'b self, start: usize, len: usize, wide: &'b mut Vec<f32>) -> &'b [f32] {
        if let Self::F32(v) = self {
            return &v[start..start + len];
        }
        wide.resize(len.max(wide.len()), 0.0);
        self.read(start, &mut wide[..len]);
        &wide[..len]
    }

    /// Writes elements `start..start + out.len()`, widened to f32 (exactly).
    pub(crate) fn read(&self, start: usize, out: &mut [f32]) {
        match self {
            Self::F32(v) => out.copy_from_slice(&v[start..start + out.len()]),
            Self::Bf16(v) => widen_bf16(level(), &v[start..start + out.len()], out),
            Self::F16(v) => {
                use half::slice::HalfFloatSliceExt;
                v[start..start + out.len()].convert_to_f32_slice(out);
            }
            Self::Carried(high, low) => {
                let at = start..start + out.len();
                carried::widen(&high[at.clone()], &low[at], out);
            }
        }
    }
}

at_each_level! {
    /// Exact.
    pub(crate) fn widen_bf16(x: &[bf16], out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f32::from_bits(u32::from(x.to_bits()) << 16);
        }
    }
}

/// A tensor of `[rows, width]` on the CPU.
pub(super) fn tensor(data: Vec<f32>, rows: usize, width: usize) -> Result<Tensor> {
    Ok(Tensor::from_vec(data, (rows, width), &Device::Cpu)?)
}

/// A pointer that several threads write through, each to its own elements.
#[derive(Clone, Copy)]
pub(super) struct Shared(*mut f32);

#[allow(unsafe_code)]
// SAFETY: the pointer is only used through `at` and `slice`, whose callers promise disjoint elements.
unsafe impl Send for Shared {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(data: &mut [f32]) -> Self {
        Self(data.as_mut_ptr())
    }

    /// The place of numbers that are still to be written.
    pub(super) fn unwritten(data: &mut [MaybeUninit<f32>]) -> Self {
        Self(data.as_mut_ptr().cast())
    }

    /// Where element `i` stands.
    ///
    /// # Safety
    /// It lies in the slice that this was made of.
    #[allow(unsafe_code)]
    pub(super) unsafe fn at(&self, i: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }

    /// The elements `start..start + len`.
    ///
    /// # Safety
    /// They lie in the slice that this was made of, which outlives the use, and no other thread touches them; they hold
    /// numbers already.
    #[allow(unsafe_code)]
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice(&self, start: usize, len: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}
