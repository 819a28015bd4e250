//! Shapes of models, without their weights.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use polder_models::{LanguageModel, ModelConfig, StorageType, build, expected_tensors};
use polder_perturb::direction::fill;
use polder_perturb::{Law, ParamKey, ParamSet, Seed, carried};

use crate::device::Place;
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
    embedding: usize,
}

/// The shapes that there are names for, in order of size: `tiny` and `30m` are nobody's; `135m` and `360m` are SmolLM2's,
/// `1.1b` is TinyLlama's, the others are those of the published configurations of the models that they are named after
/// (Zhang et al. 2022, table 1; Touvron et al. 2023, table 2; Touvron et al. 2023 b for `llama-2-70b`).
pub const SHAPES: &[Shape] = &[
    llama("tiny", [2, 64, 192, 4, 2], 512, true),
    llama("30m", [10, 384, 1024, 6, 2], 32_768, true),
    opt("opt-125m", [12, 768, 3072, 12], 768),
    llama("135m", [30, 576, 1536, 9, 3], 49_152, true),
    opt("opt-350m", [24, 1024, 4096, 16], 512),
    llama("360m", [32, 960, 2560, 15, 5], 49_152, true),
    llama("1.1b", [22, 2048, 5632, 32, 4], 32_000, false),
    opt("opt-1.3b", [24, 2048, 8192, 32], 2048),
    opt("opt-2.7b", [32, 2560, 10_240, 32], 2560),
    opt("opt-6.7b", [32, 4096, 16_384, 32], 4096),
    llama("llama-7b", [32, 4096, 11_008, 32, 32], 32_000, false),
    opt("opt-13b", [40, 5120, 20_480, 40], 5120),
    llama("llama-13b", [40, 5120, 13_824, 40, 40], 32_000, false),
    opt("opt-30b", [48, 7168, 28_672, 56], 7168),
    llama("llama-33b", [60, 6656, 17_920, 52, 52], 32_000, false),
    llama("llama-65b", [80, 8192, 22_016, 64, 64], 32_000, false),
    opt("opt-66b", [64, 9216, 36_864, 72], 9216),
    llama("llama-2-70b", [80, 8192, 28_672, 64, 8], 32_000, false),
];

const fn llama(name: &'static str, sizes: [usize; 5], vocabulary: usize, tied: bool) -> Shape {
    let [layers, hidden, ffn, heads, kv_heads] = sizes;
    Shape { name, opt: false, layers, hidden, ffn, heads, kv_heads, vocabulary, tied, embedding: hidden }
}

/// OPTs whose embeddings are narrower than their stream also normalise after the sums instead of before.
const fn opt(name: &'static str, sizes: [usize; 4], embedding: usize) -> Shape {
    let [layers, hidden, ffn, heads] = sizes;
    Shape { name, opt: true, layers, hidden, ffn, heads, kv_heads: heads, vocabulary: 50_272, tied: true, embedding }
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
                "max_position_embeddings": 2048, "word_embed_proj_dim": self.embedding,
                "do_layer_norm_before": self.embedding == self.hidden,
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
        self.random_on(storage, &Device::Cpu)
    }

    /// The same weights for a device, on it or offloaded.
    ///
    /// # Errors
    /// A failing tensor operation; too little memory.
    pub fn random_on(
        &self,
        storage: StorageType,
        place: impl Into<Place>,
    ) -> Result<(Box<dyn LanguageModel>, ParamSet)> {
        let place: Place = place.into();
        let device = &place.lies();
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
            insert(&mut params, &name, (values, &shape), storage, device)?;
        }
        place.settle(&mut params)?;
        Ok((build(&config, &params)?, params))
    }
}

fn insert(
    params: &mut ParamSet,
    name: &str,
    (values, shape): (Vec<f32>, &[usize]),
    storage: StorageType,
    device: &Device,
) -> polder_perturb::Result<()> {
    let dtype = match storage {
        StorageType::F32 => DType::F32,
        StorageType::Bf16 => DType::BF16,
        StorageType::F16 => DType::F16,
        StorageType::Bf16Plus8 => {
            let (high, low): (Vec<u16>, Vec<u8>) = values.into_iter().map(carried::nearest).unzip();
            let high: Vec<bf16> = high.into_iter().map(bf16::from_bits).collect();
            let high = Tensor::from_vec(high, shape, device)?;
            return params.insert_carried(name, high, Tensor::from_vec(low, shape, device)?).map(|_| ());
        }
    };
    // Rounded here, so that every device gets the same bits.
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?;
    params.insert(name, tensor.to_device(device)?).map(|_| ())
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
        for (name, published) in [
            ("opt-350m", 331.2),
            ("opt-2.7b", 2652.0),
            ("opt-6.7b", 6658.0),
            ("llama-7b", 6738.0),
            ("opt-13b", 12_853.0),
            ("llama-13b", 13_016.0),
            ("opt-30b", 29_974.0),
            ("llama-33b", 32_529.0),
            ("llama-65b", 65_286.0),
            ("opt-66b", 65_718.0),
            ("llama-2-70b", 68_977.0),
        ] {
            assert!((millions(name) / published - 1.0).abs() < 0.003, "{name}: {}", millions(name));
        }
        let sizes: Vec<usize> = SHAPES.iter().map(|s| s.parameters().unwrap()).collect();
        assert!(sizes.is_sorted());
    }
}
