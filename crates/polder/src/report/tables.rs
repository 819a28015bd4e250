//! Scores, and where every number comes from.

use std::fmt::Write as _;

use serde_json::Value;

use super::lines::Run;
use super::write::{count, interval, score, short, time};
use crate::figure::text::escape;

/// A table of HTML cells. A head that begins with `#` is that of numbers, one with `~` that of text which may break anywhere.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>], class: impl Fn(usize) -> &'static str) -> String {
    let kind = |at: usize| match heads[at].chars().next() {
        Some('#') => " class=\"n\"",
        Some('~') => " class=\"v\"",
        _ => "",
    };
    let mut out = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    // Writing to a string can't fail.
    for (at, head) in heads.iter().enumerate() {
        let _ = write!(out, "<th{}>{}</th>", kind(at), head.trim_start_matches(['#', '~']));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (number, row) in rows.iter().enumerate() {
        let _ = write!(out, "<tr{}>", class(number));
        for (at, cell) in row.iter().enumerate() {
            let _ = write!(out, "<td{}>{cell}</td>", kind(at));
        }
        out += "</tr>\n";
    }
    out + "</tbody></table></div>\n"
}

/// Every evaluation.
pub(super) fn evaluations(run: &Run) -> String {
    if run.scores.is_empty() {
        return String::new();
    }
    let heads = [
        "#step",
        "#forward passes",
        "rows",
        "#n",
        "metric",
        "#score",
        "#95 % interval",
        "#majority",
        "#loss (nats)",
        "#time",
        "",
    ];
    let row = |line: &super::lines::Score| {
        vec![
            count(line.step),
            count(line.forwards),
            escape(&line.split),
            count(line.n),
            escape(&line.metric),
            score(&line.metric, line.score),
            interval(&line.metric, line.low, line.high),
            score(&line.metric, line.majority),
            short(line.loss, 4),
            time(line.seconds),
            if line.best { "best so far" } else { "" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = run.scores.iter().map(row).collect();
    let last = |at: usize| if run.scores[at].split == "final" { " class=\"other\"" } else { "" };
    format!("<h2>Evaluations</h2>\n{}", table(&heads, &rows, last))
}

/// Where the numbers come from.
pub(super) fn origin(run: &Run) -> String {
    let text = |at: &str| run.plan.pointer(at).and_then(Value::as_str).unwrap_or("not known").to_owned();
    let torn =
        if run.torn == 0 { String::new() } else { format!("; {} unreadable lines left out", count(run.torn as f64)) };
    let lines = format!(
        "{}: {} steps, {} evaluations, {} traces{torn}",
        run.path.join("metrics.jsonl").display(),
        count(run.steps.len() as f64),
        count(run.scores.len() as f64),
        count(run.traces.len() as f64)
    );
    let mut rows = vec![
        ("curves, scores, times", lines),
        ("configuration, sizes", run.path.join("plan.json").display().to_string()),
        ("polder of the plan", text("/facts/polder")),
        ("model", format!("{} ({})", text("/model/path"), text("/facts/model/model_type"))),
        ("data", format!("{} ({})", text("/facts/data/path"), text("/facts/data/task"))),
        ("hash of the training examples", text("/facts/data/fingerprint")),
    ];
    rows.extend(run.base.clone().map(|hash| ("hash of the weights before", hash)));
    rows.extend(run.end.clone().map(|hash| ("hash of the weights after", hash)));
    let cell = |(name, value): &(&str, String)| vec![escape(name), escape(value)];
    let rows: Vec<Vec<String>> = rows.iter().map(cell).collect();
    format!("<h2>Origin of the numbers</h2>\n{}", table(&["what", "~from"], &rows, |_| ""))
}

/// What fell back, was chosen or went wrong.
pub(super) fn notes(run: &Run) -> String {
    if run.notes.is_empty() {
        return String::new();
    }
    let items: String = run.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    format!("<h2>Notes</h2>\n<ul class=\"notes\">\n{items}</ul>\n")
}
