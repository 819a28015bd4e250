//! `RUN/report.html`: a run's curves and numbers on one page that any browser shows, without scripts or other files.

pub(crate) mod chart;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::run::write_file;
use chart::{Chart, Series};

/// Draws the report of a run from its `metrics.jsonl` and `plan.json`; gives its path.
///
/// # Errors
/// Files that can't be read or written.
pub fn write(run: &Path) -> Result<PathBuf> {
    let metrics = run.join("metrics.jsonl");
    let text = fs::read_to_string(&metrics).map_err(Error::io("read", &metrics))?;
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let plan = fs::read_to_string(run.join("plan.json")).unwrap_or_default();
    let path = run.join("report.html");
    write_file(&path, page(run, &lines, &plan).as_bytes())?;
    Ok(path)
}

/// How many points a curve has at most.
const POINTS: usize = 1000;

fn page(run: &Path, lines: &[Value], plan: &str) -> String {
    let name = escape(&run.file_name().map_or_else(|| run.display().to_string(), |n| n.to_string_lossy().into_owned()));
    let steps = curve(lines, |line| kind(line) == "step", "loss");
    let losses = Chart {
        title: "Training loss (nats)".to_owned(),
        series: vec![
            Series { name: "mean of the steps near by".to_owned(), points: smoothed(&steps), line: true },
            Series { name: "step".to_owned(), points: thinned(&steps), line: false },
        ],
    };
    let mut charts = vec![losses];
    for (field, title) in [("score", "Evaluation score"), ("loss", "Evaluation loss (nats)")] {
        let mut series: Vec<Series> = Vec::new();
        for line in lines.iter().filter(|line| kind(line) == "evaluated") {
            let (Some(split), Some(point)) = (line.get("split").and_then(Value::as_str), point(line, field)) else {
                continue;
            };
            match series.iter_mut().find(|s| s.name == split) {
                Some(known) => known.points.push(point),
                None => series.push(Series { name: split.to_owned(), points: vec![point], line: true }),
            }
        }
        charts.push(Chart { title: title.to_owned(), series });
    }
    let mut body = String::new();
    for chart in charts.iter().filter(|chart| !chart.is_empty()) {
        body += &chart.svg();
    }
    body += &table(lines);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{name}</title>\n\
         <style>body{{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         td,th{{padding:.1em .8em;text-align:right}}pre{{overflow:auto;background:#f4f4f4;padding:1em}}</style>\n\
         <h1>{name}</h1>\n{body}<details><summary>Plan</summary><pre>{}</pre></details>\n</html>\n",
        escape(plan)
    )
}

fn kind(line: &Value) -> &str {
    line.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn point(line: &Value, field: &str) -> Option<(f64, f64)> {
    let (step, value) = (line.get("step")?.as_f64()?, line.get(field)?.as_f64()?);
    (step.is_finite() && value.is_finite()).then_some((step, value))
}

fn curve(lines: &[Value], keep: impl Fn(&Value) -> bool, field: &str) -> Vec<(f64, f64)> {
    lines.iter().filter(|line| keep(line)).filter_map(|line| point(line, field)).collect()
}

/// Every n-th point.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().step_by(points.len().div_ceil(POINTS).max(1)).copied().collect()
}

/// Means of consecutive points, about a hundred of them.
fn smoothed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mean =
        |chunk: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| chunk.iter().map(of).sum::<f64>() / chunk.len() as f64;
    points.chunks(points.len().div_ceil(100).max(1)).map(|c| (mean(c, |p| p.0), mean(c, |p| p.1))).collect()
}

fn table(lines: &[Value]) -> String {
    let mut rows = String::new();
    for line in lines.iter().filter(|line| kind(line) == "evaluated") {
        let text = |field: &str| line.get(field).and_then(Value::as_str).map(escape).unwrap_or_default();
        let number = |field: &str| {
            line.get(field).and_then(Value::as_f64).map_or_else(String::new, |x| format!("{}", (x * 1e4).round() / 1e4))
        };
        let ends = |at: usize| line.get("interval").and_then(|i| i.get(at)).and_then(Value::as_f64);
        let interval = ends(0).zip(ends(1)).map_or_else(String::new, |(low, high)| format!("{low:.4} to {high:.4}"));
        // Writing to a string can't fail.
        let _ = writeln!(
            rows,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{interval}<td>{}<td>{}<td>{}",
            number("step"),
            text("split"),
            text("metric"),
            number("score"),
            number("majority"),
            number("loss"),
            number("n")
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<table><tr><th>step<th>rows<th>metric<th>score<th>95 % interval<th>majority<th>loss<th>n\n{rows}</table>\n"
    )
}

/// Text that is safe inside of HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_curves_and_scores() {
        let run = tempfile::tempdir().unwrap();
        let mut text = String::new();
        for step in 1..=300 {
            text += &format!("{{\"kind\":\"step\",\"step\":{step},\"loss\":{}}}\n", 1.0 / f64::from(step));
        }
        text += "{\"kind\":\"evaluated\",\"step\":300,\"split\":\"<dev>\",\"metric\":\"accuracy\",\"score\":0.75,\
                 \"interval\":[0.7,0.8],\"majority\":0.5,\"loss\":0.4,\"n\":20}\n{torn";
        fs::write(run.path().join("metrics.jsonl"), text).unwrap();
        fs::write(run.path().join("plan.json"), "{\"seed\": 0}").unwrap();
        let page = fs::read_to_string(write(run.path()).unwrap()).unwrap();
        assert!(page.contains("Training loss") && page.contains("Evaluation score") && page.contains("<polyline"));
        assert!(page.contains("&lt;dev&gt;") && !page.contains("<dev>"), "text from files is escaped");
        assert!(page.contains("0.7000 to 0.8000") && page.contains("&quot;seed&quot;"));
        assert!(!page.contains("NaN") && !page.contains("<script"));
    }

    #[test]
    fn an_empty_run_has_a_page_too() {
        let run = tempfile::tempdir().unwrap();
        assert!(write(run.path()).is_err(), "no metrics");
        fs::write(run.path().join("metrics.jsonl"), "").unwrap();
        assert!(fs::read_to_string(write(run.path()).unwrap()).unwrap().contains("</html>"));
    }
}
