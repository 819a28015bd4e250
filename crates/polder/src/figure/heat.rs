//! Heat maps: a value for each cell of a grid.

use std::fmt::Write as _;

use super::frame::Frame;
use super::ink::{self, HEAT_LEVELS};
use super::span::{Scale, Span};
use super::text::{escape, fitted};
use super::ticks::Ticks;
use super::write::{self, SMALL};

/// A value for each cell of a grid, shown as a colour with a bar that tells what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    name: String,
    xs: Vec<f64>,
    ys: Vec<f64>,
    values: Vec<f64>,
    scale: Scale,
}

/// The bar's distance from the plot, its width, the distance of its numbers.
const BAR: (f64, f64, f64) = (12.0, 11.0, 5.0);

impl Heat {
    /// A heat map of `values[j · xs.len() + i]` at `(xs[i], ys[j])`; `name` is what the values are, with their unit.
    ///
    /// `xs` and `ys` rise. A value that is missing or not finite leaves its cell grey.
    pub fn new(name: impl Into<String>, xs: Vec<f64>, ys: Vec<f64>, values: Vec<f64>) -> Self {
        Self { name: name.into(), xs, ys, values, scale: Scale::Linear }
    }

    /// Colours by the values' log10.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.scale = Scale::Log;
        self
    }

    /// The edges of the cells along x and y; `None` where there is no cell or a place that is not finite.
    pub(super) fn edges(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        Some((edges(&self.xs)?, edges(&self.ys)?))
    }

    fn span(&self) -> Option<Span> {
        Span::over(self.values.iter().copied(), self.scale, 0.0)
    }

    fn ticks(&self, height: f64) -> Option<Ticks> {
        Some(Ticks::of(&self.span()?, (height / 45.0).clamp(2.0, 6.0) as usize))
    }

    /// The room that the bar takes beside a plot of that height.
    pub(super) fn bar_width(&self, height: f64) -> f64 {
        let numbers = self.ticks(height).map_or(0.0, |ticks| write::widest(&ticks));
        BAR.0 + BAR.1 + BAR.2 + numbers + 18.0
    }

    /// The cells, in runs of one colour.
    pub(super) fn cells(&self, frame: &Frame, x: &Span, y: &Span) -> String {
        let mut out = String::from("<g shape-rendering=\"crispEdges\">\n");
        let (Some((across, up)), Some(span)) = (self.edges(), self.span()) else {
            return String::new();
        };
        let level = |value: Option<&f64>| {
            value.and_then(|value| span.share(*value)).map(|s| (s * (HEAT_LEVELS - 1) as f64).round() as usize)
        };
        for j in 0..self.ys.len() {
            let row: Vec<Option<usize>> =
                (0..self.xs.len()).map(|i| level(self.values.get(j * self.xs.len() + i))).collect();
            let mut start = 0;
            for run in row.chunk_by(|a, b| a == b) {
                let end = start + run.len();
                let (left, right) = (frame.x(x, across[start]), frame.x(x, across[end]));
                let (low, high) = (frame.y(y, up[j]), frame.y(y, up[j + 1]));
                let fill = run[0].map_or_else(|| "#999999".to_owned(), ink::heat);
                if let (Some(left), Some(right), Some(low), Some(high)) = (left, right, low, high) {
                    // Half a pixel under the next cells, so that no gap shows. Writing to a string can't fail.
                    let _ = writeln!(
                        out,
                        "<rect x=\"{left:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{fill}\"/>",
                        high - 0.5,
                        right - left + 0.5,
                        low - high + 0.5
                    );
                }
                start = end;
            }
        }
        out + "</g>\n"
    }

    /// The bar of colours with its numbers and its name.
    pub(super) fn bar(&self, frame: &Frame) -> String {
        let (Some(span), Some(ticks)) = (self.span(), self.ticks(frame.height)) else {
            return String::new();
        };
        let left = frame.right() + BAR.0;
        let mut out = String::from("<g shape-rendering=\"crispEdges\">\n");
        let steps = 64;
        for step in 0..steps {
            let colour = ink::heat(step * (HEAT_LEVELS - 1) / (steps - 1));
            let height = frame.height / steps as f64;
            let top = frame.bottom() - (step + 1) as f64 * height;
            // Half a pixel more, so that no gap shows between two colours.
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.2}\" width=\"{}\" height=\"{:.2}\" fill=\"{colour}\"/>",
                BAR.1,
                height + 0.5
            );
        }
        out += "</g>\n";
        let numbers = left + BAR.1 + BAR.2;
        for (value, label) in &ticks.major {
            if let Some(y) = frame.y(&span, *value) {
                let place = write::Place { x: numbers, y: y + 0.35 * SMALL, anchor: "start" };
                out += &write::label(&place, label);
            }
        }
        if let Some(factor) = &ticks.factor {
            let place = write::Place { x: left + BAR.1, y: frame.top - 7.0, anchor: "middle" };
            out += &write::label(&place, factor);
        }
        let name = fitted(&self.name, SMALL, frame.height);
        let (x, y) = (numbers + write::widest(&ticks) + 13.0, frame.top + frame.height / 2.0);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" transform=\"rotate(-90 {x:.1} {y:.1})\" text-anchor=\"middle\" \
             font-size=\"{SMALL}\">{}</text>",
            escape(&name)
        );
        out
    }
}

/// The middles between neighbours, and as far beyond the first and the last.
fn edges(at: &[f64]) -> Option<Vec<f64>> {
    let (first, last) = (at.first()?, at.last()?);
    let finite = at.iter().all(|x| Scale::Linear.place(*x).is_some());
    if !finite || at.windows(2).any(|pair| pair[0] >= pair[1]) {
        return None;
    }
    let half = |a: f64, b: f64| if at.len() == 1 { 0.5 } else { (b - a) / 2.0 };
    let mut edges = vec![first - half(*first, *at.get(1).unwrap_or(first))];
    edges.extend(at.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])));
    edges.push(last + half(at[at.len().saturating_sub(2)], *last));
    Some(edges)
}
