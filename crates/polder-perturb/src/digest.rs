//! The content of a parameter set as one hash.
#![allow(unsafe_code)]

use candle_core::{CpuStorage, Device, Storage, Tensor};

use crate::error::{Error, Result};
use crate::param::{Param, ParamSet};

impl ParamSet {
    /// A BLAKE3 hash of all weights.
    ///
    /// Over the parameters in the order of their names: length of the name (u64) and name, length and name of the
    /// storage type, rank and shape (u64 each), the weights, then the bytes that they carry; all little-endian. Sets of
    /// equal weights have equal digests however they were loaded, and any change of a bit, name, shape or storage type
    /// changes it.
    ///
    /// # Errors
    /// Weights that can't be read from their device; a storage type without a byte order of its own.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let mut params: Vec<&Param> = self.iter().collect();
        params.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut hasher = blake3::Hasher::new();
        for param in params {
            for text in [param.name.as_str(), param.storage()] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
            hasher.update(&(param.tensor.rank() as u64).to_le_bytes());
            for &size in param.tensor.dims() {
                hasher.update(&(size as u64).to_le_bytes());
            }
            weights(&mut hasher, param, &param.tensor)?;
            if let Some(carried) = &param.carried {
                weights(&mut hasher, param, carried)?;
            }
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

fn weights(hasher: &mut blake3::Hasher, param: &Param, tensor: &Tensor) -> Result<()> {
    let on_cpu = tensor.to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = on_cpu.storage_and_layout();
    let unknown = || Error::DType { what: param.name.clone(), dtype: tensor.dtype(), path: "the digest" };
    let Storage::Cpu(storage) = &*storage else {
        return Err(unknown());
    };
    let (from, to) = layout.contiguous_offsets().ok_or_else(unknown)?;
    match storage {
        CpuStorage::F32(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        CpuStorage::F64(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        CpuStorage::BF16(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        CpuStorage::F16(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        CpuStorage::U8(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| [x]),
        CpuStorage::U32(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        CpuStorage::I64(x) => numbers(hasher, x.get(from..to).ok_or_else(unknown)?, |x| x.to_le_bytes()),
        _ => return Err(unknown()),
    }
    Ok(())
}

/// Hashes numbers as little-endian bytes: on such machines where they lie, with all threads.
fn numbers<T: Copy, const N: usize>(hasher: &mut blake3::Hasher, x: &[T], bytes: impl Fn(T) -> [u8; N]) {
    if cfg!(target_endian = "little") {
        // SAFETY: `x` holds plain numbers without padding, and every byte may be read.
        let raw = unsafe { std::slice::from_raw_parts(x.as_ptr().cast::<u8>(), std::mem::size_of_val(x)) };
        hasher.update_rayon(raw);
    } else {
        for &x in x {
            hasher.update(&bytes(x));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn set(names: [&str; 2], dtype: DType) -> ParamSet {
        let mut set = ParamSet::new();
        for name in names {
            let weights = Tensor::arange(0f32, 3e5, &Device::Cpu).and_then(|t| t.reshape((3, 100_000)));
            let weights = weights.and_then(|t| (t + name.len() as f64)?.to_dtype(dtype));
            set.insert(name, weights.unwrap()).unwrap();
        }
        set
    }

    #[test]
    fn the_order_of_insertion_does_not_matter_and_all_else_does() {
        let digest = |names, dtype| set(names, dtype).digest().unwrap();
        let base = digest(["a", "bb"], DType::F32);
        assert_eq!(base, digest(["bb", "a"], DType::F32));
        assert_ne!(base, digest(["a", "cc"], DType::F32));
        assert_ne!(base, digest(["a", "bb"], DType::F64));
        assert_ne!(digest(["a", "bb"], DType::BF16), digest(["a", "bb"], DType::F16));
    }

    #[test]
    fn one_bit_shape_and_offset() {
        let one = |t: Tensor| {
            let mut set = ParamSet::new();
            set.insert("w", t).unwrap();
            set.digest().unwrap()
        };
        let t = Tensor::new(&[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0]], &Device::Cpu).unwrap();
        assert_ne!(one(t.clone()), one(t.reshape((3, 2)).unwrap()));
        let negative_zero = Tensor::new(&[[-0f32, 1.0, 2.0], [3.0, 4.0, 5.0]], &Device::Cpu).unwrap();
        assert_ne!(one(t.clone()), one(negative_zero));
        let row = Tensor::new(&[[3f32, 4.0, 5.0]], &Device::Cpu).unwrap();
        assert_eq!(one(t.narrow(0, 1, 1).unwrap()), one(row.clone()));
        // The digest of a single f32 parameter, put together by hand.
        let mut bytes = Vec::new();
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(b"w");
        bytes.extend(3u64.to_le_bytes());
        bytes.extend(b"f32");
        for n in [2u64, 1, 3] {
            bytes.extend(n.to_le_bytes());
        }
        for x in [3f32, 4.0, 5.0] {
            bytes.extend(x.to_le_bytes());
        }
        assert_eq!(one(row), *blake3::hash(&bytes).as_bytes());
    }
}
