//! Generation with SmolLM2-135M against `transformers`; skipped where the model is not at hand.

mod fixture;

use std::fs;

use fixture::{str, succeed, text};
use serde_json::{Value, json};

#[test]
fn greedy_continuations_are_those_of_transformers() {
    let Some(folder) = std::env::var_os("POLDER_TEST_MODEL") else {
        println!("skipped: POLDER_TEST_MODEL names no folder");
        return;
    };
    let model = std::path::Path::new(&folder).join("smollm2-135m");
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/smollm2_generated.json")).unwrap();
    assert_eq!(cases.len(), 10);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("prompts.jsonl");
    let rows: String = cases.iter().map(|case| json!({ "prompt": case["prompt"] }).to_string() + "\n").collect();
    fs::write(&file, rows).unwrap();
    let args = ["generate", str(&model), "--prompts", str(&file), "--max-new-tokens", "32", "--dtype", "f32", "-q"];
    let out = text(&succeed(&args).stdout);
    for (line, case) in out.lines().zip(&cases) {
        let found: Value = serde_json::from_str(line).unwrap();
        // Logits of some 20 agree to 1e-4; a smaller lead would decide nothing.
        assert!(case["lead"].as_f64().unwrap() > 1e-3, "choose another prompt than {}", case["prompt"]);
        assert_eq!(found["prompt_tokens"], case["tokens"], "{}", case["prompt"]);
        assert_eq!(found["ids"], case["new"], "{}", case["prompt"]);
        assert_eq!(found["text"], case["text"]);
    }
    assert_eq!(out.lines().count(), 10);
}
