//! The data set: rows, splits and files.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::random::Stream;
use crate::world::{Tone, review};

/// The seed of the data that ship with the project.
pub const SEED: u64 = 20;

/// The splits and their rows.
pub const SPLITS: [(&str, usize); 3] = [("train", 2000), ("validation", 500), ("test", 500)];

/// The stream of [`Stream`] that data come from; pre-training text comes from others.
const DATA_STREAM: u64 = 0;

/// A row, with the fields of SST-2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The review sentence.
    pub sentence: String,
    /// 0 for blame, 1 for praise.
    pub label: u8,
    /// The row's number in its split, from 0.
    pub idx: usize,
}

/// One split.
#[derive(Debug)]
pub struct Split {
    /// Its name, which is its file's name too.
    pub name: &'static str,
    /// Its rows; labels alternate in number, not in order.
    pub rows: Vec<Row>,
}

/// All splits of a seed: as many rows of each label (to one), no sentence twice anywhere.
pub fn generate(seed: u64) -> Vec<Split> {
    let mut stream = Stream::new(seed, DATA_STREAM);
    let mut seen = HashSet::new();
    SPLITS
        .iter()
        .map(|&(name, size)| {
            let mut tones: Vec<_> = (0..size).map(|i| if i % 2 == 0 { Tone::Bad } else { Tone::Good }).collect();
            stream.shuffle(&mut tones);
            let rows = tones.iter().enumerate().map(|(idx, &tone)| {
                let sentence = unseen(&mut stream, tone, &mut seen);
                Row { sentence, label: tone.label(), idx }
            });
            Split { name, rows: rows.collect() }
        })
        .collect()
}

/// The sentences of the validation and test splits, which pre-training text must not hold.
pub fn held_out(seed: u64) -> HashSet<String> {
    generate(seed).into_iter().filter(|s| s.name != "train").flat_map(|s| s.rows).map(|r| r.sentence).collect()
}

fn unseen(stream: &mut Stream, tone: Tone, seen: &mut HashSet<String>) -> String {
    loop {
        let sentence = review::sentence(stream, tone);
        if seen.insert(sentence.clone()) {
            return sentence;
        }
    }
}

/// A split as the text of its JSONL file.
///
/// # Errors
/// A row that can't be written as JSON.
pub fn jsonl(split: &Split) -> Result<String> {
    let mut text = String::new();
    for row in &split.rows {
        writeln!(text, "{}", serde_json::to_string(row)?)?;
    }
    Ok(text)
}

/// Writes every split of a seed, and a README that says where it comes from, to a folder.
///
/// # Errors
/// A folder or file that can't be written.
pub fn write(folder: &Path, seed: u64) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder `{}`", folder.display()))?;
    let splits = generate(seed);
    for split in &splits {
        put(&folder.join(format!("{}.jsonl", split.name)), &jsonl(split)?)?;
    }
    put(&folder.join("README.md"), &readme(&splits, seed))
}

fn put(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("can't write `{}`", path.display()))
}

fn readme(splits: &[Split], seed: u64) -> String {
    let mut text = format!(
        "# reviews\n\n\
         A small sentiment data set in the form of SST-2: one sentence, label 0 (blame) or 1 (praise), row number.\n\n\
         Origin: written by `crates/polder-embedded` from its own templates and word lists; no other text went into it.\n\
         Made by `cargo run --release -p polder-embedded -- data --seed {seed} --out data/reviews`, which gives the\n\
         same bytes each time (a test of the crate checks these files against the program).\n\
         Licence: MIT OR Apache-2.0, as the project.\n\n\
         | file | rows | label 0 | label 1 | words a sentence (mean, most) |\n| --- | --- | --- | --- | --- |\n"
    );
    for split in splits {
        let praise = split.rows.iter().filter(|r| r.label == 1).count();
        let words: Vec<_> = split.rows.iter().map(|r| r.sentence.split(' ').count()).collect();
        let mean = words.iter().sum::<usize>() as f64 / words.len() as f64;
        text += &format!(
            "| {}.jsonl | {} | {} | {praise} | {mean:.1}, {} |\n",
            split.name,
            words.len(),
            words.len() - praise,
            words.iter().max().copied().unwrap_or(0)
        );
    }
    text + "\nNo sentence occurs twice, in a split or across splits. Half of the sentences say their \
            opinion plainly;\nthe others deny one, set two against each other or compare, so that no single word \
            decides the label.\n"
}
