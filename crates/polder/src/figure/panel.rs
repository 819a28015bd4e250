//! A pair of axes with what is drawn between them.

use super::heat::Heat;
use super::series::{Series, Shape};
use super::span::{Scale, Span};

/// A pair of axes with what is drawn between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) heat: Option<Heat>,
}

/// One axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    pub(super) range: Option<(f64, f64)>,
}

impl Panel {
    /// An empty panel with a title; an empty title takes no room.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), x: Axis::default(), y: Axis::default(), series: Vec::new(), heat: None }
    }

    /// What the axes show, with units.
    #[must_use]
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        (self.x.label, self.y.label) = (x.into(), y.into());
        self
    }

    /// A log10 axis to the right; points at 0 and below are left out.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.x.scale = Scale::Log;
        self
    }

    /// A log10 axis upwards; points at 0 and below are left out.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.y.scale = Scale::Log;
        self
    }

    /// The ends of the x axis, instead of those of the data; what lies outside is cut off.
    #[must_use]
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x.range = Some((low, high));
        self
    }

    /// The ends of the y axis, instead of those of the data; what lies outside is cut off.
    #[must_use]
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y.range = Some((low, high));
        self
    }

    /// One more series. Those that are given first lie behind.
    #[must_use]
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// More series.
    #[must_use]
    pub fn with_all(mut self, series: impl IntoIterator<Item = Series>) -> Self {
        self.series.extend(series);
        self
    }

    /// A heat map behind the series; the axes then end at its cells' edges.
    #[must_use]
    pub fn heat(mut self, heat: Heat) -> Self {
        self.heat = Some(heat);
        self
    }

    /// Whether there is no point to draw; a level alone is none.
    pub fn is_empty(&self) -> bool {
        self.spans().is_none()
    }

    /// The axes' ends; `None` where there is nothing to draw.
    pub(super) fn spans(&self) -> Option<(Span, Span)> {
        if let Some((xs, ys)) = self.heat.as_ref().and_then(Heat::edges) {
            let ends = |edges: &[f64]| Span::between(*edges.first()?, *edges.last()?, Scale::Linear);
            return Some((ends(&xs)?, ends(&ys)?));
        }
        let shown = |x: f64, y: f64| self.x.scale.place(x).is_some() && self.y.scale.place(y).is_some();
        let any = self.series.iter().any(|series| match &series.shape {
            Shape::Line(points) | Shape::Dashed(points) | Shape::Dots(points) => {
                points.iter().any(|(x, y)| shown(*x, *y))
            }
            Shape::Band(points) => points.iter().any(|(x, low, high)| shown(*x, *low) && shown(*x, *high)),
            Shape::Level(_) => false,
        });
        if !any {
            return None;
        }
        let span = |axis: &Axis, values: Vec<f64>, pad: f64| match axis.range {
            Some((low, high)) => Span::between(low, high, axis.scale),
            None => Span::over(values, axis.scale, pad),
        };
        let xs = self.series.iter().flat_map(Series::xs).collect();
        let ys = self.series.iter().flat_map(Series::ys).collect();
        Some((span(&self.x, xs, 0.015)?, span(&self.y, ys, 0.05)?))
    }

    /// Whether an axis may end before its data do.
    pub(super) fn cuts(&self) -> bool {
        self.x.range.is_some() || self.y.range.is_some() || self.heat.is_some()
    }

    /// Each series with the number of its colour.
    pub(super) fn coloured(&self) -> Vec<(usize, &Series)> {
        let mut next = 0;
        let number = |series: &Series| {
            series.colour.unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        };
        self.series.iter().map(number).zip(&self.series).collect()
    }
}
