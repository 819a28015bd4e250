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
use super::transfer::Transfer;

pub(super) fn run(arguments: &TrainArgs) -> Result<Ended> {
    let stop = Stop::new().within(arguments.max_time);
    on_interrupt(&stop)?;
    let mut config = Config::load(&arguments.config, &arguments.sets).map_err(polder::Error::from)?;
    let path = run_folder(arguments)?;
    fetch(&mut config, arguments.quiet)?;
    let plan = Plan::new(config)?;
    // A folder that can't be used is known before any weight is read; one is made only for a plan that can be run.
    let run = if arguments.resume { RunFolder::resume(&path)? } else { RunFolder::create(&path)? };
    tell(arguments.quiet, plan.to_string().trim_end());
    tell(arguments.quiet, format!("run        {}", path.display()));
    let options = TrainOptions { stop, config_text: config_text(arguments), ..TrainOptions::default() };
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

/// Fetches what the configuration names on the Hub.
pub(super) fn fetch(config: &mut Config, quiet: bool) -> Result<()> {
    let mut bar = Transfer::new(quiet);
    let notes = polder::hub::pin(config, &mut |p| bar.at(p))?;
    bar.clear();
    notes.iter().for_each(|note| tell(quiet, format!("note: {note}")));
    Ok(())
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
    let (config, run) = (quoted(&arguments.config.to_string_lossy()), quoted(&path.to_string_lossy()));
    tell(false, format!("hint: go on with `polder train {config} --run {run} --resume{}`", sets(arguments)));
    if reason == Stopped::Asked { Ended::Interrupted } else { Ended::Well }
}

/// The configuration as given, headed by what the command line changed.
fn config_text(arguments: &TrainArgs) -> Option<String> {
    let text = std::fs::read_to_string(&arguments.config).ok()?;
    let sets = sets(arguments);
    if sets.is_empty() {
        return Some(text);
    }
    // A line break in a value must not end the comment.
    let sets: String = sets.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(format!("# Changed on the command line:{sets}\n{text}"))
}

/// The `--set` arguments as a shell takes them, each behind a blank.
fn sets(arguments: &TrainArgs) -> String {
    arguments.sets.iter().map(|set| format!(" --set {}", quoted(set))).collect()
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The first Ctrl-C asks the run to end, the second ends the process.
pub(super) fn on_interrupt(stop: &Stop) -> Result<()> {
    let flag = stop.flag();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("can't listen for Ctrl-C")
}

/// The folder that was named; else `runs/<config>-<n>`: the run after the last one, or the last one where it is to go on.
fn run_folder(arguments: &TrainArgs) -> Result<PathBuf> {
    if let Some(run) = &arguments.run {
        return Ok(run.clone());
    }
    let stem = arguments.config.file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
    let runs = Path::new("runs");
    let place = |n: u32| runs.join(format!("{stem}-{n}"));
    let numbers = numbers(runs, &stem);
    if !arguments.resume {
        return Ok(place(numbers.into_iter().max().unwrap_or(0).saturating_add(1)));
    }
    let latest = numbers.into_iter().filter(|n| place(*n).join("plan.json").exists()).max();
    let first = place(1);
    latest
        .map(place)
        .with_context(|| format!("there is no run like `{}` to resume\nhint: name it with --run", first.display()))
}

/// The numbers of the runs of a configuration, those that were removed left out.
fn numbers(runs: &Path, stem: &str) -> Vec<u32> {
    let number = |name: &str| {
        let digits = name.strip_prefix(stem)?.strip_prefix('-')?;
        digits.parse().ok().filter(|n: &u32| n.to_string() == digits)
    };
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [
            ("steps=20", "steps=20"),
            ("task.options=[\"no\", \"yes\"]", "'task.options=[\"no\", \"yes\"]'"),
            ("task.joint=", "task.joint="),
            ("", "''"),
            ("it's $HOME", "'it'\\''s $HOME'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn runs_are_numbered_by_their_configuration() {
        let runs = tempfile::tempdir().unwrap();
        for name in ["a-2", "a-10", "a-03", "a-x", "a-b-7", "b-4", "a", "a-+5"] {
            std::fs::create_dir(runs.path().join(name)).unwrap();
        }
        let mut found = numbers(runs.path(), "a");
        found.sort_unstable();
        assert_eq!(found, [2, 10]);
        assert!(numbers(&runs.path().join("nowhere"), "a").is_empty());
    }
}
