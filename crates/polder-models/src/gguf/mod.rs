//! GGUF files: llama.cpp's format, with weights quantised in blocks and the tokenizer inside.

mod bytes;
mod carry;
mod config;
mod header;
mod names;
pub(crate) mod quant;
mod rope;
mod tokenizer;
mod value;

pub(crate) use carry::{Carried, carried};
pub(crate) use names::gguf_name;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::error::Result;
use crate::load::extent::{Extent, WeightFile};
use crate::load::{SideFile, tokens};

/// What a GGUF file holds, in Hugging Face terms.
pub(crate) struct Gguf {
    /// The configuration, as a config.json would say it.
    pub(crate) config: Map<String, Json>,
    /// The tensors, under their canonical names.
    pub(crate) tensors: Vec<(String, Extent)>,
    /// The tokenizer.
    pub(crate) tokenizer: tokenizers::Tokenizer,
    /// The files that a folder of this model has beside its weights.
    pub(crate) files: Vec<SideFile>,
}

/// Opens a GGUF file: reads its metadata and checks every tensor's place, but reads no weight.
///
/// # Errors
/// A file that can't be read or is damaged; an architecture, tokenizer or rope scaling that is not known.
pub(crate) fn open(path: &Path) -> Result<Gguf> {
    let file = Arc::new(WeightFile::open(path)?);
    let header::Header { values, tensors, .. } = header::read(&file)?;
    let metadata = value::Metadata::new(path, values);
    let model = config::Model::new(&metadata, &tensors)?;
    let spec = tokenizer::spec(&metadata)?;
    let mut config = model.config()?;
    spec.add_ids(&mut config);
    let built = tokens::build(path, &spec)?;
    Ok(Gguf { config, tensors: names::canonical(&model, tensors)?, tokenizer: built.tokenizer, files: built.files })
}
