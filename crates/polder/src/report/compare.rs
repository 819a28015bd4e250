//! Several runs on one page.

use std::path::Path;

use super::cards::{passes, progress, spent};
use super::charts::Charts;
use super::lines::Run;
use super::settings::differences;
use super::tables::{evaluations, origin, table};
use super::write::{UNKNOWN, count, interval, score, short, time};
use super::{drawn, page as whole};
use crate::figure::colour;
use crate::figure::text::escape;

/// The page.
pub(super) fn page(runs: &[Run]) -> String {
    let runs = &told_apart(runs);
    let mut body = scores(runs);
    body += &drawn(Charts::of(runs).panels());
    body += &changed(runs);
    for run in runs {
        body += &format!("<h2>{}</h2>\n", named(run, runs));
        body += &evaluations(run).replace("<h2>Evaluations</h2>\n", "");
        body += &origin(run).replace("<h2>Origin of the numbers</h2>\n", "");
    }
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    whole(&format!("{} runs", runs.len()), &names.join(" · "), &body)
}

/// Runs of one name are called by their folder's folder too.
fn told_apart(runs: &[Run]) -> Vec<Run> {
    let twice = |run: &Run| runs.iter().filter(|other| other.name == run.name).count() > 1;
    let parent =
        |run: &Run| run.path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let renamed = |run: &Run| match parent(run).filter(|_| twice(run)) {
        Some(parent) => Run { name: format!("{parent}/{}", run.name), ..run.clone() },
        None => run.clone(),
    };
    runs.iter().map(renamed).collect()
}

/// A run's name with the colour of its curves.
fn named(run: &Run, runs: &[Run]) -> String {
    let number = runs.iter().position(|other| std::ptr::eq(other, run)).unwrap_or(0);
    format!("<span class=\"swatch\" style=\"background:{}\"></span>{}", colour(number), escape(&run.name))
}

fn scores(runs: &[Run]) -> String {
    let heads = [
        "run",
        "rows",
        "metric",
        "#score",
        "#95 % interval",
        "#majority",
        "#loss (nats)",
        "#steps",
        "#forward passes",
        "#time",
    ];
    let row = |run: &Run| {
        let mut cells = vec![named(run, runs)];
        match run.result() {
            Some(line) => cells.extend([
                escape(&line.split),
                escape(&line.metric),
                score(&line.metric, line.score),
                interval(&line.metric, line.low, line.high),
                score(&line.metric, line.majority),
                short(line.loss, 4),
            ]),
            None => cells.extend(std::iter::repeat_n(UNKNOWN.to_owned(), 6)),
        }
        let ((done, planned), (steps, scores)) = (progress(run), spent(run));
        let of = if done < planned { format!(" of {}", count(planned)) } else { String::new() };
        cells.extend([format!("{}{of}", count(done)), count(passes(run)), time(steps + scores)]);
        cells
    };
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    format!("<h2>Scores</h2>\n{}", table(&heads, &rows, |_| ""))
}

fn changed(runs: &[Run]) -> String {
    let found = differences(runs);
    if found.is_empty() {
        return "<h2>Configuration</h2>\n<p class=\"about\">The same in all runs.</p>\n".to_owned();
    }
    let names: Vec<String> = runs.iter().map(|run| named(run, runs)).collect();
    let names: Vec<String> = names.iter().map(|name| format!("~{name}")).collect();
    let heads: Vec<&str> = std::iter::once("key").chain(names.iter().map(String::as_str)).collect();
    let row = |(key, values): &(String, Vec<String>)| {
        let key = format!("<code>{}</code>", escape(key));
        std::iter::once(key).chain(values.iter().map(|value| escape(value))).collect()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    format!("<h2>Where the configurations differ</h2>\n{}", table(&heads, &rows, |_| ""))
}
