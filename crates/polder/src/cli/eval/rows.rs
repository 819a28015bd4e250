//! The rows of an evaluation, and the examples they make.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use polder::config::Config;
use polder_tasks::data::task_folder;
use polder_tasks::{
    CHAT, DataFolder, Demonstrations, Drawn, Example, PromptTask, SampleSpec, Split, Task, labelled, sample, turns,
};

use super::super::args::EvalArgs;
use super::super::output::tell;
use super::super::subject::Subject;
use super::super::transfer::Transfer;

/// A task with the rows that it is asked on.
pub(super) struct Work {
    pub(super) task: PromptTask,
    pub(super) split: Split,
    pub(super) drawn: Vec<Drawn>,
    pub(super) examples: Vec<Example>,
    /// How many demonstrations stand in front of each.
    pub(super) shots: u16,
}

impl Work {
    /// The rows of a task: number `number` of `tasks` that are asked for.
    pub(super) fn read(
        subject: &Subject,
        named: Option<&str>,
        [number, tasks]: [usize; 2],
        arguments: &EvalArgs,
    ) -> Result<Self> {
        let (task, own) = (subject.task(named)?, subject.own(named));
        ensure!(
            !(arguments.chat && task.name() == CHAT),
            "the task `{CHAT}` is asked through the chat template as it is\nhint: leave --chat out"
        );
        let count = arguments.shots.or_else(|| own.map(|run| run.task.shots)).unwrap_or(0);
        let seed = arguments.shots_seed.or_else(|| own.map(|run| run.task.shots_seed)).unwrap_or(0);
        let data = data_of(arguments, subject, &task, number, tasks)?;
        let folder = DataFolder::open(&data).map_err(polder::Error::from);
        let folder = folder.map_err(|error| match tasks {
            1 => error.into(),
            _ => anyhow!("task `{}`: {error}", task.name()),
        })?;
        let shots = Demonstrations::draw(&folder, &task, usize::from(count), seed).map_err(polder::Error::from)?;
        let rows = Rows::read(&folder, &data, &task, subject.run.as_ref(), &shots, arguments)?;
        rows.notes.iter().for_each(|note| tell(arguments.quiet, format!("note: {note}")));
        let in_rows = |error| polder::Error::from(folder.within(rows.split, error));
        let drawn = match task.name() == CHAT {
            true => turns(&subject.model.chat()?, &rows.drawn).map_err(in_rows)?,
            false => rows.drawn,
        };
        let mut examples = labelled(&task, &drawn).map_err(in_rows)?;
        examples.iter_mut().for_each(|example| shots.put_before(&task, example));
        Ok(Self { task, split: rows.split, drawn, examples, shots: count })
    }
}

/// The data of a task: its own `--data`, the only one (or the folder of its name in there), or the run's.
fn data_of(arguments: &EvalArgs, subject: &Subject, task: &PromptTask, number: usize, tasks: usize) -> Result<PathBuf> {
    let given = match arguments.data.as_slice() {
        [] => subject.data(),
        [one] => Some(one.clone()),
        many => {
            ensure!(
                many.len() == tasks,
                "{} tasks but {} data folders are given\nhint: give --data once, or once a task",
                tasks,
                many.len()
            );
            many.get(number).cloned()
        }
    };
    let Some(path) = given else {
        bail!("no data is given\nhint: name a folder with train, validation or test files with --data");
    };
    let mut bar = Transfer::new(arguments.quiet);
    let path = polder::hub::data(&path, &mut |p| bar.at(p))?;
    Ok(task_folder(&path, task))
}

/// The rows to score.
struct Rows {
    drawn: Vec<Drawn>,
    split: Split,
    notes: Vec<String>,
}

impl Rows {
    fn read(
        folder: &DataFolder,
        data: &Path,
        task: &PromptTask,
        run: Option<&Config>,
        shots: &Demonstrations,
        arguments: &EvalArgs,
    ) -> Result<Self> {
        // What was fetched already asks nobody.
        let own = |path: &Path| polder::hub::data(path, &mut |_| {}).is_ok_and(|own| same(&own, data));
        let run = run.filter(|run| run.task.data.as_deref().is_some_and(own));
        let spec = SampleSpec { train: 0, dev: 0, eval: None, eval_split: Some(arguments.split), per_class: None };
        let mut found = sample(folder, task, &spec, 0).map_err(polder::Error::from)?;
        if let Some(run) = run.filter(|_| found.eval_split == Split::Train) {
            // Its rows are those that the run was trained on, but for the ones that it held out.
            let own = sample(folder, task, &evaluation_of(run), run.task.seed).map_err(polder::Error::from)?;
            if own.eval_split == Split::Train {
                found = own;
            } else {
                found.notes.push("Among these rows are those that the run was trained on.".to_owned());
            }
        }
        match shots.leave_out(found.eval_split, &mut found.eval) {
            0 => {}
            n => found.notes.push(format!("{n} of these rows are demonstrations and not evaluated.")),
        }
        if let Some(limit) = arguments.limit {
            found.eval.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(Self { drawn: found.eval, split: found.eval_split, notes: found.notes })
    }
}

/// What a run evaluates on. Held-out rows go before the others are drawn, so how many of those there are is all one.
fn evaluation_of(run: &Config) -> SampleSpec {
    SampleSpec { train: 1, dev: 0, per_class: None, ..run.sample_spec() }
}

/// Whether two paths are one place.
fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
