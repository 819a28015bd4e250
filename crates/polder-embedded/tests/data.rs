//! The data set: what the generator makes, and the files that are committed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use polder_embedded::dataset::{self, Row};

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn a_seed_gives_the_same_rows_each_time() {
    let rows = |seed| dataset::generate(seed).into_iter().flat_map(|s| s.rows).collect::<Vec<_>>();
    assert_eq!(rows(5), rows(5));
    assert_ne!(rows(5), rows(6));
}

#[test]
fn labels_are_balanced_and_rows_are_numbered() {
    for split in dataset::generate(dataset::SEED) {
        let praise = split.rows.iter().filter(|r| r.label == 1).count();
        assert_eq!(praise, split.rows.len() / 2, "in {}", split.name);
        assert!(split.rows.iter().enumerate().all(|(i, r)| r.idx == i && r.label <= 1));
    }
}

#[test]
fn no_sentence_occurs_twice_in_or_across_splits() {
    let mut seen = HashSet::new();
    for row in dataset::generate(dataset::SEED).into_iter().flat_map(|s| s.rows) {
        assert!(seen.insert(row.sentence.clone()), "`{}` occurs twice", row.sentence);
    }
}

#[test]
fn sentences_are_short_and_hold_no_label_word() {
    for row in dataset::generate(dataset::SEED).into_iter().flat_map(|s| s.rows) {
        let words: Vec<_> = row.sentence.split(' ').collect();
        assert!((4..=30).contains(&words.len()), "`{}` has {} words", row.sentence, words.len());
        assert!(!words.contains(&"great") && !words.contains(&"terrible"), "`{}` gives its label away", row.sentence);
        assert!(!row.sentence.contains(['{', '}', '[', ']']), "`{}` has an unfilled slot", row.sentence);
        assert_eq!(row.sentence, row.sentence.to_lowercase());
    }
}

/// Whether one certain word is there, even the word that is best on these very rows, tells little: opinions are composed.
#[test]
fn no_single_word_decides() {
    let splits = dataset::generate(dataset::SEED);
    let (train, validation) = (&splits[0].rows, &splits[1].rows);
    let mut best = 0usize;
    let words: HashSet<_> = train.iter().flat_map(|r| r.sentence.split(' ')).collect();
    for word in words {
        let agree =
            |rows: &[Row]| rows.iter().filter(|r| r.sentence.split(' ').any(|w| w == word) == (r.label == 1)).count();
        let hits = agree(validation);
        best = best.max(hits).max(validation.len() - hits);
    }
    assert!(best * 100 < validation.len() * 60, "one word alone decides {best} of {} rows", validation.len());
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    for split in dataset::generate(dataset::SEED) {
        let path = shipped("data/reviews").join(format!("{}.jsonl", split.name));
        let found = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(
            found == dataset::jsonl(&split).expect("rows are plain"),
            "{} is not what the generator makes",
            path.display()
        );
    }
}
