//! The tiny models of `tests/golden`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use polder_models::{LanguageModel, ModelConfig, Tokens, build, expected_tensors};
use polder_perturb::{CpuReader, ParamSet, PlainReader, Points, Reader};

/// A tiny model with the logits that transformers computes.
pub(crate) struct Golden {
    pub(crate) config: ModelConfig,
    pub(crate) params: ParamSet,
    pub(crate) model: Box<dyn LanguageModel>,
    pub(crate) ids: Vec<Vec<u32>>,
    pub(crate) positions: Vec<u32>,
    /// `[sequences, length, vocabulary]`, f32.
    pub(crate) logits: Tensor,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The names of all variants.
pub(crate) fn variants() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap());
    let folders = entries.filter(|e| e.path().is_dir());
    let mut names: Vec<String> = folders.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 20, "golden folders are missing: {names:?}");
    names
}

/// The text of a variant's config.json.
pub(crate) fn config_text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name).join("config.json")).unwrap()
}

/// The weights of a variant, by name.
pub(crate) fn weights(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(folder().join(name).join("model.safetensors"), &Device::Cpu).unwrap()
}

/// The tensors that a configuration expects, each changed by `f`, as a parameter set.
pub(crate) fn params(
    config: &ModelConfig,
    weights: &HashMap<String, Tensor>,
    f: impl Fn(&Tensor) -> Tensor,
) -> ParamSet {
    let mut params = ParamSet::new();
    let expected = expected_tensors(config);
    assert_eq!(expected.len(), weights.len(), "the checkpoint has other tensors than the configuration expects");
    for (name, shape) in expected {
        assert_eq!(weights[&name].dims(), shape, "{name}");
        params.insert(&name, f(&weights[&name])).unwrap();
    }
    params
}

/// A variant with its weights as stored (f32).
pub(crate) fn golden(name: &str) -> Golden {
    let config = ModelConfig::parse(&config_text(name)).unwrap();
    let params = params(&config, &weights(name), Tensor::clone);
    let model = build(&config, &params).unwrap();
    let file = folder().join(name).join("golden.safetensors");
    let golden = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let whole = |key: &str| golden[key].to_dtype(DType::U32).unwrap().to_vec2::<u32>().unwrap();
    Golden {
        config,
        params,
        model,
        ids: whole("input_ids"),
        positions: whole("positions")[0].clone(),
        logits: golden["logits"].clone(),
    }
}

/// The reader of that name.
pub(crate) fn reader<'a>(name: &str, params: &'a ParamSet, points: &'a Points) -> Box<dyn Reader + 'a> {
    match name {
        "plain f32" => Box::new(PlainReader::new(params, points, DType::F32)),
        "plain f64" => Box::new(PlainReader::new(params, points, DType::F64)),
        "cpu" => Box::new(CpuReader::new(params, points)),
        other => panic!("no reader `{other}`"),
    }
}

/// Log-probabilities of the wanted pairs, in f64.
pub(crate) fn log_probs(model: &dyn LanguageModel, at: &dyn Reader, input: &Tokens) -> Vec<f64> {
    model.log_probs(at, input).unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// The largest absolute difference.
pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|x| x.is_finite()), "a result is not finite");
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
