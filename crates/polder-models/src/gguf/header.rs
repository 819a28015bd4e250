//! The header of a GGUF file: metadata and where tensors lie.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gguf::bytes::Cursor;
use crate::gguf::value::Value;
use crate::load::encoding::Encoding;
use crate::load::extent::{Extent, WeightFile};

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
/// The most axes of a tensor, ggml's own limit.
const MOST_AXES: u32 = 4;
/// The alignment of tensors where the metadata names none.
const ALIGNMENT: u64 = 32;

/// A tensor as the header describes it; `offset` counts from the start of the data.
struct Info {
    name: String,
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

/// What a header says.
pub(crate) struct Header {
    /// The metadata.
    pub(crate) values: HashMap<String, Value>,
    /// Where each value lies in the file, its type in front, in the file's order.
    pub(crate) spans: Vec<(String, Range<u64>)>,
    /// The tensors.
    pub(crate) tensors: Vec<Extent>,
}

/// Reads and checks the header.
///
/// # Errors
/// Another format or version; counts, lengths or offsets that the file has no room for; names given twice.
pub(crate) fn read(file: &Arc<WeightFile>) -> Result<Header> {
    let mut cursor = Cursor::new(file)?;
    if cursor.u32()? != MAGIC {
        return Err(cursor.wrong("it does not begin with `GGUF`"));
    }
    match cursor.u32()? {
        2 | 3 => {}
        version if (1..=3).contains(&version.swap_bytes()) => {
            return Err(cursor.wrong("it is a big-endian file, which is not read"));
        }
        version => {
            return Err(cursor.wrong(format!("version {version} is not known, only 2 and 3 are")));
        }
    }
    // A tensor takes at least a name's length, a count of axes, a type and an offset; a value a key's length and more.
    let tensors = cursor.count("tensors", 24)?;
    let count = cursor.count("metadata values", 13)?;
    let (values, spans) = metadata(&mut cursor, count)?;
    let infos = infos(&mut cursor, tensors)?;
    let alignment = match values.get("general.alignment") {
        None => ALIGNMENT,
        Some(Value::Uint(n)) if n.is_power_of_two() && *n <= 1 << 20 => *n,
        Some(_) => return Err(cursor.wrong("`general.alignment` is no power of two")),
    };
    let base = cursor.at().next_multiple_of(alignment);
    let tensors = infos.into_iter().map(|info| place(file, info, base, alignment)).collect::<Result<Vec<_>>>()?;
    disjoint(file, &tensors)?;
    Ok(Header { values, spans, tensors })
}

/// Values by key, and where each lies.
type Values = (HashMap<String, Value>, Vec<(String, Range<u64>)>);

fn metadata(cursor: &mut Cursor<'_>, count: usize) -> Result<Values> {
    let (mut metadata, mut spans) = (HashMap::new(), Vec::new());
    for _ in 0..count {
        let key = cursor.string()?;
        let start = cursor.at();
        let value = cursor.value().map_err(|e| in_key(e, &key))?;
        if metadata.contains_key(&key) {
            return Err(cursor.wrong(format!("it has the key `{key}` twice")));
        }
        spans.push((key.clone(), start..cursor.at()));
        metadata.insert(key, value);
    }
    Ok((metadata, spans))
}

fn in_key(error: Error, key: &str) -> Error {
    match error {
        Error::Gguf { file, reason } => Error::Gguf { file, reason: format!("`{key}`: {reason}") },
        other => other,
    }
}

fn infos(cursor: &mut Cursor<'_>, count: usize) -> Result<Vec<Info>> {
    let mut names = HashSet::new();
    let mut infos = Vec::new();
    for _ in 0..count {
        let name = cursor.string()?;
        let axes = cursor.u32()?;
        if axes > MOST_AXES {
            return Err(cursor.wrong(format!("`{name}` has {axes} axes, more than {MOST_AXES}")));
        }
        // GGUF names the fastest axis first.
        let mut shape = Vec::with_capacity(axes as usize);
        for _ in 0..axes {
            let dim = cursor.u64()?;
            shape.push(usize::try_from(dim).map_err(|_| cursor.wrong(format!("`{name}` has an axis of {dim}")))?);
        }
        shape.reverse();
        let (kind, offset) = (cursor.u32()?, cursor.u64()?);
        if !names.insert(name.clone()) {
            return Err(cursor.wrong(format!("it has the tensor `{name}` twice")));
        }
        infos.push(Info { name, shape, kind, offset });
    }
    Ok(infos)
}

fn place(file: &Arc<WeightFile>, info: Info, base: u64, alignment: u64) -> Result<Extent> {
    let Info { name, shape, kind, offset } = info;
    let wrong = |reason: String| Error::Gguf { file: file.path.clone(), reason };
    if offset % alignment != 0 {
        return Err(wrong(format!("`{name}` lies at {offset}, which is no multiple of {alignment}")));
    }
    let (dtype, encoding) = kind_of(kind);
    let extent = Extent {
        file: Arc::clone(file),
        name,
        dtype,
        encoding,
        shape,
        start: base.saturating_add(offset),
        interleaved: None,
    };
    let Some(encoding) = encoding else {
        return Err(extent.unknown_type());
    };
    let bytes = encoding.bytes(&extent.shape).ok_or_else(|| {
        wrong(format!("`{}` of shape {:?} can't be stored as {}", extent.name, extent.shape, extent.dtype))
    })?;
    if extent.start > file.len || bytes as u64 > file.len - extent.start {
        return Err(wrong(format!(
            "`{}` takes {bytes} bytes from byte {}, but the file has {}",
            extent.name, extent.start, file.len
        )));
    }
    Ok(extent)
}

/// Refuses tensors that share bytes.
fn disjoint(file: &WeightFile, extents: &[Extent]) -> Result<()> {
    let mut spans: Vec<(u64, u64, &str)> = extents
        .iter()
        .map(|e| (e.start, e.encoding.and_then(|c| c.bytes(&e.shape)).unwrap_or(0) as u64, e.name.as_str()))
        .collect();
    spans.sort_unstable();
    for pair in spans.windows(2) {
        if let [(start, len, first), (next, _, second)] = pair
            && start + len > *next
        {
            return Err(Error::Gguf {
                file: file.path.clone(),
                reason: format!("the tensors `{first}` and `{second}` overlap"),
            });
        }
    }
    Ok(())
}

/// The name of a ggml type, and its encoding where it is read.
fn kind_of(kind: u32) -> (String, Option<Encoding>) {
    let (name, encoding) = match kind {
        0 => ("F32", Some(Encoding::F32)),
        1 => ("F16", Some(Encoding::F16)),
        2 => ("Q4_0", Some(Encoding::Q4_0)),
        3 => ("Q4_1", Some(Encoding::Q4_1)),
        6 => ("Q5_0", Some(Encoding::Q5_0)),
        7 => ("Q5_1", Some(Encoding::Q5_1)),
        8 => ("Q8_0", Some(Encoding::Q8_0)),
        12 => ("Q4_K", Some(Encoding::Q4K)),
        13 => ("Q5_K", Some(Encoding::Q5K)),
        14 => ("Q6_K", Some(Encoding::Q6K)),
        28 => ("F64", Some(Encoding::F64)),
        30 => ("BF16", Some(Encoding::Bf16)),
        9 => ("Q8_1", None),
        10 => ("Q2_K", None),
        11 => ("Q3_K", None),
        15 => ("Q8_K", None),
        16 => ("IQ2_XXS", None),
        17 => ("IQ2_XS", None),
        18 => ("IQ3_XXS", None),
        19 => ("IQ1_S", None),
        20 => ("IQ4_NL", None),
        21 => ("IQ3_S", None),
        22 => ("IQ2_S", None),
        23 => ("IQ4_XS", None),
        24 => ("I8", None),
        25 => ("I16", None),
        26 => ("I32", None),
        27 => ("I64", None),
        29 => ("IQ1_M", None),
        34 => ("TQ1_0", None),
        35 => ("TQ2_0", None),
        39 => ("MXFP4", None),
        other => return (format!("type {other}"), None),
    };
    (name.to_owned(), encoding)
}
