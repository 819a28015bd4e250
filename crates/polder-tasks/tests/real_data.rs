//! Real data and a real tokenizer, where `POLDER_TEST_DATA` and `POLDER_TEST_MODEL` name them.

use std::path::PathBuf;

use polder_tasks::data::task_folder;
use polder_tasks::{
    BosPolicy, DataFolder, Encoder, SampleSpec, Split, Task, builtin, labelled, majority, names, sample,
};

fn place(variable: &str) -> Option<PathBuf> {
    let place = std::env::var_os(variable).map(PathBuf::from);
    if place.is_none() {
        println!("skipped: {variable} is not set");
    }
    place
}

fn folder(name: &str) -> Option<DataFolder> {
    Some(DataFolder::open(place("POLDER_TEST_DATA")?.join(name)).unwrap())
}

fn smollm2() -> Option<tokenizers::Tokenizer> {
    let file = place("POLDER_TEST_MODEL")?.join("smollm2-135m/tokenizer.json");
    if !file.is_file() {
        println!("skipped: POLDER_TEST_MODEL has no smollm2-135m/tokenizer.json");
        return None;
    }
    Some(tokenizers::Tokenizer::from_file(file).unwrap())
}

#[test]
fn row_counts() {
    for (name, counts) in [("sst2", [67_349, 872, 0]), ("copa", [400, 60, 300])] {
        let Some(data) = folder(name) else { return };
        for (split, count) in [Split::Train, Split::Validation, Split::Test].into_iter().zip(counts) {
            assert_eq!(data.has(split), count > 0);
            if count > 0 {
                assert_eq!(data.read(split, None).unwrap().len(), count, "{name} {split}");
            }
        }
    }
}

#[test]
fn every_row_renders_and_samples_are_mezos() {
    for (name, sizes) in [("sst2", (1000, 500, 872)), ("copa", (300, 100, 60))] {
        let Some(data) = folder(name) else { return };
        let task = builtin(name).unwrap().unwrap().compile().unwrap();
        for (split, _) in data.files() {
            let rows = data.read(*split, None).unwrap();
            for (number, row) in rows.iter().enumerate() {
                assert!(task.example(row, number).unwrap().gold.is_some());
            }
        }
        let drawn = sample(&data, &task, &SampleSpec::default(), 0).unwrap();
        assert_eq!((drawn.train.len(), drawn.dev.len(), drawn.eval.len()), sizes);
        let gold: Vec<usize> = labelled(&task, &drawn.eval).unwrap().iter().filter_map(|e| e.gold).collect();
        // 444 of 872 rows of SST-2 are positive, 32 of 60 of COPA answer with the first choice.
        let expected = if name == "sst2" { 444.0 / 872.0 } else { 32.0 / 60.0 };
        assert_eq!(majority(task.metric(), &gold), Some(expected));
    }
}

#[test]
fn every_row_of_every_task_has_a_right_answer() {
    let Some(root) = place("POLDER_TEST_DATA") else { return };
    for name in names() {
        let task = builtin(name).unwrap().unwrap().compile().unwrap();
        let path = task_folder(&root, &task);
        let Ok(data) = DataFolder::open(&path) else {
            println!("skipped: POLDER_TEST_DATA has no data of {name}");
            continue;
        };
        for (split, _) in data.files() {
            let rows = data.read(*split, None).unwrap();
            assert!(!rows.is_empty());
            for (number, row) in rows.iter().enumerate() {
                let example = task.example(row, number).unwrap_or_else(|e| panic!("{name} {split}: {e}"));
                let gold = example.gold.unwrap_or_else(|| panic!("{name} {split} {number} has no gold option"));
                assert!(gold < example.options.len());
                assert!(example.options.iter().all(|option| !option.trim().is_empty()), "{name} {split} {number}");
                assert_eq!(example.answers.is_empty(), task.spec().options.is_some(), "{name} {split} {number}");
            }
        }
    }
}

#[test]
fn label_words_are_single_tokens_of_smollm2() {
    let Some(tokenizer) = smollm2() else { return };
    let encoder = Encoder::new(tokenizer, BosPolicy::Tokenizer, Some(1), 2048).unwrap();
    assert!(encoder.front().is_empty(), "this tokenizer adds no BOS");
    let Some(data) = folder("sst2") else { return };
    let task = builtin("sst2").unwrap().unwrap().compile().unwrap();
    for (number, row) in data.read(Split::Validation, None).unwrap().iter().enumerate() {
        let encoded = encoder.encode(&task.example(row, number).unwrap()).unwrap();
        let (terrible, great) = (&encoded.options[0], &encoded.options[1]);
        assert_eq!((terrible.scored, great.scored), (1, 1));
        assert_eq!(terrible.ids[..terrible.ids.len() - 1], great.ids[..great.ids.len() - 1]);
    }
}

#[test]
fn copa_options_share_their_prompt_under_smollm2() {
    let (Some(tokenizer), Some(data)) = (smollm2(), folder("copa")) else {
        return;
    };
    let encoder = Encoder::new(tokenizer, BosPolicy::Tokenizer, Some(1), 2048).unwrap();
    let task = builtin("copa").unwrap().unwrap().compile().unwrap();
    for (number, row) in data.read(Split::Train, None).unwrap().iter().enumerate() {
        let example = task.example(row, number).unwrap();
        let encoded = encoder.encode(&example).unwrap();
        for (option, text) in encoded.options.iter().zip(&example.options) {
            let start = option.ids.len() - option.scored;
            assert_eq!(encoder.tokenizer().decode(&option.ids[..start], false).unwrap(), example.prompt);
            assert_eq!(encoder.tokenizer().decode(&option.ids[start..], false).unwrap(), *text);
        }
    }
}
