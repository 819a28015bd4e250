//! GGUF files that a converter would write: the same model comes out.

use polder_models::{Format, SaveOptions, StorageType, save};
use serde_json::{Value, json};

use crate::gguf_writer::{Kv, export};
use crate::tiny::{assert_same, config, llama, load_f32, params, refusal, tensors};

fn of(model_type: &str, extra: Value) -> Value {
    let mut json = llama();
    json["model_type"] = json!(model_type);
    for (key, value) in extra.as_object().unwrap() {
        json[key] = value.clone();
    }
    json
}

/// Exports, loads, compares weights and configuration, saves as a folder and loads that.
fn check(arch: &str, json: &Value) {
    let expected = params(json, StorageType::F32, 11);
    let (home, path) = export(arch, json, &tensors(&expected)).file();
    let loaded = load_f32(&path).unwrap();
    assert_eq!(loaded.config.family(), config(json).family(), "{arch}: the configuration differs");
    assert_eq!(loaded.config.model_type(), json["model_type"]);
    assert_same(&expected, &loaded.params);
    assert_eq!(loaded.source.format, Format::Gguf);
    assert_eq!(loaded.source.stored["F32"], expected.elements());
    let target = home.path().join("folder");
    save(&target, &loaded.params, &loaded.config_json, &loaded.files, &SaveOptions::default()).unwrap();
    let again = load_f32(&target).unwrap();
    assert_same(&expected, &again.params);
    assert_eq!(again.config.family(), config(json).family());
    let ids =
        |t: &polder_models::Loaded| t.tokenizer.as_ref().unwrap().encode("abba<s>", true).unwrap().get_ids().to_vec();
    assert_eq!(ids(&loaded), [3, 2, 1, 0]);
    assert_eq!(ids(&again), ids(&loaded));
}

#[test]
fn each_architecture_comes_out_as_it_went_in() {
    check("llama", &llama());
    check("llama", &of("llama", json!({ "tie_word_embeddings": false, "attention_bias": true, "mlp_bias": true })));
    check("qwen2", &of("qwen2", json!({ "tie_word_embeddings": false, "use_sliding_window": false })));
    check("qwen3", &of("qwen3", json!({ "use_sliding_window": false })));
}

#[test]
fn rope_scalings() {
    let scaling = json!({ "rope_type": "linear", "factor": 4.0 });
    let linear = of("llama", json!({ "rope_scaling": scaling }));
    let mut writer = export("llama", &linear, &tensors(&params(&linear, StorageType::F32, 1)));
    writer.set("llama.rope.scaling.type", Kv::Text("linear".to_owned()));
    writer.set("llama.rope.scaling.factor", Kv::F32(4.0));
    assert_eq!(load_f32(&writer.file().1).unwrap().config.family(), config(&linear).family());

    writer.set("llama.rope.scaling.type", Kv::Text("longrope".to_owned()));
    assert!(refusal(&writer.file().1).contains("`longrope`"));

    // LLaMA 3: a tensor of factors, one a frequency, in f32 as the converter makes them.
    let scaling = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                          "original_max_position_embeddings": 8192 });
    let llama3 = of("llama", json!({ "rope_scaling": scaling, "head_dim": 64, "rope_theta": 500000.0 }));
    let factors: Vec<f32> = (0..32)
        .map(|i| {
            let inverse = 500_000f32.powf(2.0 * i as f32 / 64.0);
            let wavelength = 2.0 * std::f32::consts::PI * inverse;
            let smooth = (8192.0 / wavelength - 1.0) / 3.0;
            if wavelength < 8192.0 / 4.0 {
                1.0
            } else if wavelength > 8192.0 {
                8.0
            } else {
                1.0 / ((1.0 - smooth) / 8.0 + smooth)
            }
        })
        .collect();
    let mut writer = export("llama", &llama3, &tensors(&params(&llama3, StorageType::F32, 1)));
    let plain = writer.clone();
    let freqs = |factors: &[f32]| candle_core::Tensor::new(factors, &candle_core::Device::Cpu).unwrap();
    writer.tensor("rope_freqs.weight", &freqs(&factors));
    assert_eq!(load_f32(&writer.file().1).unwrap().config.family(), config(&llama3).family());
    let mut other = factors;
    other[20] *= 1.01;
    let mut writer = plain;
    writer.tensor("rope_freqs.weight", &freqs(&other));
    assert!(refusal(&writer.file().1).contains("other than LLaMA 3's"));
}
