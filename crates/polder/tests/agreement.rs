//! Option scores against those of `transformers`, on real rows; skipped where these are not at hand.

use std::path::PathBuf;

use polder::calibration::{content_free, score_content_free};
use polder::model::Model;
use polder::scoring::{OptionScore, PassSize, score};
use polder_models::StorageType;
use polder_tasks::data::task_folder;
use polder_tasks::{BosPolicy, DataFolder, Demonstrations, Drawn, Split, builtin, labelled};
use serde::Deserialize;

/// What `golden/make_option_scores.py` writes of a task's first validation rows.
#[derive(Deserialize)]
struct Golden {
    task: String,
    shots: Vec<usize>,
    sums: Vec<Vec<f64>>,
    tokens: Vec<Vec<usize>>,
    free: Vec<Vec<f64>>,
}

/// The largest difference a token; the tokens must be the same.
fn furthest(case: &str, ours: &[Vec<OptionScore>], sums: &[Vec<f64>], tokens: &[Vec<usize>]) -> f64 {
    assert_eq!(ours.len(), sums.len(), "{case}");
    let mut furthest = 0f64;
    for ((ours, sums), tokens) in ours.iter().zip(sums).zip(tokens) {
        assert_eq!(ours.iter().map(|s| s.tokens).collect::<Vec<_>>(), *tokens, "{case}");
        for (ours, theirs) in ours.iter().zip(sums) {
            furthest = furthest.max((ours.sum - theirs).abs() / ours.tokens as f64);
        }
    }
    furthest
}

#[test]
fn option_scores_are_those_of_transformers() {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let Some((model, root)) = folder("POLDER_TEST_MODEL").zip(folder("POLDER_TEST_DATA")) else {
        println!("skipped: POLDER_TEST_MODEL and POLDER_TEST_DATA name no folders");
        return;
    };
    let model = model.join("smollm2-135m");
    if !model.is_dir() {
        println!("skipped: POLDER_TEST_MODEL has no smollm2-135m");
        return;
    }
    let model = Model::load(&model, StorageType::Bf16, &candle_core::Device::Cpu).unwrap();
    let encoder = model.encoder(BosPolicy::Tokenizer, None).unwrap();
    let engine = model.engine();
    let golden: Vec<Golden> = serde_json::from_str(include_str!("golden/smollm2_option_scores.json")).unwrap();
    for case in &golden {
        let name = format!("{}, {} shots", case.task, case.shots.len());
        let task = builtin(&case.task).unwrap().unwrap().compile().unwrap();
        let data = DataFolder::open(task_folder(&root, &task)).unwrap();
        let rows = data.read(Split::Validation, Some(case.sums.len())).unwrap();
        let drawn: Vec<Drawn> = rows.into_iter().enumerate().map(|(number, row)| Drawn { number, row }).collect();
        let shots = Demonstrations::draw(&data, &task, case.shots.len(), 0).unwrap();
        assert_eq!(shots.rows(), case.shots, "{name}");
        let mut examples = labelled(&task, &drawn).unwrap();
        examples.iter_mut().for_each(|example| shots.put_before(&task, example));
        let encoded: Vec<_> = examples.iter().map(|example| encoder.encode(example).unwrap()).collect();
        let scores = score(&engine, &encoded, PassSize::default(), &mut |_| Ok(())).unwrap();
        // Two f32 forwards of 30 layers: logits of about 20 agree to 5e-6 of their size.
        let furthest_plain = furthest(&name, &scores, &case.sums, &case.tokens);
        assert!(furthest_plain < 1e-4, "{name}: {furthest_plain}");
        let mut furthest_free = 0.0;
        if !case.free.is_empty() {
            let free = content_free(&encoder, &task, &examples).unwrap();
            let free = score_content_free(&engine, &free, PassSize::default(), &mut |_| Ok(())).unwrap();
            let counted: Vec<Vec<usize>> =
                free.iter().map(|scores| scores.iter().map(|score| score.tokens).collect()).collect();
            furthest_free = furthest(&name, &free, &case.free, &counted);
            assert!(furthest_free < 1e-4, "{name}, without content: {furthest_free}");
        }
        println!("{name}: {furthest_plain:.1e} nats a token at most, without content {furthest_free:.1e}");
    }
}
