//! What a run tells, as tables.

use super::super::experiment::Progress;
use super::super::outcome::Table;
use crate::event::{Event, Observer};

/// Gathers a run's events.
pub(super) struct Watch<'a> {
    heard: &'a mut dyn FnMut(&Progress),
    /// Loss and trace along the steps.
    pub(super) course: Table,
    /// Scores along the steps: of the dev rows (0), and of the validation rows (1) at the start and of the best weights.
    pub(super) scores: Table,
    /// Forward passes of the run.
    pub(super) forwards: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(heard: &'a mut dyn FnMut(&Progress)) -> Self {
        let course = Table::new("course", &["step", "loss", "trace", "trace_error"]);
        let scores = Table::new("scores", &["validation", "step", "accuracy", "loss", "rows"]);
        Self { heard, course, scores, forwards: 0 }
    }
}

impl Observer for Watch<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { step, total, loss, .. } => {
                self.course.rows.push(vec![*step as f64, *loss, f64::NAN, f64::NAN]);
                (self.heard)(&Progress { what: "fine-tuning".to_owned(), done: *step, total: *total });
            }
            // It comes after the event of its step.
            Event::Trace { trace, error, .. } => {
                if let Some(row) = self.course.rows.last_mut() {
                    row[2..].copy_from_slice(&[*trace, *error]);
                }
            }
            Event::Evaluated { step, split, score, loss, n, .. } => {
                let validation = if split == "dev" { 0.0 } else { 1.0 };
                self.scores.rows.push(vec![validation, *step as f64, *score, *loss, *n as f64]);
            }
            Event::Finished { forwards, .. } => self.forwards = *forwards,
            _ => {}
        }
    }
}
