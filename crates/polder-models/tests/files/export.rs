//! GGUF files that we write: the same model comes out, here and in other readers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::quantized::gguf_file::{Content, Value as Meta};
use candle_core::{Device, Tensor};
use polder_models::{GgufType, Loaded, SaveOptions, StorageType, load, save, save_gguf};
use serde_json::{Value, json};

use crate::tiny::{assert_same, bits, config, llama, load_f32, params};
use crate::tokenizers::file;

/// A folder of random weights with the golden tokenizer of a kind; `extra` changes the configuration.
pub(crate) fn folder(kind: &str, extra: Value, storage: StorageType) -> (tempfile::TempDir, PathBuf, Value) {
    let (home, path) = file(kind).file();
    let tokenizer = load_f32(&path).unwrap();
    let mut json = llama();
    json["vocab_size"] = tokenizer.config_json["vocab_size"].clone();
    for (key, value) in extra.as_object().unwrap() {
        json[key] = value.clone();
    }
    let target = home.path().join("folder");
    save(&target, &params(&json, storage, 31), &json, &tokenizer.files, &SaveOptions::default()).unwrap();
    (home, target, json)
}

/// Sizes whose rows are whole blocks of Q8_0.
pub(crate) fn wide() -> Value {
    json!({ "hidden_size": 64, "intermediate_size": 96, "head_dim": 32, "tie_word_embeddings": false })
}

pub(crate) fn with(mut json: Value, extra: Value) -> Value {
    json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    json
}

fn ids(loaded: &Loaded, text: &str) -> Vec<u32> {
    loaded.tokenizer.as_ref().unwrap().encode(text, true).unwrap().get_ids().to_vec()
}

const TEXT: &str = "Hello world, it's 1984!  <|im_start|>user\n<tool_call>naïve café<|im_end|>";

#[test]
fn every_architecture_comes_back_as_it_was() {
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 8192 });
    let linear = json!({ "rope_type": "linear", "factor": 4.0 });
    let yarn = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16 });
    let biases = json!({ "tie_word_embeddings": false, "attention_bias": true, "mlp_bias": true });
    let rope = |rope: Value| json!({ "rope_scaling": rope, "head_dim": 64, "rope_theta": 500000.0 });
    let cases = [
        ("smollm", json!({})),
        ("gpt-2", biases),
        ("llama-bpe", rope(llama3)),
        ("smollm", rope(linear)),
        ("smollm", rope(yarn)),
        ("qwen2", json!({ "model_type": "qwen2", "use_sliding_window": false, "tie_word_embeddings": false })),
        ("qwen2", json!({ "model_type": "qwen3", "use_sliding_window": false })),
        ("default", json!({ "tie_word_embeddings": false })),
    ];
    for (kind, extra) in cases {
        let (home, source, json) = folder(kind, extra, StorageType::F32);
        let before = load_f32(&source).unwrap();
        let out = home.path().join("out.gguf");
        let written = save_gguf(&out, &before, GgufType::F32, "a name").unwrap();
        assert_eq!(written.bytes, out.metadata().unwrap().len(), "{json}");
        assert!(written.notes.is_empty(), "{:?}", written.notes);
        let after = load_f32(&out).unwrap();
        assert_eq!(after.config.family(), config(&json).family());
        assert_eq!(after.config.model_type(), json["model_type"]);
        assert_same(&before.params, &after.params);
        assert_eq!(ids(&after, TEXT), ids(&before, TEXT), "{kind}");
        assert_eq!(after.bos_id(), before.bos_id());
        let template = |loaded: &Loaded| {
            let file = loaded.files.iter().find(|f| f.name == "tokenizer_config.json").unwrap();
            serde_json::from_slice::<Value>(&file.bytes).unwrap()["chat_template"].clone()
        };
        assert_eq!(template(&after), "{{ messages }}");
        // From GGUF to GGUF what is said of the model is carried over: the same file.
        let again = home.path().join("again.gguf");
        save_gguf(&again, &after, GgufType::F32, "another name").unwrap();
        assert!(std::fs::read(&again).unwrap() == std::fs::read(&out).unwrap(), "{kind}: the second file differs");
    }
}

#[test]
fn a_sliding_window_ends_the_context() {
    let mistral = json!({ "model_type": "mistral", "sliding_window": 20 });
    let (home, source, json) = folder("llama-bpe", mistral, StorageType::F32);
    let out = home.path().join("out.gguf");
    let before = load_f32(&source).unwrap();
    let written = save_gguf(&out, &before, GgufType::F32, "m").unwrap();
    assert!(written.notes[0].contains("20 tokens instead of 64"), "{:?}", written.notes);
    let mut llama = json;
    llama["model_type"] = json!("llama");
    llama["max_position_embeddings"] = json!(20);
    let after = load_f32(&out).unwrap();
    assert_eq!(after.config.family(), config(&llama).family());
    assert_same(&before.params, &after.params);
}

#[test]
fn sixteen_bits_keep_every_bit() {
    let types = [
        (StorageType::Bf16, GgufType::Bf16),
        (StorageType::F16, GgufType::F16),
        (StorageType::Bf16Plus8, GgufType::F32),
    ];
    for (storage, to) in types {
        let (home, source, _) = folder("smollm", wide(), storage);
        let before = load(&source, storage, &Device::Cpu).unwrap();
        let out = home.path().join("out.gguf");
        save_gguf(&out, &before, to, "m").unwrap();
        let after = load(&out, storage, &Device::Cpu).unwrap();
        assert_same(&before.params, &after.params);
        let vectors = after.source.stored["F32"];
        if to != GgufType::F32 {
            assert_eq!(vectors, 64 * 5, "norms are F32: {:?}", after.source.stored);
            // A wider model rounded on the way out is the one rounded on the way in.
            let (home, source, _) = folder("smollm", wide(), StorageType::F32);
            let out = home.path().join("out.gguf");
            save_gguf(&out, &load_f32(&source).unwrap(), to, "m").unwrap();
            let rounded = load(&source, storage, &Device::Cpu).unwrap();
            assert_same(&rounded.params, &load(&out, storage, &Device::Cpu).unwrap().params);
        }
    }
}

/// The dequantised tensors of a file, by candle.
fn by_candle(path: &Path) -> (Content, BTreeMap<String, Tensor>) {
    let mut file = std::fs::File::open(path).unwrap();
    let content = Content::read(&mut file).unwrap();
    let names: Vec<String> = content.tensor_infos.keys().cloned().collect();
    let tensor =
        |name: &String| content.tensor(&mut file, name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
    let tensors = names.iter().map(tensor).collect::<Vec<_>>();
    (content, names.into_iter().zip(tensors).collect())
}

#[test]
fn candle_reads_every_type() {
    for to in GgufType::ALL {
        let (home, source, _) = folder("smollm", wide(), StorageType::F32);
        let before = load_f32(&source).unwrap();
        let out = home.path().join("out.gguf");
        save_gguf(&out, &before, to, "m").unwrap();
        let (content, theirs) = by_candle(&out);
        assert!(matches!(&content.metadata["general.architecture"], Meta::String(s) if s == "llama"));
        assert!(matches!(&content.metadata["tokenizer.ggml.add_bos_token"], Meta::Bool(false)));
        let ours = load_f32(&out).unwrap();
        assert_eq!(theirs.len(), ours.params.iter().len());
        for (theirs_name, name, heads) in [
            ("blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight", 4),
            ("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", 2),
            ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", 0),
            ("output.weight", "lm_head.weight", 0),
            ("token_embd.weight", "model.embed_tokens.weight", 0),
            ("output_norm.weight", "model.norm.weight", 0),
        ] {
            let mut expected = theirs[theirs_name].clone();
            if heads > 0 {
                let split = expected.reshape((heads, 16, 2, 64)).unwrap().transpose(1, 2).unwrap();
                expected = split.contiguous().unwrap().reshape(expected.shape()).unwrap();
            }
            let get = |loaded: &Loaded| loaded.params.get(loaded.params.site(name).unwrap()).tensor.clone();
            assert!(bits(&get(&ours)) == bits(&expected), "{to}: `{name}` differs from candle's");
            let largest = |t: &Tensor| t.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            let moved = largest(&(get(&before) - get(&ours)).unwrap()) / largest(&expected);
            // Half of a step of the type, relative to the largest weight.
            let most = match to {
                GgufType::F32 => 0.0,
                GgufType::F16 => 2f32.powi(-11),
                GgufType::Bf16 => 2f32.powi(-8),
                // Its scale is rounded to f16 besides.
                GgufType::Q8_0 => 0.5 / 127.0 + 2f32.powi(-11),
            };
            assert!(moved <= most, "{to}: `{name}` moved by {moved} of its largest weight");
        }
    }
}

#[test]
fn rows_that_are_no_blocks_stay_f16() {
    let (home, source, _) = folder("smollm", json!({ "intermediate_size": 64 }), StorageType::F32);
    let out = home.path().join("out.gguf");
    let written = save_gguf(&out, &load_f32(&source).unwrap(), GgufType::Q8_0, "m").unwrap();
    assert!(written.notes[0].contains("are stored as f16"), "{:?}", written.notes);
    let stored = load_f32(&out).unwrap().source.stored;
    assert_eq!(stored["Q8_0"], 2 * 24 * 64, "down_proj alone has rows of whole blocks: {stored:?}");
    assert_eq!(stored["F32"], 5 * 24);
    assert!(stored["F16"] > stored["Q8_0"]);
}

/// What Python's gguf package says of a file (see `golden/see_gguf.py`).
fn by_python(path: &Path) -> Option<Value> {
    let Some(python) = std::env::var_os("POLDER_TEST_PYTHON") else {
        println!("skipped: POLDER_TEST_PYTHON names no python with gguf");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/golden/see_gguf.py");
    let out = Command::new(python).arg(script).arg(path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}

#[test]
fn the_gguf_package_reads_the_same() {
    for to in GgufType::ALL {
        let (home, source, json) = folder("llama-bpe", wide(), StorageType::F32);
        let before = load_f32(&source).unwrap();
        let (out, plain) = (home.path().join("out.gguf"), home.path().join("f32.gguf"));
        save_gguf(&out, &before, to, "a name").unwrap();
        save_gguf(&plain, &before, GgufType::F32, "a name").unwrap();
        let (Some(seen), Some(reference)) = (by_python(&out), by_python(&plain)) else { return };
        let (fields, plain_fields) = (&seen["fields"], &reference["fields"]);
        assert_eq!(fields["general.architecture"], "llama");
        assert_eq!(fields["general.name"], "a name");
        assert_eq!(fields["llama.block_count"], json["num_hidden_layers"]);
        assert_eq!(fields["tokenizer.ggml.pre"], "llama-bpe");
        assert_eq!(fields["tokenizer.ggml.add_bos_token"], true);
        assert_eq!(fields["tokenizer.ggml.tokens"], plain_fields["tokenizer.ggml.tokens"]);
        assert_eq!(
            fields["tokenizer.ggml.tokens"].as_array().unwrap().len() as u64,
            json["vocab_size"].as_u64().unwrap()
        );
        let named = ["ALL_F32", "MOSTLY_F16", "MOSTLY_BF16", "MOSTLY_Q8_0"];
        assert_eq!(fields["file_type"], named[GgufType::ALL.iter().position(|t| *t == to).unwrap()]);
        // Its own quantisation of the F32 file's tensors gives our bytes.
        for (name, tensor) in seen["tensors"].as_object().unwrap() {
            let kind = tensor["type"].as_str().unwrap();
            assert_eq!(tensor["shape"], reference["tensors"][name]["shape"], "{name}");
            assert_eq!(tensor["sha256"], reference["tensors"][name][kind], "{to}: the bytes of `{name}` differ");
        }
        assert_eq!(seen["tensors"].as_object().unwrap().len(), before.params.iter().len());
    }
}
