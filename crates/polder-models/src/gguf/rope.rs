//! The rotary embedding's settings in a GGUF file.

use serde_json::{Map, Value as Json, json};

use crate::error::Result;
use crate::gguf::config::Model;

/// llama.cpp's base where the metadata names none.
const THETA: f64 = 10_000.0;
/// The constants of every published LLaMA with stretched frequencies: low and high factor, original context.
const LLAMA3: (f64, f64, f64) = (1.0, 4.0, 8192.0);
/// Factors are stored as f32, made from frequencies in f32: a few roundings.
const CLOSE: f64 = 1e-5;

/// `rope_theta`, `rope_scaling` and `rope_parameters`.
///
/// # Errors
/// A scaling that is not known; factors that no known scaling gives; a partial rotation.
pub(crate) fn settings(model: &Model<'_>) -> Result<Map<String, Json>> {
    let metadata = model.metadata;
    let theta = metadata.float(&model.key("rope.freq_base"))?.unwrap_or(THETA);
    let turned = metadata.uint(&model.key("rope.dimension_count"))?.unwrap_or(model.head_dim);
    if turned != model.head_dim {
        let what = format!("a rotary embedding over {turned} of {} elements of a head", model.head_dim);
        return Err(metadata.unsupported(what, "use another model"));
    }
    let scaling = match stretch(model, theta)? {
        Some(factor) => {
            let (low, high, original) = LLAMA3;
            Some(json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": original as u64,
            }))
        }
        None => named(model)?,
    };
    let mut parameters = match &scaling {
        Some(Json::Object(scaling)) => scaling.clone(),
        _ => Map::from_iter([("rope_type".to_owned(), json!("default"))]),
    };
    parameters.insert("rope_theta".to_owned(), json!(theta));
    // Where both styles name a scaling they must be the same object.
    let scaling = scaling.map_or(Json::Null, |_| Json::Object(parameters.clone()));
    Ok(Map::from_iter([
        ("rope_theta".to_owned(), json!(theta)),
        ("rope_scaling".to_owned(), scaling),
        ("rope_parameters".to_owned(), Json::Object(parameters)),
    ]))
}

/// The scaling that the metadata names.
fn named(model: &Model<'_>) -> Result<Option<Json>> {
    let metadata = model.metadata;
    let old = metadata.float(&model.key("rope.scale_linear"))?;
    let factor = metadata.float(&model.key("rope.scaling.factor"))?.or(old);
    let kind = metadata.text(&model.key("rope.scaling.type"))?;
    let original = metadata.uint(&model.key("rope.scaling.original_context_length"))?;
    if metadata.float(&model.key("rope.scaling.attn_factor"))?.is_some_and(|f| f != 1.0) {
        return Err(metadata.unsupported("`rope.scaling.attn_factor`", "use the model's Hugging Face folder"));
    }
    match (kind, factor) {
        (Some("none"), _) | (None, None) => Ok(None),
        (None | Some("linear"), Some(factor)) if factor == 1.0 || factor == 0.0 => Ok(None),
        (None | Some("linear"), Some(factor)) => Ok(Some(json!({ "rope_type": "linear", "factor": factor }))),
        (Some("yarn"), Some(factor)) => {
            let original = original.ok_or_else(|| metadata.wrong("yarn without its original context length"))?;
            Ok(Some(json!({
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": original,
            })))
        }
        (Some(kind), Some(_)) => {
            Err(metadata.unsupported(format!("the rope scaling `{kind}`"), "none, linear, yarn and llama3 are"))
        }
        (Some(kind), None) => Err(metadata.wrong(format!("the rope scaling `{kind}` has no factor"))),
    }
}

/// The factor of the llama3 scaling whose per-frequency factors are in `rope_freqs.weight`.
fn stretch(model: &Model<'_>, theta: f64) -> Result<Option<f64>> {
    let Some(extent) = &model.rope_freqs else {
        return Ok(None);
    };
    if extent.shape != [(model.head_dim / 2) as usize] {
        return Err(model.metadata.wrong(format!("`rope_freqs.weight` has shape {:?}", extent.shape)));
    }
    let factors = extent.read_f32()?;
    if factors.iter().all(|&f| f == 1.0) {
        return Ok(None);
    }
    let factor = factors.iter().fold(1.0, |most: f64, &f| most.max(f.into()));
    let agrees = factors.iter().enumerate().all(|(i, &found)| {
        let expected = llama3(factor, theta.powf(2.0 * i as f64 / model.head_dim as f64));
        (f64::from(found) - expected).abs() <= CLOSE * expected
    });
    if agrees {
        Ok(Some(factor))
    } else {
        let what = "`rope_freqs.weight` with factors other than LLaMA 3's";
        Err(model.metadata.unsupported(what, "use the model's Hugging Face folder"))
    }
}

/// By how much the frequency `1/inverse` is divided (LLaMA 3.1, arXiv 2407.21783).
fn llama3(factor: f64, inverse: f64) -> f64 {
    let (low, high, original) = LLAMA3;
    let turns = original / (2.0 * std::f64::consts::PI * inverse);
    if turns > high {
        1.0
    } else if turns < low {
        factor
    } else {
        let smooth = (turns - low) / (high - low);
        1.0 / ((1.0 - smooth) / factor + smooth)
    }
}
