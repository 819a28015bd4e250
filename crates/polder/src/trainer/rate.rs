//! The learning rate of a run: as it is given, as the log says, or measured.

use polder_optim::trajectory::Header;

use super::objective;
use super::stop::Stop;
use crate::config::Rate;
use crate::error::Result;
use crate::event::{Event, Observer};
use crate::model::Model;
use crate::plan::Plan;
use crate::sharpness::{Found, advised_rate};

/// The learning rate at its height, and how it was found where it was measured now.
///
/// A rate that is measured is measured once: a run that goes on has it in its log's header.
///
/// # Errors
/// A trace that is not clearly positive; a loss that is not finite.
pub(super) fn of(
    plan: &Plan,
    header: Option<&Header>,
    model: &Model,
    stop: &Stop,
    watch: &mut dyn Observer,
) -> Result<(f64, Option<Found>)> {
    let logged = header.and_then(|h| h.optimizer.settings.get("lr")).and_then(serde_json::Value::as_f64);
    match (plan.config.optimizer.lr, logged) {
        (Rate::Fixed(lr), _) | (Rate::Auto, Some(lr)) => Ok((lr, None)),
        (Rate::Auto, None) => {
            let engine = model.engine();
            let config = &plan.config;
            let mut loss = objective(config, stop, &engine, None, &plan.data, config.estimator.law.into());
            watch.event(&Event::Note { text: "The learning rate is measured.".to_owned() });
            let elements = model.loaded.params.trainable_elements();
            let found = advised_rate(config, elements, &mut *loss, &mut |_| {})?;
            let text = format!("The learning rate is {:.3e}. {}", found.advice.step, found.advice.reason);
            watch.event(&Event::Note { text });
            Ok((found.advice.step, Some(found)))
        }
    }
}
