//! One run of a comparison, from its plan to its result.

use std::path::Path;

use super::cell::Cell;
use super::file::Curvature;
use super::found::{Ended, Found};
use crate::error::{Error, Result};
use crate::event::Observer;
use crate::model::Model;
use crate::plan::Plan;
use crate::run::RunFolder;
use crate::sharpness::{self, Sharpness};
use crate::trainer::{Outcome, Stop, TrainOptions, train};

/// Makes a run in a folder below `runs`, or goes on with it, and gives what it found and its folder; `None` where it was
/// stopped. A run that diverges is a result as well.
///
/// # Errors
/// What keeps a run from being made, other than losses or updates that are no numbers.
pub fn make(
    cell: &Cell,
    key: &str,
    plan: &Plan,
    trace: Option<Curvature>,
    runs: &Path,
    stop: &Stop,
    watch: &mut dyn Observer,
) -> Result<Option<(Found, RunFolder)>> {
    let path = runs.join(cell.folder(key));
    let begun = path.join("plan.json").exists();
    let run = if begun { RunFolder::resume(&path)? } else { RunFolder::create(&path)? };
    let options = TrainOptions { stop: stop.clone(), ..TrainOptions::default() };
    match train(plan, &run, &options, watch) {
        Ok(Outcome::Stopped { .. }) => return Ok(None),
        Ok(Outcome::Finished) => {}
        Err(Error::Optim(error)) if error.is_divergence() => {
            return Ok(Some((Found::of(cell, key, Ended::Diverged { diverged: error.to_string() }), run)));
        }
        Err(error) => return Err(error),
    }
    let measured = trace.map(|trace| curvature(plan, &run, trace)).transpose()?;
    let found = Found::read(cell, key, run.path(), measured.map(|measured| measured.trace))?;
    Ok(Some((found, run)))
}

/// The curvature at a run's last weights, over as many of its training rows, along directions of the run's seed.
fn curvature(plan: &Plan, run: &RunFolder, trace: Curvature) -> Result<Sharpness> {
    let config = &plan.config;
    let mut model = Model::load(&run.last(), config.model.dtype, config.place()?)?;
    let request = sharpness::Request {
        probes: trace.probes,
        rows: trace.rows,
        seed: config.seed,
        ..sharpness::Request::default()
    };
    sharpness::measure(&mut model, &config.trainable, &plan.data, &request)
}
