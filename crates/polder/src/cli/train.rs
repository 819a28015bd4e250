//! `polder train`.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use polder::config::Config;
use polder::plan::Plan;
use polder::run::RunFolder;
use polder::trainer::{Outcome, Stop, Stopped, TrainOptions, train};

use super::Ended;
use super::args::TrainArgs;
use super::output::tell;
use super::progress;

pub(super) fn run(arguments: &TrainArgs) -> Result<Ended> {
    let stop = Stop::new().within(arguments.max_time);
    on_interrupt(&stop)?;
    let config = Config::load(&arguments.config, &arguments.sets).map_err(polder::Error::from)?;
    let path = run_folder(arguments)?;
    let plan = Plan::new(config)?;
    // A folder that can't be used is known before any weight is read; one is made only for a plan that can be run.
    let run = if arguments.resume { RunFolder::resume(&path)? } else { RunFolder::create(&path)? };
    tell(arguments.quiet, plan.to_string().trim_end());
    tell(arguments.quiet, format!("run        {}", path.display()));
    let options =
        TrainOptions { stop, config_text: std::fs::read_to_string(&arguments.config).ok() };
    let mut watch = progress::observer(arguments.quiet);
    let outcome = train(&plan, &run, &options, watch.as_mut());
    drop(watch);
    let outcome = outcome?;
    // A picture that can't be drawn must not make a good run look failed.
    match polder::report::write(run.path()) {
        Ok(report) => tell(arguments.quiet, format!("report     {}", report.display())),
        Err(error) => tell(arguments.quiet, format!("note: no report was written: {error}")),
    }
    Ok(ended(outcome, arguments, &path))
}

fn ended(outcome: Outcome, arguments: &TrainArgs, path: &Path) -> Ended {
    let Outcome::Stopped { step, reason } = outcome else {
        return Ended::Well;
    };
    let why = match reason {
        Stopped::Asked => "as asked",
        Stopped::TimeUp => "since its time is up",
    };
    tell(arguments.quiet, format!("The run was ended after {step} steps, {why}; nothing is lost."));
    tell(
        false,
        format!("hint: go on with `polder train {} --run {} --resume`", arguments.config.display(), path.display()),
    );
    if reason == Stopped::Asked { Ended::Interrupted } else { Ended::Well }
}

/// The first Ctrl-C asks the run to end, the second ends the process.
fn on_interrupt(stop: &Stop) -> Result<()> {
    let flag = stop.flag();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("can't listen for Ctrl-C")
}

/// The folder that was named; else the first free `runs/<config>-<n>`, or the latest where a run is to go on.
fn run_folder(arguments: &TrainArgs) -> Result<PathBuf> {
    if let Some(run) = &arguments.run {
        return Ok(run.clone());
    }
    let stem = arguments.config.file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
    let place = |n: u32| Path::new("runs").join(format!("{stem}-{n}"));
    let free = (1..=u32::MAX).find(|n| !place(*n).exists()).unwrap_or(u32::MAX);
    if arguments.resume {
        anyhow::ensure!(free > 1, "there is no run `{}` to resume\nhint: name it with --run", place(1).display());
        return Ok(place(free - 1));
    }
    Ok(place(free))
}
