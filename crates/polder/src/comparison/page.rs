//! A comparison for people: a report in Markdown, a table, figures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::file::{Comparison, Variant};
use super::found::{Ended, Found, thinned};
use super::summary::{Row, Summary};
use crate::error::Result;
use crate::figure::{Figure, Panel, Series};
use crate::report::{count, score, short, time};
use crate::run::write_file;

/// Points of a drawn loss, at most: single batches are far apart.
const DRAWN: usize = 20;
/// The width of a figure as PNG, in pixels.
const WIDTH: u32 = 1600;

/// The columns of `summary.csv`.
const COLUMNS: &str = "case,arm,seeds,failed,metric,score,low,high,against,difference,difference_low,difference_high,loss,\
                       trace,trace_error,forwards,seconds";

/// Writes `report.md`, `summary.json`, `summary.csv`, and the figures of scores and losses (SVG and PNG) into a folder;
/// gives the report and the files.
///
/// # Errors
/// A file that can't be written.
pub fn write(
    out: &Path,
    name: &str,
    comparison: &Comparison,
    found: &[Found],
    summary: &Summary,
) -> Result<(String, Vec<PathBuf>)> {
    let report = report(name, comparison, found, summary);
    let mut files = Vec::new();
    let mut put = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        write_file(&path, bytes)?;
        files.push(path);
        Ok::<_, crate::Error>(())
    };
    put("report.md", report.as_bytes())?;
    put("summary.json", (serde_json::to_string_pretty(summary).unwrap_or_default() + "\n").as_bytes())?;
    put("summary.csv", csv(summary).as_bytes())?;
    for (name, figure) in [("scores", scores(comparison, summary)), ("losses", losses(comparison, found))] {
        if !figure.is_empty() {
            put(&format!("figure-{name}.svg"), figure.svg().as_bytes())?;
            put(&format!("figure-{name}.png"), &figure.png(WIDTH)?)?;
        }
    }
    Ok((report, files))
}

fn report(name: &str, comparison: &Comparison, found: &[Found], summary: &Summary) -> String {
    let against = &comparison.against;
    let mut text = format!("# {name}\n\n");
    let (all, done) = (comparison.cells().len(), found.len());
    let config = comparison.config.file_name().unwrap_or_default().to_string_lossy();
    // Writing to a string can't fail.
    let _ = writeln!(text, "{done} of {all} runs of `{config}` are done, seeds {}.", list(&comparison.seeds));
    for case in &comparison.cases {
        let rows: Vec<&Row> = summary.rows.iter().filter(|row| row.case == case.name).collect();
        let _ = write!(text, "\n## {}\n\n", case.name);
        if !case.set.is_empty() {
            let _ = write!(text, "{}\n\n", code(&case.set));
        }
        let _ = writeln!(
            text,
            "| | seeds | score (95 %) | each | minus {against} (95 %) | each | loss | trace at the end | forward passes | time |"
        );
        text += "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
        rows.iter().for_each(|row| text += &line(row));
        for (row, why) in rows.iter().filter_map(|row| Some((row, row.apart.as_ref()?))) {
            let _ = writeln!(text, "\nNo difference of {} and {against} is taken: {why}.", row.arm);
        }
    }
    text += "\nScores are those of the weights with the best dev score, on the evaluation rows, averaged over the seeds. \
             Intervals are over these rows, with the seeds as they are: how far seeds lie apart, the columns *each* say; there is \
             none where seeds were scored on different rows. Differences are taken row by row and seed by seed. The trace is \
             that of the training loss at the last weights, in nats a unit of weight². Forward passes are those of a batch in the \
             training of a run, time is that of its steps.\n";
    text += "\n## What is compared\n\n";
    comparison.arms.iter().for_each(|arm| text += &settings(arm));
    if !comparison.set.is_empty() {
        let _ = writeln!(text, "\nAll runs: {}", code(&comparison.set));
    }
    let failed: Vec<&Found> = found.iter().filter(|found| found.scored().is_none()).collect();
    if !failed.is_empty() {
        text += "\n## Without a score\n\n";
    }
    for Found { case, arm, seed, ended, .. } in failed {
        if let Ended::Failed { failed } = ended {
            let _ = writeln!(text, "- {case}, {arm}, seed {seed}: {}", failed.lines().next().unwrap_or_default());
        }
    }
    text
}

fn settings(arm: &Variant) -> String {
    match arm.set.is_empty() {
        true => format!("- **{}**: the configuration as it is\n", arm.name),
        false => format!("- **{}**: {}\n", arm.name, code(&arm.set)),
    }
}

fn code(sets: &[String]) -> String {
    sets.iter().map(|set| format!("`{set}`")).collect::<Vec<_>>().join(", ")
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn line(row: &Row) -> String {
    let metric = &row.metric;
    let range = |ends: Option<[f64; 2]>, shown: &dyn Fn(f64) -> String| {
        ends.map_or_else(String::new, |[low, high]| format!(" ({} to {})", shown(low), shown(high)))
    };
    let points = |x: f64| if metric == "loss" { format!("{x:+.4}") } else { format!("{:+.1}", 100.0 * x) };
    let plain = |x: f64| score(metric, x).trim_end_matches(" %").to_owned();
    let each = |values: &[f64], shown: &dyn Fn(f64) -> String| {
        values.iter().map(|value| shown(*value)).collect::<Vec<_>>().join(", ")
    };
    let (minus, minus_each) = match &row.against {
        Some(a) => (points(a.difference) + &range(a.interval, &points), each(&a.differences, &points)),
        None => (String::new(), String::new()),
    };
    let failed = if row.failed > 0 { format!(", {} without a score", row.failed) } else { String::new() };
    let cells = [
        row.arm.clone(),
        format!("{}{failed}", row.seeds.len()),
        row.score.map_or_else(String::new, |x| score(metric, x)) + &range(row.interval, &plain),
        each(&row.scores, &plain),
        minus,
        minus_each,
        row.loss.map_or_else(String::new, |loss| short(loss, 3)),
        row.trace.map_or_else(String::new, |trace| {
            format!("{} ± {}", short(trace, 3), short(row.trace_error.unwrap_or(f64::NAN), 2))
        }),
        count(row.forwards),
        time(row.seconds),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn csv(summary: &Summary) -> String {
    let mut text = COLUMNS.to_owned() + "\n";
    let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map_or_else(String::new, |x| x.to_string());
    for row in &summary.rows {
        let against = row.against.as_ref();
        let between = against.and_then(|against| against.interval);
        let cells = [
            row.case.clone(),
            row.arm.clone(),
            row.seeds.len().to_string(),
            row.failed.to_string(),
            row.metric.clone(),
            number(row.score),
            number(row.interval.map(|ends| ends[0])),
            number(row.interval.map(|ends| ends[1])),
            against.map_or_else(String::new, |against| against.arm.clone()),
            number(against.map(|against| against.difference)),
            number(between.map(|ends| ends[0])),
            number(between.map(|ends| ends[1])),
            number(row.loss),
            number(row.trace),
            number(row.trace_error),
            number(Some(row.forwards)),
            number(Some(row.seconds)),
        ];
        text += &(cells.join(",") + "\n");
    }
    text
}

/// The scores of each case: an arm's mean with its interval, and every seed.
fn scores(comparison: &Comparison, summary: &Summary) -> Figure {
    let panel = |case: &Variant| {
        let rows: Vec<&Row> = summary.rows.iter().filter(|row| row.case == case.name).collect();
        let metric = rows.iter().map(|row| row.metric.as_str()).find(|metric| !metric.is_empty()).unwrap_or("score");
        let title = if comparison.cases.len() > 1 { case.name.clone() } else { String::new() };
        let mut panel =
            Panel::new(title).axes("arms, in the order of the legend", metric).x_range(0.4, rows.len() as f64 + 0.6);
        for (number, row) in rows.iter().enumerate() {
            let at = number as f64 + 1.0;
            let (mean, ends) = (row.score.unwrap_or(f64::NAN), row.interval.unwrap_or([f64::NAN; 2]));
            panel = panel
                .with(Series::band("", [(at, ends[0], ends[1])]).colour(number))
                .with(Series::dots(row.arm.clone(), [(at, mean)]).colour(number))
                .with(Series::dots("", row.scores.iter().map(|score| (at + 0.12, *score))).colour(number).faint());
        }
        panel
    };
    Figure::grid(2, comparison.cases.iter().map(panel)).titled("Scores: the mean with its 95 % interval, and each seed")
}

/// The training loss of each case along the runs, averaged over the seeds.
fn losses(comparison: &Comparison, found: &[Found]) -> Figure {
    let panel = |case: &Variant| {
        let title = if comparison.cases.len() > 1 { case.name.clone() } else { String::new() };
        let mut panel = Panel::new(title).axes("forward passes", "training loss (nats)");
        for (number, arm) in comparison.arms.iter().enumerate() {
            let mine = found.iter().filter(|found| found.case == case.name && found.arm == arm.name);
            let curves: Vec<Vec<[f64; 2]>> =
                mine.filter_map(Found::scored).map(|scored| thinned(&scored.curve, DRAWN)).collect();
            let long = curves.iter().map(Vec::len).min().unwrap_or(0);
            let points = (0..long).map(|at| {
                let loss = curves.iter().map(|curve| curve[at][1]).sum::<f64>() / curves.len() as f64;
                (curves[0][at][0], loss)
            });
            panel = panel.with(Series::line(arm.name.clone(), points.collect::<Vec<_>>()).colour(number));
        }
        panel
    };
    Figure::grid(2, comparison.cases.iter().map(panel))
        .titled("Training loss, mean of the seeds and of neighbouring steps")
}
