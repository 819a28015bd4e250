//! A real model as GGUF, in three programs: ours, candle-transformers' and llama.cpp's.

use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::quantized::gguf_file::Content;
use candle_core::{D, DType, Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use polder_models::{GgufType, Loaded, StorageType, Tokens, build, save_gguf};
use polder_perturb::{CpuReader, Points};
use serde_json::{Value, json};

use crate::export::{folder, wide, with};
use crate::tiny::{assert_same, load_f32, real_models};

const PROMPTS: [&str; 5] = [
    "The capital of France is",
    "<|im_start|>user\nWhat is 12 times 12?<|im_end|>\n<|im_start|>assistant\n",
    "In 1984, 12345 people",
    "def add(a, b):\n    return",
    "A gripping movie, naïve but café-warm; it was",
];

/// The folder's model, where there is one.
fn model() -> Option<Loaded> {
    let folder = real_models()?.join("smollm2-135m");
    if !folder.join("model.safetensors").is_file() {
        println!("skipped: POLDER_TEST_MODEL has no smollm2-135m/model.safetensors");
        return None;
    }
    Some(load_f32(&folder).unwrap())
}

fn ids(model: &Loaded, text: &str) -> Vec<u32> {
    model.tokenizer.as_ref().unwrap().encode(text, true).unwrap().get_ids().to_vec()
}

/// Log-probabilities of every token after a text.
fn next(model: &Loaded, ids: &[u32]) -> Vec<f32> {
    let net = build(&model.config, &model.params).unwrap();
    let mut input = Tokens::new();
    let rows = input.push(ids);
    (0..net.vocab_size() as u32).for_each(|token| input.want(rows.start + rows.len - 1, token));
    let points = Points::plain();
    let at = CpuReader::new(&model.params, &points);
    net.log_probs(&at, &input).unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}

/// The file of a type, in a place of its own.
fn exported(model: &Loaded, to: GgufType) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("m.gguf");
    save_gguf(&path, model, to, "m").unwrap();
    (home, path)
}

/// `Σ p·(log p − log q)`, in nats.
fn divergence(p: &[f32], q: &[f32]) -> f64 {
    p.iter().zip(q).map(|(&p, &q)| f64::from(p).exp() * (f64::from(p) - f64::from(q))).sum()
}

fn best(log_probs: &[f32]) -> usize {
    (0..log_probs.len()).max_by(|&a, &b| log_probs[a].total_cmp(&log_probs[b])).unwrap()
}

#[test]
fn f32_gives_the_same_bits_and_q8_0_nearly_the_same_choices() {
    let Some(model) = model() else { return };
    let (_home, path) = exported(&model, GgufType::F32);
    let whole = load_f32(&path).unwrap();
    assert_same(&model.params, &whole.params);
    let (_home, path) = exported(&model, GgufType::Q8_0);
    let blocks = load_f32(&path).unwrap();
    assert!(blocks.source.stored["Q8_0"] > 134_000_000);
    for prompt in PROMPTS {
        let tokens = ids(&model, prompt);
        assert_eq!(tokens, ids(&whole, prompt));
        let expected = next(&model, &tokens);
        let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert!(bits(&expected) == bits(&next(&whole, &tokens)), "{prompt:?}");
        let found = next(&blocks, &tokens);
        let apart = divergence(&expected, &found);
        println!("q8_0: {apart:.1e} nats from f32 after {prompt:?}");
        // 1e-3 nats is far below what a reader of the text could tell; a wrong layout gives whole nats.
        assert!((0.0..2e-3).contains(&apart), "{apart} nats after {prompt:?}");
        assert_eq!(best(&expected), best(&found), "{prompt:?}");
    }
}

#[test]
fn candle_transformers_runs_the_file() {
    let Some(model) = model() else { return };
    for to in [GgufType::F32, GgufType::Q8_0] {
        let (_home, path) = exported(&model, to);
        let mut file = std::fs::File::open(&path).unwrap();
        let content = Content::read(&mut file).unwrap();
        let mut theirs = ModelWeights::from_gguf(content, &mut file, &Device::Cpu).unwrap();
        for prompt in PROMPTS {
            let tokens = ids(&model, prompt);
            let input = Tensor::new(&tokens[..], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let logits = theirs.forward(&input, 0).unwrap();
            let found = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap().flatten_all().unwrap();
            let (found, expected) = (found.to_vec1::<f32>().unwrap(), next(&model, &tokens));
            let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let apart = divergence(&expected, &found);
            println!(
                "{to}: {off:.1e} nats at most, {apart:.1e} in the mean, from candle-transformers after {prompt:?}"
            );
            // f32: some roundings. Its Q8_0 products round activations to blocks, too.
            match to {
                GgufType::F32 => assert!(off < 1e-4, "{off} after {prompt:?}"),
                _ => assert!((0.0..0.02).contains(&apart), "{apart} after {prompt:?}"),
            }
            assert_eq!(best(&found), best(&expected), "{to}: {prompt:?}");
        }
    }
}

/// What llama.cpp makes of a file and texts (see `golden/see_llama_cpp.py`).
fn by_llama_cpp(path: &Path, prompts: &[&str]) -> Option<Vec<Value>> {
    let Some(python) = std::env::var_os("POLDER_TEST_LLAMA_CPP") else {
        println!("skipped: POLDER_TEST_LLAMA_CPP names no python with xllamacpp");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/golden/see_llama_cpp.py");
    let out = Command::new(python).arg(script).arg(path).args(prompts).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let line = out.stdout.split(|&b| b == b'\n').rfind(|line| line.starts_with(b"[")).expect("no answer");
    Some(serde_json::from_slice(line).unwrap())
}

#[test]
fn llama_cpp_runs_the_file() {
    let Some(model) = model() else { return };
    // The most that the twenty likeliest tokens differ, weighed by their probabilities: its products are f32 in F32 files;
    // in the others activations are rounded to the weights' type.
    for (to, most) in [(GgufType::F32, 3e-4), (GgufType::F16, 5e-3), (GgufType::Bf16, 0.05), (GgufType::Q8_0, 0.1)] {
        let (_home, path) = exported(&model, to);
        let Some(seen) = by_llama_cpp(&path, &PROMPTS) else { return };
        for (prompt, seen) in PROMPTS.iter().zip(&seen) {
            let tokens = ids(&model, prompt);
            assert_eq!(seen["ids"], json!(tokens), "{prompt:?}");
            let expected = next(&model, &tokens);
            let top = seen["top"].as_array().unwrap();
            assert_eq!(top.len(), 20);
            let (mut largest, mut mean) = (0f64, 0f64);
            for pair in top {
                let p = f64::from(expected[pair[0].as_u64().unwrap() as usize]);
                let off = (p - pair[1].as_f64().unwrap()).abs();
                (largest, mean) = (largest.max(off), mean + p.exp() * off);
            }
            println!("{to}: {largest:.1e} nats at most, {mean:.1e} in the mean, from llama.cpp after {prompt:?}");
            assert!(mean < most, "{to}: {mean} after {prompt:?}");
            assert_eq!(top[0][0].as_u64().unwrap() as usize, best(&expected), "{to}: {prompt:?}");
        }
    }
}

#[test]
fn llama_cpp_runs_every_architecture() {
    let scaled = |rope: Value| with(wide(), json!({ "rope_scaling": rope, "rope_theta": 500.0 }));
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64 });
    let yarn = json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16 });
    let qwen = |kind: &str| with(wide(), json!({ "model_type": kind, "use_sliding_window": false }));
    let cases = [
        ("gpt-2", with(wide(), json!({ "attention_bias": true, "mlp_bias": true }))),
        ("llama-bpe", scaled(llama3)),
        ("smollm", scaled(json!({ "rope_type": "linear", "factor": 4.0 }))),
        ("smollm", scaled(yarn)),
        ("llama-bpe", with(wide(), json!({ "model_type": "mistral", "sliding_window": 48 }))),
        ("qwen2", with(qwen("qwen2"), json!({ "head_dim": 16 }))),
        ("qwen2", qwen("qwen3")),
        ("default", wide()),
        ("default", with(wide(), json!({ "model_type": "mistral", "sliding_window": null }))),
    ];
    for (kind, extra) in cases {
        let (_home, source, json) = folder(kind, extra, StorageType::F32);
        let model = load_f32(&source).unwrap();
        let (_home, path) = exported(&model, GgufType::F32);
        let prompts = [
            "the movie was great",
            "In 1984 there were",
            "<|im_start|>user hello",
            " naïve  café 日本🙂\n\tx",
            "</s><s> two</s> a <s>Hello",
        ];
        let Some(seen) = by_llama_cpp(&path, &prompts) else { return };
        for (prompt, seen) in prompts.iter().zip(&seen) {
            let tokens = ids(&model, prompt);
            assert_eq!(seen["ids"], json!(tokens), "{kind}: {prompt:?}");
            let expected = next(&model, &tokens);
            for pair in seen["top"].as_array().unwrap() {
                let off = f64::from(expected[pair[0].as_u64().unwrap() as usize]) - pair[1].as_f64().unwrap();
                // Some roundings of f32, in another order.
                assert!(off.abs() < 1e-4, "{json}: {off} after {prompt:?}");
            }
        }
    }
}
