//! `polder reproduce`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use polder::reproduce::{EXPERIMENTS, Progress, Request, listing, named, prepare, write};

use super::Ended;
use super::args::ReproduceArgs;
use super::output::{print, tell};
use super::progress::Counter;

pub(super) fn run(arguments: &ReproduceArgs) -> Result<Ended> {
    let Some(name) = arguments.name.as_deref().filter(|_| !arguments.list) else {
        print(listing())?;
        return Ok(Ended::Well);
    };
    let Some(experiment) = named(name) else {
        let all: Vec<String> = EXPERIMENTS.iter().map(|experiment| format!("`{}`", experiment.name)).collect();
        bail!("there is no experiment `{name}`\nhint: one of {}", all.join(", "));
    };
    let out = arguments.out.clone().unwrap_or_else(|| PathBuf::from("reproduce").join(experiment.name));
    let request = Request {
        short: arguments.short,
        seed: arguments.seed,
        data: arguments.data.clone(),
        model: arguments.model.clone(),
        task: arguments.task.clone(),
    };
    prepare(&out)?;
    let begin = Instant::now();
    let mut shown = Shown::new(arguments.quiet);
    let outcome = (experiment.run)(&request, &mut |progress| shown.at(progress))?;
    shown.clear();
    let wrote = write(&out, experiment, &request, &outcome, begin.elapsed().as_secs_f64())?;
    print(wrote.report.trim_end())?;
    tell(arguments.quiet, format!("{} files in {}", wrote.files.len(), out.display()));
    Ok(if outcome.passes() { Ended::Well } else { Ended::Outside })
}

/// Progress on stderr: a bar on a terminal, else a line for each thing that is begun.
struct Shown {
    quiet: bool,
    what: String,
    bar: Option<Counter>,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        Self { quiet, what: String::new(), bar: None }
    }

    fn at(&mut self, progress: &Progress) {
        if progress.what != self.what {
            self.what.clone_from(&progress.what);
            self.bar = Some(Counter::new(&self.what, "", self.quiet));
            tell(self.quiet || std::io::stderr().is_terminal(), &self.what);
        }
        if let Some(bar) = &mut self.bar {
            bar.at(progress.done, progress.total);
        }
    }

    fn clear(&mut self) {
        self.bar = None;
    }
}
