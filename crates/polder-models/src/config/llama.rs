//! The numbers of LLaMA and its relatives.

use polder_perturb::Activation;
use serde_json::Value;

use super::{Family, Fields, RopeConfig};
use crate::error::Result;

/// The numbers of a LLaMA-like model. Sizes must be given; other keys default as in transformers' configuration class
/// of the same model type (`LlamaConfig`, `MistralConfig`, `Qwen2Config`, `Qwen3Config`).
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// The width of the residual stream.
    pub hidden: usize,
    /// The width of the gated feed-forward layer.
    pub ffn: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// The width of a head; `hidden / heads` by default, 128 in qwen3.
    pub head_dim: usize,
    /// The largest number of tokens of a sequence.
    pub positions: usize,
    /// The constant under the root of the norms; 1e-6 by default.
    pub eps: f64,
    /// Whether q, k and v have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub out_bias: bool,
    /// Whether gate, up and down have biases.
    pub mlp_bias: bool,
    /// Whether queries and keys are normed a head at a time (QK-norm, qwen3).
    pub qk_norm: bool,
    /// SiLU by default.
    pub activation: Activation,
    /// Whether the head is the table of embeddings; false by default.
    pub tied: bool,
    /// The rotary embedding.
    pub rope: RopeConfig,
    /// Each layer's sliding window: a query sees only so many latest keys, itself included.
    pub windows: Vec<Option<usize>>,
}

/// What a model type fixes, or defaults to, beyond what all share.
struct Traits {
    kv_heads: Option<usize>,
    head_dim: Option<usize>,
    positions: usize,
}

impl LlamaConfig {
    /// Reads and checks the keys; `fields.model_type()` chooses defaults and fixed traits.
    pub(crate) fn parse(fields: &Fields<'_>) -> Result<Family> {
        let kind = fields.model_type();
        let traits = match kind {
            "mistral" => Traits { kv_heads: Some(8), head_dim: None, positions: 4096 * 32 },
            "qwen2" => Traits { kv_heads: Some(32), head_dim: None, positions: 32_768 },
            "qwen3" => Traits { kv_heads: Some(32), head_dim: Some(128), positions: 32_768 },
            _ => Traits { kv_heads: None, head_dim: None, positions: 2048 },
        };
        let (heads, kv_heads, head_dim) = head_sizes(fields, &traits)?;
        let layers = fields.layers()?;
        let positions = fields.size_or("max_position_embeddings", traits.positions)?;
        let attention_bias = matches!(kind, "llama" | "qwen3") && fields.flag_or("attention_bias", false)?;
        Ok(Family::Llama(Self {
            vocab: fields.size("vocab_size")?,
            hidden: fields.size("hidden_size")?,
            ffn: fields.size("intermediate_size")?,
            layers,
            heads,
            kv_heads,
            head_dim,
            positions,
            eps: fields.number_or("rms_norm_eps", 1e-6)?,
            qkv_bias: kind == "qwen2" || attention_bias,
            out_bias: attention_bias,
            mlp_bias: kind == "llama" && fields.flag_or("mlp_bias", false)?,
            qk_norm: kind == "qwen3",
            activation: fields.activation_or("hidden_act", Activation::Silu)?,
            tied: fields.flag_or("tie_word_embeddings", false)?,
            rope: RopeConfig::parse(fields, positions)?,
            windows: windows(fields, layers)?,
        }))
    }
}

/// Query heads, key heads and the width of a head.
fn head_sizes(fields: &Fields<'_>, traits: &Traits) -> Result<(usize, usize, usize)> {
    let hidden = fields.size("hidden_size")?;
    let heads = fields.size("num_attention_heads")?;
    // An explicit null means "as many as there are heads", in every one of these model types.
    let default = if fields.is_null("num_key_value_heads") { heads } else { traits.kv_heads.unwrap_or(heads) };
    let kv_heads = fields.size_or("num_key_value_heads", default)?;
    if heads % kv_heads != 0 {
        return Err(fields.wrong("num_key_value_heads", &format!("a divisor of num_attention_heads = {heads}")));
    }
    let head_dim = match fields.optional_size("head_dim")?.or(traits.head_dim) {
        Some(width) => width,
        None if hidden % heads == 0 => hidden / heads,
        None => {
            return Err(fields.wrong("num_attention_heads", &format!("a divisor of hidden_size = {hidden}")));
        }
    };
    if head_dim % 2 != 0 {
        return Err(fields.wrong("head_dim", &format!("an even width of a head, not {head_dim}")));
    }
    Ok((heads, kv_heads, head_dim))
}

/// Each layer's sliding window.
fn windows(fields: &Fields<'_>, layers: usize) -> Result<Vec<Option<usize>>> {
    match fields.model_type() {
        "mistral" => {
            refuse_layer_types(fields)?;
            // Missing: 4096, as transformers has it; null: no window.
            let default = if fields.is_null("sliding_window") { None } else { Some(4096) };
            Ok(vec![fields.optional_size("sliding_window")?.or(default); layers])
        }
        "qwen2" | "qwen3" => qwen_windows(fields, layers),
        _ => {
            refuse_layer_types(fields)?;
            Ok(vec![None; layers])
        }
    }
}

/// Qwen: `layer_types` a layer, or, with `use_sliding_window`, the layers from `max_window_layers` on.
fn qwen_windows(fields: &Fields<'_>, layers: usize) -> Result<Vec<Option<usize>>> {
    let default = if fields.is_null("sliding_window") { None } else { Some(4096) };
    let window = fields.optional_size("sliding_window")?.or(default);
    let window = if fields.flag_or("use_sliding_window", false)? { window } else { None };
    let first = fields.count_or("max_window_layers", 28)?;
    let Some(types) = fields.value("layer_types") else {
        return Ok((0..layers).map(|layer| window.filter(|_| layer >= first)).collect());
    };
    let types = types.as_array().filter(|t| t.len() == layers);
    let types = types.ok_or_else(|| fields.wrong("layer_types", &format!("a list of {layers} layer types")))?;
    let of = |kind: &Value| match (kind.as_str(), window) {
        (Some("full_attention"), _) => Ok(None),
        (Some("sliding_attention"), Some(window)) => Ok(Some(window)),
        (Some("sliding_attention"), None) => {
            Err(fields.wrong("layer_types", "sliding layers only with use_sliding_window and a sliding_window"))
        }
        _ => Err(fields.wrong("layer_types", "full_attention or sliding_attention for each layer")),
    };
    types.iter().map(of).collect()
}

/// Model types without layer types: a list of full layers is what they do anyhow, anything else would be guessed.
fn refuse_layer_types(fields: &Fields<'_>) -> Result<()> {
    let full = |kinds: &Vec<Value>| kinds.iter().all(|k| k.as_str() == Some("full_attention"));
    match fields.value("layer_types") {
        None => Ok(()),
        Some(Value::Array(kinds)) if fields.model_type() != "mistral" && full(kinds) => Ok(()),
        Some(_) => Err(fields.wrong("layer_types", &format!("none for model type {}", fields.model_type()))),
    }
}
