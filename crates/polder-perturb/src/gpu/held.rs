//! Weights where kernels read them: on the device for good, or sent there for one operation.

use std::ops::Range;

use candle_core::{CpuStorage, Device, Storage, Tensor, WithDType};

use crate::error::{Error, Result};
use crate::param::Param;

/// A parameter's stored numbers on the device, all of them or some.
pub(super) struct Held<'a> {
    pub(super) param: &'a Param,
    pub(super) tensor: Tensor,
    /// The bytes beside the weights, where they carry some.
    pub(super) carried: Option<Tensor>,
    /// The element of the parameter that comes first in them.
    pub(super) first: usize,
}

impl<'a> Held<'a> {
    /// All of a parameter that lies on the device.
    pub(super) fn all(param: &'a Param) -> Self {
        Self { param, tensor: param.tensor.clone(), carried: param.carried.clone(), first: 0 }
    }

    /// Sends the given rows (elements of a vector) of a parameter in the computer's memory to the device, once for all that
    /// reads them.
    ///
    /// # Errors
    /// Not enough memory; a storage type that kernels do not read.
    pub(super) fn sent(param: &'a Param, rows: Range<usize>, device: &Device) -> Result<Self> {
        let carried = param.carried.as_ref().map(|low| send(low, &rows, device, &param.name)).transpose()?;
        let width: usize = param.tensor.dims().iter().skip(1).product();
        let tensor = send(&param.tensor, &rows, device, &param.name)?;
        Ok(Self { param, tensor, carried, first: rows.start * width })
    }
}

/// Copies rows of a tensor, and nothing else of its memory.
fn send(tensor: &Tensor, rows: &Range<usize>, device: &Device, name: &str) -> Result<Tensor> {
    let mut dims = tensor.dims().to_vec();
    let width: usize = dims.iter().skip(1).product();
    if let Some(first) = dims.first_mut() {
        *first = rows.len();
    }
    let (storage, layout) = tensor.storage_and_layout();
    let at = layout.start_offset() + rows.start * width..layout.start_offset() + rows.end * width;
    let Storage::Cpu(storage) = &*storage else {
        return Err(candle_core::Error::msg(format!("`{name}` does not lie in the computer's memory")).into());
    };
    fn copy<T: WithDType>(x: &[T], dims: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_slice(x, dims, device)
    }
    #[cfg(test)]
    SENT.set(SENT.get() + at.len() * tensor.dtype().size_in_bytes());
    match storage {
        CpuStorage::F32(x) => Ok(copy(&x[at], &dims, device)?),
        CpuStorage::BF16(x) => Ok(copy(&x[at], &dims, device)?),
        CpuStorage::F16(x) => Ok(copy(&x[at], &dims, device)?),
        CpuStorage::U8(x) => Ok(copy(&x[at], &dims, device)?),
        _ => Err(Error::DType { what: name.to_owned(), dtype: tensor.dtype(), path: "a GPU" }),
    }
}

#[cfg(test)]
thread_local! {
    /// Bytes that this thread has sent.
    pub(super) static SENT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
