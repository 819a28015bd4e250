//! Every key that a configuration may hold: one table for parsing, help and tests.
//!
//! Those of estimators and optimisers are the settings of the registries' entries.

use std::sync::LazyLock;

use polder_optim::{ESTIMATORS, OPTIMIZERS, SettingHelp, SettingKind};

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text; a bare `--set` value is taken as it is.
    Text,
    /// A path; relative ones start at the config's folder or, of `--set`, at the working folder.
    Path,
    /// A number, a truth value or a list.
    Value,
}

/// A key, by its dotted name.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its dotted name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// One line on what it means, with its default.
    pub about: &'static str,
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about }
}

/// The keys, in the order of the documentation.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
        let mut keys = GENERAL.to_vec();
        for entry in ESTIMATORS {
            keys.extend(settings("estimator", entry.name, entry.settings));
            let law = SettingHelp { key: "law", kind: SettingKind::Word(LAWS), about: LAW };
            keys.extend(settings("estimator", entry.name, &[law]));
        }
        for entry in OPTIMIZERS {
            keys.extend(settings("optimizer", entry.name, entry.settings));
        }
        keys.extend(LATER);
        keys
    });
    &KEYS
}

/// The names of the laws.
pub(super) const LAWS: &[&str] = &["gaussian", "rademacher"];
const LAW: &str = "\"gaussian\" or \"rademacher\", of the directions (gaussian)";

/// The keys of a registry's entry. The clip is one key for all estimators.
fn settings(table: &str, name: &str, settings: &[SettingHelp]) -> impl Iterator<Item = Key> {
    settings.iter().filter(|s| s.key != "clip").map(move |s| {
        // Made once for the whole process.
        let name: &'static str = Box::leak(format!("{table}.{name}.{}", s.key).into_boxed_str());
        let kind = if matches!(s.kind, SettingKind::Word(_)) { Kind::Text } else { Kind::Value };
        key(name, kind, s.about)
    })
}

const GENERAL: &[Key] = &[
    key("seed", Kind::Value, "seed of directions, minibatches and rounding (0)"),
    key("steps", Kind::Value, "number of steps (2000)"),
    key("batch", Kind::Value, "examples a step, or \"full\" (16)"),
    key("device", Kind::Text, "\"auto\", \"cpu\", \"cuda\", \"cuda:N\", \"metal\" or \"metal:N\" (auto)"),
    key(
        "offload",
        Kind::Value,
        "leave weights in the computer's memory, send them to the GPU one by one: true or false (false)",
    ),
    key("threads", Kind::Value, "worker threads (the machine's cores)"),
    key("micro_batch", Kind::Value, "examples a forward pass (the batch)"),
    key("points_a_pass", Kind::Value, "points of weight space that a forward pass reads together (2)"),
    key("materialise", Kind::Value, "make a point's weights whole to generate: true, false or \"auto\" (auto)"),
    key("max_length", Kind::Value, "longest sequence in tokens (the model's limit)"),
    key("probe", Kind::Text, "\"read\" or \"in-place\" (read)"),
    key("arithmetic", Kind::Text, "\"f32\", \"bf16\" or \"tf32\" (NVIDIA cards), of products (f32)"),
    key("rounding", Kind::Text, "\"stochastic\" or \"nearest\", for 16-bit weights (stochastic)"),
    key("trainable", Kind::Value, "patterns of parameter names that may change (all)"),
    key("clip", Kind::Value, "bound on the projected gradient (none)"),
    key("save.every", Kind::Value, "steps between checkpoints (as eval.every)"),
    key("model.path", Kind::Path, "Hugging Face folder, GGUF file, run folder or hf://owner/name (required)"),
    key("model.dtype", Kind::Text, "how weights are held: f32, bf16, f16, bf16+8 (bf16)"),
    key("task.name", Kind::Text, "built-in task, task file (x.toml), or a name for your own"),
    key("task.file", Kind::Path, "task file (TOML)"),
    key("task.data", Kind::Path, "folder with train, validation and test files, one file, or hf://datasets/owner/name"),
    key("task.train", Kind::Value, "training rows (1000)"),
    key("task.dev", Kind::Value, "rows that choose the best checkpoint (500)"),
    key("task.seed", Kind::Value, "seed that draws training and dev rows (0)"),
    key("task.per_class", Kind::Value, "so many rows of each class instead (none)"),
    key("task.noise", Kind::Value, "share of the training labels that is replaced by wrong ones (0)"),
    key("task.shots", Kind::Value, "answered rows of the train split in front of every prompt (0)"),
    key("task.shots_seed", Kind::Value, "seed that chooses them (0)"),
    key("task.prompt", Kind::Text, "prompt template over a row's columns"),
    key("task.options", Kind::Value, "option texts or templates, or a column that holds a list"),
    key("task.target", Kind::Text, "column or template of the right option"),
    key("task.label", Kind::Text, "column of the right option's number or name"),
    key("task.labels", Kind::Value, "label values in the order of the options, or their column"),
    key("task.joint", Kind::Text, "what stands between prompt and option (a space)"),
    key("task.loss", Kind::Text, "\"options\", \"target\", \"accuracy\" or \"f1\" (options, where there are any)"),
    key("task.bos", Kind::Value, "force (true) or forbid (false) BOS (as the tokenizer)"),
];

const LATER: &[Key] = &[
    key("auto.share", Kind::Value, "with lr = \"auto\": share of the stable bound (0.05)"),
    key(
        "auto.probes",
        Kind::Value,
        "with lr = \"auto\": directions to measure the trace along, up to four times as many while it is not clear of zero (64)",
    ),
    key("auto.precision", Kind::Value, "with lr = \"auto\": relative standard error that suffices (0.1)"),
    key("auto.every", Kind::Value, "with lr = \"auto\": steps after which it is measured again; 0: never (0)"),
    key(
        "trace.every",
        Kind::Value,
        "steps between samples of the Hessian's trace, a forward pass each, after 16 at once; 0: none (0)",
    ),
    key("trace.memory", Kind::Value, "how many directions the mean of the trace remembers (100)"),
    key("schedule.constant.warmup", Kind::Value, "warm-up steps (0)"),
    key("schedule.linear.warmup", Kind::Value, "warm-up steps (0)"),
    key("schedule.linear.end", Kind::Value, "share of the rate left at the end (0)"),
    key("schedule.cosine.warmup", Kind::Value, "warm-up steps (0)"),
    key("schedule.cosine.end", Kind::Value, "share of the rate left at the end (0)"),
    key("eval.every", Kind::Value, "steps between evaluations on the dev rows (a tenth of the steps)"),
    key("eval.split", Kind::Text, "split of the first and final score: validation, test, train (validation)"),
    key("eval.limit", Kind::Value, "at most so many rows of that split (1000)"),
    key(
        "eval.metric",
        Kind::Text,
        "what chooses the best weights: loss, accuracy, macro-f1, binary-f1, f1 or exact-match (loss)",
    ),
    key("eval.before", Kind::Value, "evaluate before the first step (true)"),
];

/// The tables of which exactly one entry may be set; setting one replaces its sibling.
pub(super) const VARIANTS: &[&str] = &["estimator", "optimizer", "schedule"];

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|k| k.name == name)
}

/// Whether the name is a table that holds keys.
pub(super) fn is_table(name: &str) -> bool {
    keys().iter().any(|k| k.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The known key that an unknown one most likely means, if any is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let last = tail(name);
    if let Some(same) = keys().iter().find(|k| tail(k.name) == last) {
        return Some(same.name);
    }
    let whole = keys().iter().map(|k| (distance(name, k.name), k.name)).min()?;
    if whole.0 <= (name.chars().count() / 4).max(2) {
        return Some(whole.1);
    }
    let ends = keys().iter().map(|k| (distance(last, tail(k.name)), k.name)).min()?;
    (ends.0 <= 2 && ends.0 < last.chars().count()).then_some(ends.1)
}

fn tail(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Levenshtein's distance, in characters; long names are cut, since none of ours is.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_by_its_end_or_by_distance() {
        assert_eq!(nearest("lr"), Some("optimizer.sgd.lr"));
        assert_eq!(nearest("estimator.two-point.epss"), Some("estimator.two-point.eps"));
        assert_eq!(nearest("stepz"), Some("steps"));
        assert_eq!(nearest("estimator.two-point.clip"), Some("clip"));
        assert_eq!(nearest("wholly.elsewhere"), None);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
