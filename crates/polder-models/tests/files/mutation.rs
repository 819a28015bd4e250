//! Random damage to valid files: any answer will do, but not a panic.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polder_models::{SaveOptions, StorageType, save};

use crate::gguf_writer::export;
use crate::tiny::{Source, llama, load_f32, params, tensors};

/// One to four random changes: flips, runs of bytes, cuts, splices, digits of numbers.
fn damage(bytes: &[u8], source: &mut Source) -> Vec<u8> {
    let mut all = bytes.to_vec();
    for _ in 0..=source.below(4) {
        if all.is_empty() {
            return all;
        }
        // Headers and counts lie at the start, so half of the changes go there.
        let reach = if source.below(2) == 0 { all.len().min(400) } else { all.len() };
        let at = source.below(reach);
        match source.below(6) {
            0 => all[at] ^= 1 << source.below(8),
            1 => all[at] = source.next() as u8,
            2 => {
                let end = (at + 1 + source.below(8)).min(all.len());
                let value = [0, 0xff, b'9', b'[', b'"'][source.below(5)];
                all[at..end].fill(value);
            }
            3 => all.truncate(at),
            4 => {
                let from = source.below(all.len());
                let piece = all[from..(from + source.below(64)).min(all.len())].to_vec();
                all.splice(at..at, piece);
            }
            _ => {
                let end = (at + source.below(64)).min(all.len());
                all.drain(at..end);
            }
        }
    }
    all
}

/// Loads with each of many damaged forms of a file; counts the forms that are still loaded.
fn survive(folder: &Path, model: &Path, name: &str, rounds: u64) -> usize {
    let file = folder.join(name);
    let good = fs::read(&file).unwrap();
    load_f32(model).unwrap_or_else(|e| panic!("`{name}` is not loaded undamaged: {e}"));
    let mut loaded = 0;
    for seed in 0..rounds {
        fs::write(&file, damage(&good, &mut Source(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))).unwrap();
        match catch_unwind(AssertUnwindSafe(|| load_f32(model))) {
            Ok(Ok(_)) => loaded += 1,
            Ok(Err(error)) => assert!(!error.to_string().is_empty()),
            Err(_) => panic!("`{name}` with damage {seed} panics"),
        }
    }
    fs::write(&file, good).unwrap();
    println!("{name}: {loaded} of {rounds} damaged files were still loaded");
    assert!(loaded < rounds as usize, "no damage to `{name}` is ever noticed");
    loaded
}

#[test]
fn folders() {
    let home = tempfile::tempdir().unwrap();
    let params = params(&llama(), StorageType::F32, 1);
    let (_file, gguf) = export("llama", &llama(), &tensors(&params)).file();
    let files = load_f32(&gguf).unwrap().files;
    let single = home.path().join("single");
    save(&single, &params, &llama(), &files, &SaveOptions::default()).unwrap();
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        survive(&single, &single, name, 1500);
    }
    let sharded = home.path().join("sharded");
    let options = SaveOptions { shard_bytes: 10_000, ..SaveOptions::default() };
    save(&sharded, &params, &llama(), &files, &options).unwrap();
    survive(&sharded, &sharded, "model.safetensors.index.json", 1000);
}

#[test]
fn gguf() {
    let params = params(&llama(), StorageType::F32, 1);
    let (home, gguf) = export("llama", &llama(), &tensors(&params)).file();
    survive(home.path(), &gguf, "model.gguf", 4000);
}
