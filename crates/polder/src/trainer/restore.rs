//! Lines of `metrics.jsonl` that a kill took, made again from the log.

use polder_optim::trajectory::{Record, Step, Trajectory};
use polder_optim::{Batch, Losses, StepContext, step_seeds};
use polder_perturb::{ParamSet, Seed};
use serde_json::{Value, json};

use super::method::Method;
use super::scores::{Choice, event};
use super::start::History;
use super::trace::{TraceWatch, is_warning};
use crate::config::Config;
use crate::error::Result;
use crate::event::Event;
use crate::run::{MetricsLog, RunFolder, cut_metrics};

/// Brings `metrics.jsonl` to the end of the log: lines after it go, lines that are missing come.
///
/// Gives the trace as the log has it. The log does not know how long a step took and how many tokens it read, so these are null in a line made here.
///
/// # Errors
/// Files that can't be read or written.
pub(super) fn restore_metrics(
    run: &RunFolder,
    log: &Trajectory,
    config: &Config,
    method: &Method,
    params: &ParamSet,
) -> Result<Option<TraceWatch>> {
    let written = cut_metrics(&run.metrics(), log.steps())?;
    let mut metrics = MetricsLog::append_to(&run.metrics())?;
    let choice = Choice::of(config)?;
    let mut history = History::default();
    let mut trace = TraceWatch::of(config, params.trainable_elements())?;
    // Whether it warned and the log does not say so.
    let mut warned = false;
    for record in log.records() {
        let record = record?;
        let forwards = |history: &History, step: &Step| history.all_forwards() + step.losses.len() as u64;
        match &record {
            Record::Step(step) => {
                history.done = step.step + 1;
                if history.done > written.steps {
                    metrics.line(&line(step, config, method, params, forwards(&history, step))?)?;
                }
            }
            Record::Evaluation(score) if !written.scores.contains(&(history.done, score.name.clone())) => {
                let told = event(&history, score, choice.is_best(&history, score));
                metrics.line(&serde_json::to_value(told).unwrap_or_default())?;
            }
            _ => {}
        }
        warned &= !is_warning(&record);
        let so_far = if let Record::Step(step) = &record { forwards(&history, step) } else { 0 };
        if let Some(event) = trace.as_mut().map(|t| t.hear(&record, so_far)).transpose()?.flatten() {
            // Here it learns where it stands.
            warned = trace.as_mut().and_then(|t| t.warning(&event)).is_some() || warned;
            if history.done > written.traces {
                metrics.line(&serde_json::to_value(event).unwrap_or_default())?;
            }
        }
        history.add(record);
    }
    if warned {
        // Killed before the warning was logged: it comes with the next sample.
        trace.iter_mut().for_each(TraceWatch::warn_again);
    }
    Ok(trace)
}

/// A step's line.
fn line(step: &Step, config: &Config, method: &Method, params: &ParamSet, forwards: u64) -> Result<Value> {
    let seeds = step_seeds(Seed(config.seed), step.step, method.estimator.directions());
    let (elements, lengths) = (params.trainable_elements(), method.lengths(params, &seeds));
    let batch = Batch(step.batch);
    let context = StepContext { step: step.step, total: config.steps, batch, elements, lengths: &lengths };
    // Means are all that an estimator takes of losses.
    let losses = Losses { points: step.losses.iter().map(|mean| vec![*mean]).collect(), weights: vec![1.0] };
    let estimate = method.estimator.combine(&context, &seeds, &losses)?;
    let told = Event::Step {
        step: step.step + 1,
        total: config.steps,
        loss: estimate.loss,
        projected: estimate.projected,
        tilt: estimate.tilt,
        lr: step.lr,
        forwards,
        seconds: f64::NAN,
        tokens: 0,
    };
    let mut line = serde_json::to_value(told).unwrap_or_default();
    if let Some(fields) = line.as_object_mut() {
        // The seconds are null already, as what is not a number is in JSON.
        fields.insert("tokens".to_owned(), json!(null));
    }
    Ok(line)
}
