//! Models from files: Hugging Face folders and GGUF files.

pub(crate) mod bounded;
mod byte_level;
mod chat;
pub(crate) mod encoding;
pub(crate) mod extent;
mod fill;
mod folder;
mod inspect;
mod names;
mod panics;
mod safetensors;
pub(crate) mod sentencepiece;
mod shards;
pub(crate) mod storage;
pub(crate) mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use polder_perturb::ParamSet;
use serde_json::{Map, Value};
use tokenizers::Tokenizer;

pub use chat::ChatSource;
pub use inspect::{Inspected, inspect};
pub use panics::without_panic;
pub use storage::StorageType;

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::gguf;
use extent::Extent;

/// A small file beside the weights, such as `tokenizer.json`; copied when the model is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideFile {
    /// Its name, without a folder.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl SideFile {
    pub(crate) fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), bytes }
    }
}

/// The form in which a model came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder with config.json and safetensors files.
    HuggingFace,
    /// A single GGUF file.
    Gguf,
}

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The folder or file.
    pub path: PathBuf,
    /// Its form.
    pub format: Format,
    /// The number of weights of each type in the file, by the type's name there.
    pub stored: BTreeMap<String, usize>,
}

/// A model in memory.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub config: ModelConfig,
    /// The configuration as a config.json says it, for saving.
    pub config_json: Value,
    /// The weights, under their canonical names, tied ones once.
    pub params: ParamSet,
    /// The tokenizer, where there is one; it neither pads nor truncates.
    pub tokenizer: Option<Tokenizer>,
    /// The files beside the weights.
    pub files: Vec<SideFile>,
    /// Where it came from.
    pub source: Source,
}

/// Loads a model from a Hugging Face folder (config.json; model.safetensors, or shards with an index) or a GGUF file.
///
/// Weights are read window by window and rounded to the nearest `storage` value (ties to even), so that nothing but
/// the weights themselves and a few MB is held at any time. Every size is checked before anything is allocated.
///
/// # Errors
/// No model at `path`; a damaged file; a configuration, tokenizer or tensor type that is not known; tensors that are
/// missing, or there without reason, or of another shape; a weight that is not finite in `storage`.
pub fn load(path: &Path, storage: StorageType, device: &Device) -> Result<Loaded> {
    let Parts { config, config_file, tensors, tokenizer, files, format } = parts(path)?;
    let config_json = Value::Object(config.clone());
    let config = ModelConfig::from_json(config)
        .map_err(|source| Error::InConfig { file: config_file, source: Box::new(source) })?;
    let stored = inspect::stored(&tensors);
    let params = fill::fill(path, tensors, &config, storage, device)?;
    let source = Source { path: path.to_owned(), format, stored };
    Ok(Loaded { config, config_json, params, tokenizer, files, source })
}

/// What both forms come down to.
struct Parts {
    config: Map<String, Value>,
    config_file: PathBuf,
    tensors: Vec<(String, Extent)>,
    tokenizer: Option<Tokenizer>,
    files: Vec<SideFile>,
    format: Format,
}

/// Reads everything but the weights, and finds where those lie.
fn parts(path: &Path) -> Result<Parts> {
    let no_model = |reason: &str| Error::NoModel { path: path.to_owned(), reason: reason.to_owned() };
    if !path.exists() {
        return Err(no_model("there is no such file or folder"));
    }
    if path.is_dir() {
        folder::open(path)
    } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
        from_gguf(path)
    } else {
        Err(no_model("it is neither a folder nor a .gguf file"))
    }
}

fn from_gguf(path: &Path) -> Result<Parts> {
    let gguf::Gguf { config, tensors, tokenizer, files } = gguf::open(path)?;
    let config_file = path.to_owned();
    Ok(Parts { config, config_file, tensors, tokenizer: Some(tokenizer), files, format: Format::Gguf })
}
