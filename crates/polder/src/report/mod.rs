//! A run's curves and numbers on one page that any browser shows and prints, without scripts or other files.
//!
//! The page follows the reader's choice of light or dark, is light on paper, and says where each number comes from. It can
//! be drawn at any moment: of a run that goes on, has not begun, or lost its last line in a crash.

mod cards;
mod charts;
mod compare;
mod lines;
mod settings;
mod smooth;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Result;
use crate::figure::text::escape;
use crate::figure::{Figure, Panel, page_css};
use crate::run::write_file;
use charts::Charts;
use lines::Run;
pub(crate) use write::{count, score, short, time};

/// Draws the report of a run from what lies in its folder, as `RUN/report.html`; gives its path.
///
/// # Errors
/// There is neither a plan nor a `metrics.jsonl`; the page can't be written.
pub fn write(run: &Path) -> Result<PathBuf> {
    let path = run.join("report.html");
    write_to(&[run], &path)?;
    Ok(path)
}

/// Draws the report of one run, or of several over one another, as that file.
///
/// # Errors
/// As [`write()`].
pub fn write_to(runs: &[impl AsRef<Path>], out: &Path) -> Result<()> {
    let runs: Vec<Run> = runs.iter().map(|run| Run::read(run.as_ref())).collect::<Result<_>>()?;
    let page = match runs.as_slice() {
        [run] => single(run),
        runs => compare::page(runs),
    };
    write_file(out, page.as_bytes())
}

/// The seconds that a run spent in steps.
///
/// # Errors
/// As [`write()`].
pub(crate) fn seconds_in_steps(run: &Path) -> Result<f64> {
    Ok(cards::spent(&Run::read(run)?).0)
}

fn single(run: &Run) -> String {
    let text = |at: &str| run.plan.pointer(at).and_then(Value::as_str);
    let mut about = Vec::new();
    about.extend(text("/facts/data/task").map(|task| format!("task {task}")));
    about.extend(text("/model/path").map(|model| format!("model {model}")));
    about.push(format!("run {}", run.path.display()));
    let body = [
        cards::cards(run),
        tables::notes(run),
        drawn(Charts::of(std::slice::from_ref(run)).panels()),
        tables::evaluations(run),
        settings::settings(run),
        tables::origin(run),
    ];
    page(&run.name, &about.join(" · "), &body.concat())
}

/// Charts beside and below one another.
fn drawn(panels: Vec<Panel>) -> String {
    let figure = |panel| format!("<figure>{}</figure>\n", Figure::of(panel).sized(520.0, 220.0).inline_svg());
    format!("<div class=\"charts\">\n{}</div>\n", panels.into_iter().map(figure).collect::<String>())
}

fn page(title: &str, about: &str, body: &str) -> String {
    let (title, about) = (escape(title), escape(about));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{}{}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n<p class=\"about\">{about}</p>\n</header>\n\
         {body}<footer>Drawn by polder {}.</footer>\n</body>\n</html>\n",
        page_css(),
        include_str!("style.css"),
        env!("CARGO_PKG_VERSION")
    )
}
