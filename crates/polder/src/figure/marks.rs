//! Series in their frame.

use std::fmt::Write as _;

use super::frame::Frame;
use super::ink::{Ground, dashes};
use super::series::{Series, Shape};
use super::span::Span;
use super::thin;

/// Up to so many points of a line are marked.
const MARKED: usize = 30;
/// Up to so many dots are drawn for one column of pixels, besides the extremes.
const DOTS: usize = 6;
/// How much of what lies behind a band can't be seen.
const BAND: f64 = 0.22;

/// What a series is drawn with.
pub(super) struct Pen<'a> {
    pub(super) frame: &'a Frame,
    pub(super) x: &'a Span,
    pub(super) y: &'a Span,
    pub(super) ground: Ground,
    /// Whether lines need a light edge to stand out from a heat map.
    pub(super) edged: bool,
}

impl Pen<'_> {
    /// A series in the colour of that number.
    pub(super) fn draw(&self, series: &Series, number: usize) -> String {
        let colour = self.ground.series(number);
        match &series.shape {
            Shape::Line(points) => self.line(points, &colour, dashes(number), series.faint),
            Shape::Dashed(points) => self.line(points, &colour, "6 4", series.faint),
            Shape::Dots(points) => self.dots(points, &colour, series.faint),
            Shape::Band(points) => self.band(points, &colour),
            Shape::Level(value) => self.level(*value, &colour),
        }
    }

    fn place(&self, x: f64, y: f64) -> Option<thin::Place> {
        Some((self.frame.x(self.x, x)?, self.frame.y(self.y, y)?))
    }

    fn line(&self, points: &[(f64, f64)], colour: &str, dashes: &str, faint: bool) -> String {
        let pieces = thin::pieces(points.iter().map(|(x, y)| self.place(*x, *y)));
        let marked = points.len() <= MARKED;
        let (mut path, mut marks) = (String::new(), String::new());
        for piece in pieces {
            let kept = thin::line(&piece);
            for (at, (x, y)) in kept.iter().enumerate() {
                // Writing to a string can't fail.
                let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
            }
            // A point between two gaps has no line that would show it.
            for (x, y) in kept.iter().filter(|_| marked || kept.len() == 1) {
                let _ = writeln!(marks, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\" fill=\"{colour}\"/>");
            }
        }
        let (opacity, wide) = if faint { (0.55, 1.2) } else { (1.0, 1.8) };
        let dashes = if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") };
        let edge = if self.edged { stroke(&path, "#ffffff", "", 4.0) } else { String::new() };
        format!("<g opacity=\"{opacity}\">\n{edge}{}{marks}</g>\n", stroke(&path, colour, &dashes, wide))
    }

    fn dots(&self, points: &[(f64, f64)], colour: &str, faint: bool) -> String {
        let places: Vec<thin::Place> = points.iter().filter_map(|(x, y)| self.place(*x, *y)).collect();
        let radius = if places.len() > 300 { 1.3 } else { 2.4 };
        let mut out = format!("<g fill=\"{colour}\" fill-opacity=\"{}\">\n", if faint { 0.4 } else { 0.9 });
        for (x, y) in thin::dots(&places, DOTS) {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
        }
        out + "</g>\n"
    }

    fn band(&self, points: &[(f64, f64, f64)], colour: &str) -> String {
        let place = |(x, low, high): &(f64, f64, f64)| {
            let ((x, low), (_, high)) = (self.place(*x, *low)?, self.place(*x, *high)?);
            // Upside down in the picture.
            Some((x, low.min(high), low.max(high)))
        };
        let mut out = String::new();
        for piece in thin::pieces(points.iter().map(place)) {
            let kept = thin::band(&piece);
            if let [(x, top, bottom)] = kept[..] {
                let (from, to) = (x - 3.0, x + 3.0);
                let bar =
                    format!("M{from:.1} {top:.1}H{to:.1}M{x:.1} {top:.1}V{bottom:.1}M{from:.1} {bottom:.1}H{to:.1}");
                out += &stroke(&bar, colour, "", 1.2);
                continue;
            }
            let there = kept.iter().map(|(x, top, _)| (*x, *top));
            let back = kept.iter().rev().map(|(x, _, bottom)| (*x, *bottom));
            let around: Vec<String> = there.chain(back).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ =
                writeln!(out, "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"{BAND}\"/>", around.join(" "));
        }
        out
    }

    fn level(&self, value: f64, colour: &str) -> String {
        let Some(y) = self.frame.y(self.y, value) else {
            return String::new();
        };
        let path = format!("M{:.1} {y:.1}H{:.1}", self.frame.left, self.frame.right());
        stroke(&path, colour, " stroke-dasharray=\"2 3\"", 1.6)
    }
}

fn stroke(path: &str, colour: &str, more: &str, wide: f64) -> String {
    if path.is_empty() {
        return String::new();
    }
    format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{wide}\" stroke-linejoin=\"round\"{more}/>\n"
    )
}
