//! Safetensors files: the header, checked before anything is believed.
//!
//! Layout: 8 bytes little-endian header length, a JSON header `{name: {dtype, shape, data_offsets}}`, the tensors
//! without gaps. The header is parsed here and not by the safetensors crate, because a repeated name must not win
//! silently, messages must name the tensor, and only the header should be read, not the file.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, Result};
use crate::load::encoding::Encoding;
use crate::load::extent::{Extent, WeightFile};

/// The longest header that is read; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;
/// The most axes of a tensor.
const MOST_AXES: usize = 8;

/// The tensors of a safetensors file.
///
/// # Errors
/// A file that can't be read; a header that is longer than the file or than 100 MB, is no JSON, repeats a name, or
/// whose shapes and offsets do not cover the file exactly once.
pub(crate) fn open(path: &Path) -> Result<Vec<Extent>> {
    let file = Arc::new(WeightFile::open(path)?);
    let wrong = |reason: String| Error::Safetensors { file: path.to_owned(), reason };
    if file.len < 8 {
        return Err(wrong(format!("it has only {} bytes", file.len)));
    }
    let mut prefix = [0; 8];
    file.read_at(0, &mut prefix)?;
    let header = u64::from_le_bytes(prefix);
    if header > LONGEST_HEADER {
        return Err(wrong(format!("its header claims {header} bytes, more than {LONGEST_HEADER} are never there")));
    }
    if header > file.len - 8 {
        return Err(wrong(format!("its header claims {header} bytes, but only {} follow", file.len - 8)));
    }
    let mut text = vec![0; header as usize];
    file.read_at(8, &mut text)?;
    let Header(entries) = serde_json::from_slice(&text).map_err(|e| wrong(format!("its header: {e}")))?;
    place(&file, entries, 8 + header)
}

/// Turns header entries into extents, in the order of their offsets.
fn place(file: &Arc<WeightFile>, mut entries: Vec<(String, Entry)>, base: u64) -> Result<Vec<Extent>> {
    let wrong = |reason: String| Error::Safetensors { file: file.path.clone(), reason };
    let mut seen = HashSet::with_capacity(entries.len());
    if let Some((tensor, _)) = entries.iter().find(|(name, _)| !seen.insert(name.as_str())) {
        return Err(Error::DuplicateTensor { file: file.path.clone(), tensor: tensor.clone() });
    }
    drop(seen);
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let data = file.len - base;
    let mut end = 0;
    let mut extents = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let (from, to) = entry.data_offsets;
        if from < end {
            return Err(wrong(format!("`{name}` overlaps the tensor before it")));
        }
        if from > end {
            return Err(wrong(format!("{} bytes before `{name}` belong to no tensor", from - end)));
        }
        if to < from || to > data {
            return Err(wrong(format!("`{name}` ends at byte {to} of the {data} bytes of tensors that are there")));
        }
        check_size(&name, &entry, to - from).map_err(wrong)?;
        extents.push(Extent {
            file: Arc::clone(file),
            name,
            encoding: encoding(&entry.dtype),
            dtype: entry.dtype,
            shape: entry.shape,
            start: base + from,
            interleaved: None,
        });
        end = to;
    }
    if end != data {
        return Err(wrong(format!("{} bytes at its end belong to no tensor", data - end)));
    }
    Ok(extents)
}

fn check_size(name: &str, entry: &Entry, bytes: u64) -> Result<(), String> {
    if entry.shape.len() > MOST_AXES {
        return Err(format!("`{name}` has {} axes", entry.shape.len()));
    }
    // A type that is not even known to the format may only be named in the message if the tensor is asked for.
    let Ok(dtype) = Dtype::deserialize(de::value::StrDeserializer::<de::value::Error>::new(&entry.dtype)) else {
        return Ok(());
    };
    let bits = entry
        .shape
        .iter()
        .try_fold(1usize, |all, &dim| all.checked_mul(dim))
        .and_then(|all| all.checked_mul(dtype.bitsize()))
        .ok_or_else(|| format!("the shape {:?} of `{name}` overflows", entry.shape))?;
    if bits % 8 != 0 || (bits / 8) as u64 != bytes {
        let shape = &entry.shape;
        return Err(format!("`{name}` takes {bytes} bytes, which {} of shape {shape:?} does not", entry.dtype));
    }
    Ok(())
}

fn encoding(dtype: &str) -> Option<Encoding> {
    Some(match dtype {
        "F64" => Encoding::F64,
        "F32" => Encoding::F32,
        "F16" => Encoding::F16,
        "BF16" => Encoding::Bf16,
        _ => return None,
    })
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// The header's entries, in the file's order, repeated names included.
struct Header(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        let entry = map.next_value().map_err(|e| de::Error::custom(format!("`{name}`: {e}")))?;
                        entries.push((name, entry));
                    }
                }
                Ok(Header(entries))
            }
        }
        from.deserialize_map(Entries)
    }
}
