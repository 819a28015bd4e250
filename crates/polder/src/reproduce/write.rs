//! The files of an outcome: tables, figures and the report.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::experiment::{Experiment, Request};
use super::outcome::{Check, Outcome, Table};
use crate::error::{Error, Result};
use crate::run::write_file;

/// The width of a figure as PNG, in pixels.
const WIDTH: u32 = 1600;

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrote {
    /// The report, as it stands in `report.md`.
    pub report: String,
    /// Every file.
    pub files: Vec<PathBuf>,
}

/// Makes the folder for the results and tries whether it can be written to, before anything is computed.
///
/// # Errors
/// It can't be made or written to.
pub fn prepare(out: &Path) -> Result<()> {
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    tempfile::NamedTempFile::new_in(out).map_err(Error::io("write to", out)).map(drop)
}

/// Writes everything that was found: a CSV and a JSON file a table, an SVG and a PNG file a figure, `report.md`.
///
/// # Errors
/// A file can't be written; a figure is too large.
pub fn write(out: &Path, experiment: &Experiment, request: &Request, outcome: &Outcome, seconds: f64) -> Result<Wrote> {
    let mut files = Vec::new();
    let mut put = |name: String, bytes: &[u8]| {
        let path = out.join(name);
        write_file(&path, bytes)?;
        files.push(path);
        Ok::<_, Error>(())
    };
    for table in &outcome.data {
        put(format!("{}.csv", table.name), csv(table).as_bytes())?;
        let whole = json!({ "name": table.name, "columns": table.columns, "rows": table.rows });
        put(format!("{}.json", table.name), format!("{whole}\n").as_bytes())?;
    }
    for (name, figure) in &outcome.figures {
        put(format!("figure-{name}.svg"), figure.svg().as_bytes())?;
        put(format!("figure-{name}.png"), &figure.png(WIDTH)?)?;
    }
    let report = report(experiment, request, outcome, seconds);
    put("report.md".to_owned(), report.as_bytes())?;
    Ok(Wrote { report, files })
}

/// A table as CSV: a line of names, then one a row; not a number is an empty cell.
fn csv(table: &Table) -> String {
    let mut text = table.columns.join(",") + "\n";
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|x| if x.is_nan() { String::new() } else { exact(*x) }).collect();
        text += &(cells.join(",") + "\n");
    }
    text
}

/// A number by the fewest digits that name it.
fn exact(x: f64) -> String {
    if x == 0.0 || (1e-5..1e15).contains(&x.abs()) { x.to_string() } else { format!("{x:e}") }
}

/// A number for people, with five digits at most.
fn short(x: f64) -> String {
    if !x.is_finite() {
        return x.to_string();
    }
    let size = x.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{x:.3e}");
    }
    let places = if size >= 1.0 { 4 - (size.log10().floor() as usize).min(4) } else { 5 };
    let text = format!("{x:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The report in Markdown: checks, differences, settings, cost.
pub fn report(experiment: &Experiment, request: &Request, outcome: &Outcome, seconds: f64) -> String {
    let form = if request.short { "short" } else { "full" };
    let mut text = format!("# {}\n\n{}.\nSource: {}.\n", experiment.name, experiment.about, experiment.source);
    text += "\n## Values\n\n| what | polder | paper or oracle | tolerance | |\n| --- | --- | --- | --- | --- |\n";
    outcome.checks.iter().for_each(|check| text += &row(check));
    let failed = outcome.checks.iter().filter(|check| !check.passes()).count();
    // Writing to a string can't fail.
    let _ = match failed {
        0 => writeln!(text, "\nAll {} values lie inside.", outcome.checks.len()),
        _ => writeln!(text, "\n{failed} of {} values lie outside.", outcome.checks.len()),
    };
    text += "\n## Where it differs\n\n";
    if outcome.differs.is_empty() {
        text += "Nowhere that we know of.\n";
    }
    outcome.differs.iter().for_each(|sentence| text += &format!("- {sentence}\n"));
    text += "\n## Settings\n\n";
    outcome.settings.iter().for_each(|(name, value)| text += &format!("- {name}: {value}\n"));
    let _ = writeln!(text, "- form: {form}\n- seed: {}", request.seed);
    let options = [("data", &request.data), ("model", &request.model)];
    for (name, path) in options.iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
        let _ = writeln!(text, "- {name}: `{}`", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
    }
    let _ = writeln!(text, "\n## Cost\n\n{} evaluations of a loss, {seconds:.1} seconds.", outcome.evaluations);
    text
}

/// A check as a row of the report's table.
fn row(check: &Check) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let Check { what, ours, theirs, low, high } = check;
    let inside = if check.passes() { "inside" } else { "**outside**" };
    let tolerance = match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("{} to {}", short(*low), short(*high)),
        (true, false) => format!("at least {}", short(*low)),
        (false, true) => format!("at most {}", short(*high)),
        (false, false) => "any number".to_owned(),
    };
    format!("| {} | {} | {} | {tolerance} | {inside} |\n", cell(what), short(*ours), cell(theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_for_people_and_exact_for_files() {
        let shown = [(0.0, "0"), (0.18, "0.18"), (1.5, "1.5"), (123.456, "123.46"), (26_147.0, "26147")];
        shown.iter().for_each(|(x, text)| assert_eq!(short(*x), *text));
        assert_eq!((short(1.234e-9), short(6.738e9)), ("1.234e-9".to_owned(), "6.738e9".to_owned()));
        for x in [0.1, 1e-30, 1.0 / 3.0, 6e23, -7.0, f64::INFINITY] {
            assert_eq!(exact(x).parse::<f64>().unwrap(), x);
        }
        let mut table = Table::new("t", &["a", "b"]);
        table.rows.push(vec![f64::NAN, 1e-7]);
        assert_eq!(csv(&table), "a,b\n,1e-7\n");
    }
}
