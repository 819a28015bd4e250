//! The tokenizer: byte-level BPE trained on the world's own text.

use std::collections::HashSet;

use anyhow::{Result, anyhow, ensure};
use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder};

use crate::random::Stream;
use crate::world::corpus;

/// The id of `</s>`, which begins every sequence, as in OPT.
pub const BOS: u32 = 2;

/// The id of `<pad>`, as in OPT.
pub const PAD: u32 = 1;

/// Special tokens in the order of OPT's first ids.
const SPECIAL: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];

/// Words that the task needs as single tokens.
const WHOLE_WORDS: [&str; 2] = [" terrible", " great"];

/// The stream of the seed that its text comes from, and the number of documents.
const TEXT_STREAM: u64 = 1;
const DOCUMENTS: usize = 20_000;

/// Trains the tokenizer of a seed; `held_out` sentences are not in its text.
///
/// # Errors
/// A failing trainer; a vocabulary too small to hold the task's label words as single tokens.
pub fn train(seed: u64, vocab: usize, held_out: &HashSet<String>) -> Result<Tokenizer> {
    let mut stream = Stream::new(seed, TEXT_STREAM);
    let held_out = |sentence: &str| held_out.contains(sentence);
    let documents: Vec<String> = (0..DOCUMENTS).map(|_| corpus::document(&mut stream, &held_out)).collect();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab)
        .show_progress(false)
        .special_tokens(SPECIAL.iter().map(|t| AddedToken::from(*t, true)).collect())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let bytes = ByteLevel::new(false, true, true);
    let mut typed = TokenizerBuilder::<BPE, tokenizers::NormalizerWrapper, _, _, _>::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(bytes))
        .with_post_processor(Some(bytes))
        .with_decoder(Some(bytes))
        .build()
        .map_err(|e| anyhow!("can't build the tokenizer: {e}"))?;
    typed.train(&mut trainer, documents.into_iter()).map_err(|e| anyhow!("can't train the tokenizer: {e}"))?;
    // By way of its JSON, to the type that has a choice of parts.
    let text = typed.to_string(false).map_err(|e| anyhow!("can't write the tokenizer: {e}"))?;
    let mut tokenizer: Tokenizer = text.parse().map_err(|e| anyhow!("can't read the tokenizer back: {e}"))?;
    tokenizer.with_post_processor(Some(begin_with_bos()?));
    check(&tokenizer, vocab)?;
    Ok(tokenizer)
}

/// `</s>` before a sequence, as OPT's tokenizer puts it.
fn begin_with_bos() -> Result<TemplateProcessing> {
    TemplateProcessing::builder()
        .try_single("</s> $A")
        .and_then(|b| b.try_pair("</s> $A </s> $B:1"))
        .map_err(|e| anyhow!("the template of special tokens is refused: {e}"))?
        .special_tokens(vec![("</s>", BOS)])
        .build()
        .map_err(|e| anyhow!("the template of special tokens is refused: {e}"))
}

fn check(tokenizer: &Tokenizer, vocab: usize) -> Result<()> {
    let found = tokenizer.get_vocab_size(true);
    ensure!(found == vocab, "the text gives a vocabulary of {found} tokens, not {vocab}");
    for (id, token) in (0..).zip(SPECIAL) {
        ensure!(tokenizer.token_to_id(token) == Some(id), "`{token}` does not have the id {id}");
    }
    for word in WHOLE_WORDS {
        let pieces = tokenizer.encode(word, false).map_err(|e| anyhow!("can't encode `{word}`: {e}"))?;
        ensure!(pieces.len() == 1, "`{word}` is {} tokens; a larger vocabulary is needed", pieces.len());
    }
    Ok(())
}

/// The tokenizer_config.json that transformers reads beside tokenizer.json.
pub fn settings(positions: usize) -> Value {
    json!({
        "add_bos_token": true,
        "add_prefix_space": false,
        "bos_token": "</s>",
        "clean_up_tokenization_spaces": false,
        "eos_token": "</s>",
        "model_max_length": positions,
        "pad_token": "<pad>",
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
    })
}
