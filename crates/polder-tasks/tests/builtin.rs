//! The built-in tasks: their prompts, pinned, their names and folders.

use std::collections::BTreeMap;

use polder_tasks::data::task_folder;
use polder_tasks::{LossKind, Metric, Row, Task, TaskSpec, builtin, names};
use serde::Deserialize;

/// A row and what its task makes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pinned {
    row: String,
    idx: Option<String>,
    prompt: String,
    #[serde(default)]
    prompts: Vec<String>,
    options: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    answers: Vec<String>,
    gold: Option<usize>,
    #[serde(default)]
    also: Vec<usize>,
}

fn row(json: &str) -> Row {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

fn task(name: &str) -> polder_tasks::PromptTask {
    builtin(name).unwrap().unwrap().compile().unwrap()
}

#[test]
fn three_rows_of_every_task_render_as_written_down() {
    let pinned: BTreeMap<String, Vec<Pinned>> = toml::from_str(include_str!("prompts.toml")).unwrap();
    for name in names() {
        // These have tests of their own in `renders.rs` and `chats.rs`.
        if matches!(name, "sst2" | "copa" | "arc-easy" | "completion" | "chat") {
            continue;
        }
        let cases = pinned.get(name).unwrap_or_else(|| panic!("{name} has no pinned prompts"));
        assert!(cases.len() >= 3, "{name}");
        let task = task(name);
        for case in cases {
            let row = row(&case.row.replace('\n', "\\n"));
            let found = task.example(&row, 9).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!((&found.prompt, &found.options), (&case.prompt, &case.options), "{name}");
            assert_eq!((&found.prompts, &found.names), (&case.prompts, &case.names), "{name}");
            assert_eq!((found.gold, &found.also), (case.gold, &case.also), "{name}: {}", case.row);
            assert_eq!(found.answers, case.answers, "{name}");
            if let Some(idx) = &case.idx {
                assert_eq!(&found.idx, idx, "{name}");
            }
        }
    }
}

#[test]
fn prompts_without_content_are_mezos() {
    let free = |name: &str, json: &str| task(name).example(&row(json), 0).unwrap().content_free;
    let nli = r#"{"premise":"a","hypothesis":"b","label":0}"#;
    assert_eq!(free("sst2", r#"{"sentence":"a"}"#).as_deref(), Some("It was"));
    assert_eq!(free("rte", nli).as_deref(), Some(""));
    assert_eq!(free("cb", nli).as_deref(), Some(""));
    let copa = r#"{"premise":"a","choice1":"b","choice2":"c","question":"cause"}"#;
    assert_eq!(free("copa", copa).as_deref(), Some("because"));
    let record = r#"{"passage":"p","query":"@placeholder","entities":["a","b"],"answers":["a"]}"#;
    assert_eq!(free("record", record).as_deref(), Some("-"));
    assert_eq!(free("drop", r#"{"passage":"p","question":"q"}"#), None);
}

#[test]
fn losses_and_metrics_are_mezos() {
    for name in names() {
        let (loss, metric) = (task(name).loss(), task(name).metric());
        let (own, generated) = (matches!(name, "chat" | "completion"), matches!(name, "squad" | "drop"));
        let teacher = own || generated || matches!(name, "copa" | "balanced-copa" | "record");
        assert_eq!(loss, if teacher { LossKind::Target } else { LossKind::Options }, "{name}");
        let scored = match (own, generated) {
            (true, _) => Metric::Loss,
            (_, true) => Metric::F1,
            _ => Metric::Accuracy,
        };
        assert_eq!(metric, scored, "{name}");
    }
}

#[test]
fn names_are_found_however_they_are_written() {
    for (written, name) in [("SST-2", "sst2"), ("arc_easy", "arc-easy"), ("ARC-Challenge", "arc-challenge")] {
        assert_eq!(builtin(written).unwrap().unwrap().name, name);
    }
    assert_eq!(builtin("CommonsenseQA").unwrap().unwrap().name, "commonsense-qa");
    assert!(builtin("").is_none());
}

#[test]
fn a_task_finds_its_folder_among_several() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let path = root.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("train.jsonl"), "{}\n").unwrap();
        path
    };
    let (arc, contrast) = (folder("ARC_Easy"), folder("drop_contrast"));
    assert_eq!(task_folder(root.path(), &task("arc-easy")), arc);
    assert_eq!(task_folder(&arc, &task("arc-easy")), arc, "a folder of splits is taken as it is");
    assert_eq!(task_folder(root.path(), &task("drop")), contrast);
    let own = folder("drop");
    assert_eq!(task_folder(root.path(), &task("drop")), own, "its own name goes first");
    assert_eq!(task_folder(root.path(), &task("rte")), root.path());
}

#[test]
fn the_page_lists_every_task_and_its_examples_compile() {
    let page = include_str!("../TASKS.md");
    for name in names() {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in TASKS.md"));
        assert!(line.contains(&format!("| {}", task(name).metric())), "{line}");
        assert!(line.contains(&format!("| {} |", task(name).loss())), "{line}");
    }
    let blocks = page.split("```").filter_map(|part| part.strip_prefix("toml\n"));
    let tasks: Vec<&str> = blocks.filter(|block| block.starts_with("name = ")).collect();
    assert_eq!(tasks.len(), 4);
    for block in tasks {
        TaskSpec::from_toml(block, "TASKS.md").unwrap().compile().unwrap_or_else(|e| panic!("{e}\n{block}"));
    }
}
