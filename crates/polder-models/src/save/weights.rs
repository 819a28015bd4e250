//! Safetensors files, streamed tensor by tensor.

use std::fs::File;
use std::io::{self, Write};

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};
use half::{bf16, f16};
use polder_perturb::{Param, ParamSet, carried};
use serde_json::{Map, Value, json};

use super::SaveOptions;
use crate::error::Error;
use crate::load::StorageType;

/// The file that names the shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// The weights that are turned into bytes at once.
const WINDOW: usize = 1 << 18;

/// One file of weights.
pub(super) struct Shard<'a> {
    pub(super) name: String,
    header: Vec<u8>,
    params: Vec<&'a Param>,
    storage: Option<StorageType>,
    data: u64,
}

/// The parameters, cut into files in their order.
pub(super) fn plan<'a>(params: &'a ParamSet, options: &SaveOptions) -> Vec<Shard<'a>> {
    let storage = options.storage;
    let mut cuts: Vec<Vec<&Param>> = vec![Vec::new()];
    let mut size = 0;
    for param in params.iter() {
        let bytes = bytes(param, storage);
        if size > 0 && size + bytes > options.shard_bytes {
            cuts.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(last) = cuts.last_mut() {
            last.push(param);
        }
    }
    let of = cuts.len();
    cuts.into_iter().enumerate().map(|(at, params)| Shard::new(name(at, of), params, storage)).collect()
}

fn name(at: usize, of: usize) -> String {
    if of == 1 { "model.safetensors".to_owned() } else { format!("model-{:05}-of-{of:05}.safetensors", at + 1) }
}

/// The index of several shards.
pub(super) fn index(shards: &[Shard<'_>]) -> Option<Value> {
    if shards.len() < 2 {
        return None;
    }
    let total: u64 = shards.iter().map(|s| s.data).sum();
    let map: Map<String, Value> =
        shards.iter().flat_map(|s| s.params.iter().map(|p| (p.name.clone(), json!(s.name)))).collect();
    Some(json!({ "metadata": { "total_size": total }, "weight_map": map }))
}

/// The type of a parameter's weights in the file.
pub(super) fn dtype(param: &Param, storage: Option<StorageType>) -> DType {
    let own = if param.carried.is_some() { DType::F32 } else { param.tensor.dtype() };
    storage.map_or(own, StorageType::file_dtype)
}

fn bytes(param: &Param, storage: Option<StorageType>) -> u64 {
    (param.tensor.elem_count() * dtype(param, storage).size_in_bytes()) as u64
}

impl<'a> Shard<'a> {
    fn new(name: String, mut params: Vec<&'a Param>, storage: Option<StorageType>) -> Self {
        // Wide types first, so that every tensor is aligned.
        params.sort_by_key(|p| std::cmp::Reverse(dtype(p, storage).size_in_bytes()));
        let mut header = Map::from_iter([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
        let mut data = 0;
        for param in &params {
            let end = data + bytes(param, storage);
            let dtype = match dtype(param, storage) {
                DType::BF16 => "BF16",
                DType::F16 => "F16",
                DType::F64 => "F64",
                _ => "F32",
            };
            let entry = json!({ "dtype": dtype, "shape": param.tensor.dims(), "data_offsets": [data, end] });
            header.insert(param.name.clone(), entry);
            data = end;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        Self { name, header, params, storage, data }
    }

    /// The file's size.
    pub(super) fn bytes(&self) -> u64 {
        8 + self.header.len() as u64 + self.data
    }

    /// Writes the file and flushes it to the disk.
    pub(super) fn write(&self, mut file: File) -> io::Result<()> {
        file.write_all(&(self.header.len() as u64).to_le_bytes())?;
        file.write_all(&self.header)?;
        for param in &self.params {
            write_tensor(&mut file, param, self.storage)?;
        }
        file.sync_all()
    }
}

fn write_tensor(file: &mut File, param: &Param, storage: Option<StorageType>) -> io::Result<()> {
    let tensor = on_cpu(&param.tensor).map_err(Error::from)?;
    let (guard, layout) = tensor.storage_and_layout();
    let refused = || {
        let (what, dtype) = (param.name.clone(), tensor.dtype());
        Error::from(polder_perturb::Error::DType { what, dtype, path: "saving" })
    };
    let (Storage::Cpu(cpu), Some((from, end))) = (&*guard, layout.contiguous_offsets()) else {
        return Err(refused().into());
    };
    let (name, here, to) = (&param.name, from..end, dtype(param, storage));
    let same = to == tensor.dtype();
    match (cpu, &param.carried) {
        (CpuStorage::BF16(high), Some(carried)) => {
            let carried = on_cpu(carried).map_err(Error::from)?;
            let (guard, layout) = carried.storage_and_layout();
            let (Storage::Cpu(CpuStorage::U8(low)), Some((from, end))) = (&*guard, layout.contiguous_offsets()) else {
                return Err(refused().into());
            };
            let weights = high[here].iter().zip(&low[from..end]);
            convert(file, name, weights, |(high, low)| carried::join(high.to_bits(), *low), to)
        }
        (CpuStorage::F32(all), _) if same => keep(file, name, &all[here], f64::from, |x| x.to_le_bytes()),
        (CpuStorage::BF16(all), _) if same => keep(file, name, &all[here], f64::from, bf16::to_le_bytes),
        (CpuStorage::F16(all), _) if same => keep(file, name, &all[here], f64::from, f16::to_le_bytes),
        (CpuStorage::F64(all), _) if same => keep(file, name, &all[here], |x| x, |x| x.to_le_bytes()),
        (CpuStorage::F32(all), _) => convert(file, name, all[here].iter(), |x| *x, to),
        (CpuStorage::BF16(all), _) => convert(file, name, all[here].iter(), |x| x.to_f32(), to),
        (CpuStorage::F16(all), _) => convert(file, name, all[here].iter(), |x| x.to_f32(), to),
        _ => Err(refused().into()),
    }
}

fn on_cpu(tensor: &Tensor) -> candle_core::Result<Tensor> {
    tensor.to_device(&Device::Cpu)?.contiguous()
}

/// Writes finite weights as they are.
fn keep<T: Copy, const N: usize>(
    file: &mut File,
    name: &str,
    all: &[T],
    wide: impl Fn(T) -> f64 + Copy,
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    for (window, some) in all.chunks(WINDOW).enumerate() {
        // Without an early exit, so that many are looked at in one instruction.
        if some.iter().fold(false, |bad, &x| bad | !wide(x).is_finite())
            && let Some(at) = some.iter().position(|&x| !wide(x).is_finite())
        {
            return Err(not_finite(name, window * WINDOW + at, wide(some[at])));
        }
    }
    let mut bytes_of = Vec::with_capacity(WINDOW.min(all.len()) * N);
    for some in all.chunks(WINDOW) {
        bytes_of.clear();
        bytes_of.extend(some.iter().flat_map(|&x| bytes(x)));
        file.write_all(&bytes_of)?;
    }
    Ok(())
}

fn not_finite(name: &str, element: usize, value: f64) -> io::Error {
    Error::WeightNotFinite { tensor: name.to_owned(), element, value }.into()
}

/// Writes weights as another type: rounded to its nearest value, ties to even.
fn convert<T>(
    file: &mut File,
    name: &str,
    weights: impl ExactSizeIterator<Item = T> + Clone,
    wide: impl Fn(T) -> f32,
    to: DType,
) -> io::Result<()> {
    // All are looked at before the first is written: an error leaves no half of a tensor.
    for (element, weight) in weights.clone().enumerate() {
        let value = wide(weight);
        if !value.is_finite() {
            return Err(not_finite(name, element, f64::from(value)));
        }
        let fits = match to {
            DType::BF16 => bf16::from_f32(value).is_finite(),
            DType::F16 => f16::from_f32(value).is_finite(),
            _ => true,
        };
        if !fits {
            let (tensor, storage) = (name.to_owned(), to.as_str());
            return Err(Error::WeightTooLarge { tensor, element, value, storage }.into());
        }
    }
    let mut window = Vec::with_capacity(WINDOW.min(weights.len()) * 4);
    for weight in weights {
        let value = wide(weight);
        match to {
            DType::BF16 => window.extend(bf16::from_f32(value).to_le_bytes()),
            DType::F16 => window.extend(f16::from_f32(value).to_le_bytes()),
            _ => window.extend(value.to_le_bytes()),
        }
        if window.len() >= WINDOW * 2 {
            file.write_all(&window)?;
            window.clear();
        }
    }
    file.write_all(&window)
}
