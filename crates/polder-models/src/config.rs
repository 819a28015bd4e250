//! What a config.json says, read strictly: a known model type, checked sizes, documented defaults, nothing guessed.

mod fields;
mod llama;
mod opt;
mod rope;

use serde_json::{Map, Value};

pub(crate) use fields::Fields;
pub use llama::LlamaConfig;
pub use opt::OptConfig;
pub use rope::{RopeConfig, RopeKind};

use crate::error::{Error, Result};
use crate::registry;

/// A checked configuration: the family's own numbers, and the JSON that they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    model_type: String,
    family: Family,
    json: Map<String, Value>,
}

/// The numbers of a family of architectures.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// OPT (Zhang et al. 2022, arXiv 2205.01068).
    Opt(OptConfig),
    /// LLaMA (Touvron et al. 2023, arXiv 2302.13971) and the models built alike.
    Llama(LlamaConfig),
}

impl ModelConfig {
    /// Reads the text of a config.json.
    ///
    /// # Errors
    /// Text that is no JSON object, and whatever [`ModelConfig::from_json`] refuses.
    pub fn parse(text: &str) -> Result<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(json)) => Self::from_json(json),
            Ok(_) => Err(Error::ConfigJson { reason: "it is another kind of value".to_owned() }),
            Err(error) => Err(Error::ConfigJson { reason: error.to_string() }),
        }
    }

    /// Checks a configuration. Keys that don't concern the forward pass are kept, and left alone.
    ///
    /// # Errors
    /// A model type or rope type that is unknown; a size that is missing, absurd or doesn't fit the others.
    pub fn from_json(json: Map<String, Value>) -> Result<Self> {
        let entry = registry::entry(&json)?;
        let family = (entry.parse)(&Fields::new(entry.model_type, &json))?;
        let config = Self { model_type: entry.model_type.to_owned(), family, json };
        config.check_size()?;
        Ok(config)
    }

    /// The model type, as [`registry::MODEL_TYPES`] lists it.
    pub fn model_type(&self) -> &str {
        &self.model_type
    }

    /// The family's numbers.
    pub fn family(&self) -> &Family {
        &self.family
    }

    /// The configuration as it was read, with keys in their order.
    pub fn json(&self) -> &Map<String, Value> {
        &self.json
    }

    /// The storage type that the configuration names (`dtype`, in older files `torch_dtype`), without `torch.`.
    pub fn storage(&self) -> Option<&str> {
        let named = self.json.get("dtype").or_else(|| self.json.get("torch_dtype"))?.as_str()?;
        Some(named.strip_prefix("torch.").unwrap_or(named))
    }

    /// Whether the head is the table of embeddings.
    pub fn tied(&self) -> bool {
        match &self.family {
            Family::Opt(c) => c.tied,
            Family::Llama(c) => c.tied,
        }
    }

    /// Refuses a model whose weights could not be addressed.
    fn check_size(&self) -> Result<()> {
        const MOST: usize = 1 << 44;
        let mut total = 0usize;
        for (name, shape) in crate::expected_tensors(self) {
            let count = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
            total = count.and_then(|n| total.checked_add(n)).filter(|n| *n <= MOST).ok_or_else(|| {
                let found = format!("{shape:?} for `{name}`");
                Error::ConfigValue { key: "sizes".to_owned(), found, expected: format!("at most {MOST} weights") }
            })?;
        }
        Ok(())
    }
}
