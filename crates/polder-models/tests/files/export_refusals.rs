//! Models that a GGUF file can't hold, and places that can't be written.

use std::fs;
use std::path::Path;

use polder_models::{GgufType, Loaded, SaveOptions, StorageType, save, save_gguf};
use serde_json::{Value, json};

use crate::export::{folder, wide, with};
use crate::tiny::{llama, load_f32, opt, params};

/// The message of a refused export, which leaves nothing behind.
fn refused(model: &Loaded, to: GgufType) -> String {
    let home = tempfile::tempdir().unwrap();
    let said = save_gguf(&home.path().join("m.gguf"), model, to, "m").unwrap_err().to_string();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "something was left: {said}");
    assert!(said.contains("hint:"), "{said}");
    said
}

fn of(json: &Value) -> Loaded {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("m");
    save(&target, &params(json, StorageType::F32, 5), json, &[], &SaveOptions::default()).unwrap();
    load_f32(&target).unwrap()
}

#[test]
fn models_that_llama_cpp_does_not_have() {
    let said = refused(&of(&opt()), GgufType::F32);
    assert!(said.contains("`opt`") && said.contains("safetensors"), "{said}");
    let mut gelu = llama();
    gelu["hidden_act"] = json!("gelu");
    assert!(refused(&of(&gelu), GgufType::F32).contains("SiLU"));
    let mut biased = llama();
    (biased["model_type"], biased["attention_bias"]) = (json!("qwen3"), json!(true));
    assert!(refused(&of(&biased), GgufType::F32).contains("biases"));
    let mut narrow = llama();
    (narrow["model_type"], narrow["head_dim"]) = (json!("qwen2"), json!(8));
    assert!(refused(&of(&narrow), GgufType::F32).contains("as wide as the model"));
    assert!(refused(&of(&llama()), GgufType::F32).contains("no tokenizer.json"));
    let yarn = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 16.0 });
    let (_home, source, _) = folder("smollm", json!({ "rope_scaling": yarn }), StorageType::F32);
    assert!(refused(&load_f32(&source).unwrap(), GgufType::F32).contains("YaRN"));
}

/// The folder's model after a change of its tokenizer.json.
fn with_tokenizer(change: impl Fn(&mut Value)) -> Loaded {
    with_tokenizer_of("smollm", change)
}

/// The same of a folder whose tokenizer is of that kind.
fn with_tokenizer_of(kind: &str, change: impl Fn(&mut Value)) -> Loaded {
    let (_home, source, _) = folder(kind, json!({}), StorageType::F32);
    let path = source.join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
    load_f32(&source).unwrap()
}

#[test]
fn tokenizers_that_the_format_does_not_describe() {
    let other = with_tokenizer(|json| json["pre_tokenizer"] = json!({ "type": "WhitespaceSplit" }));
    assert!(refused(&other, GgufType::F32).contains("no BPE of a known kind"));
    let lower = with_tokenizer(|json| json["normalizer"] = json!({ "type": "Lowercase" }));
    assert!(refused(&lower, GgufType::F32).contains("no BPE of a known kind"));
    // Known by its parts, but a special token that swallows the space before it is not in the format.
    let strips = with_tokenizer(|json| json["added_tokens"][0]["lstrip"] = json!(true));
    assert!(refused(&strips, GgufType::F32).contains("in a way that the format can't describe"));
    let many = with_tokenizer(|json| {
        let added = json["added_tokens"][0].clone();
        let list = json["added_tokens"].as_array_mut().unwrap();
        for number in 0..4 {
            let mut token = added.clone();
            (token["content"], token["id"]) = (json!(format!("<more{number}>")), json!(1000 + number));
            list.push(token);
        }
    });
    assert!(refused(&many, GgufType::F32).contains("beyond its"), "more tokens than embeddings");
}

#[test]
fn pieces_that_scores_do_not_describe() {
    let pieces = |change: &dyn Fn(&mut Value)| with_tokenizer_of("default", change);
    // Newer files say the same otherwise, but put no space before a text that begins with one.
    let newer = pieces(&|json| {
        json["normalizer"] = Value::Null;
        json["pre_tokenizer"] =
            json!({ "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": false });
    });
    assert!(refused(&newer, GgufType::F32).contains("no BPE of a known kind"));
    let whole_words = pieces(&|json| json["model"]["byte_fallback"] = json!(false));
    assert!(refused(&whole_words, GgufType::F32).contains("no BPE of a known kind"));
    let fewer = pieces(&|json| drop(json["model"]["merges"].as_array_mut().unwrap().remove(5)));
    assert!(refused(&fewer, GgufType::F32).contains("merges are not those that scores"));
    // Another token's merge between two that make the same one: no score says that.
    let parted = pieces(&|json| {
        let merges = json["model"]["merges"].as_array_mut().unwrap();
        let made = |merge: &Value| format!("{}{}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap());
        let at = merges.windows(3).position(|m| made(&m[0]) == made(&m[1]) && made(&m[1]) != made(&m[2])).unwrap();
        merges.swap(at + 1, at + 2);
    });
    assert!(refused(&parted, GgufType::F32).contains("merges are not those that scores"));
    let far = pieces(&|json| json["added_tokens"][1]["id"] = json!(4_000_000_000u32));
    assert!(refused(&far, GgufType::F32).contains("beyond its"));
}

#[test]
fn weights_that_the_type_cannot_hold() {
    let (_home, source, json) = folder("smollm", wide(), StorageType::F32);
    let mut large = params(&json, StorageType::F32, 31);
    let name = "model.layers.0.self_attn.q_proj.weight";
    let scaled = (&large.get(large.site(name).unwrap()).tensor * 1e6).unwrap();
    let mut changed = polder_perturb::ParamSet::new();
    for param in large.iter() {
        let tensor = if param.name == name { scaled.clone() } else { param.tensor.clone() };
        changed.insert(&param.name, tensor).unwrap();
    }
    large = changed;
    let model = load_f32(&source).unwrap();
    save(&source, &large, &json, &model.files, &SaveOptions::default()).unwrap();
    let model = load_f32(&source).unwrap();
    let said = refused(&model, GgufType::F16);
    assert!(said.contains(&format!("`{name}` holds")) && said.contains("no finite f16"), "{said}");
    for to in [GgufType::F32, GgufType::Bf16, GgufType::Q8_0] {
        save_gguf(&source.join("m.gguf"), &model, to, "m").unwrap();
    }
}

/// A limit on file sizes stands for a full disk, as in the tests of folders.
#[cfg(unix)]
#[test]
fn a_failed_export_leaves_the_old_file() {
    const INSIDE: &str = "POLDER_TEST_EXPORT_WITHOUT_ROOM";
    if let Some(home) = std::env::var_os(INSIDE) {
        let home = Path::new(&home);
        let error = save_gguf(&home.join("m.gguf"), &load_f32(&home.join("model")).unwrap(), GgufType::F32, "m");
        println!("inside: {}", error.unwrap_err());
        return;
    }
    let (_home, source, json) = folder("smollm", with(wide(), json!({ "num_hidden_layers": 6 })), StorageType::F32);
    let home = tempfile::tempdir().unwrap();
    let model = load_f32(&source).unwrap();
    save(&home.path().join("model"), &model.params, &json, &model.files, &SaveOptions::default()).unwrap();
    fs::write(home.path().join("m.gguf"), "old").unwrap();
    let name = "export_refusals::a_failed_export_leaves_the_old_file";
    let script = format!("trap '' XFSZ; ulimit -f 400; exec \"$0\" --exact {name} --nocapture");
    let out = std::process::Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("inside: can't write") && said.contains("m.gguf"), "{said}");
    assert!(said.contains("needs") && said.contains("hint: free space"), "{said}");
    assert_eq!(fs::read(home.path().join("m.gguf")).unwrap(), b"old");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "a temporary file was left");
    // A folder is not replaced by a file.
    let said = save_gguf(&home.path().join("model"), &model, GgufType::F32, "m").unwrap_err().to_string();
    assert!(said.contains("it is a folder"), "{said}");
}
