//! Damaged and hostile Hugging Face folders: each gives an error that names the file, and what is wrong.

use std::collections::HashMap;
use std::fs;

use candle_core::{DType, Device, Tensor};
use polder_models::{StorageType, load};
use serde_json::{Value, json};

use crate::tiny::{assert_same, folder, llama, load_f32, opt, params, refusal, tensors};

/// A safetensors file with that header text and so many bytes of tensors.
fn raw(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// What loading says of a folder with these bytes as model.safetensors.
fn refused(bytes: &[u8]) -> String {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.json"), llama().to_string()).unwrap();
    fs::write(home.path().join("model.safetensors"), bytes).unwrap();
    refusal(home.path())
}

#[test]
fn damaged_safetensors() {
    let entry = |shape: &str, from: u64, to: u64| {
        format!("{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{from},{to}]}}")
    };
    let one = |shape: &str, from: u64, to: u64| format!("{{\"a\":{}}}", entry(shape, from, to));
    let two = |a: String, b: String| format!("{{\"a\":{a},\"b\":{b}}}");
    let mut far = u64::MAX.to_le_bytes().to_vec();
    far.extend([0; 64]);
    let mut long = 1000u64.to_le_bytes().to_vec();
    long.extend([b' '; 64]);
    let huge = format!("[{},{}]", u64::MAX / 2, 16);
    let cases = [
        (Vec::new(), "only 0 bytes"),
        (vec![1; 7], "only 7 bytes"),
        (far, "more than 100000000"),
        (long, "claims 1000 bytes, but only 64 follow"),
        (raw("{", 0), "its header"),
        (raw("[]", 0), "its header"),
        (raw("{\"a\":3}", 0), "`a`"),
        (raw(&"[".repeat(100_000), 0), "its header"),
        (raw(&one("[2]", 0, 8), 4), "ends at byte 8 of the 4 bytes"),
        (raw(&one("[2]", 0, 8), 12), "4 bytes at its end belong to no tensor"),
        (raw(&one("[2]", 8, 0), 8), "8 bytes before `a`"),
        (raw(&one("[2]", 4, 12), 12), "4 bytes before `a`"),
        (raw(&one("[3]", 0, 8), 8), "takes 8 bytes"),
        (raw(&one(&huge, 0, 8), 8), "overflows"),
        (raw(&one("[1,1,1,1,1,1,1,1,2]", 0, 8), 8), "axes"),
        (raw(&one("[-2]", 0, 8), 8), "`a`"),
        (raw(&one("[2]", 0, u64::MAX), 8), "ends at byte 18446744073709551615"),
        (raw(&two(entry("[2]", 0, 8), entry("[2]", 4, 12)), 12), "overlaps"),
        (raw(&two(entry("[2]", 0, 8), entry("[2]", 8, 16)).replace("\"b\"", "\"a\""), 16), "a second time"),
    ];
    for (bytes, expected) in cases {
        let message = refused(&bytes);
        assert!(message.contains(expected) && message.contains("model.safetensors"), "{expected}: {message}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let home = folder(&llama(), &tensors(&params(&llama(), StorageType::F32, 1)));
    let file = home.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for keep in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        fs::write(&file, &bytes[..keep]).unwrap();
        assert!(refusal(home.path()).contains("model.safetensors"));
    }
}

#[test]
fn missing_strange_and_misshapen_tensors() {
    let all = tensors(&params(&llama(), StorageType::F32, 1));
    let mut some = all.clone();
    some.retain(|name, _| !name.starts_with("model.layers.1."));
    let message = refusal(folder(&llama(), &some).path());
    assert!(
        message.contains("`model.layers.1.self_attn.q_proj.weight`") && message.contains("and 4 more"),
        "{message}"
    );

    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let mut more = all.clone();
    more.insert("model.layers.0.self_attn.q_proj.bias".to_owned(), zeros(&[24]));
    let message = refusal(folder(&llama(), &more).path());
    assert!(
        message.contains("`model.layers.0.self_attn.q_proj.bias`") && message.contains("knows nothing"),
        "{message}"
    );

    let mut other = all.clone();
    other.insert("model.norm.weight".to_owned(), zeros(&[23]));
    let message = refusal(folder(&llama(), &other).path());
    assert!(
        message.contains("`model.norm.weight`") && message.contains("[23]") && message.contains("[24]"),
        "{message}"
    );

    let mut typed = all;
    typed.insert("model.norm.weight".to_owned(), zeros(&[24]).to_dtype(DType::U8).unwrap());
    let message = refusal(folder(&llama(), &typed).path());
    assert!(message.contains("U8") && message.contains("BF16"), "{message}");
}

#[test]
fn weights_that_are_not_finite() {
    let mut all = tensors(&params(&llama(), StorageType::F32, 1));
    let mut norm = vec![1f32; 24];
    norm[5] = 1e6;
    all.insert("model.norm.weight".to_owned(), Tensor::new(norm.clone(), &Device::Cpu).unwrap());
    let home = folder(&llama(), &all);
    load(home.path(), StorageType::Bf16, &Device::Cpu).unwrap();
    let message = load(home.path(), StorageType::F16, &Device::Cpu).unwrap_err().to_string();
    assert!(message.contains("`model.norm.weight`") && message.contains("element 5"), "{message}");
    assert!(message.contains("load the model as bf16"), "{message}");
    for bad in [f32::NAN, f32::NEG_INFINITY] {
        norm[7] = bad;
        all.insert("model.norm.weight".to_owned(), Tensor::new(norm.clone(), &Device::Cpu).unwrap());
        let message = load(folder(&llama(), &all).path(), StorageType::Bf16, &Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("element 7") && message.contains("broken"), "{message}");
    }
}

#[test]
fn names_in_the_wild() {
    let plain = params(&llama(), StorageType::F32, 2);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let renamed = |f: &dyn Fn(&str) -> String| -> HashMap<String, Tensor> {
        tensors(&plain).into_iter().map(|(name, tensor)| (f(&name), tensor)).collect()
    };
    // A base model, a compiled one, one with derived tensors, one with the tied head too, one with the head only.
    let base = renamed(&|n| n.trim_start_matches("model.").to_owned());
    let compiled = renamed(&|n| format!("_orig_mod.{n}"));
    let mut derived = tensors(&plain);
    derived.insert("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), zeros(&[3]));
    derived.insert("model.layers.0.self_attn.masked_bias".to_owned(), zeros(&[]));
    let mut both = tensors(&plain);
    both.insert("lm_head.weight".to_owned(), zeros(&[37, 24]));
    let head = renamed(&|n| n.replace("model.embed_tokens.", "lm_head."));
    for (what, tensors) in
        [("base", base), ("compiled", compiled), ("derived", derived), ("both", both), ("head", head)]
    {
        println!("{what}");
        assert_same(&plain, &load_f32(folder(&llama(), &tensors).path()).unwrap().params);
    }
    let plain = params(&opt(), StorageType::F32, 2);
    let short = tensors(&plain).into_iter().map(|(n, t)| (n.trim_start_matches("model.").to_owned(), t)).collect();
    assert_same(&plain, &load_f32(folder(&opt(), &short).path()).unwrap().params);
    // The same tensor under both names is one too many.
    let mut twice = tensors(&plain);
    twice.insert("decoder.final_layer_norm.weight".to_owned(), zeros(&[16]));
    assert!(refusal(folder(&opt(), &twice).path()).contains("a second time"));
}

/// A folder with an index and its shards.
fn sharded(index: &Value, shards: &[(&str, Vec<&str>)]) -> tempfile::TempDir {
    let all = tensors(&params(&llama(), StorageType::F32, 1));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("config.json"), llama().to_string()).unwrap();
    fs::write(home.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    for (name, prefixes) in shards {
        let some: HashMap<&String, Tensor> = all
            .iter()
            .filter(|(tensor, _)| prefixes.iter().any(|prefix| tensor.starts_with(prefix)))
            .map(|(name, tensor)| (name, tensor.clone()))
            .collect();
        candle_core::safetensors::save(&some, home.path().join(name)).unwrap();
    }
    home
}

#[test]
fn hostile_indices() {
    let shards =
        [("a.safetensors", vec!["model.layers.0"]), ("b.safetensors", vec!["model.layers.1", "model.n", "model.e"])];
    let good = json!({ "weight_map": { "model.layers.0.mlp.up_proj.weight": "a.safetensors", "model.norm.weight": "b.safetensors" } });
    load_f32(sharded(&good, &shards).path()).unwrap();
    for shard in ["../a.safetensors", "/etc/passwd", "..", "", "x/../a.safetensors", "x\\a.safetensors", "a\0"] {
        let index = json!({ "weight_map": { "model.norm.weight": shard } });
        let message = refusal(sharded(&index, &shards).path());
        assert!(message.contains("no plain file name") && message.contains("index.json"), "{shard}: {message}");
    }
    let cases = [
        (json!({}), "no `weight_map`"),
        (json!([1]), "no JSON object"),
        (json!({ "weight_map": { "model.norm.weight": 3 } }), "no file name"),
        (json!({ "weight_map": { "model.norm.weight": "c.safetensors" } }), "c.safetensors"),
        (json!({ "weight_map": { "lost": "a.safetensors" } }), "`lost`"),
    ];
    for (index, expected) in cases {
        let message = refusal(sharded(&index, &shards).path());
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let doubled = [("a.safetensors", vec!["model."]), ("b.safetensors", vec!["model.norm"])];
    assert!(refusal(sharded(&good, &doubled).path()).contains("a second time"));
}

#[test]
fn folders_without_a_model() {
    let home = tempfile::tempdir().unwrap();
    assert!(refusal(&home.path().join("nothing")).contains("no such file"));
    assert!(refusal(home.path()).contains("`config.json`"));
    fs::write(home.path().join("config.json"), "{").unwrap();
    assert!(refusal(home.path()).contains("config.json"));
    fs::write(home.path().join("config.json"), llama().to_string()).unwrap();
    assert!(refusal(home.path()).contains("model.safetensors.index.json"));
    fs::write(home.path().join("pytorch_model.bin"), "").unwrap();
    assert!(refusal(home.path()).contains("pickled"));
    fs::create_dir(home.path().join("model.safetensors")).unwrap();
    assert!(refusal(home.path()).contains("no plain file") || refusal(home.path()).contains("not a plain file"));
    let mut unknown = llama();
    unknown["model_type"] = json!("mamba");
    let other = folder(&unknown, &HashMap::new());
    let message = refusal(other.path());
    assert!(message.contains("`mamba`") && message.contains("config.json"), "{message}");
    // A model of a size that no file can have is refused for its tensors, before anything is allocated.
    let mut vast = llama();
    (vast["vocab_size"], vast["hidden_size"]) = (json!(60_000_000), json!(4096));
    let message = refusal(folder(&vast, &tensors(&params(&llama(), StorageType::F32, 1))).path());
    assert!(message.contains("60000000"), "{message}");
}

#[test]
fn damaged_tokenizers() {
    let home = folder(&llama(), &tensors(&params(&llama(), StorageType::F32, 1)));
    let file = home.path().join("tokenizer.json");
    for text in ["", "{}", "[]", "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[[\"a\",\"b\"]]}}", "\u{0}"] {
        fs::write(&file, text).unwrap();
        let message = refusal(home.path());
        assert!(message.contains("tokenizer.json"), "{message}");
    }
}

#[test]
fn side_files_that_are_cut_short_are_no_missing_ones() {
    let json = llama();
    let home = folder(&json, &tensors(&params(&json, StorageType::F32, 1)));
    for name in ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "chat_template.json"] {
        let file = home.path().join(name);
        for bytes in [&b"{\"eos_token_id\": 2, \"chat_te"[..], b"", b"[]"] {
            fs::write(&file, bytes).unwrap();
            let said = refusal(home.path());
            assert!(said.contains(name) && said.contains("fetch the file again"), "{said}");
        }
        fs::write(&file, "{}").unwrap();
        load_f32(home.path()).unwrap();
    }
}
