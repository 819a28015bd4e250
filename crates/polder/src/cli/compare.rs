//! `polder compare`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use polder::comparison::{Base, Cell, Comparison, Found, Results, folder, key_of, make, refuse_seed, summarise, write};
use polder::config::Config;
use polder::plan::{Forwards, Plan};
use polder::trainer::{Stop, Stopped};
use polder_tasks::LossKind;

use super::Ended;
use super::args::duration;
use super::output::{print, tell};
use super::progress;
use super::train::{fetch, on_interrupt};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// What is compared (TOML): one configuration, changed in several ways, with several seeds
    comparison: PathBuf,
    /// Change a key in all runs, as with `polder train`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The folder for runs and results [default: comparisons/<name of the file>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only say which runs there are, which are done, and how many forward passes the others take
    #[arg(long)]
    dry_run: bool,
    /// Keep the weights of the runs; else they are removed once a run's result is known, and its log rebuilds them
    #[arg(long)]
    keep: bool,
    /// End cleanly after this time, such as 90s, 30m, 2h or 1h30m; the same command goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_time: Option<Duration>,
    /// Print errors and the report only
    #[arg(long, short)]
    quiet: bool,
}

/// A run that is to be made or has been. Its rows are drawn again when it is made: those of all runs may be many.
struct Run {
    cell: Cell,
    key: String,
    config: Config,
    forwards: Forwards,
}

pub(super) fn run(arguments: &CompareArgs) -> Result<Ended> {
    let comparison = Comparison::load(&arguments.comparison)?;
    if let Some(reason) = arguments.sets.iter().find_map(|set| refuse_seed(set).err()) {
        bail!("{reason}");
    }
    let name = arguments.comparison.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = arguments.out.clone().unwrap_or_else(|| Path::new("comparisons").join(&name));
    // Every configuration is checked before the first run begins.
    let mut base = Base::default();
    let mut runs = Vec::new();
    for cell in comparison.cells() {
        let run = planned(cell.clone(), &comparison, arguments, &mut base);
        runs.push(run.with_context(|| cell.to_string())?);
    }
    if arguments.dry_run {
        return preview(&runs, &Results::read(&out)?);
    }
    let (mut results, place) = (Results::open(&out)?, out.join("runs"));
    let stop = Stop::new().within(arguments.max_time);
    on_interrupt(&stop)?;
    let mut stopped = None;
    for (number, Run { cell, key, config, .. }) in runs.iter().enumerate() {
        if results.get(key).is_some() {
            // A process may have ended between a result and this.
            if let Some(folder) = folder(cell, key, &place)?.filter(|_| !arguments.keep) {
                folder.forget_weights()?;
            }
            continue;
        }
        stopped = stop.now();
        if stopped.is_some() {
            break;
        }
        tell(arguments.quiet, format!("run {} of {}: {cell}", number + 1, runs.len()));
        let mut watch = progress::observer(arguments.quiet);
        let plan = Plan::new(config.clone()).with_context(|| cell.to_string())?;
        let made = make(cell, key, &plan, comparison.trace, &place, &stop, watch.as_mut());
        drop(watch);
        let Some((found, folder)) = made.with_context(|| cell.to_string())? else {
            stopped = Some(stop.now().unwrap_or(Stopped::Asked));
            break;
        };
        results.add(found)?;
        if !arguments.keep {
            folder.forget_weights()?;
        }
    }
    let found: Vec<Found> = runs.iter().filter_map(|run| Some(results.get(&run.key)?.clone().of(&run.cell))).collect();
    let summary = summarise(&comparison, &found)?;
    let (report, files) = write(&out, &name, &comparison, &found, &summary)?;
    print(report.trim_end())?;
    tell(arguments.quiet, format!("{} files in {}", files.len(), out.display()));
    Ok(match stopped {
        Some(reason) => {
            tell(false, "hint: the same command goes on; nothing is lost");
            if reason == Stopped::Asked { Ended::Interrupted } else { Ended::Well }
        }
        None => Ended::Well,
    })
}

/// Plans a run, and finds what its result is known by.
fn planned(cell: Cell, comparison: &Comparison, arguments: &CompareArgs, base: &mut Base) -> Result<Run> {
    let mut config = cell.config(comparison, &arguments.sets)?;
    fetch(&mut config, arguments.quiet)?;
    let plan = Plan::new(config)?;
    if comparison.trace.is_some() && plan.data.kind == LossKind::F1 {
        bail!("the trace can't be measured of a loss that is made of generated answers\nhint: leave out `[trace]`");
    }
    let key = key_of(&plan, &base.of(&plan)?, comparison.trace)?;
    Ok(Run { cell, key, forwards: plan.facts.cost.forwards, config: plan.config })
}

/// Says what there is to be done.
fn preview(runs: &[Run], results: &Results) -> Result<Ended> {
    let (mut left, mut passes) = (0, 0);
    for Run { cell, key, config, forwards } in runs {
        let state = match results.get(key) {
            Some(found) => found.to_string(),
            None => {
                (left, passes) = (left + 1, passes + forwards.training + forwards.evaluation);
                format!(
                    "{} steps, {} forward passes and {} in evaluations",
                    config.steps, forwards.training, forwards.evaluation
                )
            }
        };
        print(format!("{cell}: {state}"))?;
    }
    print(format!("{left} of {} runs are to be made: {passes} forward passes of a batch", runs.len()))?;
    Ok(Ended::Well)
}
