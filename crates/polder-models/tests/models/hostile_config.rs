//! Configurations that are wrong, absurd or damaged: a clear error, never a panic.

use polder_models::{ModelConfig, expected_tensors};
use serde_json::{Value, json};

use crate::fixture::{config_text, variants};

/// The error of a variant's configuration with one key set.
fn error_with(variant: &str, key: &str, value: Value) -> String {
    let mut json: serde_json::Map<String, Value> = serde_json::from_str(&config_text(variant)).unwrap();
    json.insert(key.to_owned(), value);
    match ModelConfig::from_json(json) {
        Ok(_) => panic!("`{variant}` with another `{key}` is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_unknown_or_absurd_is_refused_by_name() {
    let dynamic = json!({"rope_type": "dynamic", "factor": 2.0});
    let nested = json!({"full_attention": {"rope_type": "default"}});
    let llama3 = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0});
    let partial = json!({"rope_type": "default", "partial_rotary_factor": 0.5});
    let cases = [
        ("llama", "model_type", json!("gemma2"), "unknown model type `gemma2`"),
        ("llama", "model_type", json!(7), "unknown model type `7`"),
        ("llama", "rope_scaling", dynamic, "unknown rope type `dynamic`"),
        ("llama", "rope_scaling", json!({"type": "longrope"}), "unknown rope type `longrope`"),
        ("llama", "rope_scaling", json!({"type": "linear"}), "no `rope_scaling.factor`"),
        ("llama", "rope_scaling", json!("linear"), "`rope_scaling`"),
        ("llama", "rope_scaling", llama3, "`rope_scaling.high_freq_factor`"),
        ("llama", "rope_scaling", nested, "`rope_scaling.full_attention`"),
        ("llama", "rope_scaling", partial, "`rope_scaling.partial_rotary_factor`"),
        ("llama3-rope", "rope_scaling", json!({"type": "linear", "factor": 2.0}), "`rope_scaling`"),
        ("llama", "rope_theta", json!(-1.0), "`rope_theta`"),
        ("llama", "rope_theta", json!(1.0), "`rope_theta`"),
        ("llama", "hidden_size", json!(0), "`hidden_size`"),
        ("llama", "hidden_size", json!(null), "no `hidden_size`"),
        ("llama", "hidden_size", json!(24.5), "`hidden_size`"),
        ("llama", "hidden_size", json!(u64::MAX), "`hidden_size`"),
        ("llama", "vocab_size", json!("61"), "`vocab_size`"),
        ("llama", "num_hidden_layers", json!(1_000_000), "`num_hidden_layers`"),
        ("llama", "head_dim", json!(7), "`head_dim`"),
        ("llama", "num_key_value_heads", json!(2), "`num_key_value_heads`"),
        ("llama", "num_key_value_heads", json!(0), "`num_key_value_heads`"),
        ("llama", "rms_norm_eps", json!(-1e-6), "`rms_norm_eps`"),
        ("llama", "hidden_act", json!("swiglu"), "`hidden_act`"),
        ("llama", "tie_word_embeddings", json!("yes"), "`tie_word_embeddings`"),
        ("llama", "layer_types", json!(["full_attention", "sliding_attention"]), "`layer_types`"),
        ("opt", "num_attention_heads", json!(5), "`num_attention_heads`"),
        ("opt", "activation_function", json!("tanh"), "`activation_function`"),
        ("opt", "word_embed_proj_dim", json!(0), "`word_embed_proj_dim`"),
        ("mistral-window", "sliding_window", json!(0), "`sliding_window`"),
        ("qwen2-window", "layer_types", json!(["full_attention"]), "`layer_types`"),
        ("qwen2", "layer_types", json!(["full_attention", "linear_attention"]), "`layer_types`"),
        ("qwen2", "layer_types", json!(["full_attention", "sliding_attention"]), "`layer_types`"),
    ];
    for (variant, key, value, expected) in cases {
        let error = error_with(variant, key, value.clone());
        assert!(error.contains(expected), "{variant}, {key} = {value}: `{error}` lacks `{expected}`");
    }
}

#[test]
fn sizes_that_overflow_together_are_refused() {
    let mut json: serde_json::Map<String, Value> = serde_json::from_str(&config_text("llama")).unwrap();
    for key in ["hidden_size", "vocab_size", "intermediate_size"] {
        json.insert(key.to_owned(), json!(3 << 24));
    }
    let error = ModelConfig::from_json(json).err().map(|e| e.to_string()).unwrap();
    assert!(error.contains("weights"), "{error}");
}

#[test]
fn an_unknown_type_is_told_what_is_known() {
    let error = error_with("llama", "model_type", json!("smollm3"));
    for entry in polder_models::MODEL_TYPES {
        assert!(error.contains(entry.model_type), "`{error}` lacks `{}`", entry.model_type);
    }
}

/// A small generator (splitmix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

const SPLICES: [&str; 14] = [
    "0",
    "-1",
    "1e999",
    "1e-300",
    "null",
    "true",
    "\"\"",
    "[]",
    "{}",
    "18446744073709551615",
    "67108864",
    "\u{0}",
    "NaN",
    "7",
];

/// The text with a few bytes changed, cut out or put in.
fn mutated(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.below(256) as u8,
            1 => drop(bytes.drain(at..(at + 1 + random.below(20)).min(bytes.len()))),
            2 => bytes.truncate(at.max(1)),
            3 => drop(bytes.splice(at..at, SPLICES[random.below(SPLICES.len())].bytes())),
            // A value by another one: from a colon to the end of its line.
            _ => {
                let colon = bytes[at..].iter().position(|b| *b == b':').map_or(at, |i| at + i + 1);
                let end = bytes[colon..].iter().position(|b| *b == b',').map_or(colon, |i| colon + i);
                drop(bytes.splice(colon..end, SPLICES[random.below(SPLICES.len())].bytes()));
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn mutated_configurations_never_panic() {
    let mut random = Random(1);
    let (mut taken, mut refused) = (0, 0);
    for name in variants() {
        let text = config_text(&name);
        for _ in 0..500 {
            let mutant = mutated(&text, &mut random);
            match ModelConfig::parse(&mutant) {
                Ok(config) => {
                    taken += 1;
                    assert!(expected_tensors(&config).iter().all(|(_, shape)| shape.iter().all(|d| *d > 0)));
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 1000, "an error that repeats its input: {error}");
                }
            }
        }
    }
    println!("{taken} mutants taken, {refused} refused");
    assert!(taken > 100 && refused > 1000, "mutations that all fail, or none, prove little: {taken}, {refused}");
}
