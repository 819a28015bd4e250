//! What a GGUF file says of a model's shape.

use polder_perturb::Activation;

use super::entries::Entries;
use super::rope;
use super::tensors::Heads;
use crate::config::{Family, LlamaConfig, ModelConfig};
use crate::error::{Error, Result};

/// An architecture of llama.cpp.
pub(super) struct Arch {
    /// Its name there.
    pub(super) name: &'static str,
    /// The heads, where queries and keys are interleaved: in `llama` alone.
    pub(super) heads: Option<Heads>,
}

impl Arch {
    /// The architecture of a model.
    ///
    /// # Errors
    /// One that llama.cpp does not have, or computes in another way.
    pub(super) fn of(config: &ModelConfig) -> Result<(Self, &LlamaConfig)> {
        let refused = |what: String, hint| Err(Error::NoGguf { what, hint });
        const HINT: &str = "export it as safetensors, into a folder";
        let kind = config.model_type();
        let Family::Llama(c) = config.family() else {
            return refused(format!("llama.cpp has no architecture for the model type `{kind}`"), HINT);
        };
        let (name, interleaves) = match kind {
            // Mistral is a LLaMA there.
            "llama" | "mistral" => ("llama", true),
            "qwen2" => ("qwen2", false),
            "qwen3" => ("qwen3", false),
            _ => return refused(format!("llama.cpp has no architecture for the model type `{kind}`"), HINT),
        };
        if c.activation != Activation::Silu {
            return refused("llama.cpp computes these models with SiLU only".to_owned(), HINT);
        }
        if name == "qwen3" && c.qkv_bias {
            return refused("llama.cpp's `qwen3` has no biases in its attention".to_owned(), HINT);
        }
        if name == "qwen2" && c.heads * c.head_dim != c.hidden {
            return refused("llama.cpp's `qwen2` has heads that together are as wide as the model".to_owned(), HINT);
        }
        let heads = interleaves.then_some(Heads { query: c.heads, key: c.kv_heads });
        Ok((Self { name, heads }, c))
    }

    /// Puts in sizes and settings; gives the factors of stretched frequencies, and what a reader should know.
    ///
    /// # Errors
    /// A rotary embedding that llama.cpp would compute otherwise.
    pub(super) fn describe(
        &self,
        c: &LlamaConfig,
        entries: &mut Entries,
        notes: &mut Vec<String>,
    ) -> Result<Option<Vec<f32>>> {
        let key = |name: &str| format!("{}.{name}", self.name);
        // Sizes are at most 2^26.
        for (name, size) in [
            ("block_count", c.layers),
            ("context_length", context(c, notes)),
            ("embedding_length", c.hidden),
            ("feed_forward_length", c.ffn),
            ("attention.head_count", c.heads),
            ("attention.head_count_kv", c.kv_heads),
            ("attention.key_length", c.head_dim),
            ("attention.value_length", c.head_dim),
            ("vocab_size", c.vocab),
        ] {
            entries.u32(&key(name), size as u32);
        }
        entries.f32(&key("attention.layer_norm_rms_epsilon"), c.eps);
        rope::settings(c, self.name, entries)
    }
}

/// llama.cpp has no sliding window in these architectures: up to the window's length every key is seen anyway.
fn context(c: &LlamaConfig, notes: &mut Vec<String>) -> usize {
    match c.windows.iter().flatten().min() {
        Some(&window) if window < c.positions => {
            notes.push(format!(
                "llama.cpp has no sliding window for this model; the file's context ends at the window, {window} tokens \
                 instead of {}, within which both compute the same",
                c.positions
            ));
            window
        }
        _ => c.positions,
    }
}
