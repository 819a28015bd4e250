//! The pictures of tilting.

use super::super::outcome::{Outcome, Table};
use crate::figure::{Figure, Panel, Series};

/// All pictures.
pub(super) fn all(found: &Outcome) -> Vec<(String, Figure)> {
    let named = |name: &str, figure| (name.to_owned(), figure);
    vec![
        named("barrier", barrier(found)),
        named("sphere", sphere(found)),
        named("regulariser", regulariser(found)),
        named("bias", bias(found)),
    ]
}

/// The rows of a table in groups of equal values of a column, in the order in which these first come.
fn groups(found: &Outcome, table: &str, by: &str) -> Vec<(f64, Table)> {
    let Some(table) = found.data.iter().find(|of| of.name == table) else { return Vec::new() };
    let mut values = table.column(by);
    values.dedup();
    values.into_iter().map(|value| (value, table.rows_where(by, value))).collect()
}

fn barrier(found: &Outcome) -> Figure {
    let title = |product: f64| if product == 0.0 { "average".to_owned() } else { format!("ts²λ = {product}") };
    let lines = |table, by, y| {
        let each = move |(value, rows): (f64, Table)| Series::line(title(value), rows.points(by, y));
        groups(found, table, "product").into_iter().map(each)
    };
    let panels = [
        Panel::new("Largest eigenvalue along the runs")
            .axes("step", "λ_max")
            .with_all(lines("barrier", "step", "largest")),
        Panel::new("Penalty along the floor").axes("sharpness σ of the floor", "R_t (nats)").with_all(lines(
            "valley",
            "sharpness",
            "penalty",
        )),
    ];
    Figure::grid(2, panels).titled("A valley that is sharp in one direction (σ = 1) or broadly curved (σ = 0)")
}

fn sphere(found: &Outcome) -> Figure {
    let points = |column| found.points("sphere", "t", column);
    let panel = Panel::new("Tilted sharpness over a sphere, d = 40, λ = 5 once and 0.4 otherwise")
        .axes("tilt t", "R_t (nats)")
        .log_x()
        .with(Series::line("exact", points("quadrature")))
        .with(Series::dashed("saddle point", points("saddle_point")))
        .with(Series::dots("sampled directions", points("monte_carlo")))
        .with(Series::level("ρ²λ_max/2", 2.5));
    Figure::of(panel)
}

fn regulariser(found: &Outcome) -> Figure {
    let Some(table) = found.data.iter().find(|table| table.name == "regulariser") else { return Figure::grid(1, []) };
    let band = table.rows.iter().map(|row| (row[1], row[3] - 2.0 * row[4], row[3] + 2.0 * row[4]));
    let finite = table.points("barrier", "exact").into_iter().filter(|(_, y)| y.is_finite());
    let panel = Panel::new("Tilted sharpness of a quadratic")
        .axes("ts²λ_max", "R_t (nats)")
        .with(Series::band("", band).colour(1).faint())
        .with(Series::line("closed form (infinite from 1 on)", finite).colour(0))
        .with(Series::line("probe ± 2 standard errors", table.points("barrier", "probe")).colour(1));
    Figure::of(panel)
}

fn bias(found: &Outcome) -> Figure {
    let names = ["no correction", "delta", "jackknife", "average"];
    let panel = |t: f64, y: &str, column: &str| {
        let mut panel = Panel::new(format!("t = {t}")).axes("directions k", y).log_x();
        let rows = groups(found, "bias", "t").into_iter().find(|(of, _)| *of == t).map(|(_, rows)| rows);
        for (colour, name) in names.iter().enumerate() {
            let Some(rows) = rows.as_ref().map(|rows| rows.rows_where("estimator", colour as f64)) else { continue };
            panel = panel.with(Series::line(*name, rows.points("directions", column)).colour(colour));
        }
        panel
    };
    let panels = [
        panel(1.0, "bias over |∇f_t|", "bias"),
        panel(1.0, "root mean squared error over |∇f_t|", "rmse"),
        panel(1.5, "bias over |∇f_t|", "bias"),
        panel(1.5, "root mean squared error over |∇f_t|", "rmse"),
    ];
    Figure::grid(2, panels).titled("Estimates of a tilted gradient from k directions")
}
