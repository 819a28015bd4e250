//! The learning rate of a run: as it is given, as the log says, or measured.

use polder_optim::Objective;
use polder_optim::trajectory::{Header, Record, Trajectory};
use serde_json::{Value, json};

use super::reading_loss;
use super::stop::Stop;
use crate::config::{Config, Rate};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::model::Model;
use crate::plan::Plan;
use crate::sharpness::{advised_rate, trace_for_rate};

/// The learning rate at its height, and what the log is to say of it where it was measured now.
///
/// It is measured before the first step, so a run that goes on has it in its log's header.
///
/// # Errors
/// A trace that is not clearly positive; a loss that is not finite.
pub(super) fn of(
    plan: &Plan,
    header: Option<&Header>,
    model: &Model,
    stop: &Stop,
    watch: &mut dyn Observer,
) -> Result<(f64, Option<Record>)> {
    let logged = header.and_then(|h| h.optimizer.settings.get("lr")).and_then(Value::as_f64);
    match (plan.config.optimizer.lr, logged) {
        (Rate::Fixed(lr), _) | (Rate::Auto, Some(lr)) => Ok((lr, None)),
        (Rate::Auto, None) => {
            let engine = model.engine();
            let config = &plan.config;
            // Whatever the probe: measuring writes no weight.
            let law = config.estimator.law.into();
            let mut loss = reading_loss(config, &engine, None, &plan.data, law).stopped_by(stop.flag());
            watch.event(&Event::Note { text: "The learning rate is measured.".to_owned() });
            let elements = model.loaded.params.trainable_elements();
            let found = advised_rate(config, elements, trace_for_rate(config, 0, &mut loss)?)?;
            let text = format!("The learning rate is {:.3e}. {}", found.advice.step, found.advice.reason);
            watch.event(&Event::Note { text: text.clone() });
            let note = json!({ "kind": KIND, "step": 0, "text": text, "found": found });
            Ok((found.advice.step, Some(Record::Note(note))))
        }
    }
}

/// A rate that was measured again.
pub(super) struct Again {
    /// The rate at its height from here on.
    pub(super) lr: f64,
    /// What the log is to say.
    pub(super) note: Record,
    /// The same in words.
    pub(super) text: String,
}

/// Measures the rate again at the weights after `step` steps; the present one stays where the trace is not clear of zero.
///
/// # Errors
/// A loss that is not finite.
pub(super) fn again(
    config: &Config,
    elements: usize,
    (step, present): (u64, f64),
    objective: &mut dyn Objective,
) -> Result<Again> {
    let trace = trace_for_rate(config, step, objective)?;
    match advised_rate(config, elements, trace) {
        Ok(found) => {
            let lr = found.advice.step;
            let text = format!(
                "After step {step} the learning rate is {lr:.3e}, {:.2} times what it was. {}",
                lr / present,
                found.advice.reason
            );
            let note = json!({ "kind": KIND, "step": step, "text": text, "found": found });
            Ok(Again { lr, note: Record::Note(note), text })
        }
        Err(Error::Sharpness(error)) if matches!(*error, polder_sharpness::Error::UnclearTrace { .. }) => {
            let text = format!(
                "After step {step} the trace is {:.3e} ± {:.1e}, not clearly positive: the learning rate stays {present:.3e}.",
                trace.value, trace.standard_error
            );
            let note = json!({
                "kind": KIND, "step": step, "text": text, "kept": { "lr": present }, "found": { "trace": trace },
            });
            Ok(Again { lr: present, note: Record::Note(note), text })
        }
        Err(error) => Err(error),
    }
}

/// The learning rate at its height that a run's log tells of after so many steps; after all of them where it is not said.
pub fn logged_rate(log: &Trajectory, after: Option<u64>) -> Option<f64> {
    let notes = log.records().filter_map(|record| match record {
        Ok(Record::Note(note)) => of_note(&note),
        _ => None,
    });
    // Measured after a step, it is that of the next one.
    let latest = notes.filter(|(step, _)| after.is_none_or(|after| *step < after.max(1))).last();
    latest.map(|(_, lr)| lr).or_else(|| log.header().optimizer.settings.get("lr")?.as_f64())
}

/// The kind of the notes that tell of a rate.
const KIND: &str = "rate";

/// The step after which a note of the log sets the rate, and the rate.
pub(super) fn of_note(note: &Value) -> Option<(u64, f64)> {
    if note.get("kind").and_then(Value::as_str) != Some(KIND) {
        return None;
    }
    let step = note.get("step").and_then(Value::as_u64).unwrap_or_default();
    let found = note.pointer("/found/advice/step").or_else(|| note.pointer("/kept/lr"))?;
    Some((step, found.as_f64()?))
}
