//! BPE tokenizers, from the parts that GGUF files and old Hugging Face folders hold.
//!
//! Sources: the tokenizer.json files that GPT-2, SmolLM2, LLaMA 2 and 3 and Qwen2 were published with.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use super::panics::without_panic;
use super::sentencepiece::SPACE;
use crate::error::{Error, Result};
use crate::load::SideFile;

/// How text is cut before the merges, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GPT-2's regular expression (also OPT).
    Gpt2,
    /// The same after single digits are cut off.
    Smollm,
    /// LLaMA 3: up to three digits together, whole words looked up before merging.
    Llama3,
    /// Qwen2 and Qwen3: single digits, text in Unicode's composed form.
    Qwen2,
    /// SentencePiece's BPE, as LLaMA 1 and 2 and Mistral have it: nothing is cut, spaces are `▁`, characters that are no token
    /// become bytes.
    SentencePiece {
        /// Whether a space is put before a text, and behind each special token in it.
        prefix: bool,
    },
}

impl Kind {
    /// Whether a sequence begins with BOS where the file does not say.
    pub(crate) fn adds_bos(self) -> bool {
        self == Self::Llama3 || self.is_sentencepiece()
    }

    /// Whether it is SentencePiece's and not byte-level.
    pub(crate) fn is_sentencepiece(self) -> bool {
        matches!(self, Self::SentencePiece { .. })
    }

    /// The kind whose tokenizer.json cuts text like this one; what only moves offsets is passed over.
    pub(crate) fn of(json: &Value) -> Option<Self> {
        let part = |key: &str| json.get(key).map_or(Value::Null, without_offsets);
        let (normalizer, pre) = (part("normalizer"), part("pre_tokenizer"));
        let looks_up = json.pointer("/model/ignore_merges").and_then(Value::as_bool).unwrap_or(false);
        let falls_back = json.pointer("/model/byte_fallback").and_then(Value::as_bool).unwrap_or(false);
        let sentencepiece = [true, false].map(|prefix| Self::SentencePiece { prefix });
        let all = [Self::Gpt2, Self::Smollm, Self::Llama3, Self::Qwen2].into_iter().chain(sentencepiece);
        all.into_iter().find(|kind| {
            without_offsets(&kind.normalizer()) == normalizer
                && without_offsets(&kind.pre_tokenizer()) == pre
                && (*kind == Self::Llama3) == looks_up
                && kind.is_sentencepiece() == falls_back
        })
    }

    /// llama.cpp's name of its way to cut text.
    pub(crate) fn gguf_name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::Smollm => "smollm",
            Self::Llama3 => "llama-bpe",
            Self::Qwen2 => "qwen2",
            Self::SentencePiece { .. } => "default",
        }
    }

    fn normalizer(self) -> Value {
        let spaces = || json!({ "type": "Replace", "pattern": { "String": " " }, "content": SPACE });
        match self {
            Self::Qwen2 => json!({ "type": "NFC" }),
            Self::SentencePiece { prefix: true } => {
                json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": SPACE }, spaces()] })
            }
            Self::SentencePiece { prefix: false } => spaces(),
            Self::Gpt2 | Self::Smollm | Self::Llama3 => Value::Null,
        }
    }

    fn decoder(self) -> Value {
        let Self::SentencePiece { prefix } = self else { return byte_level() };
        let mut steps = vec![
            json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
            json!({ "type": "ByteFallback" }),
            json!({ "type": "Fuse" }),
        ];
        if prefix {
            steps.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
        }
        json!({ "type": "Sequence", "decoders": steps })
    }

    fn pre_tokenizer(self) -> Value {
        let bytes = |regex: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex });
        let split = |digits: &str| {
            let pattern = format!(
                r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
            );
            json!({ "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false })
        };
        let sequence = |first: Value, second: Value| json!({ "type": "Sequence", "pretokenizers": [first, second] });
        match self {
            Self::Gpt2 => bytes(true),
            Self::Smollm => sequence(json!({ "type": "Digits", "individual_digits": true }), bytes(true)),
            Self::Llama3 => sequence(split(r"\p{N}{1,3}"), bytes(false)),
            Self::Qwen2 => sequence(split(r"\p{N}"), bytes(false)),
            Self::SentencePiece { .. } => Value::Null,
        }
    }
}

/// What joins bytes to text, and trims offsets.
fn byte_level() -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true })
}

/// A part of a tokenizer.json without what changes no token: offsets, and defaults that older files leave out.
fn without_offsets(part: &Value) -> Value {
    match part {
        Value::Array(all) => all.iter().map(without_offsets).collect(),
        Value::Object(map) => {
            let mut map: Map<String, Value> = map.iter().map(|(k, v)| (k.clone(), without_offsets(v))).collect();
            map.shift_remove("trim_offsets");
            if map.get("type").is_some_and(|t| t == "ByteLevel") {
                map.entry("use_regex").or_insert(json!(true));
            }
            Value::Object(map)
        }
        other => other.clone(),
    }
}

/// A token and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) id: u32,
}

/// A token that is recognised in text before anything else is cut.
#[derive(Debug, Clone)]
pub(crate) struct Added {
    pub(crate) token: Token,
    /// Whether decoding leaves it out.
    pub(crate) special: bool,
}

/// The parts of a tokenizer.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    pub(crate) vocab: Vec<Token>,
    pub(crate) merges: Vec<(String, String)>,
    pub(crate) added: Vec<Added>,
    pub(crate) bos: Option<Token>,
    pub(crate) eos: Option<Token>,
    pub(crate) unk: Option<Token>,
    pub(crate) pad: Option<Token>,
    pub(crate) add_bos: bool,
    pub(crate) add_eos: bool,
    pub(crate) chat_template: Option<String>,
}

impl Spec {
    /// A tokenizer without tokens.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            vocab: Vec::new(),
            merges: Vec::new(),
            added: Vec::new(),
            bos: None,
            eos: None,
            unk: None,
            pad: None,
            add_bos: kind.adds_bos(),
            add_eos: false,
            chat_template: None,
        }
    }

    /// Puts the ids of special tokens where a config.json has them.
    pub(crate) fn add_ids(&self, config: &mut Map<String, Value>) {
        for (key, token) in [("bos_token_id", &self.bos), ("eos_token_id", &self.eos), ("pad_token_id", &self.pad)] {
            config.insert(key.to_owned(), token.as_ref().map_or(Value::Null, |t| json!(t.id)));
        }
    }

    /// The tokenizer.json.
    fn json(&self) -> Result<Value, String> {
        let mut vocab = Map::with_capacity(self.vocab.len());
        for token in &self.vocab {
            if vocab.insert(token.text.clone(), json!(token.id)).is_some() {
                return Err(format!("it has the token `{}` twice", token.text));
            }
        }
        let mut seen = HashSet::new();
        let added: Vec<Value> = self
            .added
            .iter()
            .filter(|added| !added.token.text.is_empty() && seen.insert(added.token.id))
            .map(|Added { token, special }| {
                json!({ "id": token.id, "content": token.text, "single_word": false, "lstrip": false,
                        "rstrip": false, "normalized": false, "special": special })
            })
            .collect();
        let (pieces, template) = (self.kind.is_sentencepiece(), self.template()?);
        let unk = self.unk.as_ref().filter(|_| pieces).map(|token| &token.text);
        Ok(json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": added,
            "normalizer": self.kind.normalizer(),
            "pre_tokenizer": self.kind.pre_tokenizer(),
            "post_processor": match template {
                template if pieces => template.unwrap_or_default(),
                Some(template) => json!({ "type": "Sequence", "processors": [byte_level(), template] }),
                None => byte_level(),
            },
            "decoder": self.kind.decoder(),
            "model": {
                "type": "BPE", "dropout": null, "unk_token": unk, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": pieces, "byte_fallback": pieces,
                "ignore_merges": self.kind == Kind::Llama3, "vocab": vocab, "merges": self.merges,
            },
        }))
    }

    /// What is put around a sequence.
    fn template(&self) -> Result<Option<Value>, String> {
        let piece = |wanted: bool, token: &Option<Token>, what: &str| match (wanted, token) {
            (false, _) => Ok(None),
            (true, Some(token)) => Ok(Some(token.clone())),
            (true, None) => Err(format!("it adds {what}, but names no {what} token")),
        };
        let (bos, eos) = (piece(self.add_bos, &self.bos, "BOS")?, piece(self.add_eos, &self.eos, "EOS")?);
        if bos.is_none() && eos.is_none() {
            return Ok(None);
        }
        let around = |sequence: &str, of: u32| {
            let special = |t: &Token| json!({ "SpecialToken": { "id": t.text, "type_id": of } });
            let text = Some(json!({ "Sequence": { "id": sequence, "type_id": of } }));
            [bos.as_ref().map(special), text, eos.as_ref().map(special)].into_iter().flatten().collect::<Vec<_>>()
        };
        let tokens: Map<String, Value> = [&bos, &eos]
            .into_iter()
            .flatten()
            .map(|t| (t.text.clone(), json!({ "id": t.text, "ids": [t.id], "tokens": [t.text] })))
            .collect();
        let pair = [around("A", 0), around("B", 1)].concat();
        Ok(Some(
            json!({ "type": "TemplateProcessing", "single": around("A", 0), "pair": pair, "special_tokens": tokens }),
        ))
    }

    /// The tokenizer_config.json.
    fn settings(&self) -> Value {
        let mut settings = Map::new();
        settings.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        settings.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        let named =
            [("bos_token", &self.bos), ("eos_token", &self.eos), ("unk_token", &self.unk), ("pad_token", &self.pad)];
        for (key, token) in named {
            if let Some(token) = token {
                settings.insert(key.to_owned(), json!(token.text));
            }
        }
        if let Some(template) = &self.chat_template {
            settings.insert("chat_template".to_owned(), json!(template));
        }
        Value::Object(settings)
    }
}

/// A tokenizer and its files.
pub(crate) struct Built {
    pub(crate) tokenizer: Tokenizer,
    /// tokenizer.json and tokenizer_config.json.
    pub(crate) files: Vec<SideFile>,
}

/// Builds a tokenizer from its parts.
///
/// # Errors
/// A token given twice; a merge of tokens that are not there; BOS wanted but not named.
pub(crate) fn build(path: &Path, spec: &Spec) -> Result<Built> {
    let wrong = |reason: String| Error::Tokenizer { file: path.to_owned(), reason };
    let json = spec.json().map_err(wrong)?;
    let bytes = serde_json::to_vec(&json).map_err(|e| wrong(e.to_string()))?;
    let tokenizer = parse(path, &bytes)?;
    let settings = serde_json::to_vec_pretty(&spec.settings()).map_err(|e| wrong(e.to_string()))?;
    let files = vec![SideFile::new("tokenizer.json", bytes), SideFile::new("tokenizer_config.json", settings)];
    Ok(Built { tokenizer, files })
}

/// Parses a tokenizer.json, and drops its padding and truncation, which are the caller's affair.
///
/// # Errors
/// Anything that the tokenizers crate refuses, or fails over.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Tokenizer> {
    let wrong = |reason: String| Error::Tokenizer { file: path.to_owned(), reason };
    // The parser indexes with what the file says in places; a panic there is a damaged file, not a broken program.
    let parsed = without_panic(|| Tokenizer::from_bytes(bytes));
    let mut tokenizer =
        parsed.map_err(|_| wrong("it is inconsistent".to_owned()))?.map_err(|e| wrong(e.to_string()))?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|e| wrong(e.to_string()))?;
    Ok(tokenizer)
}
