//! A folder's tokenizer as a GGUF file holds it.

use std::collections::HashSet;

use serde_json::{Map, Value};
use tokenizers::Tokenizer;

use super::entries::Entries;
use crate::error::{Error, Result};
use crate::load::sentencepiece;
use crate::load::tokens::{self, Added, Kind, Spec, Token};
use crate::load::{Loaded, SideFile};

// Token types of GGUF (`tokenizer.ggml.token_type`).
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

const HINT: &str = "export it as safetensors, and convert that with llama.cpp's convert_hf_to_gguf.py";

/// Texts in which every known way of cutting text shows: digits, contractions, spaces, scripts, special tokens.
const PROBES: [&str; 7] = [
    "",
    "Hello world, it's 1984 and THEY'LL pay $12345.67!",
    " a  b\n\n  c\t\r\n d   ",
    "naïve café “quoted” … 日本語 🙂 ١٢٣ ½",
    "def f(x):\n    return x+1  # 100%\n\n\n",
    "l'été; don't WE'VE 's 3rd 2nd 10000000",
    "\u{a0}nbsp\u{3000}x x!!!???---",
];

/// Puts in tokens, merges, special tokens and the chat template.
///
/// # Errors
/// No tokenizer; one that is no BPE of a known kind, or that the file could not say the same of; more tokens than the model
/// has embeddings.
pub(super) fn describe(model: &Loaded, vocab: usize, entries: &mut Entries) -> Result<()> {
    let (Some(tokenizer), Some(file)) = (&model.tokenizer, find(&model.files, "tokenizer.json")) else {
        let what = "it has no tokenizer.json, and the format wants the tokenizer inside".to_owned();
        return Err(Error::NoGguf { what, hint: "put the tokenizer's files beside the weights" });
    };
    let path = model.source.path.join("tokenizer.json");
    let json: Value =
        serde_json::from_slice(&file.bytes).map_err(|e| Error::Json { file: path.clone(), reason: e.to_string() })?;
    let mut spec = spec(&json).ok_or_else(|| {
        no("its tokenizer is no BPE of a known kind (GPT-2's, SmolLM's, LLaMA 2's or 3's, or Qwen2's)")
    })?;
    special(model, tokenizer, &mut spec)?;
    if spec.kind.is_sentencepiece() {
        // The file has scores in the merges' place: what is built and compared is what these say.
        spec.merges = by_scores(&spec)?;
    }
    spec.chat_template = chat_template(&model.files);
    let added = spec.added.iter().map(|added| &added.token);
    if let Some(token) = spec.vocab.iter().chain(added).find(|token| token.id as usize >= vocab) {
        return Err(no(&format!("the token `{}` has the id {}, beyond its {vocab} embeddings", token.text, token.id)));
    }
    let built = tokens::build(&path, &spec)?;
    same(tokenizer, &built.tokenizer, &spec)?;
    write(&spec, vocab, entries);
    Ok(())
}

fn no(what: &str) -> Error {
    Error::NoGguf { what: what.to_owned(), hint: HINT }
}

fn find<'a>(files: &'a [SideFile], name: &str) -> Option<&'a SideFile> {
    files.iter().find(|file| file.name == name)
}

/// The JSON object of a side file; nothing where there is none.
fn object(files: &[SideFile], name: &str) -> Map<String, Value> {
    find(files, name).and_then(|file| serde_json::from_slice(&file.bytes).ok()).unwrap_or_default()
}

/// Vocabulary, merges and added tokens of a tokenizer.json.
fn spec(json: &Value) -> Option<Spec> {
    let model = json.get("model")?;
    let plain = |key: &str| model.get(key).is_none_or(|v| v.is_null() || v == "");
    let is_bpe = model.get("type").is_none_or(|t| t == "BPE");
    if !is_bpe || !plain("continuing_subword_prefix") || !plain("end_of_word_suffix") {
        return None;
    }
    let mut spec = Spec::new(Kind::of(json)?);
    let id = |id: &Value| u32::try_from(id.as_u64()?).ok();
    let mut known = HashSet::new();
    for (text, number) in model.get("vocab")?.as_object()? {
        known.insert(text.as_str());
        spec.vocab.push(Token { text: text.clone(), id: id(number)? });
    }
    for added in json.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let token = Token { text: added.get("content")?.as_str()?.to_owned(), id: id(added.get("id")?)? };
        if !known.contains(token.text.as_str()) {
            spec.vocab.push(token.clone());
        }
        spec.added.push(Added { token, special: added.get("special").and_then(Value::as_bool).unwrap_or(false) });
    }
    let unk = model.get("unk_token").and_then(Value::as_str);
    spec.unk = spec.vocab.iter().find(|token| unk == Some(token.text.as_str())).cloned();
    for merge in model.get("merges")?.as_array()? {
        let (left, right) = match merge {
            Value::String(pair) => pair.split_once(' ')?,
            Value::Array(pair) => (pair.first()?.as_str()?, pair.get(1)?.as_str()?),
            _ => return None,
        };
        if left.contains(' ') || right.contains(' ') {
            return None;
        }
        spec.merges.push((left.to_owned(), right.to_owned()));
    }
    Some(spec)
}

/// The scores of all tokens, by their ids: those that the merges imply, and below them those of tokens that no merge makes.
fn scores(spec: &Spec) -> Vec<(&Token, f32)> {
    let made = sentencepiece::scores(&spec.merges);
    let mut last = -(made.len() as f32);
    let mut score = |token: &Token| {
        made.get(&token.text).copied().unwrap_or_else(|| {
            last -= 1.0;
            last
        })
    };
    spec.vocab.iter().map(|token| (token, score(token))).collect()
}

/// The merges that a reader makes of the scores.
///
/// # Errors
/// Merges that no scores stand for.
fn by_scores(spec: &Spec) -> Result<Vec<(String, String)>> {
    let added: HashSet<u32> = spec.added.iter().map(|added| added.token.id).collect();
    let whole = |token: &Token| !added.contains(&token.id) && !sentencepiece::is_byte(&token.text);
    let scores = scores(spec);
    let merges: Vec<(&str, f32)> =
        scores.iter().filter(|(token, _)| whole(token)).map(|(token, score)| (token.text.as_str(), *score)).collect();
    let merges = sentencepiece::merges(&merges);
    let set = |merges: &[(String, String)]| merges.iter().cloned().collect::<HashSet<_>>();
    // In which order one token's own merges stand, scores do not say; every other order they do.
    let made =
        |merges: &[(String, String)]| merges.iter().map(|(left, right)| format!("{left}{right}")).collect::<Vec<_>>();
    if set(&merges) != set(&spec.merges) || made(&merges) != made(&spec.merges) {
        return Err(no("its tokenizer's merges are not those that scores of its tokens stand for"));
    }
    Ok(merges)
}

/// Special tokens by name, and what the tokenizer puts around a text.
fn special(model: &Loaded, tokenizer: &Tokenizer, spec: &mut Spec) -> Result<()> {
    let settings = object(&model.files, "tokenizer_config.json");
    let map = object(&model.files, "special_tokens_map.json");
    let named = |key: &str| {
        let text = |value: Option<&Value>| match value? {
            Value::String(text) => Some(text.clone()),
            Value::Object(token) => Some(token.get("content")?.as_str()?.to_owned()),
            _ => None,
        };
        let text = text(settings.get(&format!("{key}_token"))).or_else(|| text(map.get(&format!("{key}_token"))));
        let id = text.and_then(|text| tokenizer.token_to_id(&text)).or_else(|| {
            // Where there are several, the first.
            let id = model.config_json.get(format!("{key}_token_id"))?;
            u32::try_from(id.as_u64().or_else(|| id.get(0)?.as_u64())?).ok()
        })?;
        Some(Token { text: tokenizer.id_to_token(id)?, id })
    };
    (spec.bos, spec.eos, spec.pad) = (named("bos"), named("eos"), named("pad"));
    spec.unk = named("unk").or(spec.unk.take());
    let ids = |special: bool| {
        let found = tokenizer.encode("a", special).map_err(|e| no(&format!("its tokenizer fails: {e}")))?;
        Ok::<_, Error>(found.get_ids().to_vec())
    };
    let (bare, full) = (ids(false)?, ids(true)?);
    let at = full.windows(bare.len().max(1)).position(|some| some == bare);
    let around = at.map(|at| (&full[..at], &full[at + bare.len()..]));
    let token = |id: u32| tokenizer.id_to_token(id).map(|text| Token { text, id });
    let (bos, eos) = match around {
        Some((before, after)) if before.len() <= 1 && after.len() <= 1 => (before.first(), after.first()),
        _ => return Err(no("its tokenizer puts more than BOS and EOS around a text")),
    };
    (spec.add_bos, spec.add_eos) = (bos.is_some(), eos.is_some());
    // What a text really gets is what the names must mean.
    spec.bos = bos.map_or(spec.bos.take(), |&id| token(id));
    spec.eos = eos.map_or(spec.eos.take(), |&id| token(id));
    Ok(())
}

/// The folder's chat template; of several, the one called default.
fn chat_template(files: &[SideFile]) -> Option<String> {
    if let Some(file) = find(files, "chat_template.jinja") {
        return String::from_utf8(file.bytes.clone()).ok();
    }
    let own = |name: &str| object(files, name).remove("chat_template");
    match own("tokenizer_config.json").or_else(|| own("chat_template.json"))? {
        Value::String(text) => Some(text),
        Value::Array(all) => {
            let default = all.iter().find(|template| template.get("name").is_some_and(|name| name == "default"));
            Some(default.or(all.first())?.get("template")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// Compares what the file will say with what the folder says, text by text.
fn same(folder: &Tokenizer, file: &Tokenizer, spec: &Spec) -> Result<()> {
    let added: String = spec.added.iter().take(50).map(|added| format!("a {} b", added.token.text)).collect();
    for text in PROBES.into_iter().chain([added.as_str()]) {
        let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, true).map(|found| found.get_ids().to_vec()).ok();
        if ids(folder) != ids(file) {
            return Err(no(&format!("its tokenizer cuts {text:?} in a way that the format can't describe")));
        }
    }
    Ok(())
}

fn write(spec: &Spec, vocab: usize, entries: &mut Entries) {
    let mut texts: Vec<Option<&str>> = vec![None; vocab];
    let mut types = vec![UNUSED; vocab];
    for token in &spec.vocab {
        (texts[token.id as usize], types[token.id as usize]) = (Some(token.text.as_str()), NORMAL);
    }
    for Added { token, special } in &spec.added {
        types[token.id as usize] = if *special { CONTROL } else { USER_DEFINED };
    }
    if spec.kind.is_sentencepiece() {
        let bytes = spec.vocab.iter().filter(|token| sentencepiece::is_byte(&token.text));
        bytes.for_each(|token| types[token.id as usize] = BYTE);
        spec.unk.iter().for_each(|token| types[token.id as usize] = UNKNOWN);
    }
    let texts = texts.iter().enumerate().map(|(id, text)| text.map_or_else(|| format!("[PAD{id}]"), str::to_owned));
    let model = if spec.kind.is_sentencepiece() { "llama" } else { "gpt2" };
    entries.text("tokenizer.ggml.model", model);
    entries.text("tokenizer.ggml.pre", spec.kind.gguf_name());
    entries.texts("tokenizer.ggml.tokens", texts);
    if let Kind::SentencePiece { prefix } = spec.kind {
        let mut all = vec![0.0; vocab];
        // Tokens that no text is merged to have no say.
        let merged = |token: &Token| types[token.id as usize] == NORMAL;
        scores(spec)
            .into_iter()
            .filter(|(token, _)| merged(token))
            .for_each(|(token, score)| all[token.id as usize] = score);
        entries.f32s("tokenizer.ggml.scores", &all);
        entries.bool("tokenizer.ggml.add_space_prefix", prefix);
    }
    entries.i32s("tokenizer.ggml.token_type", &types);
    if !spec.kind.is_sentencepiece() {
        entries.texts("tokenizer.ggml.merges", spec.merges.iter().map(|(left, right)| format!("{left} {right}")));
    }
    for (key, token) in [("bos", &spec.bos), ("eos", &spec.eos), ("unknown", &spec.unk), ("padding", &spec.pad)] {
        if let Some(token) = token {
            entries.u32(&format!("tokenizer.ggml.{key}_token_id"), token.id);
        }
    }
    entries.bool("tokenizer.ggml.add_bos_token", spec.add_bos);
    entries.bool("tokenizer.ggml.add_eos_token", spec.add_eos);
    if let Some(template) = &spec.chat_template {
        entries.text("tokenizer.chat_template", template);
    }
}
