//! A real model: SmolLM2-135M-Instruct, as GGUF and as a folder that transformers made from it.

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file;
use candle_core::{Device, Tensor};
use polder_models::{Family, StorageType, load};
use serde_json::Value;

use crate::tiny::{bits, load_f32, real_models};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const FOLDER: &str = "smollm2-135m";

#[test]
fn weights_agree_with_candle() {
    let Some(models) = real_models() else { return };
    let path = models.join(FILE);
    let loaded = load_f32(&path).unwrap();
    let Family::Llama(c) = loaded.config.family() else { panic!("not a LLaMA") };
    assert_eq!((c.layers, c.hidden, c.heads, c.kv_heads, c.vocab, c.tied), (30, 576, 9, 3, 49152, true));
    assert_eq!((c.eps, c.rope.theta), (1e-5, 100_000.0));
    let mut file = std::fs::File::open(&path).unwrap();
    let content = gguf_file::Content::read(&mut file).unwrap();
    let mut theirs =
        |name: &str| content.tensor(&mut file, name, &Device::Cpu).unwrap().dequantize(&Device::Cpu).unwrap();
    for (layer, ours, name, heads) in [
        (0, "self_attn.q_proj", "attn_q", 9),
        (29, "self_attn.k_proj", "attn_k", 3),
        (7, "self_attn.v_proj", "attn_v", 0),
        (11, "mlp.down_proj", "ffn_down", 0),
        (3, "input_layernorm", "attn_norm", 0),
    ] {
        let mut expected = theirs(&format!("blk.{layer}.{name}.weight"));
        if heads > 0 {
            let split = expected.reshape((heads, 32, 2, 576)).unwrap().transpose(1, 2).unwrap();
            expected = split.contiguous().unwrap().reshape(expected.shape()).unwrap();
        }
        close(&loaded, &format!("model.layers.{layer}.{ours}.weight"), &expected);
    }
    close(&loaded, "model.embed_tokens.weight", &theirs("token_embd.weight"));
}

/// The products and sums are the same; a last place of freedom for the order of factors.
fn close(loaded: &polder_models::Loaded, name: &str, expected: &Tensor) {
    let found = &loaded.params.get(loaded.params.site(name).unwrap()).tensor;
    let largest = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    let off = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(off <= 2.0 * f32::EPSILON * largest, "`{name}` is off by {off} of {largest}");
}

/// The folder that transformers made of the file; a place of models need not have it.
fn folder(models: &Path) -> Option<PathBuf> {
    let folder = models.join(FOLDER);
    if !folder.join("model.safetensors").is_file() {
        println!("skipped: POLDER_TEST_MODEL has no {FOLDER}/model.safetensors");
        return None;
    }
    Some(folder)
}

#[test]
fn tokens_agree_with_transformers() {
    let Some(models) = real_models() else { return };
    let cases: Value = serde_json::from_str(include_str!("golden/smollm2.json")).unwrap();
    for path in [Some(models.join(FILE)), folder(&models)].into_iter().flatten() {
        let tokenizer = load(&path, StorageType::Bf16, &Device::Cpu).unwrap().tokenizer.unwrap();
        for case in cases.as_array().unwrap() {
            let expected: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let text = case["text"].as_str().unwrap();
            let found = tokenizer.encode(text, true).unwrap().get_ids().to_vec();
            assert_eq!(found, expected, "{}: {text:?}", path.display());
            assert_eq!(tokenizer.decode(&found, true).unwrap(), case["decoded"].as_str().unwrap());
        }
    }
}

#[test]
fn the_file_and_the_folder_are_the_same_model() {
    let Some(models) = real_models() else { return };
    let Some(folder) = folder(&models) else { return };
    let load = |path: &Path| load(path, StorageType::Bf16, &Device::Cpu).unwrap();
    let (file, folder) = (load(&models.join(FILE)), load(&folder));
    assert_eq!(file.config.family(), folder.config.family());
    // transformers decodes Q4_1 in f32 too, but adds and multiplies in its own order before it rounds to bf16: a weight
    // near the middle between two bf16 may fall to the other side.
    let (mut other, mut all) = (0usize, 0usize);
    for (a, b) in file.params.iter().zip(folder.params.iter()) {
        assert_eq!(a.name, b.name);
        let (a, b) = (bits(&a.tensor), bits(&b.tensor));
        all += a.len() / 2;
        other += a.chunks_exact(2).zip(b.chunks_exact(2)).filter(|(a, b)| a != b).count();
    }
    println!("{other} of {all} weights differ");
    assert!(other * 1000 < all, "{other} of {all} weights differ");
}
