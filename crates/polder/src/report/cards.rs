//! What a reader wants to know first.

use std::fmt::Write as _;

use serde_json::Value;

use super::lines::{Run, Score};
use super::write::{UNKNOWN, count, interval, memory, score, time};
use crate::figure::text::escape;

/// The cards on top of a run's page.
pub(super) fn cards(run: &Run) -> String {
    let cards = [result(run), steps(run), forwards(run), seconds(run), held(run), weights(run)];
    let mut out = String::from("<div class=\"cards\">\n");
    for [name, value, more] in cards {
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "<div class=\"card\"><span>{}</span><b>{}</b><small>{}</small></div>",
            escape(&name),
            escape(&value),
            escape(&more)
        );
    }
    out + "</div>\n"
}

fn result(run: &Run) -> [String; 3] {
    let Some(found) = run.result() else {
        return ["Score".to_owned(), UNKNOWN.to_owned(), "not evaluated yet".to_owned()];
    };
    let what = match found.split.as_str() {
        "final" => format!("Final {}", found.metric),
        split => format!("Latest {} ({split})", found.metric),
    };
    [what, score(&found.metric, found.score), beside(found)]
}

/// What stands beside a score: its interval, the majority's, how many rows.
fn beside(found: &Score) -> String {
    let range = interval(&found.metric, found.low, found.high);
    let mut parts = Vec::new();
    if !range.is_empty() {
        parts.push(format!("95 %: {range}"));
    }
    if found.majority.is_finite() {
        parts.push(format!("majority {}", score(&found.metric, found.majority)));
    }
    parts.push(format!("{} rows", count(found.n)));
    parts.join(" · ")
}

/// Steps that are done, and those that are planned.
pub(super) fn progress(run: &Run) -> (f64, f64) {
    let done = run.steps.last().map_or(0.0, |line| line.step);
    let planned = run.plan.get("steps").and_then(Value::as_f64);
    (done, planned.or_else(|| run.steps.last().map(|line| line.total)).unwrap_or(f64::NAN))
}

fn steps(run: &Run) -> [String; 3] {
    let (done, planned) = progress(run);
    let state = match (&run.end, done < planned) {
        (Some(_), false) => "ended".to_owned(),
        (None, false) => "all steps are done".to_owned(),
        (_, true) => format!("of {}; not ended", count(planned)),
    };
    ["Steps".to_owned(), count(done), state]
}

/// Forward passes so far, training and evaluation.
pub(super) fn passes(run: &Run) -> f64 {
    let steps = run.steps.iter().map(|line| line.forwards);
    let all = steps.chain(run.scores.iter().map(|line| line.forwards));
    all.filter(|n| n.is_finite()).reduce(f64::max).unwrap_or(f64::NAN)
}

fn forwards(run: &Run) -> [String; 3] {
    let batch = run.plan.pointer("/facts/data/batch").and_then(Value::as_f64);
    let more = batch.map_or_else(String::new, |n| format!("each over a batch of {}, evaluations included", count(n)));
    ["Forward passes".to_owned(), count(passes(run)), more]
}

/// Seconds in steps and in evaluations.
pub(super) fn spent(run: &Run) -> (f64, f64) {
    let sum = |values: &mut dyn Iterator<Item = f64>| values.filter(|s| s.is_finite()).sum::<f64>();
    (sum(&mut run.steps.iter().map(|line| line.seconds)), sum(&mut run.scores.iter().map(|line| line.seconds)))
}

fn seconds(run: &Run) -> [String; 3] {
    let (steps, scores) = spent(run);
    let more = format!("{} in steps, {} in evaluations", time(steps), time(scores));
    ["Time".to_owned(), time(steps + scores), more]
}

fn held(run: &Run) -> [String; 3] {
    let measured = run.steps.iter().map(|line| line.memory).filter(|bytes| bytes.is_finite()).reduce(f64::max);
    let planned = run.plan.pointer("/facts/cost/memory").and_then(Value::as_object);
    let estimate: Option<f64> = planned.map(|parts| parts.values().filter_map(Value::as_f64).sum());
    let (bytes, more) = match (measured, estimate) {
        (Some(bytes), _) => (bytes, "at the highest, measured"),
        (None, Some(bytes)) => (bytes, "estimate of the plan"),
        (None, None) => (f64::NAN, "not measured"),
    };
    ["Memory".to_owned(), memory(bytes), more.to_owned()]
}

fn weights(run: &Run) -> [String; 3] {
    let fact = |key: &str| run.plan.pointer(&format!("/facts/model/{key}")).and_then(Value::as_f64);
    let text = |at: &str| run.plan.pointer(at).and_then(Value::as_str);
    let parameters = fact("parameters").unwrap_or(f64::NAN);
    let shown = match parameters {
        n if n >= 1e9 => format!("{:.2} G", n / 1e9),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n => count(n),
    };
    let mut more: Vec<String> =
        ["/facts/model/model_type", "/model/dtype"].into_iter().filter_map(text).map(str::to_owned).collect();
    match fact("trainable") {
        Some(n) if n < parameters => more.push(format!("{} trained", count(n))),
        Some(_) => more.push("all trained".to_owned()),
        None => {}
    }
    ["Weights".to_owned(), shown, more.join(" · ")]
}
