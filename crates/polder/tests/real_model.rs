//! The real model on real data; skipped where these are not at hand.

mod fixture;

use std::fs;
use std::path::PathBuf;

use fixture::{str, succeed};
use serde_json::Value;

/// Folders named by the environment; says so where they are missing.
fn given() -> Option<(PathBuf, PathBuf)> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let both = folder("POLDER_TEST_MODEL").zip(folder("POLDER_TEST_DATA"));
    if both.is_none() {
        println!("skipped: POLDER_TEST_MODEL and POLDER_TEST_DATA name no folders");
    }
    both
}

#[test]
fn scores_do_not_depend_on_the_batch_or_the_threads() {
    let Some((model, data)) = given() else { return };
    let (model, data) = (model.join("SmolLM2-135M-Instruct.Q4_1.gguf"), data.join("sst2"));
    let place = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (batch, threads) in [("6", "2"), ("1", "1")] {
        let samples = place.path().join(batch);
        let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--limit", "6", "--json"];
        let more = ["--batch", batch, "--threads", threads, "--samples", str(&samples)];
        let out = succeed(&[&args[..], &more].concat());
        let found: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(found["n"], 6);
        all.push(fs::read_to_string(samples).unwrap());
    }
    assert_eq!(all[0], all[1]);
    // A language model that reads its prompt finds one of the two words likelier than a word drawn at random.
    for line in all[0].lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let scores = line["scores"].as_array().unwrap().iter().filter_map(Value::as_f64);
        assert!(scores.fold(f64::NEG_INFINITY, f64::max) > -(49152f64.ln()), "{line}");
    }
}

#[test]
fn scores_are_those_of_transformers() {
    let Some((model, data)) = given() else { return };
    let model = model.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    // Made by golden/make_scores.py from the Hugging Face folder, whose bf16 weights are those of the file.
    let golden: Value = serde_json::from_str(include_str!("golden/smollm2_scores.json")).unwrap();
    let place = tempfile::tempdir().unwrap();
    for task in ["sst2", "copa"] {
        let samples = place.path().join(task);
        let data = data.join(task);
        let args = ["eval", "--model", str(&model), "--dtype", "bf16", "--task", task, "--data", str(&data)];
        succeed(&[&args[..], &["--limit", "24", "--json", "--samples", str(&samples)]].concat());
        let lines = fs::read_to_string(samples).unwrap();
        let rows = golden[task].as_array().unwrap();
        assert_eq!((lines.lines().count(), rows.len()), (24, 24));
        for (line, row) in lines.lines().zip(rows) {
            let line: Value = serde_json::from_str(line).unwrap();
            for (ours, theirs) in line["scores"].as_array().unwrap().iter().zip(row.as_array().unwrap()) {
                let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
                // Two f32 forwards of 30 layers: logits of about 20 agree to 5e-6 of their size.
                assert!((ours - theirs).abs() < 1e-4, "{task} {}: {ours} and {theirs}", line["idx"]);
            }
        }
    }
}
