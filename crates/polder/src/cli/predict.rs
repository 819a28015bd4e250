//! `polder predict`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use polder::scoring::{PassSize, score, values};
use polder::trainer::shots_of;
use polder_tasks::{
    DataFolder, Demonstrations, Drawn, Example, PromptTask, Row, Split, Task, predict, probabilities, typed_row,
};
use serde_json::{Value, json};

use super::Ended;
use super::args::PredictArgs;
use super::eval::{encode, idx};
use super::output::print;
use super::subject::Subject;
use super::transfer::Transfer;

pub(super) fn run(arguments: &PredictArgs) -> Result<Ended> {
    let subject = Subject::load(&arguments.model.model, &arguments.model.load, false)?;
    let task = subject.task(arguments.task.as_deref())?;
    let rows = rows(arguments, &task)?;
    let shots = demonstrations(&subject, arguments.task.as_deref(), &task)?;
    let mut examples: Vec<Example> = rows
        .iter()
        .map(|row| task.example(&row.row, row.number))
        .collect::<Result<_, _>>()
        .map_err(polder::Error::from)?;
    examples.iter_mut().for_each(|example| shots.put_before(&task, example));
    for example in &examples {
        ensure!(
            example.options.len() > 1,
            "row `{}` of task `{}` has {} option(s), so there is nothing to choose among",
            example.idx,
            task.name(),
            example.options.len()
        );
    }
    let encoded = encode(&subject.encoder(&arguments.model.load)?, &examples, false)?;
    let scores = score(&subject.model.engine(), &encoded, PassSize::default(), &mut |_| Ok(()))?;
    for (((row, example), encoded), scores) in rows.iter().zip(&examples).zip(&encoded).zip(&scores) {
        let values = values(task.normalize(), encoded, scores);
        print(if arguments.json { line(&task, row, example, &values).to_string() } else { words(example, &values) })?;
    }
    Ok(Ended::Well)
}

/// The demonstrations that a run was trained behind; none for another model or task.
fn demonstrations(subject: &Subject, named: Option<&str>, task: &PromptTask) -> Result<Demonstrations> {
    let Some(run) = subject.own(named).filter(|run| run.task.shots > 0) else { return Ok(Demonstrations::default()) };
    let because = || {
        format!(
            "the run was trained behind {} demonstrations (`task.shots`) from its training data, which can't be read\n\
             hint: predict where `{}` is at hand",
            run.task.shots,
            run.task.data.as_deref().unwrap_or(Path::new("task.data")).display()
        )
    };
    let data = run.task.data.as_deref().with_context(because)?;
    let found = polder::hub::data(data, &mut |_| {}).with_context(because)?;
    let folder = DataFolder::open(&found).map_err(polder::Error::from).with_context(because)?;
    shots_of(run, &folder, task).with_context(because)
}

/// The rows of a file, or the one that was typed.
fn rows(arguments: &PredictArgs, task: &PromptTask) -> Result<Vec<Drawn>> {
    if let Some(path) = &arguments.data {
        let mut bar = Transfer::new(false);
        let found = polder::hub::data(path, &mut |p| bar.at(p))?;
        bar.clear();
        return match arguments.split {
            split if found.is_dir() => from_folder(&found, split),
            None => from_file(&found),
            Some(split) => {
                anyhow::bail!(
                    "`{}` is a file, so there is no split {split} of it\nhint: leave --split out",
                    found.display()
                )
            }
        };
    }
    let row = match &arguments.text {
        Some(text) => typed_row(task, text).map_err(polder::Error::from)?,
        None => fields(&arguments.fields)?,
    };
    Ok(vec![Drawn { number: 0, row }])
}

fn from_file(path: &Path) -> Result<Vec<Drawn>> {
    numbered(polder_tasks::data::read_file(path, None).map_err(polder::Error::from)?, path)
}

/// The rows of one split: the one that is asked for, else `test`, else the only one.
fn from_folder(path: &Path, asked: Option<Split>) -> Result<Vec<Drawn>> {
    let folder = DataFolder::open(path).map_err(polder::Error::from)?;
    let split = match (asked, folder.files()) {
        (Some(split), _) => split,
        (None, [(only, _)]) => *only,
        (None, _) if folder.has(Split::Test) => Split::Test,
        (None, several) => {
            let names: Vec<String> = several.iter().map(|(split, _)| split.to_string()).collect();
            anyhow::bail!(
                "`{}` has several splits ({}) and no test\nhint: choose one with --split",
                path.display(),
                names.join(", ")
            );
        }
    };
    numbered(folder.read(split, None).map_err(polder::Error::from)?, path)
}

fn numbered(rows: Vec<Row>, path: &Path) -> Result<Vec<Drawn>> {
    ensure!(!rows.is_empty(), "`{}` holds no rows", path.display());
    Ok(rows.into_iter().enumerate().map(|(number, row)| Drawn { number, row }).collect())
}

/// A row of `column=text` arguments; what reads as a JSON number, list or truth value is that.
fn fields(fields: &[String]) -> Result<Row> {
    let mut row = Row::new();
    for field in fields {
        let Some((column, text)) = field.split_once('=').filter(|(column, _)| !column.is_empty()) else {
            anyhow::bail!("`--field {field}` is not of the form column=text");
        };
        let value = match serde_json::from_str(text) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) => value,
            _ => Value::String(text.to_owned()),
        };
        ensure!(row.insert(column.to_owned(), value).is_none(), "the column `{column}` is given twice");
    }
    Ok(row)
}

fn line(task: &PromptTask, row: &Drawn, example: &Example, values: &[f64]) -> Value {
    let best = predict(values);
    json!({
        "task": task.name(),
        "idx": idx(row, example),
        "prompt": example.prompt,
        "options": example.options,
        "scores": values,
        "probabilities": probabilities(values),
        "prediction": best,
        "answer": example.option_name(best),
    })
}

fn words(example: &Example, values: &[f64]) -> String {
    let each: Vec<String> = probabilities(values)
        .iter()
        .enumerate()
        .map(|(option, p)| format!("{} {:.1} %", example.option_name(option).unwrap_or_default(), 100.0 * p))
        .collect();
    let answer = example.option_name(predict(values)).unwrap_or_default();
    format!("{}\t{answer}\t({})", example.idx, each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_the_split_that_is_asked_for_or_goes_without_saying() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(place.path().join(name), format!("{{\"sentence\": \"{text}\"}}\n")).unwrap();
        };
        let text = |asked| from_folder(place.path(), asked).map(|rows| rows[0].row["sentence"].clone());
        write("validation.jsonl", "v");
        assert_eq!(text(None).unwrap(), "v");
        write("train.jsonl", "t");
        let said = text(None).unwrap_err().to_string();
        assert!(said.contains("several splits (train, validation)") && said.contains("--split"), "{said}");
        assert_eq!(text(Some(Split::Train)).unwrap(), "t");
        assert!(text(Some(Split::Test)).is_err());
        write("test.jsonl", "e");
        assert_eq!(text(None).unwrap(), "e");
    }

    #[test]
    fn typed_fields_make_a_row() {
        let row = fields(&["premise=It rained. a=b".to_owned(), "label=1".to_owned(), "x=".to_owned()]).unwrap();
        assert_eq!(row.get("premise").unwrap(), "It rained. a=b");
        assert_eq!(row.get("label").unwrap(), 1);
        assert_eq!(row.get("x").unwrap(), "");
        assert!(fields(&["nothing".to_owned()]).is_err());
        assert!(fields(&["=x".to_owned()]).is_err());
        assert!(fields(&["a=1".to_owned(), "a=2".to_owned()]).is_err());
    }
}
