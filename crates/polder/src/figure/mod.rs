//! Figures: curves, bands and heat maps as SVG files, as parts of HTML pages and as PNG files.
//!
//! A figure is said, not drawn: panels, each with its axes and its series. Ticks, legend, margins and thinning follow from
//! that. No system font, no script and no other file is needed.
//!
//! ```
//! use polder::figure::{Figure, Panel, Series};
//!
//! let losses = [(0.0, 0.7), (100.0, 0.5), (200.0, f64::NAN), (300.0, 0.4)];
//! let panel = Panel::new("Training")
//!     .axes("forward passes", "loss (nats)")
//!     .with(Series::dots("step", losses).colour(0).faint())
//!     .with(Series::level("untrained", 0.7));
//! let figure = Figure::of(panel);
//! assert!(figure.svg().starts_with("<svg xmlns="));
//! assert!(figure.png(800)?.starts_with(b"\x89PNG"));
//! # Ok::<(), polder::Error>(())
//! ```

mod draw;
mod frame;
mod heat;
mod ink;
mod legend;
mod marks;
mod panel;
mod png;
mod series;
mod span;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod thin;
mod ticks;
mod write;

use std::fmt::Write as _;

pub use heat::Heat;
pub(crate) use ink::colour;
pub use ink::page_css;
pub use panel::Panel;
pub use series::Series;

use crate::error::Result;
use frame::{Frame, Room};
use ink::Ground;
use text::{escape, fitted};
use write::LARGE;

/// Between panels.
const BETWEEN: (f64, f64) = (22.0, 16.0);
/// The smallest panel: its width, and the height between its axes.
const SMALLEST: (f64, f64) = (180.0, 60.0);

/// Panels in a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    title: String,
    columns: usize,
    width: f64,
    height: f64,
    panels: Vec<Panel>,
}

impl Figure {
    /// A figure of one panel.
    pub fn of(panel: Panel) -> Self {
        Self::grid(1, [panel])
    }

    /// A figure of several panels, row by row.
    pub fn grid(columns: usize, panels: impl IntoIterator<Item = Panel>) -> Self {
        let panels: Vec<Panel> = panels.into_iter().collect();
        let columns = columns.clamp(1, panels.len().max(1));
        Self { title: String::new(), columns, width: if columns == 1 { 640.0 } else { 480.0 }, height: 240.0, panels }
    }

    /// A title over all panels.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The width of each panel and the height between its axes, in pixels of the unscaled picture.
    #[must_use]
    pub fn sized(mut self, width: f64, height: f64) -> Self {
        (self.width, self.height) = (width.max(SMALLEST.0), height.max(SMALLEST.1));
        self
    }

    /// Whether no panel has a point to draw.
    pub fn is_empty(&self) -> bool {
        self.panels.iter().all(Panel::is_empty)
    }

    /// The figure as an SVG file of its own, on white.
    pub fn svg(&self) -> String {
        self.drawn(Ground::Paper)
    }

    /// The figure as an element of an HTML page, as wide as it has room.
    ///
    /// It takes the page's font and text colour; [`page_css`] gives the page the palette, light and dark.
    pub fn inline_svg(&self) -> String {
        self.drawn(Ground::Page)
    }

    /// The figure as a PNG file, so many pixels wide.
    ///
    /// # Errors
    /// A width of 0, or a picture of more than 16,384 pixels one way.
    pub fn png(&self, width: u32) -> Result<Vec<u8>> {
        png::encoded(&self.drawn(Ground::Pixels), width)
    }

    fn drawn(&self, ground: Ground) -> String {
        let rooms: Vec<Room> = self.panels.iter().map(|panel| Room::of(panel, self.width, self.height)).collect();
        // Axes of a column stand below one another, those of a row beside one another.
        let row = |at: usize| rooms.chunks(self.columns).nth(at).into_iter().flatten();
        let column = |at: usize| rooms.iter().skip(at).step_by(self.columns);
        let all = |rooms: &mut dyn Iterator<Item = &Room>| rooms.fold(Room::default(), |a, b| a.or(*b));
        let mut body = String::new();
        let margin = ground.margin();
        let mut top = margin + if self.title.is_empty() { 0.0 } else { LARGE + 14.0 };
        for (number, panels) in self.panels.chunks(self.columns).enumerate() {
            let upright = all(&mut row(number));
            for (at, panel) in panels.iter().enumerate() {
                let left = margin + at as f64 * (self.width + BETWEEN.0);
                let room = Room { above: upright.above, below: upright.below, ..all(&mut column(at)) };
                let frame = Frame {
                    left: left + room.left,
                    top: top + room.above,
                    width: (self.width - room.left - room.right).max(20.0),
                    height: self.height,
                };
                body += &draw::panel(panel, (left, top), &room, &frame, ground);
            }
            top += upright.above + self.height + upright.below + BETWEEN.1;
        }
        let across = self.columns as f64;
        let width = 2.0 * margin + across * self.width + (across - 1.0) * BETWEEN.0;
        self.wrapped(&body, width, (top - BETWEEN.1).max(0.0) + margin, ground)
    }

    fn wrapped(&self, body: &str, width: f64, height: f64, ground: Ground) -> String {
        let titles = std::iter::once(&self.title).chain(self.panels.iter().map(|panel| &panel.title));
        let named: Vec<&str> = titles.map(String::as_str).filter(|title| !title.is_empty()).collect();
        let size = match ground {
            Ground::Page => "width=\"100%\"".to_owned(),
            Ground::Paper | Ground::Pixels => {
                format!("xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\"")
            }
        };
        let margin = ground.margin();
        let mut out = format!(
            "<svg {size} viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\" fill=\"{}\"{}>\n",
            escape(&named.join("; ")),
            ground.text(),
            ground.font()
        );
        if let Some(colour) = ground.background() {
            // Writing to a string can't fail.
            let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"{colour}\"/>");
        }
        if !self.title.is_empty() {
            let _ = writeln!(
                out,
                "<text x=\"{margin}\" y=\"{}\" font-size=\"{}\"{}>{}</text>",
                margin + LARGE,
                LARGE + 2.0,
                ground.bold(),
                escape(&fitted(&self.title, 1.06 * (LARGE + 2.0), width - 2.0 * margin))
            );
        }
        out + body + "</svg>\n"
    }
}
