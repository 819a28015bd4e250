//! `polder eval`: one model or two, on one task or several.

mod asked;
mod compare;
mod rows;
mod show;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use polder::evaluation::Ledger;
use polder_tasks::Task;
use serde_json::Value;

use super::Ended;
use super::args::{EvalArgs, ModelArgs};
use super::output::print;
use super::samples::Samples;
use super::subject::Subject;
use asked::{Askable, Asked};
use compare::Compared;
use rows::Work;

pub(super) use asked::encode;
pub(super) use show::idx;

pub(super) fn run(arguments: &EvalArgs) -> Result<Ended> {
    // Places that can't be written are known before minutes of work.
    let mut ledger = arguments.out.as_deref().map_or_else(|| Ok(Ledger::new()), Ledger::open)?;
    let mut written = Written::begin(arguments)?;
    let subject = Subject::load(&arguments.model.model, &arguments.model.load, arguments.quiet)?;
    let works = works(&subject, arguments)?;
    let first = ask(&subject, &works, &mut ledger, &mut written, arguments)?;
    drop(subject);
    if let Some(against) = &arguments.against {
        let model = ModelArgs { model: against.clone(), ..arguments.model.clone() };
        let second = EvalArgs { model, ..arguments.clone() };
        let subject = Subject::load(against, &second.model.load, arguments.quiet)?;
        let other = ask(&subject, &works, &mut ledger, &mut written, &second)?;
        let names = [arguments.model.model.display().to_string(), against.display().to_string()];
        for ((work, first), second) in works.iter().zip(&first).zip(&other) {
            let compared = Compared::of(work, first, second).map_err(polder::Error::from)?;
            written.result(compared.object(work, [&names[0], &names[1]]), || {
                format!("{}: `{}` less `{}`: {compared}", work.task.name(), names[0], names[1])
            })?;
        }
    }
    written.finish()?;
    Ok(Ended::Well)
}

/// The tasks that are asked for, with their rows.
fn works(subject: &Subject, arguments: &EvalArgs) -> Result<Vec<Work>> {
    let names: Vec<Option<&str>> = match arguments.tasks.as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let work = |(number, name): (usize, &Option<&str>)| Work::read(subject, *name, [number, names.len()], arguments);
    names.iter().enumerate().map(work).collect()
}

/// Asks a model on every task, and shows each result as it comes.
fn ask(
    subject: &Subject,
    works: &[Work],
    ledger: &mut Ledger,
    written: &mut Written,
    arguments: &EvalArgs,
) -> Result<Vec<Asked>> {
    let model = arguments.model.model.display().to_string();
    let askable = Askable::new(subject, arguments)?;
    let table = works.len() > 1;
    let mut all = Vec::with_capacity(works.len());
    for (number, work) in works.iter().enumerate() {
        let asked = askable.ask(work, ledger, arguments)?;
        let asked_of = (model.as_str(), subject.dtype.name(), askable.weights());
        let object = show::object(work, &asked.found, asked_of, arguments);
        written.result(object, || match table {
            true if number == 0 => format!("`{model}`\n{}\n{}", show::heads(), show::line(work, &asked.found)),
            true => show::line(work, &asked.found),
            false => format!("{} ({}): {}", work.task.name(), work.split, asked.found),
        })?;
        written.samples(work, &asked, arguments.against.is_some().then_some(model.as_str()))?;
        all.push(asked);
    }
    Ok(all)
}

/// What goes to stdout, and the files of `--samples` and `--out`.
struct Written {
    json: bool,
    samples: Option<Samples>,
    out: Option<Kept>,
}

/// What `--out` gets at the end.
struct Kept {
    folder: PathBuf,
    scores: Vec<u8>,
    samples: Vec<u8>,
}

impl Written {
    fn begin(arguments: &EvalArgs) -> Result<Self> {
        let samples = arguments.samples.as_deref().map(Samples::create).transpose()?;
        let kept = |folder: &PathBuf| Kept { folder: folder.clone(), scores: Vec::new(), samples: Vec::new() };
        Ok(Self { json: arguments.json, samples, out: arguments.out.as_ref().map(kept) })
    }

    /// Shows a result, as JSON or in words.
    fn result(&mut self, object: Value, words: impl FnOnce() -> String) -> Result<()> {
        if let Some(kept) = &mut self.out {
            writeln!(kept.scores, "{object}")?;
        }
        if self.json {
            print(object)?
        } else {
            print(words())?
        }
        Ok(())
    }

    fn samples(&mut self, work: &Work, asked: &Asked, model: Option<&str>) -> Result<()> {
        if let Some(kept) = &mut self.out {
            show::samples(&mut kept.samples, work, asked, model)?;
        }
        match &mut self.samples {
            Some(samples) => samples.write(|file| show::samples(file, work, asked, model)),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<()> {
        if let Some(Kept { folder, scores, samples }) = self.out {
            for (name, lines) in [("scores.jsonl", scores), ("samples.jsonl", samples)] {
                let mut file = Samples::create(&folder.join(name))?;
                file.write(|file| file.write_all(&lines))?;
                file.finish()?;
            }
        }
        self.samples.map_or(Ok(()), Samples::finish)
    }
}
