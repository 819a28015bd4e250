//! Words and numbers in a picture.

use super::text::{escape, width};
use super::ticks::{Label, Ticks};

/// The font size of titles.
pub(super) const LARGE: f64 = 14.0;
/// The font size of axis labels and legends.
pub(super) const SMALL: f64 = 12.0;
/// The font size of numbers.
pub(super) const TINY: f64 = 11.0;
/// The font size of a raised part.
const RAISED: f64 = 8.0;

/// Where a text stands.
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) anchor: &'static str,
}

/// The width of a number.
pub(super) fn label_width(label: &Label) -> f64 {
    width(&label.text, TINY) + width(&label.raised, RAISED)
}

/// The width of the widest number.
pub(super) fn widest(ticks: &Ticks) -> f64 {
    ticks.major.iter().map(|(_, label)| label_width(label)).fold(0.0, f64::max)
}

/// A number.
pub(super) fn label(place: &Place, label: &Label) -> String {
    let raised = if label.raised.is_empty() {
        String::new()
    } else {
        format!("<tspan font-size=\"{RAISED}\" dy=\"-4\">{}</tspan>", escape(&label.raised))
    };
    let Place { x, y, anchor } = place;
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{TINY}\">{}{raised}</text>\n",
        escape(&label.text)
    )
}
