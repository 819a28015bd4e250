//! The pictures of the toy.

use super::super::outcome::{Outcome, Table};
use super::LIMIT;
use crate::figure::{Figure, Panel, Series};

/// All pictures.
pub(super) fn all(found: &Outcome) -> Vec<(String, Figure)> {
    let limit = format!("course-two-point-{LIMIT}");
    let methods = [
        ("gradient descent", "course-gradient-descent"),
        ("two-point, λ → 0", limit.as_str()),
        ("two-point, λ = 0.1", "course-two-point-0.1"),
    ];
    let lambdas = [
        ("λ = 0.1", "course-two-point-0.1"),
        ("λ = 0.05", "course-two-point-0.05"),
        ("λ = 0.01", "course-two-point-0.01"),
    ];
    let named = |name: &str, figure| (name.to_owned(), figure);
    vec![
        named("methods", courses(found, "Figure 1: methods", &methods)),
        named("lambda", courses(found, "Figure 4: λ", &lambdas)),
        named("balance", balance(found)),
        named("stability", stability(found)),
    ]
}

fn courses(found: &Outcome, title: &str, courses: &[(&str, &str)]) -> Figure {
    let lines =
        |column| courses.iter().map(move |(name, table)| Series::line(*name, found.points(table, "step", column)));
    let loss = Panel::new("Loss").axes("iteration", "(yᵀz − 1)²/2").log_y().with_all(lines("loss"));
    let trace = Panel::new("Trace of the Hessian").axes("iteration", "‖y‖² + ‖z‖²").with_all(lines("trace"));
    Figure::grid(2, [loss, trace]).titled(title)
}

fn balance(found: &Outcome) -> Figure {
    let Some(table) = found.data.iter().find(|table| table.name == "balance") else { return Figure::grid(1, []) };
    let mut panel = Panel::new("What is left of B = (‖y‖² − ‖z‖²)/2").axes("iteration", "share of its start");
    for (colour, lambda) in [0.1, 0.05].into_iter().enumerate() {
        let rows: Table = table.rows_where("lambda", lambda);
        let band = rows.rows.iter().map(|row| (row[1], row[3], row[4]));
        panel = panel
            .with(Series::band("", band).colour(colour).faint())
            .with(Series::line(format!("λ = {lambda}, mean"), rows.points("step", "mean")).colour(colour))
            .with(Series::dashed(format!("λ = {lambda}, exp(−2ηλ²t)"), rows.points("step", "formula")).colour(colour));
    }
    Figure::of(panel)
}

fn stability(found: &Outcome) -> Figure {
    let points = |column| found.points("stability", "eta_S", column);
    let panel = Panel::new("Two-point descent near a minimum of trace S")
        .axes("ηS", "factor of the mean squared residual a step")
        .with(Series::dashed("1 − 2ηS + 3η²S²", points("formula")).colour(1))
        .with(Series::dots("measured", points("factor")).colour(0))
        .with(Series::level("still", 1.0).colour(2));
    Figure::of(panel)
}
