//! Shapes of models, without their weights.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use polder_models::{LanguageModel, ModelConfig, StorageType, build, expected_tensors};
use polder_perturb::direction::fill;
use polder_perturb::{Law, ParamKey, ParamSet, Seed, carried};

use crate::error::Result;

/// The sizes of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What it is called here.
    pub name: &'static str,
    /// Whether it is an OPT; otherwise a LLaMA.
    opt: bool,
    layers: usize,
    hidden: usize,
    ffn: usize,
    heads: usize,
    kv_heads: usize,
    vocabulary: usize,
    tied: bool,
}

/// The shapes that there are names for, in order of size: `tiny` and `30m` are nobody's; `135m` and `360m` are SmolLM2's,
/// `1.1b` is TinyLlama's, the others are those of the models that they are named after.
pub const SHAPES: &[Shape] = &[
    llama("tiny", [2, 64, 192, 4, 2], 512, true),
    llama("30m", [10, 384, 1024, 6, 2], 32_768, true),
    opt("opt-125m", [12, 768, 3072, 12]),
    llama("135m", [30, 576, 1536, 9, 3], 49_152, true),
    llama("360m", [32, 960, 2560, 15, 5], 49_152, true),
    llama("1.1b", [22, 2048, 5632, 32, 4], 32_000, false),
    opt("opt-1.3b", [24, 2048, 8192, 32]),
    llama("llama-7b", [32, 4096, 11_008, 32, 32], 32_000, false),
    opt("opt-13b", [40, 5120, 20_480, 40]),
];

const fn llama(name: &'static str, sizes: [usize; 5], vocabulary: usize, tied: bool) -> Shape {
    let [layers, hidden, ffn, heads, kv_heads] = sizes;
    Shape { name, opt: false, layers, hidden, ffn, heads, kv_heads, vocabulary, tied }
}

const fn opt(name: &'static str, sizes: [usize; 4]) -> Shape {
    let [layers, hidden, ffn, heads] = sizes;
    Shape { name, opt: true, layers, hidden, ffn, heads, kv_heads: heads, vocabulary: 50_272, tied: true }
}

impl Shape {
    /// The shape of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SHAPES.iter().find(|shape| shape.name == name)
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The model's configuration.
    ///
    /// # Errors
    /// None for a shape of the table.
    pub fn config(&self) -> Result<ModelConfig> {
        let json = match self.opt {
            true => serde_json::json!({
                "model_type": "opt", "num_hidden_layers": self.layers, "hidden_size": self.hidden,
                "ffn_dim": self.ffn, "num_attention_heads": self.heads, "vocab_size": self.vocabulary,
                "max_position_embeddings": 2048, "word_embed_proj_dim": self.hidden,
            }),
            false => serde_json::json!({
                "model_type": "llama", "num_hidden_layers": self.layers, "hidden_size": self.hidden,
                "intermediate_size": self.ffn, "num_attention_heads": self.heads,
                "num_key_value_heads": self.kv_heads, "vocab_size": self.vocabulary,
                "max_position_embeddings": 2048, "tie_word_embeddings": self.tied, "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0, "hidden_act": "silu",
            }),
        };
        Ok(ModelConfig::parse(&json.to_string())?)
    }

    /// How many parameters.
    ///
    /// # Errors
    /// As [`Shape::config`].
    pub fn parameters(&self) -> Result<usize> {
        Ok(expected_tensors(&self.config()?).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum())
    }

    /// The model with random weights: normal with standard deviation 0.02, norms at 1, biases at 0.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn random(&self, storage: StorageType) -> Result<(Box<dyn LanguageModel>, ParamSet)> {
        let config = self.config()?;
        let mut params = ParamSet::new();
        for (name, shape) in expected_tensors(&config) {
            let mut values = vec![0f32; shape.iter().product()];
            if shape.len() > 1 {
                fill(Law::Gaussian, Seed(1), ParamKey::of(&name), 0, &mut values);
                values.iter_mut().for_each(|x| *x *= 0.02);
            } else if name.ends_with("weight") {
                values.fill(1.0);
            }
            insert(&mut params, &name, values, &shape, storage)?;
        }
        Ok((build(&config, &params)?, params))
    }
}

fn insert(
    params: &mut ParamSet,
    name: &str,
    values: Vec<f32>,
    shape: &[usize],
    storage: StorageType,
) -> polder_perturb::Result<()> {
    let dtype = match storage {
        StorageType::F32 => DType::F32,
        StorageType::Bf16 => DType::BF16,
        StorageType::F16 => DType::F16,
        StorageType::Bf16Plus8 => {
            let (high, low): (Vec<u16>, Vec<u8>) = values.into_iter().map(carried::nearest).unzip();
            let high: Vec<bf16> = high.into_iter().map(bf16::from_bits).collect();
            let high = Tensor::from_vec(high, shape, &Device::Cpu)?;
            return params.insert_carried(name, high, Tensor::from_vec(low, shape, &Device::Cpu)?).map(|_| ());
        }
    };
    params.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_the_parameters_of_its_name() {
        let millions = |name: &str| Shape::named(name).unwrap().parameters().unwrap() as f64 / 1e6;
        // Published sizes; that of SmolLM2-135M is exact.
        assert_eq!(Shape::named("135m").unwrap().parameters().unwrap(), 134_515_008);
        for (name, published) in
            [("30m", 30.0), ("opt-125m", 125.0), ("360m", 362.0), ("1.1b", 1100.0), ("opt-1.3b", 1316.0)]
        {
            assert!((millions(name) / published - 1.0).abs() < 0.06, "{name}: {}", millions(name));
        }
        assert!(
            (millions("llama-7b") / 6738.0 - 1.0).abs() < 0.01 && (millions("opt-13b") / 12_850.0 - 1.0).abs() < 0.01
        );
        let sizes: Vec<usize> = SHAPES.iter().map(|s| s.parameters().unwrap()).collect();
        assert!(sizes.is_sorted());
    }
}
