//! Which rows are trained on, selected with and evaluated on.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Rows;
use crate::permutation::Draws;
use crate::{DataFolder, Drawn, Error, Result, Split, Task};

/// How many rows to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSpec {
    /// Training rows.
    pub train: usize,
    /// Rows that select the best checkpoint; 0 for none.
    pub dev: usize,
    /// Evaluation rows; `None` for the whole split.
    pub eval: Option<usize>,
    /// The split to evaluate on; validation by default, as MeZO does.
    pub eval_split: Option<Split>,
    /// In place of `train` and `dev`: this many rows of each label for train, and as many for dev (unless `dev` is 0).
    pub per_class: Option<usize>,
}

impl Default for SampleSpec {
    /// MeZO's sizes: 1,000 for training, 500 for dev, up to 1,000 for evaluation.
    fn default() -> Self {
        Self { train: 1000, dev: 500, eval: Some(1000), eval_split: None, per_class: None }
    }
}

/// The drawn rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Training rows, in drawn order.
    pub train: Vec<Drawn>,
    /// Dev rows, in drawn order.
    pub dev: Vec<Drawn>,
    /// Evaluation rows, in the file's order.
    pub eval: Vec<Drawn>,
    /// Where the evaluation rows come from ([`Split::Train`]: held out from it).
    pub eval_split: Split,
    /// What fell back, in sentences.
    pub notes: Vec<String>,
}

/// Draws rows by a seeded permutation (ChaCha8, Fisher–Yates) of the train split.
///
/// - Train and dev are drawn together, train first, dev as the tail of the draw (MeZO).
/// - Where train + dev exceed the `n` rows there are: dev keeps its size if that is at most half of them, and train is
///   the rest (so MeZO's 100 for CB and COPA stay 100); otherwise dev is a quarter of them (at least one row of two or
///   more), and train the rest.
/// - Evaluation rows come from the validation split: all of it, or a seeded draw of `eval` rows where it has more. A
///   missing split falls back to the other of validation and test, and then to rows held out from the tail of the train
///   split's permutation: `eval` rows, at most a fifth of the split, before train and dev are drawn from the others.
/// - `per_class` walks the same permutation and takes each label's first k rows for train and its next k for dev; a label
///   with fewer than 2k rows gives half of them (rounded up) to train and the others to dev.
///
/// Each rule that had to be used is said in [`Sample::notes`].
///
/// # Errors
/// A missing train split where training rows are wanted, a split without rows, a row without label under `per_class`, and
/// the errors of the readers.
pub fn sample(folder: &DataFolder, task: &dyn Task, spec: &SampleSpec, seed: u64) -> Result<Sample> {
    let mut notes = Vec::new();
    let found = eval_source(folder, spec.eval_split.unwrap_or(Split::Validation), &mut notes)?;
    let wants_train = spec.train > 0 || spec.dev > 0 || spec.per_class.is_some();
    let wants_rows = wants_train || found == Split::Train;
    let rows = if wants_rows { folder.rows(Split::Train, None)? } else { Rows::open(&[], None)? };
    let mut order = Draws::new(seed, b"train   ").permutation(rows.len());
    let eval = match found {
        Split::Train => held_out(folder, &rows, &mut order, spec.eval, wants_train, &mut notes)?,
        other => evaluation(folder, other, spec.eval, seed)?,
    };
    if eval.is_empty() && spec.eval != Some(0) {
        let none = match rows.len() {
            1 if found == Split::Train => "its one row can't be trained on and held out for evaluation".to_owned(),
            _ => format!("its {found} split has no rows to evaluate on"),
        };
        return Err(too_few(folder, none));
    }
    if wants_train && order.is_empty() {
        return Err(too_few(folder, "its train split has no rows to train on".to_owned()));
    }
    let (train, dev) = match spec.per_class {
        _ if !wants_train => (Vec::new(), Vec::new()),
        Some(k) => by_class(task, &rows, &order, k, spec.dev > 0, &mut notes)
            .map_err(|error| folder.within(Split::Train, error))?,
        None => by_size(&order, spec, &mut notes),
    };
    Ok(Sample { train: rows.pick(&train)?, dev: rows.pick(&dev)?, eval, eval_split: found, notes })
}

fn too_few(folder: &DataFolder, reason: String) -> Error {
    Error::TooFewRows { path: folder.path().to_owned(), reason }
}

/// The wanted split, or what stands in for it.
fn eval_source(folder: &DataFolder, wanted: Split, notes: &mut Vec<String>) -> Result<Split> {
    let order = match wanted {
        Split::Validation => [Split::Validation, Split::Test, Split::Train],
        Split::Test => [Split::Test, Split::Validation, Split::Train],
        Split::Train => [Split::Train, Split::Train, Split::Train],
    };
    let found = order.into_iter().find(|split| folder.has(*split)).ok_or_else(|| folder.no_such_split(wanted))?;
    if found != wanted && found != Split::Train {
        notes.push(format!("There is no {wanted} split; evaluation is on the {found} split."));
    }
    Ok(found)
}

fn evaluation(folder: &DataFolder, split: Split, limit: Option<usize>, seed: u64) -> Result<Vec<Drawn>> {
    let rows = folder.rows(split, None)?;
    let mut numbers = Draws::new(seed, b"evaluate").permutation(rows.len());
    numbers.truncate(limit.unwrap_or(usize::MAX));
    numbers.sort_unstable();
    rows.pick(&numbers)
}

/// Takes the evaluation rows off the end of the train split's permutation. Where nothing is trained, all may be taken.
fn held_out(
    folder: &DataFolder,
    rows: &Rows,
    order: &mut Vec<usize>,
    limit: Option<usize>,
    wants_train: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Drawn>> {
    let most = if wants_train { (order.len() / 5).max(usize::from(order.len() > 1)) } else { order.len() };
    let count = limit.unwrap_or(usize::MAX).min(most);
    let mut numbers = order.split_off(order.len() - count);
    numbers.sort_unstable();
    let other = folder.has(Split::Validation) || folder.has(Split::Test);
    let subject = if other { "Evaluation" } else { "There is no validation or test split; evaluation" };
    notes.push(match wants_train {
        true => format!("{subject} is on {count} rows held out from the train split's {}.", rows.len()),
        false => format!("{subject} is on {count} of the train split's {} rows.", rows.len()),
    });
    rows.pick(&numbers)
}

fn by_size(order: &[usize], spec: &SampleSpec, notes: &mut Vec<String>) -> (Vec<usize>, Vec<usize>) {
    let n = order.len();
    let (train, dev) = sizes(n, spec.train, spec.dev);
    if (train, dev) != (spec.train, spec.dev) {
        notes.push(format!(
            "The train split has {n} rows to draw from, fewer than the {} + {} wanted for train and dev: {train} train, {dev} dev.",
            spec.train, spec.dev
        ));
    }
    let (front, tail) = order.split_at(train.min(n));
    (front.to_vec(), tail.iter().copied().take(dev).collect())
}

/// Train and dev sizes out of `n` rows, as [`sample`] states.
fn sizes(n: usize, train: usize, dev: usize) -> (usize, usize) {
    if train.saturating_add(dev) <= n {
        return (train, dev);
    }
    let dev = match dev {
        0 => 0,
        _ if train == 0 => dev.min(n),
        _ if dev <= n / 2 => dev,
        _ => (n / 4).max(usize::from(n > 1)).min(dev),
    };
    (train.min(n - dev), dev)
}

/// The rows of each label, in the order of `order`; of the rows themselves one at a time is held.
fn classes(task: &dyn Task, rows: &Rows, order: &[usize]) -> Result<BTreeMap<usize, Vec<usize>>> {
    let mut gold = vec![0; rows.len()];
    let wanted: BTreeSet<usize> = order.iter().copied().collect();
    rows.each(|number, row| {
        if wanted.contains(&number) {
            gold[number] = task.gold(&row, number)?.ok_or_else(|| Error::Unlabelled {
                task: task.name().to_owned(),
                row: number.to_string(),
                key: task.gold_source(),
                there: crate::error::quoted(row.keys().map(String::as_str)),
            })?;
        }
        Ok(())
    })?;
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in order.iter().filter(|number| **number < gold.len()) {
        classes.entry(gold[*number]).or_default().push(*number);
    }
    Ok(classes)
}

fn by_class(
    task: &dyn Task,
    rows: &Rows,
    order: &[usize],
    k: usize,
    with_dev: bool,
    notes: &mut Vec<String>,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let classes = classes(task, rows, order)?;
    let (mut train, mut dev) = (Vec::new(), Vec::new());
    for (class, members) in &classes {
        let m = members.len();
        let first = if !with_dev {
            k.min(m)
        } else if m >= k.saturating_mul(2) {
            k
        } else {
            m.div_ceil(2).min(k)
        };
        let second = if with_dev { k.min(m - first) } else { 0 };
        if first < k || (with_dev && second < k) {
            notes.push(format!(
                "Label {class} has {m} rows to draw from, fewer than {k} a class need: {first} train, {second} dev."
            ));
        }
        let (front, tail) = members.split_at(first);
        train.extend(front);
        dev.extend(tail.iter().take(second));
    }
    let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(place, number)| (*number, place)).collect();
    for part in [&mut train, &mut dev] {
        part.sort_by_key(|number| place.get(number).copied());
    }
    Ok((train, dev))
}
