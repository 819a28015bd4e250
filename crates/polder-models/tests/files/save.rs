//! Saving, and loading what was saved.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device};
use polder_models::{SaveOptions, SideFile, StorageType, load, save};
use polder_perturb::ParamSet;
use serde_json::{Value, json};

use crate::tiny::{assert_same, bits, config, folder, insert, llama, load_f32, opt, params, refusal, tensors};

fn files() -> Vec<SideFile> {
    vec![SideFile { name: "generation_config.json".to_owned(), bytes: b"{\"max_length\": 20}".to_vec() }]
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn save_and_load_keep_every_bit() {
    for (name, json) in [("llama", llama()), ("opt", opt())] {
        for storage in StorageType::ALL {
            let home = tempfile::tempdir().unwrap();
            let target = home.path().join("model");
            let params = params(&json, storage, 3);
            save(&target, &params, &json, &files(), &SaveOptions::default()).unwrap();
            let loaded = load(&target, storage, &Device::Cpu).unwrap();
            assert_same(&params, &loaded.params);
            assert_eq!(loaded.files, files(), "{name}");
            assert_eq!(loaded.config.family(), config(&json).family());
            let named = match storage {
                StorageType::F32 | StorageType::Bf16Plus8 => "float32",
                StorageType::Bf16 => "bfloat16",
                StorageType::F16 => "float16",
            };
            assert_eq!(loaded.config.storage(), Some(named));
            assert_eq!(entries(home.path()), ["model"], "a temporary folder was left");
            // Again over what is there, from what was loaded: nothing drifts.
            save(&target, &loaded.params, &loaded.config_json, &loaded.files, &SaveOptions::default()).unwrap();
            let again = load(&target, storage, &Device::Cpu).unwrap();
            assert_same(&params, &again.params);
            assert_eq!(again.config_json, loaded.config_json);
        }
    }
}

#[test]
fn shards_hold_the_same_model() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    let params = params(&llama(), StorageType::Bf16, 4);
    let options = SaveOptions { shard_bytes: 4000, ..SaveOptions::default() };
    save(&target, &params, &llama(), &files(), &options).unwrap();
    let names = entries(&target);
    assert!(names.contains(&"model.safetensors.index.json".to_owned()), "{names:?}");
    assert!(names.iter().filter(|n| n.ends_with(".safetensors")).count() > 2, "{names:?}");
    assert_same(&params, &load(&target, StorageType::Bf16, &Device::Cpu).unwrap().params);
    let index: Value = serde_json::from_slice(&fs::read(target.join("model.safetensors.index.json")).unwrap()).unwrap();
    assert_eq!(index["metadata"]["total_size"], params.bytes());

    // One file again: the shards of before are gone.
    save(&target, &params, &llama(), &files(), &SaveOptions::default()).unwrap();
    assert_eq!(entries(&target), ["config.json", "generation_config.json", "model.safetensors"]);
}

#[test]
fn the_safetensors_crate_reads_what_is_saved() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    let params = params(&llama(), StorageType::F16, 5);
    save(&target, &params, &llama(), &[], &SaveOptions::default()).unwrap();
    let bytes = fs::read(target.join("model.safetensors")).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header % 8, 0, "tensors are not aligned");
    assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), params.iter().len(), "a tied weight was written twice");
    assert!(file.tensor("lm_head.weight").is_err());
    for param in params.iter() {
        assert_eq!(file.tensor(&param.name).unwrap().data(), bits(&param.tensor), "{}", param.name);
    }
}

#[test]
fn other_storage_is_rounded_to_the_nearest() {
    let wide = params(&llama(), StorageType::F32, 6);
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    for storage in [StorageType::Bf16, StorageType::F16] {
        // While saving, and while loading.
        let options = SaveOptions { storage: Some(storage), ..SaveOptions::default() };
        save(&target, &wide, &llama(), &[], &options).unwrap();
        let saved = load(&target, storage, &Device::Cpu).unwrap();
        save(&target, &wide, &llama(), &[], &SaveOptions::default()).unwrap();
        let loaded = load(&target, storage, &Device::Cpu).unwrap();
        assert_same(&saved.params, &loaded.params);
        for (narrow, wide) in loaded.params.iter().zip(wide.iter()) {
            let expected = wide.tensor.to_dtype(storage.file_dtype()).unwrap();
            assert!(bits(&narrow.tensor) == bits(&expected), "{}", wide.name);
        }
    }
    // What carries bits, too, as another type: its 24 bits are rounded once, ties to even.
    let carried = params(&llama(), StorageType::Bf16Plus8, 6);
    let options = SaveOptions { storage: Some(StorageType::Bf16), ..SaveOptions::default() };
    save(&target, &carried, &llama(), &[], &options).unwrap();
    for (narrow, wide) in load(&target, StorageType::Bf16, &Device::Cpu).unwrap().params.iter().zip(carried.iter()) {
        let expected = wide.joined().unwrap().to_dtype(DType::BF16).unwrap();
        assert!(bits(&narrow.tensor) == bits(&expected), "{}", wide.name);
    }
    // Wider is exact, from f64 too.
    let narrow = params(&llama(), StorageType::Bf16, 6);
    let f64s = tensors(&narrow).into_iter().map(|(n, t)| (n, t.to_dtype(DType::F64).unwrap())).collect();
    let from_f64 = folder(&llama(), &f64s);
    assert_same(&narrow, &load(from_f64.path(), StorageType::Bf16, &Device::Cpu).unwrap().params);
}

#[test]
fn weights_that_are_not_finite_are_refused_in_every_storage() {
    for storage in StorageType::ALL {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("model");
        let sound = params(&llama(), storage, 6);
        save(&target, &sound, &llama(), &[], &SaveOptions::default()).unwrap();
        for (bad, to) in [(f32::INFINITY, None), (f32::NAN, None), (f32::NEG_INFINITY, Some(StorageType::F32))] {
            let mut broken = ParamSet::new();
            for (number, param) in sound.iter().enumerate() {
                let joined = param.joined().unwrap().flatten_all().unwrap();
                let mut weights = joined.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
                if number == 3 {
                    weights[5] = bad;
                }
                insert(&mut broken, &param.name, weights, param.tensor.dims(), storage);
            }
            let options = SaveOptions { storage: to, ..SaveOptions::default() };
            let said = save(&target, &broken, &llama(), &[], &options).unwrap_err().to_string();
            let name = &sound.iter().nth(3).unwrap().name;
            assert!(said.contains(&format!("`{name}` holds {bad} at element 5")) && said.contains("hint:"), "{said}");
            assert_same(&sound, &load(&target, storage, &Device::Cpu).unwrap().params);
            assert_eq!(entries(home.path()), ["model"]);
        }
    }
}

#[test]
fn both_styles_of_rope_settings_say_the_same() {
    let scaled = |key: &str, theta: bool| {
        let mut json = llama();
        let mut rope = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                               "original_max_position_embeddings": 32 });
        if theta {
            json.as_object_mut().unwrap().remove("rope_theta");
            rope["rope_theta"] = json!(50000.0);
        }
        json[key] = rope;
        json
    };
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    for json in [llama(), scaled("rope_scaling", false), scaled("rope_parameters", true)] {
        save(&target, &params(&json, StorageType::F32, 7), &json, &[], &SaveOptions::default()).unwrap();
        let saved: Value = serde_json::from_slice(&fs::read(target.join("config.json")).unwrap()).unwrap();
        assert_eq!(saved["rope_theta"], 50000.0);
        assert_eq!(saved["rope_parameters"]["rope_theta"], 50000.0);
        assert_eq!(config(&saved).family(), config(&json).family());
        for dropped in ["rope_parameters", "rope_scaling"] {
            let mut one = saved.clone();
            one.as_object_mut().unwrap().shift_remove(dropped);
            assert_eq!(config(&one).family(), config(&json).family(), "without {dropped}");
        }
    }
}

#[test]
fn a_folder_of_other_things_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("thesis");
    fs::create_dir_all(target.join("chapters")).unwrap();
    let params = params(&llama(), StorageType::F32, 8);
    let error = save(&target, &params, &llama(), &[], &SaveOptions::default()).unwrap_err().to_string();
    assert!(error.contains("chapters") && error.contains("hint:"), "{error}");
    assert_eq!(entries(&target), ["chapters"]);
    assert_eq!(entries(home.path()), ["thesis"]);
}

#[test]
fn side_files_stay_in_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let params = params(&llama(), StorageType::F32, 8);
    for name in ["../x", "a/b", "", "..", "config.json", "model.safetensors", "C:x"] {
        let files = [SideFile { name: name.to_owned(), bytes: Vec::new() }];
        let error = save(&home.path().join("m"), &params, &llama(), &files, &SaveOptions::default()).unwrap_err();
        assert!(error.to_string().contains("no plain name"), "{name}: {error}");
    }
    assert!(entries(home.path()).is_empty());
}

#[test]
fn leftovers_of_an_interrupted_save_are_removed() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".model.partial-abc")).unwrap();
    fs::create_dir(home.path().join(".other.partial-abc")).unwrap();
    let target = home.path().join("model");
    save(&target, &params(&llama(), StorageType::F32, 8), &llama(), &[], &SaveOptions::default()).unwrap();
    assert_eq!(entries(home.path()), [".other.partial-abc", "model"]);
}

/// A limit on file sizes stands for a full disk: both end a write early. The limit holds for a whole process, so the
/// test runs itself again in a shell that sets one.
#[cfg(unix)]
#[test]
fn a_failed_save_leaves_the_old_model() {
    const INSIDE: &str = "POLDER_TEST_SAVE_WITHOUT_ROOM";
    if let Some(home) = std::env::var_os(INSIDE) {
        let big = params(&llama(), StorageType::F32, 10);
        let error = save(&Path::new(&home).join("model"), &big, &llama(), &[], &SaveOptions::default()).unwrap_err();
        println!("inside: {error}");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("model");
    let old = params(&llama(), StorageType::F32, 9);
    save(&target, &old, &llama(), &[], &SaveOptions::default()).unwrap();
    // 16 blocks of 512 bytes; the model takes about 40 kB. Without the trap the signal would end the process.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" --exact save::a_failed_save_leaves_the_old_model --nocapture";
    let out = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}\n{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("inside: can't write") && said.contains("model.safetensors"), "{said}");
    assert!(said.contains("needs") && said.contains("hint: free space"), "{said}");
    assert_eq!(entries(home.path()), ["model"], "a temporary folder was left");
    assert_same(&old, &load_f32(&target).unwrap().params);
}

#[test]
fn an_unwritable_place_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "x").unwrap();
    let params = params(&llama(), StorageType::F32, 8);
    let target = home.path().join("file/model");
    let error = save(&target, &params, &llama(), &[], &SaveOptions::default()).unwrap_err().to_string();
    assert!(error.contains("file"), "{error}");
    assert!(refusal(&home.path().join("file")).contains("neither a folder nor a .gguf file"));
}
