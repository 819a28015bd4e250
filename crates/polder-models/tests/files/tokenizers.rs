//! Tokenizers from GGUF metadata and from old folders, against transformers' own (see `golden/make_tokens.py`).

use std::collections::HashMap;
use std::fs;

use polder_models::{SideFile, StorageType};
use serde_json::{Map, Value, json};
use tokenizers::Tokenizer;

use crate::gguf_writer::{Kv, Writer, export};
use crate::tiny::{folder, llama, load_f32, opt, params, refusal, tensors};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/kinds.json")).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect()
}

/// Golden tokenisations of SentencePiece's BPE (see `golden/make_sentencepiece.py`).
fn pieces() -> Value {
    serde_json::from_str(include_str!("golden/sentencepiece.json")).unwrap()
}

/// A file with the golden vocabulary of SentencePiece.
fn scored() -> Writer {
    let golden = pieces();
    let numbers = |key: &str| golden[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let mut json = llama();
    json["vocab_size"] = golden["tokens"].as_array().unwrap().len().into();
    let mut writer = export("llama", &json, &tensors(&params(&json, StorageType::F32, 1)));
    writer.metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
    writer.set("tokenizer.ggml.model", Kv::Text("llama".to_owned()));
    writer.set("tokenizer.ggml.tokens", Kv::Texts(strings(&golden["tokens"])));
    writer.set("tokenizer.ggml.scores", Kv::F32s(numbers("scores").iter().map(|x| *x as f32).collect()));
    writer.set("tokenizer.ggml.token_type", Kv::I32s(numbers("types").iter().map(|x| *x as i32).collect()));
    for (key, id) in [("unknown", 0), ("bos", 1), ("eos", 2)] {
        writer.set(&format!("tokenizer.ggml.{key}_token_id"), Kv::U32(id));
    }
    writer.set("tokenizer.chat_template", Kv::Text("{{ messages }}".to_owned()));
    writer
}

/// A file whose tokenizer is of that kind, with the golden vocabulary.
pub(crate) fn file(kind: &str) -> Writer {
    if kind == "default" {
        return scored();
    }
    let golden = golden();
    let (tokens, special) = (strings(&golden["tokens"]), strings(&golden["special"]));
    let user = golden["user"].as_str().unwrap();
    let kind_of = |t: &String| {
        if special.contains(t) { 3 } else { 1 + 3 * i32::from(t == user) }
    };
    let mut types: Vec<i32> = tokens.iter().map(kind_of).collect();
    let mut json = llama();
    json["vocab_size"] = json!(tokens.len() + 2);
    let mut writer = export("llama", &json, &tensors(&params(&json, StorageType::F32, 1)));
    let bos = tokens.iter().position(|t| *t == special[0]).unwrap() as u32;
    // Two unused entries, as Qwen's files have them.
    types.extend([5, 5]);
    writer.set("tokenizer.ggml.tokens", Kv::Texts([tokens, vec!["[PAD0]".to_owned(), "[PAD1]".to_owned()]].concat()));
    writer.set("tokenizer.ggml.token_type", Kv::I32s(types));
    writer.set("tokenizer.ggml.merges", Kv::Texts(strings(&golden["merges"])));
    writer.set("tokenizer.ggml.pre", Kv::Text(kind.to_owned()));
    writer.set("tokenizer.ggml.bos_token_id", Kv::U32(bos));
    writer.set("tokenizer.chat_template", Kv::Text("{{ messages }}".to_owned()));
    writer
}

/// Compares with golden cases, whose ids may be preceded by some more.
fn check(what: &str, tokenizer: &Tokenizer, cases: &Value, before: &[u32]) {
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let mut expected = before.to_vec();
        expected.extend(case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32));
        let found = tokenizer.encode(text, true).unwrap();
        assert_eq!(found.get_ids(), expected, "{what}: {text:?}");
        assert_eq!(tokenizer.decode(found.get_ids(), true).unwrap(), case["decoded"].as_str().unwrap(), "{what}");
    }
}

#[test]
fn each_kind_tokenises_as_transformers_does() {
    let golden = golden();
    for kind in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
        let (_home, path) = file(kind).file();
        let loaded = load_f32(&path).unwrap();
        let tokenizer = loaded.tokenizer.unwrap();
        check(kind, &tokenizer, &golden["kinds"][kind], &[]);
        assert_eq!(tokenizer.token_to_id("[PAD0]"), None);
        let settings = loaded.files.iter().find(|f| f.name == "tokenizer_config.json").unwrap();
        let settings: Value = serde_json::from_slice(&settings.bytes).unwrap();
        assert_eq!(settings["bos_token"], golden["special"][0]);
        assert_eq!(settings["chat_template"], "{{ messages }}");
        assert_eq!(settings.get("eos_token"), None);
    }
    // The four differ on this text, so that none can stand in for another.
    let of = |kind: &str| golden["kinds"][kind][5]["ids"].to_string();
    assert!(of("gpt-2") != of("smollm") && of("smollm") != of("llama-bpe") && of("llama-bpe") != of("qwen2"));
    let last = |kind: &str| golden["kinds"][kind].as_array().unwrap().last().unwrap()["ids"].to_string();
    assert_ne!(last("qwen2"), last("llama-bpe"), "no case tells whether whole words are looked up first");
}

#[test]
fn scores_tokenise_as_sentencepiece_does() {
    let golden = pieces();
    let (_home, path) = scored().file();
    let loaded = load_f32(&path).unwrap();
    let tokenizer = loaded.tokenizer.as_ref().unwrap();
    check("sentencepiece", tokenizer, &golden["cases"], &[]);
    check("sentencepiece, special tokens", tokenizer, &golden["special"], &[]);
    // What other readers are given is what LLaMA 2 was published with, as far as it decides tokens.
    let json: Value =
        serde_json::from_slice(&loaded.files.iter().find(|f| f.name == "tokenizer.json").unwrap().bytes).unwrap();
    let published = &golden["tokenizer.json"];
    for part in ["added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"] {
        assert_eq!(json[part], published[part], "{part}");
    }
    for part in ["unk_token", "byte_fallback", "fuse_unk", "vocab"] {
        assert_eq!(json["model"][part], published["model"][part], "{part}");
    }

    let mut bare = scored();
    bare.set("tokenizer.ggml.add_space_prefix", Kv::Bool(false));
    bare.set("tokenizer.ggml.add_bos_token", Kv::Bool(false));
    let tokenizer = load_f32(&bare.file().1).unwrap().tokenizer.unwrap();
    let id = |text: &str| tokenizer.token_to_id(text).unwrap();
    let found = tokenizer.encode("t the", true).unwrap();
    assert_eq!(found.get_ids(), [id("t"), id("\u{2581}the")]);
    assert_eq!(tokenizer.decode(found.get_ids(), true).unwrap(), "t the");

    let refused = |key: &str, value: Option<Kv>| {
        let mut writer = scored();
        writer.metadata.retain(|(k, _)| k != key);
        if let Some(value) = value {
            writer.set(key, value);
        }
        refusal(&writer.file().1)
    };
    assert!(refused("tokenizer.ggml.scores", None).contains("`tokenizer.ggml.scores` is missing"));
    assert!(refused("tokenizer.ggml.scores", Some(Kv::F32s(vec![0.0; 3]))).contains("440 tokens have 3 scores"));
    assert!(refused("tokenizer.ggml.scores", Some(Kv::F32s(vec![0.0; 440]))).contains("tokens of equal scores"));
    let mut long = strings(&golden["tokens"]);
    long[439] = "x".repeat(1 << 20);
    assert!(refused("tokenizer.ggml.tokens", Some(Kv::Texts(long))).contains("a token has 1048576 bytes"));
    let infinite = Kv::F32s(vec![f32::NAN; 440]);
    assert!(refused("tokenizer.ggml.scores", Some(infinite)).contains("no list of finite numbers"));
    let mut types: Vec<i32> = golden["types"].as_array().unwrap().iter().map(|x| x.as_i64().unwrap() as i32).collect();
    types[id("\u{2581}the") as usize] = 4;
    let said = refused("tokenizer.ggml.token_type", Some(Kv::I32s(types)));
    assert!(said.contains("`\u{2581}the`, a token of spaces"), "{said}");
}

#[test]
fn bos_and_eos_as_the_file_says() {
    let golden = golden();
    let tokens = strings(&golden["tokens"]);
    let id = |text: &str| tokens.iter().position(|t| t == text).unwrap() as u32;
    let bos = id("<|endoftext|>");
    let mut writer = file("gpt-2");
    writer.set("tokenizer.ggml.add_bos_token", Kv::Bool(true));
    check("gpt-2 with BOS", &load_f32(&writer.file().1).unwrap().tokenizer.unwrap(), &golden["kinds"]["gpt-2"], &[bos]);
    writer.set("tokenizer.ggml.add_eos_token", Kv::Bool(true));
    writer.set("tokenizer.ggml.eos_token_id", Kv::U32(id("<|im_end|>")));
    let tokenizer = load_f32(&writer.file().1).unwrap().tokenizer.unwrap();
    let ids = tokenizer.encode("a", true).unwrap().get_ids().to_vec();
    assert_eq!(ids, [bos, id("a"), id("<|im_end|>")]);
    let mut writer = file("llama-bpe");
    writer.set("tokenizer.ggml.add_bos_token", Kv::Bool(false));
    let ids = load_f32(&writer.file().1).unwrap().tokenizer.unwrap().encode("a", true).unwrap().get_ids().to_vec();
    assert_eq!(ids, [id("a")]);
}

/// A folder as OPT was published: vocabulary and merges, no tokenizer.json.
fn old_folder(settings: &Value) -> tempfile::TempDir {
    let golden = golden();
    let vocab: Map<String, Value> =
        strings(&golden["tokens"]).into_iter().enumerate().map(|(id, text)| (text, json!(id))).collect();
    let mut json = opt();
    json["vocab_size"] = json!(vocab.len());
    let home = folder(&json, &tensors(&params(&json, StorageType::F32, 1)));
    let merges = format!("#version: 0.2\n{}\n", strings(&golden["merges"]).join("\n"));
    fs::write(home.path().join("vocab.json"), Value::Object(vocab).to_string()).unwrap();
    fs::write(home.path().join("merges.txt"), merges).unwrap();
    fs::write(home.path().join("tokenizer_config.json"), settings.to_string()).unwrap();
    home
}

#[test]
fn vocabulary_and_merges_alone() {
    let golden = golden();
    let special = strings(&golden["special"]);
    let settings = json!({
        "tokenizer_class": "GPT2Tokenizer", "add_bos_token": true, "add_prefix_space": false,
        "bos_token": { "__type": "AddedToken", "content": special[0] }, "eos_token": special[1], "pad_token": special[2],
    });
    let home = old_folder(&settings);
    let loaded = load_f32(home.path()).unwrap();
    let bos = strings(&golden["tokens"]).iter().position(|t| *t == special[0]).unwrap() as u32;
    let tokenizer = loaded.tokenizer.unwrap();
    let cases: Vec<Value> = golden["kinds"]["gpt-2"].as_array().unwrap().clone();
    // In this folder the user's token is an ordinary one.
    let plain: Vec<Value> =
        cases.into_iter().filter(|c| !c["text"].as_str().unwrap().contains("<tool_call>")).collect();
    check("old folder", &tokenizer, &Value::Array(plain), &[bos]);
    let names: HashMap<&str, &SideFile> = loaded.files.iter().map(|f| (f.name.as_str(), f)).collect();
    assert!(names.contains_key("tokenizer.json") && names.contains_key("merges.txt"), "{:?}", names.keys());

    let mut spaced = settings.clone();
    spaced["add_prefix_space"] = json!(true);
    assert!(refusal(old_folder(&spaced).path()).contains("space before each text"));
    let mut lost = settings.clone();
    lost["bos_token"] = json!("<nowhere>");
    assert!(refusal(old_folder(&lost).path()).contains("`<nowhere>`"));
    let mut other = settings;
    other["tokenizer_class"] = json!("BertTokenizer");
    assert!(load_f32(old_folder(&other).path()).unwrap().tokenizer.is_none(), "another class must not be guessed");
}

#[test]
fn padding_and_truncation_of_the_file_are_dropped() {
    let (_home, path) = file("gpt-2").file();
    let loaded = load_f32(&path).unwrap();
    let json = &loaded.files.iter().find(|f| f.name == "tokenizer.json").unwrap().bytes;
    let mut json: Value = serde_json::from_slice(json).unwrap();
    json["truncation"] = json!({ "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0 });
    json["padding"] = json!({ "strategy": { "Fixed": 9 }, "direction": "Right", "pad_to_multiple_of": null,
                              "pad_id": 0, "pad_type_id": 0, "pad_token": "a" });
    let mut config = llama();
    config["vocab_size"] = json!(50);
    let home = folder(&config, &tensors(&params(&config, StorageType::F32, 1)));
    fs::write(home.path().join("tokenizer.json"), json.to_string()).unwrap();
    let tokenizer = load_f32(home.path()).unwrap().tokenizer.unwrap();
    assert_eq!(tokenizer.encode("12345", true).unwrap().len(), 3, "12, 34 and 5 are what the merges make");
    assert_eq!(tokenizer.encode("!!!!!!!", true).unwrap().len(), 7);
}
