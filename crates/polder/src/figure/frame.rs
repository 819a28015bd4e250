//! Where things lie in a picture.

use super::legend::Legend;
use super::panel::Panel;
use super::span::Span;
use super::ticks::Ticks;
use super::write::{LARGE, label_width, widest};

/// The rectangle between a panel's axes, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Frame {
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Where a value of the x axis lies; `None` for one that can't be shown.
    pub(super) fn x(&self, span: &Span, value: f64) -> Option<f64> {
        span.share(value).map(|share| self.left + share * self.width)
    }

    /// Where a value of the y axis lies; `None` for one that can't be shown.
    pub(super) fn y(&self, span: &Span, value: f64) -> Option<f64> {
        span.share(value).map(|share| self.bottom() - share * self.height)
    }
}

/// The room that a panel needs around its frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Room {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) above: f64,
    pub(super) below: f64,
}

/// Between a number and its axis.
pub(super) const GAP: f64 = 6.0;

impl Room {
    /// What a panel of that width needs around a frame of that height.
    pub(super) fn of(panel: &Panel, width: f64, height: f64) -> Self {
        let spans = panel.spans();
        let up = spans.map(|(_, y)| upward(&y, height));
        let numbers = up.as_ref().map_or(0.0, widest) + GAP;
        let name = if panel.y.label.is_empty() { 0.0 } else { 20.0 };
        let bar = panel.heat.as_ref().map_or(0.0, |heat| heat.bar_width(height));
        let title = if panel.title.is_empty() { 0.0 } else { LARGE + 8.0 };
        let factor = if up.is_some_and(|ticks| ticks.factor.is_some()) || panel.heat.is_some() { 16.0 } else { 0.0 };
        let legend = Legend::of(panel, width).height();
        Self {
            left: (numbers + name).max(14.0),
            // Half of the last number under the x axis.
            right: bar.max(22.0),
            above: title + legend + factor + 6.0,
            below: 20.0 + if panel.x.label.is_empty() { 0.0 } else { 17.0 },
        }
    }

    /// The larger of each side.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            above: self.above.max(other.above),
            below: self.below.max(other.below),
        }
    }
}

/// The ticks of an upright axis of that length.
pub(super) fn upward(span: &Span, length: f64) -> Ticks {
    Ticks::of(span, (length / 40.0).clamp(2.0, 7.0) as usize)
}

/// The ticks of a level axis: as many as have room beside one another.
pub(super) fn across(span: &Span, length: f64) -> Ticks {
    let fits = |ticks: &Ticks| {
        let mut free = f64::NEG_INFINITY;
        ticks.major.iter().all(|(value, label)| {
            let (at, half) = (span.share(*value).unwrap_or(0.0) * length, label_width(label) / 2.0);
            let clear = at - half >= free;
            free = at + half + 10.0;
            clear
        })
    };
    let mut ticks = (1..=8).rev().map(|wanted| Ticks::of(span, wanted));
    ticks.find(fits).unwrap_or_default()
}
