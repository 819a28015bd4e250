//! The model types that are known: one table that loading, the command line's help and the tests read.

use serde_json::{Map, Value};

use crate::config::{Family, Fields, LlamaConfig, OptConfig};
use crate::error::{Error, Result};

/// One model type.
#[derive(Debug)]
pub struct ModelType {
    /// Its name in `model_type` of a config.json.
    pub model_type: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// Reads the keys that the forward pass needs.
    pub(crate) parse: fn(&Fields<'_>) -> Result<Family>,
}

/// Every model type that is known.
pub const MODEL_TYPES: &[ModelType] = &[
    ModelType {
        model_type: "opt",
        about: "OPT: layer norm before or after, projected embeddings, learned positions",
        parse: OptConfig::parse,
    },
    ModelType {
        model_type: "llama",
        about: "LLaMA 1, 2 and 3, SmolLM and SmolLM2, and what else is built as LLaMA",
        parse: LlamaConfig::parse,
    },
    ModelType { model_type: "mistral", about: "Mistral, with its sliding window", parse: LlamaConfig::parse },
    ModelType {
        model_type: "qwen2",
        about: "Qwen 1.5, 2 and 2.5, with biases on q, k and v",
        parse: LlamaConfig::parse,
    },
    ModelType { model_type: "qwen3", about: "Qwen 3 (dense), with QK-norm", parse: LlamaConfig::parse },
];

/// The entry of a configuration's `model_type`.
///
/// # Errors
/// No model type, or one that the table does not have.
pub(crate) fn entry(json: &Map<String, Value>) -> Result<&'static ModelType> {
    let named = match json.get("model_type") {
        Some(Value::String(named)) => named.as_str(),
        Some(other) => return Err(unknown(&other.to_string())),
        None => return Err(unknown("(none given)")),
    };
    MODEL_TYPES.iter().find(|entry| entry.model_type == named).ok_or_else(|| unknown(named))
}

fn unknown(named: &str) -> Error {
    let known: Vec<&str> = MODEL_TYPES.iter().map(|entry| entry.model_type).collect();
    Error::UnknownModelType { model_type: named.chars().take(60).collect(), known: known.join(", ") }
}
