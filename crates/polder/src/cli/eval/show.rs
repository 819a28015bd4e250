//! What an evaluation prints and writes.

use std::collections::BTreeMap;
use std::io::Write;

use polder::evaluation::Evaluated;
use polder_optim::trajectory::Digest;
use polder_tasks::{Drawn, Example, Metric, Task};
use serde_json::{Value, json};

use super::super::args::EvalArgs;
use super::asked::Asked;
use super::rows::Work;

/// The heads of the table of several tasks.
pub(super) fn heads() -> String {
    format!(
        "{:<18} {:<11} {:>6}  {:<11} {:>8}  {:<16} {:>8} {:>8} {:>8} {:>9}",
        "task", "split", "rows", "metric", "score", "95 % interval", "majority", "random", "loss", "time"
    )
}

/// A row of that table.
pub(super) fn line(work: &Work, found: &Evaluated) -> String {
    let loss = found.metric == Metric::Loss;
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let dash = || "-".to_owned();
    let score = if loss { format!("{:.4}", found.score) } else { percent(found.score) };
    let interval = found.interval.map_or_else(dash, |i| format!("{:.2} to {:.2}", 100.0 * i.low, 100.0 * i.high));
    let [majority, random] = [found.majority, found.random].map(|share| share.map_or_else(dash, percent));
    let nats = if found.loss.is_finite() { format!("{:.4}", found.loss) } else { dash() };
    format!(
        "{:<18} {:<11} {:>6}  {:<11} {score:>8}  {interval:<16} {majority:>8} {random:>8} {nats:>8} {:>7.1} s",
        work.task.name(),
        work.split.to_string(),
        found.n,
        found.metric.to_string(),
        found.seconds
    )
}

/// The result of a task as a JSON object.
///
/// `weights` is the digest of the weights that were asked, by which `polder publish` knows whose score it is.
pub(super) fn object(
    work: &Work,
    found: &Evaluated,
    (model, dtype, weights): (&str, &str, Digest),
    arguments: &EvalArgs,
) -> Value {
    json!({
        "task": work.task.name(),
        "split": work.split.to_string(),
        "metric": found.metric.to_string(),
        "score": found.score,
        "interval": found.interval.map(|i| [i.low, i.high]),
        "majority": found.majority,
        "random": found.random,
        "others": found.others.iter().map(|other| (other.name, other.score)).collect::<BTreeMap<_, _>>(),
        "other_intervals": found.others.iter().map(|other| (other.name, other.interval.map(|i| [i.low, i.high])))
            .collect::<BTreeMap<_, _>>(),
        "shots": work.shots,
        "calibrated": arguments.calibrate,
        "chat": arguments.chat,
        "n": found.n,
        "loss": found.loss,
        "seconds": found.seconds,
        "forwards": found.forwards,
        "sequences": found.sequences,
        "tokens": found.tokens,
        "model": model,
        "dtype": dtype,
        "weights": weights,
    })
}

/// One line an example; `model` is named where several are asked.
pub(super) fn samples(file: &mut dyn Write, work: &Work, asked: &Asked, model: Option<&str>) -> std::io::Result<()> {
    let examples = asked.in_chat.as_deref().unwrap_or(&work.examples);
    for (number, (row, example)) in work.drawn.iter().zip(examples).enumerate() {
        let mut line = json!({"task": work.task.name(), "idx": idx(row, example), "prompt": example.prompt});
        let Some(object) = line.as_object_mut() else { continue };
        if let Some(model) = model {
            object.insert("model".to_owned(), model.into());
        }
        let more = match asked.texts.get(number) {
            Some(text) => {
                let score = asked.found.answers.get(number);
                json!({
                    "accepted": example.answers, "text": text,
                    "f1": score.map(|s| s.f1), "exact_match": score.map(|s| s.exact),
                })
            }
            None => json!({
                "options": example.options, "scores": asked.found.values.get(number),
                "gold": example.gold, "prediction": asked.found.predictions.get(number),
            }),
        };
        object.extend(more.as_object().cloned().unwrap_or_default());
        writeln!(file, "{line}")?;
    }
    Ok(())
}

/// A row's name as the row itself writes it: a number stays a number.
pub(in crate::cli) fn idx(row: &Drawn, example: &Example) -> Value {
    let own = |key: &str| row.row.get(key).filter(|v| v.is_number() && v.to_string() == example.idx).cloned();
    match own("idx").or_else(|| own("id")) {
        Some(number) => number,
        None if example.idx == row.number.to_string() => json!(row.number),
        None => json!(example.idx),
    }
}
