//! A small writer of GGUF files, for tests.

use std::collections::HashMap;

use candle_core::Tensor;
use serde_json::Value;

/// A metadata value.
#[derive(Clone)]
pub(crate) enum Kv {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

/// A file in the making.
#[derive(Clone, Default)]
pub(crate) struct Writer {
    pub(crate) metadata: Vec<(String, Kv)>,
    /// Name, shape (slowest axis first), type, bytes.
    pub(crate) tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Kv {
    fn write(&self, out: &mut Vec<u8>) {
        let kind = |out: &mut Vec<u8>, kind: u32| out.extend(kind.to_le_bytes());
        match self {
            Self::U32(n) => (kind(out, 4), out.extend(n.to_le_bytes())).1,
            Self::F32(x) => (kind(out, 6), out.extend(x.to_le_bytes())).1,
            Self::Bool(b) => (kind(out, 7), out.push(u8::from(*b))).1,
            Self::Text(s) => (kind(out, 8), text(out, s)).1,
            Self::Texts(all) => {
                kind(out, 9);
                kind(out, 8);
                out.extend((all.len() as u64).to_le_bytes());
                all.iter().for_each(|s| text(out, s));
            }
            Self::F32s(all) => {
                kind(out, 9);
                kind(out, 6);
                out.extend((all.len() as u64).to_le_bytes());
                all.iter().for_each(|x| out.extend(x.to_le_bytes()));
            }
            Self::I32s(all) => {
                kind(out, 9);
                kind(out, 5);
                out.extend((all.len() as u64).to_le_bytes());
                all.iter().for_each(|n| out.extend(n.to_le_bytes()));
            }
        }
    }
}

impl Writer {
    /// Sets a key, or replaces it.
    pub(crate) fn set(&mut self, key: &str, value: Kv) -> &mut Self {
        self.metadata.retain(|(k, _)| k != key);
        self.metadata.push((key.to_owned(), value));
        self
    }

    /// Removes a key.
    pub(crate) fn unset(&mut self, key: &str) -> &mut Self {
        self.metadata.retain(|(k, _)| k != key);
        self
    }

    /// Adds a tensor as F32.
    pub(crate) fn tensor(&mut self, name: &str, tensor: &Tensor) -> &mut Self {
        let all: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        let bytes = all.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((name.to_owned(), tensor.dims().to_vec(), 0, bytes));
        self
    }

    /// The file's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(&mut out, key);
            value.write(&mut out);
        }
        let mut data: Vec<u8> = Vec::new();
        for (name, shape, kind, bytes) in &self.tensors {
            text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|dim| out.extend((*dim as u64).to_le_bytes()));
            out.extend(kind.to_le_bytes());
            data.resize(data.len().next_multiple_of(32), 0);
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(data);
        out
    }

    /// Writes the file into a folder of its own.
    pub(crate) fn file(&self) -> (tempfile::TempDir, std::path::PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("model.gguf");
        std::fs::write(&path, self.bytes()).unwrap();
        (home, path)
    }
}

/// A model of our configuration and weights, as llama.cpp's converter would write it.
pub(crate) fn export(arch: &str, json: &Value, tensors: &HashMap<String, Tensor>) -> Writer {
    let mut writer = Writer::default();
    let number = |key: &str| json[key].as_u64().unwrap() as u32;
    writer.set("general.architecture", Kv::Text(arch.to_owned()));
    for (key, ours) in [
        ("block_count", "num_hidden_layers"),
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
        ("attention.head_count_kv", "num_key_value_heads"),
        ("attention.key_length", "head_dim"),
        ("attention.value_length", "head_dim"),
        ("rope.dimension_count", "head_dim"),
    ] {
        writer.set(&format!("{arch}.{key}"), Kv::U32(number(ours)));
    }
    writer.set(&format!("{arch}.rope.freq_base"), Kv::F32(json["rope_theta"].as_f64().unwrap() as f32));
    let eps = json["rms_norm_eps"].as_f64().unwrap() as f32;
    writer.set(&format!("{arch}.attention.layer_norm_rms_epsilon"), Kv::F32(eps));
    tokenizer(&mut writer);
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    for name in names {
        let tensor = &tensors[name];
        let heads = match () {
            () if arch == "llama" && name.contains("q_proj") => Some(number("num_attention_heads")),
            () if arch == "llama" && name.contains("k_proj") => Some(number("num_key_value_heads")),
            () => None,
        };
        writer.tensor(&their_name(name), &heads.map_or(tensor.clone(), |heads| interleave(tensor, heads as usize)));
    }
    writer
}

/// As llama.cpp's converter permutes: `[heads, 2, half, …] → [heads, half, 2, …]`.
fn interleave(tensor: &Tensor, heads: usize) -> Tensor {
    let rows = tensor.dims()[0];
    let rest = tensor.elem_count() / rows;
    let split = tensor.reshape((heads, 2, rows / heads / 2, rest)).unwrap();
    split.transpose(1, 2).unwrap().contiguous().unwrap().reshape(tensor.shape()).unwrap()
}

fn their_name(name: &str) -> String {
    let mut name = name.replace("model.layers.", "blk.");
    for (ours, theirs) in [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ] {
        name = name.replace(ours, theirs);
    }
    name
}

/// A tokenizer of a few tokens.
fn tokenizer(writer: &mut Writer) {
    let tokens: Vec<String> = ["<s>", "a", "b", "ab"].iter().map(|&t| t.to_owned()).collect();
    writer.set("tokenizer.ggml.model", Kv::Text("gpt2".to_owned()));
    writer.set("tokenizer.ggml.pre", Kv::Text("gpt-2".to_owned()));
    writer.set("tokenizer.ggml.tokens", Kv::Texts(tokens));
    writer.set("tokenizer.ggml.token_type", Kv::I32s(vec![3, 1, 1, 1]));
    writer.set("tokenizer.ggml.merges", Kv::Texts(vec!["a b".to_owned()]));
    writer.set("tokenizer.ggml.bos_token_id", Kv::U32(0));
}
