//! What the curves are, above them.

use std::fmt::Write as _;

use super::ink::{Ground, dashes};
use super::panel::Panel;
use super::series::{Series, Shape};
use super::text::{escape, fitted, width};
use super::write::SMALL;

/// The height of a row.
const ROW: f64 = 17.0;
/// The length of a sample of a line.
const SAMPLE: f64 = 20.0;
/// Between a sample and its name, between a name and the next sample.
const GAPS: (f64, f64) = (6.0, 16.0);

/// The named series of a panel, in rows that fit into its width.
pub(super) struct Legend<'a> {
    rows: Vec<Vec<Entry<'a>>>,
}

struct Entry<'a> {
    /// From the left end.
    at: f64,
    colour: usize,
    series: &'a Series,
    name: String,
}

impl<'a> Legend<'a> {
    pub(super) fn of(panel: &'a Panel, room: f64) -> Self {
        let mut rows: Vec<Vec<Entry<'a>>> = Vec::new();
        let mut at = room;
        let named = panel.coloured().into_iter().filter(|(_, series)| !series.name.is_empty());
        for (colour, series) in named.filter(|_| !panel.is_empty()) {
            let name = fitted(&series.name, SMALL, room - SAMPLE - GAPS.0);
            let length = SAMPLE + GAPS.0 + width(&name, SMALL);
            if at + length > room || rows.is_empty() {
                rows.push(Vec::new());
                at = 0.0;
            }
            if let Some(row) = rows.last_mut() {
                row.push(Entry { at, colour, series, name });
            }
            at += length + GAPS.1;
        }
        Self { rows }
    }

    /// What it takes, in pixels.
    pub(super) fn height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { self.rows.len() as f64 * ROW + 4.0 }
    }

    /// The legend with its upper left corner there.
    pub(super) fn draw(&self, left: f64, top: f64, ground: Ground) -> String {
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let middle = top + (number as f64 + 0.5) * ROW;
            for entry in row {
                let x = left + entry.at;
                out += &sample(entry, x, middle, ground);
                // Writing to a string can't fail.
                let _ = writeln!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{SMALL}\">{}</text>",
                    x + SAMPLE + GAPS.0,
                    middle + 0.35 * SMALL,
                    escape(&entry.name)
                );
            }
        }
        out
    }
}

fn sample(entry: &Entry<'_>, x: f64, y: f64, ground: Ground) -> String {
    let colour = ground.series(entry.colour);
    let opacity = if entry.series.faint { 0.55 } else { 1.0 };
    let line = |dashes: &str, wide: f64| {
        format!(
            "<path d=\"M{x:.1} {y:.1}h{SAMPLE}\" stroke=\"{colour}\" stroke-width=\"{wide}\" \
             stroke-dasharray=\"{}\" opacity=\"{opacity}\"/>\n",
            if dashes.is_empty() { "none" } else { dashes }
        )
    };
    match entry.series.shape {
        Shape::Line(_) => line(dashes(entry.colour), 2.0),
        Shape::Dashed(_) => line("6 4", 2.0),
        Shape::Level(_) => line("2 3", 1.6),
        Shape::Dots(_) => {
            let x = x + SAMPLE / 2.0;
            format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\" opacity=\"{opacity}\"/>\n")
        }
        Shape::Band(_) => {
            let y = y - 5.0;
            format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{SAMPLE}\" height=\"10\" fill=\"{colour}\" \
                 fill-opacity=\"0.22\"/>\n"
            )
        }
    }
}
