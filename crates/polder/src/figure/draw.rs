//! A panel as SVG.

use std::fmt::Write as _;

use super::frame::{Frame, GAP, Room, across, upward};
use super::ink::Ground;
use super::legend::Legend;
use super::marks::Pen;
use super::panel::Panel;
use super::span::Span;
use super::text::{escape, fitted};
use super::ticks::Ticks;
use super::write::{LARGE, Place, SMALL, TINY, label, label_width};

/// A panel whose upper left corner is at `(x, y)`.
pub(super) fn panel(panel: &Panel, (x, y): (f64, f64), room: &Room, frame: &Frame, ground: Ground) -> String {
    let width = room.left + frame.width + room.right;
    let mut out = String::new();
    let mut top = y;
    if !panel.title.is_empty() {
        let title = escape(&fitted(&panel.title, 1.06 * LARGE, width));
        // Writing to a string can't fail.
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"{LARGE}\"{}>{title}</text>",
            top + LARGE,
            ground.bold()
        );
        top += LARGE + 8.0;
    }
    out += &Legend::of(panel, width).draw(x, top, ground);
    match panel.spans() {
        Some((across, up)) => out += &filled(panel, frame, &across, &up, ground),
        None => {
            let (x, y) = (frame.left + frame.width / 2.0, frame.top + frame.height / 2.0);
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"{SMALL}\" opacity=\"0.6\">no data</text>"
            );
        }
    }
    let Frame { left, top, width, height } = frame;
    let _ = writeln!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"none\" stroke=\"{}\" \
         stroke-opacity=\"0.55\"/>",
        ground.text()
    );
    out + &names(panel, x, frame)
}

/// Grid, numbers and series.
fn filled(panel: &Panel, frame: &Frame, x: &Span, y: &Span, ground: Ground) -> String {
    let (along, up) = (across(x, frame.width), upward(y, frame.height));
    let mut out = String::new();
    let pen = Pen { frame, x, y, ground, edged: panel.heat.is_some() };
    let mut drawn = String::new();
    match &panel.heat {
        Some(heat) => {
            drawn += &heat.cells(frame, x, y);
            out += &heat.bar(frame);
        }
        None => out += &grid(frame, (x, &along), (y, &up), ground),
    }
    for (number, series) in panel.coloured() {
        drawn += &pen.draw(series, number);
    }
    let Frame { left, top, width, height } = frame;
    out += &if panel.cuts() {
        format!(
            "<svg x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             viewBox=\"{left:.1} {top:.1} {width:.1} {height:.1}\">\n{drawn}</svg>\n"
        )
    } else {
        drawn
    };
    out + &numbers(frame, (x, &along), (y, &up))
}

/// Lines at the ticks, and small marks between them on log axes.
fn grid(frame: &Frame, (x, along): (&Span, &Ticks), (y, up): (&Span, &Ticks), ground: Ground) -> String {
    let (left, right, top, bottom) = (frame.left, frame.right(), frame.top, frame.bottom());
    let (mut lines, mut marks) = (String::new(), String::new());
    for at in along.major.iter().filter_map(|(value, _)| frame.x(x, *value)) {
        let _ = write!(lines, "M{at:.1} {top:.1}V{bottom:.1}");
    }
    for at in up.major.iter().filter_map(|(value, _)| frame.y(y, *value)) {
        let _ = write!(lines, "M{left:.1} {at:.1}H{right:.1}");
    }
    for at in along.minor.iter().filter_map(|value| frame.x(x, *value)) {
        let _ = write!(marks, "M{at:.1} {bottom:.1}v-4");
    }
    for at in up.minor.iter().filter_map(|value| frame.y(y, *value)) {
        let _ = write!(marks, "M{left:.1} {at:.1}h4");
    }
    let colour = ground.text();
    let path = |d: &str, opacity: f64| {
        if d.is_empty() {
            return String::new();
        }
        format!("<path d=\"{d}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"{opacity}\"/>\n")
    };
    path(&lines, 0.12) + &path(&marks, 0.55)
}

/// The numbers at both axes.
fn numbers(frame: &Frame, (x, along): (&Span, &Ticks), (y, up): (&Span, &Ticks)) -> String {
    let mut out = String::new();
    for (value, text) in &along.major {
        if let Some(at) = frame.x(x, *value) {
            out += &label(&Place { x: at, y: frame.bottom() + 5.0 + TINY, anchor: "middle" }, text);
        }
    }
    for (value, text) in &up.major {
        if let Some(at) = frame.y(y, *value) {
            out += &label(&Place { x: frame.left - GAP, y: at + 0.35 * TINY, anchor: "end" }, text);
        }
    }
    if let Some(factor) = &up.factor {
        out += &label(&Place { x: frame.left, y: frame.top - 7.0, anchor: "start" }, factor);
    }
    if let Some(factor) = &along.factor {
        let y = frame.bottom() + 22.0 + TINY;
        out += &label(&Place { x: frame.right(), y, anchor: "end" }, factor);
    }
    out
}

/// What the axes show.
fn names(panel: &Panel, left: f64, frame: &Frame) -> String {
    let mut out = String::new();
    if !panel.x.label.is_empty() {
        // A factor stands at the right end of the same line.
        let factor = panel.spans().and_then(|(x, _)| across(&x, frame.width).factor);
        let taken = factor.map_or(0.0, |factor| 2.0 * (label_width(&factor) + 8.0));
        let name = escape(&fitted(&panel.x.label, SMALL, frame.width - taken));
        let (x, y) = (frame.left + frame.width / 2.0, frame.bottom() + 22.0 + SMALL);
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"{SMALL}\">{name}</text>");
    }
    if !panel.y.label.is_empty() {
        let name = escape(&fitted(&panel.y.label, SMALL, frame.height));
        let (x, y) = (left + SMALL, frame.top + frame.height / 2.0);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" transform=\"rotate(-90 {x:.1} {y:.1})\" text-anchor=\"middle\" \
             font-size=\"{SMALL}\">{name}</text>"
        );
    }
    out
}
