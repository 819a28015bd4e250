//! `polder eval`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use polder::calibration::{content_free, score_content_free};
use polder::config::Config;
use polder::evaluation::Evaluated;
use polder::scoring::{PassSize, Rule, score};
use polder_tasks::data::task_folder;
use polder_tasks::{
    DataFolder, Demonstrations, Drawn, EncodedExample, Encoder, Example, PromptTask, SampleSpec, Split, Task, labelled,
    sample,
};
use serde_json::{Value, json};

use super::Ended;
use super::args::EvalArgs;
use super::output::{print, tell};
use super::progress::Counter;
use super::samples::Samples;
use super::subject::Subject;
use super::transfer::Transfer;

pub(super) fn run(arguments: &EvalArgs) -> Result<Ended> {
    // A place that can't be written is known before minutes of work.
    let mut samples = arguments.samples.as_deref().map(Samples::create).transpose()?;
    let subject = Subject::load(&arguments.model, arguments.quiet)?;
    let encoder = subject.encoder(&arguments.model)?;
    let names: Vec<Option<&str>> = match arguments.tasks.as_slice() {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for (number, name) in names.iter().enumerate() {
        let task = subject.task(*name)?;
        let data = data_of(arguments, &subject, &task, number, names.len())?;
        let shots = shots(&data, &task, arguments)?;
        let rows = Rows::read(&data, &task, subject.run.as_ref(), &shots, arguments)?;
        rows.notes.iter().for_each(|note| tell(arguments.quiet, format!("note: {note}")));
        let mut examples = labelled(&task, &rows.drawn).map_err(polder::Error::from)?;
        examples.iter_mut().for_each(|example| shots.put_before(&task, example));
        let encoded = encode(&encoder, &examples, arguments.quiet)?;
        let free = match arguments.calibrate {
            true => Some(content_free(&encoder, &task, &examples)?),
            false => None,
        };
        let done = evaluated(&subject, &task, &encoded, free.as_deref(), arguments)?;
        if let Some(samples) = &mut samples {
            samples.write(|file| write_samples(file, &task, &rows.drawn, &examples, &done))?;
        }
        if arguments.json {
            print(object(&subject, &task, rows.split, &done, arguments))?;
        } else {
            print(format!("{} ({}): {done}", task.name(), rows.split))?;
        }
    }
    samples.map_or(Ok(()), Samples::finish)?;
    Ok(Ended::Well)
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

fn shots(data: &Path, task: &PromptTask, arguments: &EvalArgs) -> Result<Demonstrations> {
    let folder = DataFolder::open(data).map_err(polder::Error::from)?;
    let drawn = Demonstrations::draw(&folder, task, usize::from(arguments.shots), arguments.shots_seed);
    Ok(drawn.map_err(polder::Error::from)?)
}

/// The rows to score.
struct Rows {
    drawn: Vec<Drawn>,
    split: Split,
    notes: Vec<String>,
}

impl Rows {
    fn read(
        data: &Path,
        task: &PromptTask,
        run: Option<&Config>,
        shots: &Demonstrations,
        arguments: &EvalArgs,
    ) -> Result<Self> {
        let folder = DataFolder::open(data).map_err(polder::Error::from)?;
        // What was fetched already asks nobody.
        let own = |path: &Path| polder::hub::data(path, &mut |_| {}).is_ok_and(|own| same(&own, data));
        let run = run.filter(|run| run.task.data.as_deref().is_some_and(own));
        let spec = SampleSpec { train: 0, dev: 0, eval: None, eval_split: Some(arguments.split), per_class: None };
        let mut found = sample(&folder, task, &spec, 0).map_err(polder::Error::from)?;
        if let Some(run) = run.filter(|_| found.eval_split == Split::Train) {
            // Its rows are those that the run was trained on, but for the ones that it held out.
            let own = sample(&folder, task, &evaluation_of(run), run.task.seed).map_err(polder::Error::from)?;
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

/// Token ids; says how many examples were cut.
pub(super) fn encode(encoder: &Encoder, examples: &[Example], quiet: bool) -> Result<Vec<EncodedExample>> {
    let encoded: Vec<EncodedExample> =
        examples.iter().map(|e| encoder.encode(e)).collect::<Result<_, _>>().map_err(polder::Error::from)?;
    let cut = encoded.iter().filter(|e| e.cut > 0).count();
    if cut > 0 {
        tell(quiet, format!("note: {cut} examples were cut to {} tokens, at the front", encoder.max_length()));
    }
    Ok(encoded)
}

fn evaluated(
    subject: &Subject,
    task: &PromptTask,
    examples: &[EncodedExample],
    free: Option<&[EncodedExample]>,
    arguments: &EvalArgs,
) -> Result<Evaluated> {
    let engine = subject.model.engine();
    let total = examples.len() as u64;
    let mut bar = Counter::new(task.name(), "examples", arguments.quiet);
    let start = Instant::now();
    let size = arguments.batch.map_or_else(PassSize::default, |n| PassSize::Examples(n as usize));
    let scores = score(&engine, examples, size, &mut |done| {
        bar.at(done as u64, total);
        Ok(())
    })?;
    let free = free.map(|free| score_content_free(&engine, free, size, &mut |_| Ok(()))).transpose()?;
    bar.clear();
    let seconds = start.elapsed().as_secs_f64();
    Ok(Evaluated::of(examples, scores, free.as_deref(), Rule::of(task), engine.counts(), seconds)?)
}

fn object(subject: &Subject, task: &PromptTask, split: Split, done: &Evaluated, arguments: &EvalArgs) -> Value {
    json!({
        "task": task.name(),
        "split": split.to_string(),
        "metric": done.metric.to_string(),
        "score": done.score,
        "interval": done.interval.map(|i| [i.low, i.high]),
        "majority": done.majority,
        "random": done.random,
        "others": done.others.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "shots": arguments.shots,
        "calibrated": arguments.calibrate,
        "n": done.n,
        "loss": done.loss,
        "seconds": done.seconds,
        "forwards": done.forwards,
        "sequences": done.sequences,
        "tokens": done.tokens,
        "model": arguments.model.model.display().to_string(),
        "dtype": subject.dtype.name(),
    })
}

fn write_samples(
    file: &mut dyn Write,
    task: &PromptTask,
    rows: &[Drawn],
    examples: &[Example],
    done: &Evaluated,
) -> std::io::Result<()> {
    for (((row, example), values), prediction) in rows.iter().zip(examples).zip(&done.values).zip(&done.predictions) {
        let line = json!({
            "task": task.name(),
            "idx": idx(row, example),
            "prompt": example.prompt,
            "options": example.options,
            "scores": values,
            "gold": example.gold,
            "prediction": prediction,
        });
        writeln!(file, "{line}")?;
    }
    Ok(())
}

/// A row's name as the row itself writes it: a number stays a number.
pub(super) fn idx(row: &Drawn, example: &Example) -> Value {
    let own = |key: &str| row.row.get(key).filter(|v| v.is_number() && v.to_string() == example.idx).cloned();
    match own("idx").or_else(|| own("id")) {
        Some(number) => number,
        None if example.idx == row.number.to_string() => json!(row.number),
        None => json!(example.idx),
    }
}
