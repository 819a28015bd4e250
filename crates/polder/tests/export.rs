//! `polder export`: formats, types, places, refusals.

mod fixture;

use std::path::Path;

use candle_core::DType;
use fixture::{Place, fail, str, succeed, text, weights};
use serde_json::{Value, json};

/// Gives the tiny LLaMA a byte-level tokenizer, which a GGUF file can hold.
fn byte_level(model: &Path) {
    let vocab: serde_json::Map<String, Value> = ["<s>", "</s>", "a", "b", "ab"]
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).to_owned(), json!(id)))
        .collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let special = |id: u32, text: &str| {
        json!({ "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": bytes,
        "added_tokens": [special(0, "<s>"), special(1, "</s>")], "post_processor": bytes, "decoder": bytes,
        "model": { "type": "BPE", "vocab": vocab, "merges": [["a", "b"]] },
    });
    std::fs::write(model.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

#[test]
fn a_folder_becomes_a_gguf_file_and_a_folder_again() {
    let place = Place::llama();
    let model = place.path("model");
    byte_level(&model);
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let out = succeed(&["export", str(&model), &path("m.gguf")]);
    assert!(text(&out.stdout).contains("written as GGUF in f32"), "{}", text(&out.stdout));
    succeed(&["export", &path("m.gguf"), &path("back")]);
    assert_eq!(weights(&model), weights(&place.path("back")));
    succeed(&["export", &path("m.gguf"), &path("half"), "--type", "f16", "--format", "safetensors"]);
    assert!(weights(&place.path("half")).values().all(|(dtype, ..)| *dtype == DType::F16));
    let out = succeed(&["export", &path("half"), &path("q.gguf"), "--type", "q8_0"]);
    assert!(text(&out.stdout).contains("in q8_0"));
    assert!(text(&out.stderr).contains("are stored as f16"), "rows of 16 and 24: {}", text(&out.stderr));
    let out = succeed(&["export", &path("half"), &path("quiet.gguf"), "--type", "q8_0", "-q"]);
    assert!(out.stdout.is_empty() && out.stderr.is_empty());
}

#[test]
fn refusals_name_the_remedy() {
    let (place, opt) = (Place::llama(), Place::opt());
    let model = place.path("model");
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    let refused = |arguments: &[&str], parts: &[&str]| {
        let said = fail(&[&["export", str(&model)], arguments].concat());
        for part in parts.iter().chain(&["hint:"]) {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    };
    refused(&[&path("out"), "--type", "q8_0"], &["holds no `q8_0`", ".gguf"]);
    refused(&[&path("out"), "--format", "gguf"], &["no name of a GGUF file"]);
    refused(&[&path("out.gguf"), "--format", "safetensors"], &["is to be a folder"]);
    refused(&[&path("data")], &["is there already"]);
    refused(&[&path("out"), "--type", "q4_0"], &["`q4_0`"]);
    refused(&[&path("out.gguf")], &["no BPE of a known kind", "safetensors"]);
    let said = fail(&["export", str(&opt.path("model")), &path("opt.gguf")]);
    assert!(said.contains("`opt`") && said.contains("safetensors"), "{said}");
    assert!(!place.path("out").exists() && !place.path("out.gguf").exists());
}
