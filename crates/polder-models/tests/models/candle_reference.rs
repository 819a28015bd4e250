//! candle-transformers as a second reference, where it has the model: logits of the last position.
//!
//! Not compared: sliding windows, since candle's mask lets a query see one key more than transformers' does.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, mistral, qwen2, qwen3};
use polder_models::{Family, Tokens};
use polder_perturb::Points;
use serde_json::{Value, json};

use crate::fixture::{Golden, golden, largest_difference, log_probs, reader, weights};

/// The keys of candle's configurations, from ours.
fn candle_config(golden: &Golden) -> Value {
    let Family::Llama(c) = golden.config.family() else { panic!("not a LLaMA") };
    let rope_scaling = golden.config.json().get("rope_parameters").filter(|r| r["rope_type"] == "llama3");
    json!({
        "vocab_size": c.vocab, "hidden_size": c.hidden, "intermediate_size": c.ffn, "num_hidden_layers": c.layers,
        "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads, "head_dim": c.head_dim,
        "max_position_embeddings": c.positions, "rms_norm_eps": c.eps, "rope_theta": c.rope.theta,
        "tie_word_embeddings": c.tied, "attention_bias": c.out_bias, "hidden_act": "silu",
        "sliding_window": if golden.config.model_type() == "qwen2" { json!(4096) } else { Value::Null },
        "max_window_layers": c.layers, "use_sliding_window": false, "rope_scaling": rope_scaling,
    })
}

/// The last position's logits, from candle.
fn candle_logits(name: &str, golden: &Golden, ids: &[u32]) -> Tensor {
    let device = Device::Cpu;
    let weights = VarBuilder::from_tensors(weights(name), DType::F32, &device);
    let input = Tensor::new(ids, &device).unwrap().unsqueeze(0).unwrap();
    let config = candle_config(golden);
    let logits = match golden.config.model_type() {
        "llama" => {
            let config: llama::LlamaConfig = serde_json::from_value(config).unwrap();
            let config = config.into_config(false);
            let mut cache = llama::Cache::new(false, DType::F32, &config, &device).unwrap();
            llama::Llama::load(weights, &config).unwrap().forward(&input, 0, &mut cache).unwrap()
        }
        "mistral" => {
            let config = serde_json::from_value(config).unwrap();
            mistral::Model::new(&config, weights).unwrap().forward(&input, 0).unwrap()
        }
        "qwen2" => {
            let config = serde_json::from_value(config).unwrap();
            qwen2::ModelForCausalLM::new(&config, weights).unwrap().forward(&input, 0).unwrap()
        }
        "qwen3" => {
            let config = serde_json::from_value(config).unwrap();
            qwen3::ModelForCausalLM::new(&config, weights).unwrap().forward(&input, 0).unwrap()
        }
        other => panic!("candle has no `{other}`"),
    };
    logits.flatten_all().unwrap().to_dtype(DType::F64).unwrap()
}

#[test]
fn candle_transformers_agrees() {
    for name in ["llama", "llama-gqa-tied", "llama3-rope", "mistral-no-window", "qwen2", "qwen3"] {
        let golden = golden(name);
        let ids = &golden.ids[0];
        let logits = candle_logits(name, &golden, ids);
        let expected: Vec<f64> = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap().to_vec1().unwrap();
        let largest: f64 = logits.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        let mut input = Tokens::new();
        let rows = input.push(ids);
        (0..golden.model.vocab_size() as u32).for_each(|token| input.want(rows.len - 1, token));
        let points = Points::plain();
        let at = reader("plain f32", &golden.params, &points);
        let found = log_probs(golden.model.as_ref(), at.as_ref(), &input);
        let error = largest_difference(&found, &expected) / largest;
        println!("{name:20} {error:.1e}");
        // As for the golden logits: some roundings of f32.
        assert!(error < 1e-5, "`{name}` disagrees with candle-transformers by {error:.2e} of the largest logit");
    }
}
