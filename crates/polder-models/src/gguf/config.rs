//! The configuration of a GGUF model, as its config.json would say it.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::error::Result;
use crate::gguf::rope;
use crate::gguf::value::Metadata;
use crate::load::extent::Extent;

/// The architectures that are known, by llama.cpp's names; `llama` is also what Mistral and SmolLM are exported as.
const KNOWN: [(&str, &str, &str); 3] = [
    ("llama", "llama", "LlamaForCausalLM"),
    ("qwen2", "qwen2", "Qwen2ForCausalLM"),
    ("qwen3", "qwen3", "Qwen3ForCausalLM"),
];

/// What a file says of its model.
pub(crate) struct Model<'a> {
    pub(crate) metadata: &'a Metadata,
    pub(crate) arch: &'static str,
    model_type: &'static str,
    class: &'static str,
    pub(crate) layers: u64,
    pub(crate) heads: u64,
    pub(crate) kv_heads: u64,
    pub(crate) head_dim: u64,
    vocab: u64,
    tied: bool,
    attention_bias: bool,
    mlp_bias: bool,
    pub(crate) rope_freqs: Option<Extent>,
}

impl<'a> Model<'a> {
    /// Reads the sizes.
    ///
    /// # Errors
    /// An architecture that is not known; a size that is missing; a model with experts, or cut into several files.
    pub(crate) fn new(metadata: &'a Metadata, tensors: &[Extent]) -> Result<Self> {
        let named = metadata.text("general.architecture")?;
        let named = named.ok_or_else(|| metadata.wrong("`general.architecture` is missing"))?;
        let Some(&(arch, model_type, class)) = KNOWN.iter().find(|(arch, ..)| *arch == named) else {
            let known: Vec<&str> = KNOWN.iter().map(|(arch, ..)| *arch).collect();
            return Err(
                metadata.unsupported(format!("the architecture `{named}`"), format!("{} are", known.join(", ")))
            );
        };
        if metadata.uint("split.count")?.unwrap_or(1) > 1 {
            let hint = "merge it with llama.cpp's `llama-gguf-split --merge`";
            return Err(metadata.unsupported("a model that is split over several files", hint));
        }
        if metadata.uint(&format!("{arch}.expert_count"))?.unwrap_or(0) > 0 {
            return Err(metadata.unsupported("a mixture of experts", "use a dense model"));
        }
        let by_name: HashMap<&str, &Extent> = tensors.iter().map(|t| (t.name.as_str(), t)).collect();
        let embedding = by_name.get("token_embd.weight").and_then(|t| t.shape.first());
        let embedding = *embedding.ok_or_else(|| metadata.wrong("the tensor `token_embd.weight` is missing"))?;
        let heads = metadata.uniform_uint(&format!("{arch}.attention.head_count"))?;
        let heads = heads.ok_or_else(|| metadata.wrong(format!("`{arch}.attention.head_count` is missing")))?;
        let width = metadata.need_uint(&format!("{arch}.embedding_length"))?;
        if heads == 0 {
            return Err(metadata.wrong(format!("`{arch}.attention.head_count` is 0")));
        }
        Ok(Self {
            metadata,
            arch,
            model_type,
            class,
            layers: metadata.need_uint(&format!("{arch}.block_count"))?,
            heads,
            kv_heads: metadata.uniform_uint(&format!("{arch}.attention.head_count_kv"))?.unwrap_or(heads),
            head_dim: metadata.uint(&format!("{arch}.attention.key_length"))?.unwrap_or(width / heads),
            vocab: embedding as u64,
            tied: !by_name.contains_key("output.weight"),
            attention_bias: by_name.contains_key("blk.0.attn_q.bias"),
            mlp_bias: by_name.contains_key("blk.0.ffn_gate.bias"),
            rope_freqs: by_name.get("rope_freqs.weight").map(|t| (*t).clone()),
        })
    }

    /// The key of this architecture's metadata.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.arch)
    }

    /// The configuration, with both styles of rope settings.
    ///
    /// # Errors
    /// A number that is missing or of another kind; heads of different widths; a rope scaling that is not known.
    pub(crate) fn config(&self) -> Result<Map<String, Json>> {
        let need = |name: &str| self.metadata.need_uint(&self.key(name));
        let value_width = self.metadata.uint(&self.key("attention.value_length"))?.unwrap_or(self.head_dim);
        if value_width != self.head_dim {
            return Err(self.metadata.unsupported("values of another width than keys", "use another model"));
        }
        let eps = self.key("attention.layer_norm_rms_epsilon");
        let eps = self.metadata.float(&eps)?.ok_or_else(|| self.metadata.wrong(format!("`{eps}` is missing")))?;
        let mut config = Map::new();
        let mut put = |key: &str, value: Json| config.insert(key.to_owned(), value);
        put("architectures", json!([self.class]));
        put("model_type", json!(self.model_type));
        put("vocab_size", json!(self.vocab));
        put("hidden_size", json!(need("embedding_length")?));
        put("intermediate_size", json!(self.feed_forward()?));
        put("num_hidden_layers", json!(self.layers));
        put("num_attention_heads", json!(self.heads));
        put("num_key_value_heads", json!(self.kv_heads));
        put("head_dim", json!(self.head_dim));
        put("max_position_embeddings", json!(need("context_length")?));
        put("rms_norm_eps", json!(eps));
        put("hidden_act", json!("silu"));
        put("tie_word_embeddings", json!(self.tied));
        if self.arch != "qwen2" {
            put("attention_bias", json!(self.attention_bias));
        }
        if self.arch == "llama" {
            put("mlp_bias", json!(self.mlp_bias));
        }
        self.window(&mut config)?;
        config.extend(rope::settings(self)?);
        Ok(config)
    }

    fn feed_forward(&self) -> Result<u64> {
        let key = self.key("feed_forward_length");
        self.metadata.uniform_uint(&key)?.ok_or_else(|| self.metadata.wrong(format!("`{key}` is missing")))
    }

    /// llama.cpp has no sliding window in these three architectures, so a file that names one is not understood.
    fn window(&self, config: &mut Map<String, Json>) -> Result<()> {
        if self.metadata.uint(&self.key("attention.sliding_window"))?.unwrap_or(0) > 0 {
            let what = format!("a sliding window in the architecture `{}`", self.arch);
            return Err(self.metadata.unsupported(what, "use the model's Hugging Face folder"));
        }
        if self.arch != "llama" {
            config.insert("use_sliding_window".to_owned(), json!(false));
        }
        Ok(())
    }
}
