//! What is saved, as transformers sees it. Needs POLDER_TEST_PYTHON: a python with torch and transformers.

use std::path::Path;
use std::process::Command;

use polder_models::{SaveOptions, StorageType, save};
use serde_json::{Value, json};

use crate::gguf_writer::{Kv, export};
use crate::tiny::{llama, load_f32, opt, params, tensors};

/// What the script says of a folder: settings, tokens, and how far its own logits are from those of the weights put
/// by name into a model that it makes from `reference`.
fn seen(folder: &Path, reference: &Value) -> Option<Value> {
    let Some(python) = std::env::var_os("POLDER_TEST_PYTHON") else {
        println!("skipped: POLDER_TEST_PYTHON names no python with transformers");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/golden/see_saved.py");
    let out = Command::new(python).arg(script).arg(folder).arg(reference.to_string()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn transformers_loads_what_is_saved() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    let mut scaled = llama();
    scaled["rope_scaling"] = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                     "high_freq_factor": 4.0, "original_max_position_embeddings": 32 });
    for (json, shard_bytes) in [(llama(), 1 << 30), (opt(), 1 << 30), (scaled, 5000)] {
        let params = params(&json, StorageType::F32, 21);
        save(&target, &params, &json, &[], &SaveOptions { storage: None, shard_bytes }).unwrap();
        let Some(seen) = seen(&target, &json) else {
            return;
        };
        assert_eq!(seen["dtype"], "torch.float32");
        assert_eq!(seen["missing"], json!([]));
        assert_eq!(seen["unexpected"], json!([]));
        // The same code with the same weights: the same bits.
        assert_eq!(seen["largest_difference"], 0.0, "{seen}");
        assert!(seen["largest_logit"].as_f64().unwrap() > 0.1, "{seen}");
    }
}

#[test]
fn transformers_loads_the_tokenizer_of_a_gguf_file() {
    let golden: Value = serde_json::from_str(include_str!("golden/kinds.json")).unwrap();
    let strings = |v: &Value| v.as_array().unwrap().iter().map(|s| s.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let tokens = strings(&golden["tokens"]);
    let mut json = llama();
    json["vocab_size"] = json!(tokens.len());
    for kind in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
        let mut writer = export("llama", &json, &tensors(&params(&json, StorageType::F32, 1)));
        let special = strings(&golden["special"]);
        let types = tokens.iter().map(|t| if special.contains(t) { 3 } else { 1 }).collect();
        writer.set("tokenizer.ggml.pre", Kv::Text(kind.to_owned()));
        writer.set("tokenizer.ggml.tokens", Kv::Texts(tokens.clone()));
        writer.set("tokenizer.ggml.token_type", Kv::I32s(types));
        writer.set("tokenizer.ggml.merges", Kv::Texts(strings(&golden["merges"])));
        let id = |text: &str| Kv::U32(tokens.iter().position(|t| t == text).unwrap() as u32);
        writer.set("tokenizer.ggml.bos_token_id", id(&special[0]));
        writer.set("tokenizer.ggml.eos_token_id", id(&special[2]));
        writer.set("tokenizer.chat_template", Kv::Text("{{ messages[0].content }}!".to_owned()));
        let (home, path) = writer.file();
        let loaded = load_f32(&path).unwrap();
        let target = home.path().join("model");
        save(&target, &loaded.params, &loaded.config_json, &loaded.files, &SaveOptions::default()).unwrap();
        let Some(seen) = seen(&target, &loaded.config_json) else {
            return;
        };
        assert_eq!(seen["bos"], special[0]);
        assert_eq!(seen["eos"], special[2]);
        assert_eq!(seen["chat"], "hello!");
        let tokenizer = loaded.tokenizer.unwrap();
        for (text, ids) in seen["tokens"].as_object().unwrap() {
            assert_eq!(*ids, json!(tokenizer.encode(text.as_str(), true).unwrap().get_ids()), "{kind}: {text:?}");
        }
    }
}
