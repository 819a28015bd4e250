//! The config.json of a saved model.

use candle_core::DType;
use serde_json::{Map, Value, json};

/// The name of the file.
pub(super) const NAME: &str = "config.json";
/// The base of the rotary embedding where a configuration names none, in transformers as here.
const THETA: f64 = 10_000.0;

/// The configuration with the storage type, the class with a head, and rope settings that transformers reads the same
/// before and after version 5.
pub(super) fn for_saving(config: &Value, dtype: DType) -> Value {
    let mut config = config.as_object().cloned().unwrap_or_default();
    let dtype = match dtype {
        DType::BF16 => "bfloat16",
        DType::F16 => "float16",
        DType::F64 => "float64",
        _ => "float32",
    };
    config.insert("torch_dtype".to_owned(), json!(dtype));
    config.insert("dtype".to_owned(), json!(dtype));
    config.shift_remove("_name_or_path");
    let kind = config.get("model_type").and_then(Value::as_str).map(str::to_owned);
    if let Some(class) = kind.as_deref().and_then(class) {
        config.insert("architectures".to_owned(), json!([class]));
    }
    if kind.as_deref() != Some("opt") {
        rope(&mut config);
    }
    Value::Object(config)
}

/// transformers' class of a model type, with a head.
fn class(model_type: &str) -> Option<&'static str> {
    Some(match model_type {
        "opt" => "OPTForCausalLM",
        "llama" => "LlamaForCausalLM",
        "mistral" => "MistralForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        _ => return None,
    })
}

/// Both styles: `rope_parameters` with everything in it, and `rope_theta` with `rope_scaling`.
fn rope(config: &mut Map<String, Value>) {
    let given = ["rope_parameters", "rope_scaling"].into_iter().find_map(|key| config.get(key)?.as_object().cloned());
    let mut parameters = given.unwrap_or_default();
    let kind = parameters.get("rope_type").or_else(|| parameters.get("type")).cloned().unwrap_or(json!("default"));
    let theta = parameters.get("rope_theta").or_else(|| config.get("rope_theta")).filter(|t| !t.is_null());
    let theta = theta.cloned().unwrap_or(json!(THETA));
    parameters.insert("rope_type".to_owned(), kind.clone());
    parameters.insert("rope_theta".to_owned(), theta.clone());
    let scaling = if kind == "default" { Value::Null } else { Value::Object(parameters.clone()) };
    config.insert("rope_theta".to_owned(), theta);
    config.insert("rope_scaling".to_owned(), scaling);
    config.insert("rope_parameters".to_owned(), Value::Object(parameters));
}
