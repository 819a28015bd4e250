//! What a model's files say, without its weights.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer;

use super::{Extent, Loaded, Parts, SideFile, Source, parts};
use crate::config::{Family, ModelConfig};
use crate::error::{Error, Result};
use crate::language_model::Description;

/// A model's files, read and checked but for the weights.
#[derive(Debug)]
pub struct Inspected {
    /// The checked configuration.
    pub config: ModelConfig,
    /// The configuration as a config.json says it.
    pub config_json: Value,
    /// The tokenizer, where there is one; it neither pads nor truncates.
    pub tokenizer: Option<Tokenizer>,
    /// The files beside the weights.
    pub files: Vec<SideFile>,
    /// Where it lies.
    pub source: Source,
}

/// Reads everything of a model but the weights themselves.
///
/// # Errors
/// As [`load`](super::load), but for what only the weights show.
pub fn inspect(path: &Path) -> Result<Inspected> {
    let Parts { config, config_file, tensors, tokenizer, files, format } = parts(path)?;
    let config_json = Value::Object(config.clone());
    let config = ModelConfig::from_json(config)
        .map_err(|source| Error::InConfig { file: config_file, source: Box::new(source) })?;
    let source = Source { path: path.to_owned(), format, stored: stored(&tensors) };
    Ok(Inspected { config, config_json, tokenizer, files, source })
}

/// The number of weights of each type.
pub(super) fn stored(tensors: &[(String, Extent)]) -> BTreeMap<String, usize> {
    let mut stored = BTreeMap::new();
    for (_, extent) in tensors {
        let weights = extent.shape.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
        let count = stored.entry(extent.dtype.clone()).or_insert(0usize);
        *count = count.saturating_add(weights);
    }
    stored
}

impl Inspected {
    /// Layers, widths, heads.
    pub fn describe(&self) -> Description {
        self.config.describe()
    }

    /// The id of the token that begins a text, where the model has one.
    pub fn bos_id(&self) -> Option<u32> {
        bos_id(&self.config_json, &self.files, self.tokenizer.as_ref())
    }
}

impl Loaded {
    /// The id of the token that begins a text, where the model has one.
    pub fn bos_id(&self) -> Option<u32> {
        bos_id(&self.config_json, &self.files, self.tokenizer.as_ref())
    }
}

/// As tokenizer_config.json names it, else as config.json numbers it.
fn bos_id(config: &Value, files: &[SideFile], tokenizer: Option<&Tokenizer>) -> Option<u32> {
    let named = || {
        let file = files.iter().find(|file| file.name == "tokenizer_config.json")?;
        let json: Value = serde_json::from_slice(&file.bytes).ok()?;
        let token = json.get("bos_token")?;
        let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
        tokenizer?.token_to_id(text)
    };
    let numbered = || u32::try_from(config.get("bos_token_id")?.as_u64()?).ok();
    named().or_else(numbered)
}

impl ModelConfig {
    /// Layers, widths, heads.
    pub fn describe(&self) -> Description {
        match self.family() {
            Family::Opt(c) => Description {
                layers: c.layers,
                hidden: c.hidden,
                ffn: c.ffn,
                heads: c.heads,
                kv_heads: c.heads,
                head_dim: c.hidden / c.heads.max(1),
                vocab: c.vocab,
                positions: c.positions,
                tied: c.tied,
            },
            Family::Llama(c) => Description {
                layers: c.layers,
                hidden: c.hidden,
                ffn: c.ffn,
                heads: c.heads,
                kv_heads: c.kv_heads,
                head_dim: c.head_dim,
                vocab: c.vocab,
                positions: c.positions,
                tied: c.tied,
            },
        }
    }
}
