//! Tokenizers that were published as vocabulary and merges only, as OPT's was.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::load::SideFile;
use crate::load::tokens::{Added, Kind, Spec, Token};

/// The parts of the GPT-2-like tokenizer in the side files, or nothing where they hold none.
///
/// Beside vocab.json and merges.txt, tokenizer_config.json must name the class (others cut text in other ways);
/// special tokens come from it or from special_tokens_map.json.
///
/// # Errors
/// Files that are damaged; a special token that is not in the vocabulary.
pub(super) fn spec(folder: &Path, files: &[SideFile]) -> Result<Option<Spec>> {
    let (Some(vocab), Some(merges)) = (find(files, "vocab.json"), find(files, "merges.txt")) else {
        return Ok(None);
    };
    let settings = object(folder, files, "tokenizer_config.json")?;
    let class = settings.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
    if !matches!(class, "GPT2Tokenizer" | "GPT2TokenizerFast") {
        return Ok(None);
    }
    let wrong = |name: &str, reason: String| Error::Tokenizer { file: folder.join(name), reason };
    let flag = |key: &str| settings.get(key).and_then(Value::as_bool).unwrap_or(false);
    if flag("add_prefix_space") {
        let reason =
            "it puts a space before each text, which is not supported\nhint: use a folder with a tokenizer.json";
        return Err(wrong("tokenizer_config.json", reason.to_owned()));
    }
    let mut spec = Spec::new(Kind::Gpt2);
    spec.add_bos = flag("add_bos_token");
    spec.vocab = vocabulary(&vocab.bytes).map_err(|reason| wrong("vocab.json", reason))?;
    spec.merges = pairs(&merges.bytes).map_err(|reason| wrong("merges.txt", reason))?;
    let map = object(folder, files, "special_tokens_map.json")?;
    let special = |key: &str| -> Result<Option<Token>> {
        let Some(text) = content(map.get(key)).or_else(|| content(settings.get(key))) else {
            return Ok(None);
        };
        let token = spec.vocab.iter().find(|token| token.text == text).cloned();
        token.map(Some).ok_or_else(|| wrong("vocab.json", format!("it lacks the special token `{text}`")))
    };
    let (bos, eos) = (special("bos_token")?, special("eos_token")?);
    let (unk, pad) = (special("unk_token")?, special("pad_token")?);
    let named = [&bos, &eos, &unk, &pad];
    spec.added = named.into_iter().flatten().map(|t| Added { token: t.clone(), special: true }).collect();
    (spec.bos, spec.eos, spec.unk, spec.pad) = (bos, eos, unk, pad);
    Ok(Some(spec))
}

fn find<'a>(files: &'a [SideFile], name: &str) -> Option<&'a SideFile> {
    files.iter().find(|file| file.name == name)
}

fn object(folder: &Path, files: &[SideFile], name: &str) -> Result<Map<String, Value>> {
    let Some(file) = find(files, name) else {
        return Ok(Map::new());
    };
    serde_json::from_slice(&file.bytes).map_err(|e| Error::Json { file: folder.join(name), reason: e.to_string() })
}

/// The text of a special token, which is a text or an object with its `content`.
fn content(value: Option<&Value>) -> Option<&str> {
    match value? {
        Value::String(text) => Some(text),
        Value::Object(token) => token.get("content").and_then(Value::as_str),
        _ => None,
    }
}

fn vocabulary(bytes: &[u8]) -> Result<Vec<Token>, String> {
    let map: Map<String, Value> = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let token = |(text, id): (String, Value)| match id.as_u64().and_then(|id| u32::try_from(id).ok()) {
        Some(id) => Ok(Token { text, id }),
        None => Err(format!("the id of `{text}` is {id}")),
    };
    map.into_iter().map(token).collect()
}

fn pairs(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let pair = |line: &str| match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok((left.to_owned(), right.to_owned())),
        _ => Err(format!("the merge `{line}` is no pair")),
    };
    text.lines().filter(|line| !line.is_empty() && !line.starts_with("#version")).map(pair).collect()
}
