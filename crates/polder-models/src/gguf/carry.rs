//! What a GGUF file says beyond its weights, as it says it: for another file of the same model.

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::gguf::header;
use crate::load::extent::WeightFile;

/// Keys that speak of how the file's own weights were stored.
const OWN: [&str; 3] = ["general.file_type", "general.quantization_version", "general.alignment"];
/// Beginnings of such keys.
const OWN_GROUPS: [&str; 2] = ["split.", "quantize."];

/// Metadata and derived tensors of a file.
pub(crate) struct Carried {
    /// Each key's type and value, as the file has them.
    pub(crate) entries: Vec<(String, Vec<u8>)>,
    /// The factors of stretched frequencies, where there are some.
    pub(crate) rope_freqs: Option<Vec<f32>>,
}

/// Reads what is carried over.
///
/// # Errors
/// A file that can't be read any more.
pub(crate) fn carried(path: &Path) -> Result<Carried> {
    let file = Arc::new(WeightFile::open(path)?);
    let header::Header { spans, tensors, .. } = header::read(&file)?;
    let mut entries = Vec::with_capacity(spans.len());
    for (key, span) in spans {
        if OWN.contains(&key.as_str()) || OWN_GROUPS.iter().any(|group| key.starts_with(group)) {
            continue;
        }
        // The header was read, so the span lies in the file and is no longer than it.
        let mut bytes = vec![0; (span.end - span.start) as usize];
        file.read_at(span.start, &mut bytes)?;
        entries.push((key, bytes));
    }
    let rope_freqs = tensors.iter().find(|t| t.name == "rope_freqs.weight").map(|t| t.read_f32()).transpose()?;
    Ok(Carried { entries, rope_freqs })
}
