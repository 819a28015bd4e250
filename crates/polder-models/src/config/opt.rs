//! OPT's numbers.

use polder_perturb::Activation;

use super::{Family, Fields};
use crate::error::Result;

/// The numbers of an OPT model. Sizes must be given; other keys default as in transformers' `OPTConfig`.
#[derive(Debug, Clone, PartialEq)]
pub struct OptConfig {
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// The width of the residual stream.
    pub hidden: usize,
    /// The width of the feed-forward layer.
    pub ffn: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads; divides `hidden`.
    pub heads: usize,
    /// The largest number of tokens of a sequence; 2048 by default.
    pub positions: usize,
    /// The width of token embeddings (`word_embed_proj_dim`); `hidden` by default, 512 against 1024 in opt-350m.
    pub embedding: usize,
    /// Whether a layer norm comes before its sub-layer (true by default) or after the residual sum (opt-350m).
    pub norm_first: bool,
    /// Whether a norm follows the last layer: pre-norm models without `_remove_final_layer_norm`.
    pub final_norm: bool,
    /// Whether linear layers have biases; true by default.
    pub bias: bool,
    /// Whether layer norms have weight and bias; true by default.
    pub norm_affine: bool,
    /// ReLU by default.
    pub activation: Activation,
    /// Whether the head is the table of embeddings; true by default.
    pub tied: bool,
}

impl OptConfig {
    /// The rows that OPT's position table has before position 0 (a relic of fairseq's padding index).
    pub const POSITION_OFFSET: usize = 2;

    /// Reads and checks the keys.
    pub(crate) fn parse(fields: &Fields<'_>) -> Result<Family> {
        let hidden = fields.size("hidden_size")?;
        let heads = fields.size("num_attention_heads")?;
        if hidden % heads != 0 {
            return Err(fields.wrong("num_attention_heads", &format!("a divisor of hidden_size = {hidden}")));
        }
        let norm_first = fields.flag_or("do_layer_norm_before", true)?;
        Ok(Family::Opt(Self {
            vocab: fields.size("vocab_size")?,
            hidden,
            ffn: fields.size("ffn_dim")?,
            layers: fields.layers()?,
            heads,
            positions: fields.size_or("max_position_embeddings", 2048)?,
            embedding: fields.size_or("word_embed_proj_dim", hidden)?,
            norm_first,
            final_norm: norm_first && !fields.flag_or("_remove_final_layer_norm", false)?,
            bias: fields.flag_or("enable_bias", true)?,
            norm_affine: fields.flag_or("layer_norm_elementwise_affine", true)?,
            activation: fields.activation_or("activation_function", Activation::Relu)?,
            tied: fields.flag_or("tie_word_embeddings", true)?,
        }))
    }
}
