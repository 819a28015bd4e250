//! Pre-training of a small OPT from scratch, with candle's own backpropagation.

mod batches;
mod folder;
mod init;

use std::path::Path;

use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{DType, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use polder_models::{LanguageModel, ModelConfig, build};
use polder_perturb::{ParamSet, PlainReader, Points};
use serde_json::json;

use crate::random::Stream;
use crate::{dataset, tokenizer};
use batches::Batches;

/// The streams of the seed that documents and weights come from.
const DOCUMENT_STREAM: u64 = 2;
const WEIGHT_STREAM: u64 = 3;

/// The largest norm of all gradients together.
const CLIP: f64 = 1.0;

/// What is made, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The seed of text, weights and order.
    pub seed: u64,
    /// The seed of the data set whose validation and test sentences the text must not hold.
    pub data_seed: u64,
    /// Training steps.
    pub steps: usize,
    /// Tokens a step, about.
    pub rows: usize,
    /// The peak learning rate of AdamW.
    pub lr: f64,
    /// Layers.
    pub layers: usize,
    /// The width of the residual stream; a head is 32 wide, the feed-forward layer four times as wide as the stream.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
}

impl Default for Recipe {
    /// The recipe of models/opt-reviews.
    fn default() -> Self {
        let data_seed = dataset::SEED;
        Self { seed: 1, data_seed, steps: 4000, rows: 640, lr: 4e-3, layers: 3, hidden: 64, vocab: 1024 }
    }
}

/// The longest sequence of the model.
const POSITIONS: usize = 128;

impl Recipe {
    /// The model's config.json, which transformers reads too.
    ///
    /// # Errors
    /// Sizes that don't fit one another.
    pub fn config(&self) -> Result<ModelConfig> {
        let value = json!({
            "_remove_final_layer_norm": false,
            "activation_function": "relu",
            "architectures": ["OPTForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": tokenizer::BOS,
            "do_layer_norm_before": true,
            "dropout": 0.0,
            "enable_bias": true,
            "eos_token_id": tokenizer::BOS,
            "ffn_dim": 4 * self.hidden,
            "hidden_size": self.hidden,
            "init_std": 0.02,
            "layer_norm_elementwise_affine": true,
            "layerdrop": 0.0,
            "max_position_embeddings": POSITIONS,
            "model_type": "opt",
            "num_attention_heads": self.hidden / 32,
            "num_hidden_layers": self.layers,
            "pad_token_id": tokenizer::PAD,
            "tie_word_embeddings": true,
            "torch_dtype": "bfloat16",
            "use_cache": true,
            "vocab_size": self.vocab,
            "word_embed_proj_dim": self.hidden,
        });
        Ok(ModelConfig::parse(&value.to_string())?)
    }

    /// The learning rate of a step: a linear rise over 50 steps, then a half cosine down to a twentieth of the peak.
    fn lr(&self, step: usize) -> f64 {
        let rise = ((step + 1) as f64 / 50.0).min(1.0);
        let share = step as f64 / self.steps.max(1) as f64;
        self.lr * rise * (0.05 + 0.475 * (1.0 + (std::f64::consts::PI * share).cos()))
    }
}

/// Trains a tokenizer and a model by the recipe and writes them to a Hugging Face folder.
///
/// # Errors
/// A tokenizer that lacks the task's words; a failing operation; a folder that can't be written.
pub fn make(recipe: &Recipe, folder: &Path) -> Result<()> {
    let held_out = dataset::held_out(recipe.data_seed);
    let tokenizer = tokenizer::train(recipe.seed, recipe.vocab, &held_out)?;
    let config = recipe.config()?;
    let start = init::fresh(&config, &mut Stream::new(recipe.seed, WEIGHT_STREAM))?;
    let model = build(&config, &start.params)?;
    let documents = Stream::new(recipe.seed, DOCUMENT_STREAM);
    let mut batches = Batches::new(&tokenizer, documents, held_out, recipe.rows, POSITIONS);
    let outcome = train(recipe, model.as_ref(), &start.params, &start.vars, &mut batches)?;
    folder::write(folder, recipe, &config, &tokenizer, &start.params, &outcome)
}

/// What training came to.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    /// The loss of the last hundred steps, in nats a token.
    loss: f64,
    /// Tokens seen.
    tokens: usize,
}

fn train(
    recipe: &Recipe,
    model: &dyn LanguageModel,
    params: &ParamSet,
    vars: &[Var],
    batches: &mut Batches<'_>,
) -> Result<Outcome> {
    let settings = ParamsAdamW { lr: recipe.lr, beta2: 0.98, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(vars.to_vec(), settings)?;
    let points = Points::plain();
    let mut losses = Vec::with_capacity(recipe.steps);
    let mut tokens = 0;
    for step in 0..recipe.steps {
        let batch = batches.next_batch()?;
        tokens += batch.rows();
        let reader = PlainReader::new(params, &points, DType::F32);
        let loss = model.log_probs(&reader, &batch)?.mean_all()?.neg()?;
        let mut gradients = loss.backward()?;
        clip(&mut gradients, vars)?;
        optimizer.set_learning_rate(recipe.lr(step));
        optimizer.step(&gradients)?;
        losses.push(f64::from(loss.to_scalar::<f32>()?));
        if (step + 1) % 100 == 0 {
            eprintln!("step {:>5}: loss {:.4}", step + 1, recent(&losses));
        }
    }
    Ok(Outcome { loss: recent(&losses), tokens })
}

/// The mean of the last hundred losses.
fn recent(losses: &[f64]) -> f64 {
    let last = &losses[losses.len().saturating_sub(100)..];
    last.iter().sum::<f64>() / last.len().max(1) as f64
}

/// Scales all gradients so that their common norm is at most [`CLIP`].
fn clip(gradients: &mut GradStore, vars: &[Var]) -> Result<()> {
    let mut square = 0.0;
    for gradient in vars.iter().filter_map(|v| gradients.get(v)) {
        square += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let norm = square.sqrt();
    if norm > CLIP {
        for var in vars {
            if let Some(gradient) = gradients.remove(var) {
                gradients.insert(var, gradient.affine(CLIP / norm, 0.0)?);
            }
        }
    }
    Ok(())
}
