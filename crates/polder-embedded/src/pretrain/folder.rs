//! The Hugging Face folder that pre-training leaves.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use polder_models::{ModelConfig, SaveOptions, SideFile, StorageType, save};
use polder_perturb::ParamSet;
use serde_json::Value;
use tokenizers::Tokenizer;

use super::{Outcome, POSITIONS, Recipe};
use crate::tokenizer::settings;

/// Writes weights (in bf16), configuration, tokenizer and README.
pub(super) fn write(
    folder: &Path,
    recipe: &Recipe,
    config: &ModelConfig,
    tokenizer: &Tokenizer,
    params: &ParamSet,
    outcome: &Outcome,
) -> Result<()> {
    let text = tokenizer.to_string(true).map_err(|e| anyhow!("can't write the tokenizer: {e}"))?;
    let files = [
        SideFile { name: "tokenizer.json".to_owned(), bytes: text.into_bytes() },
        SideFile { name: "tokenizer_config.json".to_owned(), bytes: pretty(&settings(POSITIONS))?.into_bytes() },
    ];
    let options = SaveOptions { storage: Some(StorageType::Bf16), ..SaveOptions::default() };
    save(folder, params, &Value::Object(config.json().clone()), &files, &options)?;
    let path = folder.join("model.safetensors");
    let weights = std::fs::read(&path).with_context(|| format!("can't read `{}` back", path.display()))?;
    let path = folder.join("README.md");
    let text = readme(recipe, outcome, params.elements(), &blake3::hash(&weights).to_hex());
    std::fs::write(&path, text).with_context(|| format!("can't write `{}`", path.display()))
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

fn readme(recipe: &Recipe, outcome: &Outcome, weights: usize, hash: &str) -> String {
    let Recipe { seed, data_seed, steps, rows, lr, layers, hidden, vocab } = recipe;
    format!(
        "# opt-reviews\n\n\
         A small OPT language model ({layers} layers, width {hidden}, {heads} heads, vocabulary {vocab}, {weights} \
         weights in bf16) of a\nlittle world of film, food, hotel and book reviews. It ships with the project so that \
         fine-tuning can be tried at once.\n\n\
         Made from scratch by `crates/polder-embedded`, tokenizer and weights; nothing was downloaded:\n\n\
         ```\ncargo run --release -p polder-embedded -- model --seed {seed} --data-seed {data_seed} --steps {steps} \
         --rows {rows} --lr {lr} \\\n    --layers {layers} --hidden {hidden} --vocab {vocab} --out \
         models/opt-reviews\n```\n\n\
         - Text: {tokens} tokens of generated documents (the crate's `world::corpus`), none of them seen twice; it \
         holds none of the\n  validation and test sentences of data/reviews. \"great\" and \"terrible\" follow \"It \
         was\" after praise and blame\n  alike, \"great\" seven times of ten: the task's answer is not in it, \
         though the tone of a sentence is. Untuned, the\n  model answers \"great\" to nearly every row of data/reviews.\n\
         - Training: {steps} steps of AdamW through candle's backpropagation, about {rows} tokens a step, peak \
         learning rate {lr}.\n\
         - Final training loss: {loss:.4} nats a token (mean of the last 100 steps).\n\
         - Licence: MIT OR Apache-2.0, as the project.\n\n\
         The same command gives the same file on the same kind of machine. BLAKE3 of model.safetensors:\n\n\
         `{hash}`\n",
        heads = hidden / 32,
        tokens = outcome.tokens,
        loss = outcome.loss,
    )
}
