//! The Hessian's trace, followed along a run.

use polder_optim::Objective;
use polder_optim::trajectory::{Record, Step};
use polder_sharpness::probe::RunningTrace;
use polder_sharpness::stability::Scheme;
use serde_json::{Value, json};

use crate::config::Config;
use crate::error::Result;
use crate::event::Event;
use crate::sharpness::{edge, scheme_of};

/// The share of the edge from which a run is told to be near it.
const NEAR: f64 = 0.8;
/// Directions before a mean is told of; as many first steps are samples whatever is asked, so that a rate that is too large is
/// told of before it has done its work.
const FEWEST: u64 = 16;

/// Whether a step is a sample.
fn samples_at(step: u64, every: u64) -> bool {
    step < FEWEST || step.is_multiple_of(every.max(1))
}

/// How many of so many steps are samples.
pub(crate) fn samples_of(steps: u64, every: u64) -> u64 {
    let multiples = |n: u64| n.div_ceil(every.max(1));
    let first = steps.min(FEWEST);
    first + multiples(steps) - multiples(first)
}

/// Takes samples of the trace as steps are made: one forward pass at the weights, beside the two points of each direction.
///
/// What it reads is logged before the step as a note, so that a run which goes on has the same mean.
pub(super) struct TraceWatch {
    every: u64,
    running: RunningTrace,
    eps: f64,
    scheme: Option<Scheme>,
    /// The loss at the weights before the step that comes.
    base: Option<f64>,
    near: bool,
}

impl TraceWatch {
    /// A watch as configured; `None` where there is none.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(super) fn of(config: &Config, elements: usize) -> Result<Option<Self>> {
        let Some(trace) = &config.trace else { return Ok(None) };
        let eps = config.estimator.settings.get("eps").and_then(Value::as_f64).unwrap_or_default();
        let running = RunningTrace::new(trace.memory)?;
        Ok(Some(Self {
            every: trace.every,
            running,
            eps,
            scheme: scheme_of(config, elements),
            base: None,
            near: false,
        }))
    }

    /// Reads the loss at the weights where this step is to be a sample; gives what the log should say of it.
    ///
    /// # Errors
    /// No loss, or one that is not finite.
    pub(super) fn before(&mut self, step: u64, objective: &mut dyn Objective) -> Result<Option<Record>> {
        if !samples_at(step, self.every) {
            return Ok(None);
        }
        let base = RunningTrace::base(objective, polder_optim::Batch(step))?;
        self.base = Some(base);
        Ok(Some(Record::Note(json!({ "kind": "trace", "step": step, "base": base }))))
    }

    /// Hears what a log says; gives an event where a sample was completed by a step.
    ///
    /// # Errors
    /// Losses that make no sample.
    pub(super) fn hear(&mut self, record: &Record, forwards: u64) -> Result<Option<Event>> {
        match record {
            Record::Note(note) if is_sample(note) => {
                self.base = note.get("base").and_then(Value::as_f64);
                Ok(None)
            }
            Record::Step(step) => self.after(step, forwards),
            _ => Ok(None),
        }
    }

    /// Completes a sample by a step's losses.
    fn after(&mut self, step: &Step, forwards: u64) -> Result<Option<Event>> {
        let Some(base) = self.base.take() else { return Ok(None) };
        self.running.feed(base, &step.losses, self.eps)?;
        let told = self.running.measured().filter(|trace| trace.samples >= FEWEST);
        Ok(told.map(|trace| Event::Trace {
            step: step.step + 1,
            forwards,
            trace: trace.value,
            error: trace.standard_error,
            edge: self.scheme.as_ref().and_then(|scheme| edge(scheme, step.lr)),
        }))
    }

    /// Says it once more where the next sample is near the edge too.
    pub(super) fn warn_again(&mut self) {
        self.near = false;
    }

    /// A sentence where the trace comes near the edge of stability, said once until it has left again.
    pub(super) fn warning(&mut self, event: &Event) -> Option<String> {
        let Event::Trace { step, trace, error, edge: Some(edge), .. } = event else { return None };
        let near = *trace > NEAR * edge;
        let told = near && !self.near;
        self.near = near;
        told.then(|| {
            format!(
                "After step {step} the Hessian's trace is {trace:.3e} ± {error:.1e}, {:.0} % of {edge:.3e}, beyond which steps \
                 of this rate grow; a lower learning rate keeps away from it.",
                100.0 * trace / edge
            )
        })
    }
}

/// A warning as the log has it.
pub(super) fn warning_note(step: u64, text: &str) -> Record {
    Record::Note(json!({ "kind": "edge", "step": step, "text": text }))
}

/// Whether a record is a warning.
pub(super) fn is_warning(record: &Record) -> bool {
    matches!(record, Record::Note(note) if note.get("kind").and_then(Value::as_str) == Some("edge"))
}

/// Whether a note is the first half of a sample.
fn is_sample(note: &Value) -> bool {
    note.get("kind").and_then(Value::as_str) == Some("trace")
}

/// Forward passes of a whole batch that a note of the log speaks of: for a sample, or for measuring the learning rate.
pub(crate) fn forwards_of(note: &Value) -> u64 {
    let measured = note.pointer("/found/trace/forwards").and_then(Value::as_u64);
    u64::from(is_sample(note)) + measured.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_as_they_are_taken() {
        for every in [1, 2, 7, 16, 17, 100] {
            for steps in [0, 1, 15, 16, 17, 18, 99, 100, 101, 250] {
                let taken = (0..steps).filter(|step| samples_at(*step, every)).count() as u64;
                assert_eq!(samples_of(steps, every), taken, "{steps} steps, every {every}");
            }
        }
    }
}
