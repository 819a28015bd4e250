//! What became of a run.

use std::ops::Range;

use super::course::{Course, Method};
use super::gauge::Reading;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// After all of its steps.
    Finished,
    /// At this step its loss was above 1000 or not finite.
    Diverged { step: u64 },
}

/// A loss that no run is seen to come back from, in nats; at the start it is about 1.
const DIVERGED: f64 = 1e3;

/// Whether a loss is one of a run that has diverged.
pub(super) fn diverged(loss: f64) -> bool {
    loss.is_nan() || loss > DIVERGED
}

/// A run that was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Track {
    pub(super) course: Course,
    pub(super) readings: Vec<Reading>,
    pub(super) end: End,
    /// The weights at the end.
    pub(super) weights: Vec<f64>,
}

/// Mean, smallest and largest of what was read in a window; not numbers where nothing was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Track {
    /// What `of` gives for the readings after more than `steps.start` and at most `steps.end` steps.
    pub(super) fn window(&self, steps: Range<u64>, of: impl Fn(&Reading) -> f64) -> Window {
        let inside = |r: &&Reading| r.step > steps.start && r.step <= steps.end;
        let values: Vec<f64> = self.readings.iter().filter(inside).map(of).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let low = values.iter().copied().fold(f64::NAN, f64::min);
        let high = values.iter().copied().fold(f64::NAN, f64::max);
        Window { mean, low, high }
    }

    /// What meets the edge: the trace, or the largest eigenvalue where gradients are used.
    pub(super) fn measured(&self, reading: &Reading) -> f64 {
        if self.course.method.is_first_order() { reading.largest } else { reading.trace }
    }

    /// What meets the edge, in words.
    pub(super) fn quantity(&self) -> &'static str {
        match self.course.method {
            method if method.is_first_order() => "λ_max",
            Method::Adam { .. } => "Tr(P⁻¹H)",
            _ => "Tr",
        }
    }

    /// What meets the edge in units of the edge, from a step on.
    ///
    /// Of a run that diverged there is no number: readings before do not tell how it ended.
    pub(super) fn ratio(&self, from: u64) -> Window {
        if self.diverged() {
            return Window { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
        }
        self.window(from..self.course.steps, |r| self.measured(r) / r.edge)
    }

    /// Whether the loss ran away.
    pub(super) fn diverged(&self) -> bool {
        self.end != End::Finished
    }

    /// The last reading.
    pub(super) fn last(&self) -> Option<&Reading> {
        self.readings.last()
    }

    /// The edge at the end.
    pub(super) fn edge(&self) -> f64 {
        self.last().map_or(f64::NAN, |r| r.edge)
    }

    /// How often a loss was evaluated on all of `examples`, a gradient counting as two.
    pub(super) fn evaluations(&self, examples: usize) -> u64 {
        let steps = match self.end {
            End::Finished => self.course.steps,
            End::Diverged { step } => step + 1,
        };
        let rows = self.course.minibatch.unwrap_or(examples) as u64;
        let read: u64 = self.readings.iter().map(|r| r.evaluations).sum();
        steps * 2 * self.course.queries as u64 * rows / examples as u64 + read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_open_below_and_empty_ones_are_no_number() {
        let course = Course::new(Method::Descent, 0.5, 30, 3);
        let reading = |step, trace| Reading {
            step,
            loss: 0.0,
            peak: 0.0,
            trace,
            error: 0.0,
            largest: 1.0,
            edge: 4.0,
            commutator: f64::NAN,
            evaluations: 5,
        };
        let readings = vec![reading(0, 9.0), reading(10, 1.0), reading(20, 2.0), reading(30, 6.0)];
        let mut track = Track { course, readings, end: End::Finished, weights: Vec::new() };
        assert_eq!(track.ratio(10), Window { mean: 1.0, low: 0.5, high: 1.5 });
        assert_eq!(track.window(0..10, |r| r.trace).mean, 1.0);
        assert!(track.ratio(30).mean.is_nan());
        assert_eq!(track.evaluations(10), 60 + 20);
        track.end = End::Diverged { step: 4 };
        assert!(track.ratio(0).mean.is_nan(), "a run that diverged is at no edge");
        track.course.minibatch = Some(5);
        assert_eq!(track.evaluations(10), 5 + 20);
    }
}
