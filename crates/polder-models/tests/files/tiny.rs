//! Tiny random models, and comparing them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use half::bf16;
use polder_models::{Loaded, ModelConfig, StorageType, expected_tensors, load, tied_aliases};
use polder_perturb::{ParamSet, carried};
use serde_json::{Value, json};

/// A deterministic source of numbers.
pub(crate) struct Source(pub(crate) u64);

impl Source {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n.max(1)
    }

    fn weights(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.next() as f32 / (1u64 << 30) as f32 - 1.0) * 0.3).collect()
    }
}

pub(crate) fn llama() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 37, "hidden_size": 24,
        "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 6, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 50000.0,
        "tie_word_embeddings": true, "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2,
    })
}

pub(crate) fn opt() -> Value {
    json!({
        "architectures": ["OPTForCausalLM"], "model_type": "opt", "vocab_size": 41, "hidden_size": 16, "ffn_dim": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 48, "word_embed_proj_dim": 16,
        "do_layer_norm_before": true, "activation_function": "relu", "bos_token_id": 2, "eos_token_id": 2,
        "pad_token_id": 1,
    })
}

/// The checked form of a configuration.
pub(crate) fn config(json: &Value) -> ModelConfig {
    ModelConfig::from_json(json.as_object().unwrap().clone()).unwrap()
}

/// Random parameters of a configuration, in a storage type.
pub(crate) fn params(json: &Value, storage: StorageType, seed: u64) -> ParamSet {
    let config = config(json);
    let mut source = Source(seed);
    let mut params = ParamSet::new();
    for (name, shape) in expected_tensors(&config) {
        insert(&mut params, &name, source.weights(shape.iter().product()), &shape, storage);
    }
    for (alias, name) in tied_aliases(&config) {
        params.tie(&alias, &name).unwrap();
    }
    params
}

/// Adds a parameter, its weights rounded to a storage type.
pub(crate) fn insert(params: &mut ParamSet, name: &str, weights: Vec<f32>, shape: &[usize], storage: StorageType) {
    if storage == StorageType::Bf16Plus8 {
        let (high, low): (Vec<u16>, Vec<u8>) = weights.into_iter().map(carried::nearest).unzip();
        let high = Tensor::from_vec(high.into_iter().map(bf16::from_bits).collect(), shape, &Device::Cpu).unwrap();
        params.insert_carried(name, high, Tensor::from_vec(low, shape, &Device::Cpu).unwrap()).unwrap();
    } else {
        let tensor = Tensor::from_vec(weights, shape, &Device::Cpu).unwrap();
        params.insert(name, tensor.to_dtype(storage.file_dtype()).unwrap()).unwrap();
    }
}

/// The tensors of a set, by name.
pub(crate) fn tensors(params: &ParamSet) -> HashMap<String, Tensor> {
    params.iter().map(|p| (p.name.clone(), p.joined().unwrap())).collect()
}

/// A folder with the configuration and the given tensors, written by the safetensors crate and not by ours.
pub(crate) fn folder(json: &Value, tensors: &HashMap<String, Tensor>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), json.to_string()).unwrap();
    candle_core::safetensors::save(tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

pub(crate) fn load_f32(path: &Path) -> polder_models::Result<Loaded> {
    load(path, StorageType::F32, &Device::Cpu)
}

/// The bytes of a tensor's weights.
pub(crate) fn bits(tensor: &Tensor) -> Vec<u8> {
    let name = "x";
    let views = HashMap::from([(name, tensor.clone())]);
    let bytes = safetensors::serialize(views, None).unwrap();
    safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor(name).unwrap().data().to_vec()
}

/// Asserts that two sets have the same names in the same order and the same bits.
pub(crate) fn assert_same(a: &ParamSet, b: &ParamSet) {
    let names = |set: &ParamSet| set.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(a), names(b));
    for (a, b) in a.iter().zip(b.iter()) {
        assert_eq!(a.storage(), b.storage(), "{}", a.name);
        assert_eq!(a.tensor.dims(), b.tensor.dims(), "{}", a.name);
        assert!(bits(&a.tensor) == bits(&b.tensor), "`{}` differs", a.name);
        assert!(
            a.carried.as_ref().map(bits) == b.carried.as_ref().map(bits),
            "`{}` differs in what it carries",
            a.name
        );
    }
}

/// The message of a failure to load; an unexpected success is a failure of the test.
pub(crate) fn refusal(path: &Path) -> String {
    match load_f32(path) {
        Ok(_) => panic!("`{}` was loaded", path.display()),
        Err(error) => error.to_string(),
    }
}

/// The folder of real models, if one is named.
pub(crate) fn real_models() -> Option<PathBuf> {
    let folder = std::env::var_os("POLDER_TEST_MODEL").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: POLDER_TEST_MODEL names no folder of models");
    }
    folder
}
