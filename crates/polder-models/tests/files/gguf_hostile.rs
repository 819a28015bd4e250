//! Damaged and hostile GGUF files, and sound ones that can't be represented.

use polder_models::StorageType;

use crate::gguf_writer::{Kv, Writer, export};
use crate::tiny::{llama, params, refusal, tensors};

fn good() -> Writer {
    export("llama", &llama(), &tensors(&params(&llama(), StorageType::F32, 1)))
}

fn refused(writer: &Writer) -> String {
    let (_home, path) = writer.file();
    refusal(&path)
}

fn refused_bytes(bytes: &[u8]) -> String {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    refusal(&path)
}

#[test]
fn damaged_headers() {
    let good = good().bytes();
    let with = |at: usize, bytes: &[u8]| {
        let mut all = good.clone();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        all
    };
    let mut huge_string = good[..24].to_vec();
    huge_string.extend((1u64 << 60).to_le_bytes());
    huge_string.extend([0; 64]);
    let cases = [
        (Vec::new(), "ends in the middle"),
        (b"GGU".to_vec(), "ends in the middle"),
        (with(0, b"GGML"), "does not begin with"),
        (with(4, &1u32.to_le_bytes()), "version 1"),
        (with(4, &9u32.to_le_bytes()), "version 9"),
        (with(4, &3u32.to_be_bytes()), "big-endian"),
        (with(8, &u64::MAX.to_le_bytes()), "tensors, more than the file has room for"),
        (with(16, &(1u64 << 40).to_le_bytes()), "metadata values, more than the file has room for"),
        (huge_string, "more than the file has room for"),
    ];
    for (bytes, expected) in cases {
        let message = refused_bytes(&bytes);
        assert!(message.contains(expected) && message.contains("model.gguf"), "{expected}: {message}");
    }
    for keep in (0..good.len()).step_by(131).chain([good.len() - 1]) {
        refused_bytes(&good[..keep]);
    }
}

/// A file whose only metadata is one value, given as bytes.
fn one_value(value: &[u8]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.push(b'k');
    out.extend(value);
    out.resize(out.len() + 64, 0);
    out
}

#[test]
fn hostile_values() {
    let nested: Vec<u8> = std::iter::once(9u32)
        .chain(std::iter::repeat_n(9, 50))
        .enumerate()
        .flat_map(|(at, kind)| {
            let count = if at == 0 { Vec::new() } else { 1u64.to_le_bytes().to_vec() };
            [kind.to_le_bytes().to_vec(), count].concat()
        })
        .collect();
    let list = |kind: u32, count: u64| {
        [9u32.to_le_bytes().to_vec(), kind.to_le_bytes().to_vec(), count.to_le_bytes().to_vec()].concat()
    };
    let cases = [
        (99u32.to_le_bytes().to_vec(), "no type of metadata"),
        ([7u32.to_le_bytes().to_vec(), vec![2]].concat(), "no truth value"),
        (list(10, 1 << 50), "more than the file has room for"),
        (list(77, 1), "no type of metadata"),
        (nested, "nested too deep"),
        ([8u32.to_le_bytes().to_vec(), 2u64.to_le_bytes().to_vec(), vec![0xff, 0xfe]].concat(), "not UTF-8"),
    ];
    for (value, expected) in cases {
        let message = refused_bytes(&one_value(&value));
        assert!(message.contains(expected) && message.contains("`k`"), "{expected}: {message}");
    }
    // An array larger than any vocabulary, in a file that does have room for it.
    let mut wide = one_value(&list(0, 1 << 24));
    wide.resize(wide.len() + (1 << 24), 0);
    assert!(refused_bytes(&wide).contains("metadata values"));
}

#[test]
fn strange_metadata_and_tensors() {
    let mut cases: Vec<(Writer, &str)> = Vec::new();
    let mut case = |change: &dyn Fn(&mut Writer), expected: &'static str| {
        let mut writer = good();
        change(&mut writer);
        cases.push((writer, expected));
    };
    let text = |s: &str| Kv::Text(s.to_owned());
    case(
        &|w| {
            w.set("general.architecture", text("mamba"));
        },
        "the architecture `mamba`",
    );
    case(
        &|w| {
            w.unset("general.architecture");
        },
        "`general.architecture` is missing",
    );
    case(
        &|w| {
            w.unset("llama.block_count");
        },
        "`llama.block_count` is missing",
    );
    case(
        &|w| {
            w.set("llama.block_count", text("two"));
        },
        "`llama.block_count` is no whole number",
    );
    case(
        &|w| {
            w.set("llama.block_count", Kv::U32(4000));
        },
        "lacks `model.layers.2.",
    );
    case(
        &|w| {
            w.set("llama.attention.head_count", Kv::U32(0));
        },
        "head_count` is 0",
    );
    case(
        &|w| {
            w.set("llama.attention.head_count", Kv::U32(5));
        },
        "not 5 heads",
    );
    case(
        &|w| {
            w.set("llama.attention.head_count", Kv::I32s(vec![4, 2]));
        },
        "differs from layer to layer",
    );
    case(
        &|w| {
            w.set("llama.attention.key_length", Kv::U32(u32::MAX));
        },
        "value",
    );
    case(
        &|w| {
            w.set("llama.rope.dimension_count", Kv::U32(2));
        },
        "2 of 6 elements",
    );
    case(
        &|w| {
            w.set("llama.expert_count", Kv::U32(8));
        },
        "mixture of experts",
    );
    case(
        &|w| {
            w.set("split.count", Kv::U32(3));
        },
        "split over several files",
    );
    case(
        &|w| {
            w.set("general.alignment", Kv::U32(0));
        },
        "no power of two",
    );
    case(
        &|w| {
            w.set("general.alignment", Kv::U32(24));
        },
        "no power of two",
    );
    case(
        &|w| {
            w.set("general.alignment", Kv::U32(4096));
        },
        "no multiple of 4096",
    );
    case(
        &|w| {
            w.set("llama.rope.freq_base", Kv::F32(f32::NAN));
        },
        "no finite number",
    );
    case(&|w| w.metadata.push(("tokenizer.ggml.pre".to_owned(), text("gpt-2"))), "twice");
    case(&|w| w.tensors.push(w.tensors[0].clone()), "twice");
    case(&|w| w.tensors[0].2 = 10, "Q2_K");
    case(&|w| w.tensors[0].2 = 12, "can't be stored as Q4_K");
    case(&|w| w.tensors[0].2 = 12345, "type 12345");
    case(&|w| w.tensors[0].1 = vec![1 << 40, 1 << 40], "can't be stored");
    case(&|w| w.tensors[0].1 = vec![1; 5], "5 axes");
    case(&|w| w.tensors[0].1 = vec![1 << 30, 4], "but the file has");
    case(&|w| w.tensors[1].1[0] *= 2, "overlap");
    case(&|w| w.tensors.retain(|t| t.0 != "token_embd.weight"), "`token_embd.weight` is missing");
    case(&|w| w.tensors.retain(|t| t.0 != "output_norm.weight"), "lacks `model.norm.weight`");
    case(&|w| w.tensors.push(("blk.0.ffn_gate_inp.weight".to_owned(), vec![1], 0, vec![0; 4])), "ffn_gate_inp");
    for (writer, expected) in cases {
        let message = refused(&writer);
        assert!(message.contains(expected) && message.contains("model.gguf"), "{expected}: {message}");
    }
}

#[test]
fn strange_tokenizers() {
    let text = |s: &str| Kv::Text(s.to_owned());
    let texts = |all: &[&str]| Kv::Texts(all.iter().map(|&t| t.to_owned()).collect());
    let cases = [
        ("tokenizer.ggml.model", text("t5"), "the model `t5`"),
        ("tokenizer.ggml.model", text("llama"), "`tokenizer.ggml.scores` is missing"),
        ("tokenizer.ggml.pre", text("deepseek-coder"), "the pre-tokenizer `deepseek-coder`"),
        ("tokenizer.ggml.token_type", Kv::I32s(vec![1, 1]), "4 tokens have 2 types"),
        ("tokenizer.ggml.token_type", Kv::I32s(vec![-1, 1, 1, 1]), "no list of whole numbers"),
        ("tokenizer.ggml.tokens", texts(&["a", "a", "b", "ab"]), "`a` twice"),
        ("tokenizer.ggml.merges", texts(&["ab"]), "`ab` is no pair"),
        ("tokenizer.ggml.merges", texts(&["q r"]), "can't be used"),
        ("tokenizer.ggml.bos_token_id", Kv::U32(400), "beyond the vocabulary"),
    ];
    for (key, value, expected) in cases {
        let mut writer = good();
        writer.set(key, value);
        let message = refused(&writer);
        assert!(message.contains(expected), "{key}: {message}");
    }
    let mut writer = good();
    writer.set("tokenizer.ggml.add_bos_token", Kv::Bool(true)).unset("tokenizer.ggml.bos_token_id");
    assert!(refused(&writer).contains("names no BOS token"));
    for key in ["tokenizer.ggml.pre", "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.merges"] {
        let mut writer = good();
        writer.unset(key);
        let message = refused(&writer);
        assert!(message.contains("tokenizer"), "{message}");
    }
}
