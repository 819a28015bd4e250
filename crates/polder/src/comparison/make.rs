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

/// The folder of a run below `runs`, where there is one.
///
/// # Errors
/// Another process uses it.
pub fn folder(cell: &Cell, key: &str, runs: &Path) -> Result<Option<RunFolder>> {
    let path = runs.join(cell.folder(key));
    path.join("plan.json").exists().then(|| RunFolder::resume(&path)).transpose()
}

/// Makes a run in a folder below `runs`, or goes on with it, and gives what it found and its folder; `None` where it was
/// stopped. A run that diverges, or whose rate can't be measured, is a result as well.
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
    let run = match folder(cell, key, runs)? {
        Some(begun) => begun,
        None => RunFolder::create(&runs.join(cell.folder(key)))?,
    };
    let options = TrainOptions { stop: stop.clone(), ..TrainOptions::default() };
    match train(plan, &run, &options, watch) {
        Ok(Outcome::Stopped { .. }) => return Ok(None),
        Ok(Outcome::Finished) => {}
        Err(error) if has_no_score(&error) => {
            return Ok(Some((Found::new(cell, key, Ended::Failed { failed: error.to_string() }), run)));
        }
        Err(error) => return Err(error),
    }
    let measured = match trace.map(|trace| curvature(plan, &run, trace)).transpose() {
        // The weights that were scored may be others, and well.
        Err(error) if has_no_score(&error) => None,
        measured => measured?.map(|measured| measured.trace),
    };
    let found = Found::read(cell, key, run.path(), measured)?;
    Ok(Some((found, run)))
}

/// Whether the numbers themselves keep a run from going on: a failure that comes again on every machine.
fn has_no_score(error: &Error) -> bool {
    match error {
        Error::Optim(error) => error.is_divergence(),
        Error::Sharpness(error) => error.is_of_numbers(),
        _ => false,
    }
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
