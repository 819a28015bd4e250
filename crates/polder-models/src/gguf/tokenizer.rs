//! The tokenizer in a GGUF file's metadata.

use crate::error::Result;
use crate::gguf::value::Metadata;
use crate::load::sentencepiece::{self, SPACE};
use crate::load::tokens::{Added, Kind, Spec, Token};

// Token types of GGUF (`tokenizer.ggml.token_type`).
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;
const BYTE: u64 = 6;

/// What the metadata says of the tokenizer.
///
/// # Errors
/// A tokenizer model or pre-tokenizer that is not known; lists that do not belong together.
pub(crate) fn spec(metadata: &Metadata) -> Result<Spec> {
    let kind = kind(metadata)?;
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let tokens = tokens.ok_or_else(|| metadata.wrong("`tokenizer.ggml.tokens` is missing"))?;
    let types = metadata.uints("tokenizer.ggml.token_type")?.unwrap_or_else(|| vec![1; tokens.len()]);
    if types.len() != tokens.len() {
        return Err(metadata.wrong(format!("{} tokens have {} types", tokens.len(), types.len())));
    }
    let mut spec = Spec::new(kind);
    for (id, (&text, &kind)) in tokens.iter().zip(&types).enumerate() {
        let id = u32::try_from(id).map_err(|_| metadata.wrong("it has too many tokens"))?;
        // Unused entries pad the vocabulary; no text may become one.
        if kind == UNUSED {
            continue;
        }
        spec.vocab.push(Token { text: text.to_owned(), id });
        let special = kind == CONTROL || kind == UNKNOWN && spec.kind.is_sentencepiece();
        if special || kind == USER_DEFINED {
            if spec.kind.is_sentencepiece() && !special && text.contains(SPACE) {
                let what = format!("`{text}`, a token of spaces that is looked for before text is cut");
                return Err(metadata.unsupported(what, HINT));
            }
            spec.added.push(Added { token: Token { text: text.to_owned(), id }, special });
        }
    }
    spec.merges = match kind.is_sentencepiece() {
        true => scored_merges(metadata, &tokens, &types)?,
        false => merges(metadata)?,
    };
    let token = |key: &str| -> Result<Option<Token>> {
        let Some(id) = metadata.uint(key)? else {
            return Ok(None);
        };
        let text = usize::try_from(id).ok().and_then(|at| tokens.get(at));
        let text = text.ok_or_else(|| metadata.wrong(format!("`{key}` is {id}, beyond the vocabulary")))?;
        Ok(Some(Token { text: (*text).to_owned(), id: id as u32 }))
    };
    spec.bos = token("tokenizer.ggml.bos_token_id")?;
    spec.eos = token("tokenizer.ggml.eos_token_id")?;
    spec.unk = token("tokenizer.ggml.unknown_token_id")?;
    spec.pad = token("tokenizer.ggml.padding_token_id")?;
    spec.add_bos = metadata.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(kind.adds_bos());
    spec.add_eos = metadata.bool("tokenizer.ggml.add_eos_token")?.unwrap_or(false);
    spec.chat_template = metadata.text("tokenizer.chat_template")?.map(str::to_owned);
    Ok(spec)
}

const HINT: &str = "use the model's Hugging Face folder, which holds a tokenizer.json";

fn kind(metadata: &Metadata) -> Result<Kind> {
    match metadata.text("tokenizer.ggml.model")? {
        Some("gpt2") => {}
        Some("llama") => {
            let prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
            return Ok(Kind::SentencePiece { prefix });
        }
        Some(other) => {
            return Err(metadata.unsupported(format!("a tokenizer of the model `{other}`"), HINT));
        }
        None => return Err(metadata.unsupported("a file without a tokenizer", HINT)),
    }
    match metadata.text("tokenizer.ggml.pre")? {
        Some("smollm") => Ok(Kind::Smollm),
        Some("llama-bpe" | "llama3" | "llama-v3") => Ok(Kind::Llama3),
        Some("gpt-2") => Ok(Kind::Gpt2),
        Some("qwen2") => Ok(Kind::Qwen2),
        Some(other) => Err(metadata.unsupported(
            format!("the pre-tokenizer `{other}`"),
            format!("smollm, llama-bpe, gpt-2 and qwen2 are; {HINT}"),
        )),
        None => Err(metadata.unsupported("a tokenizer that does not name its pre-tokenizer", HINT)),
    }
}

fn merges(metadata: &Metadata) -> Result<Vec<(String, String)>> {
    let merges = metadata.texts("tokenizer.ggml.merges")?;
    let merges = merges.ok_or_else(|| metadata.wrong("`tokenizer.ggml.merges` is missing"))?;
    let split = |merge: &&str| match merge.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok((left.to_owned(), right.to_owned())),
        _ => Err(metadata.wrong(format!("the merge `{merge}` is no pair"))),
    };
    merges.iter().map(split).collect()
}

/// The merges that SentencePiece's scores stand for.
fn scored_merges(metadata: &Metadata, tokens: &[&str], types: &[u64]) -> Result<Vec<(String, String)>> {
    let scores = metadata.floats("tokenizer.ggml.scores")?;
    let scores = scores.ok_or_else(|| metadata.wrong("`tokenizer.ggml.scores` is missing"))?;
    if scores.len() != tokens.len() {
        return Err(metadata.wrong(format!("{} tokens have {} scores", tokens.len(), scores.len())));
    }
    let whole = |kind: u64| ![UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE].contains(&kind);
    let all = tokens.iter().zip(types).zip(&scores).filter(|((_, kind), _)| whole(**kind));
    let all: Vec<(&str, f32)> = all.map(|((text, _), score)| (*text, *score as f32)).collect();
    if let Some((text, _)) = all.iter().find(|(text, _)| text.len() > sentencepiece::LONGEST) {
        return Err(metadata.wrong(format!("a token has {} bytes", text.len())));
    }
    let merges = sentencepiece::merges(&all);
    if let Some((one, other)) = sentencepiece::tied(&all, &merges) {
        return Err(metadata.unsupported(format!("tokens of equal scores, as `{one}` and `{other}` have"), HINT));
    }
    Ok(merges)
}
