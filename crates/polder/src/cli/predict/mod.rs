//! `polder predict`: answers to rows without labels.

mod rows;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use polder::generation::{Generated, asked, asked_in_chat, generate, settings_of};
use polder::scoring::{PassSize, score, values};
use polder::trainer::shots_of;
use polder_perturb::Points;
use polder_tasks::{
    CHAT, ChatTemplate, DataFolder, Demonstrations, Drawn, Encoder, Example, PromptTask, Task, predict, probabilities,
};
use serde_json::{Value, json};

use super::Ended;
use super::args::{LoadArgs, PredictArgs};
use super::chat::in_chat;
use super::eval::{encode, idx};
use super::generate::finish_name;
use super::output::print;
use super::progress::Counter;
use super::subject::Subject;

pub(super) fn run(arguments: &PredictArgs) -> Result<Ended> {
    let subject = Subject::load(&arguments.model.model, &arguments.model.load, false)?;
    let task = subject.task(arguments.task.as_deref())?;
    let rows = rows::rows(arguments, &task)?;
    let of_chats = task.name() == CHAT;
    let examples = match of_chats {
        true => conversations(&subject.model.chat()?, &rows).with_context(|| place(arguments))?,
        false => examples_of(&subject, arguments, &task, &rows)?,
    };
    let encoder = subject.encoder(&LoadArgs {
        // A chat template writes the BOS token itself.
        bos: arguments.model.load.bos.or((of_chats || arguments.chat).then_some(false)),
        ..arguments.model.load.clone()
    })?;
    let questions =
        Questions { subject: &subject, encoder: &encoder, arguments, task: &task, rows: &rows, examples: &examples };
    match examples.iter().any(|example| !example.options.is_empty()) {
        true => questions.choose()?,
        false => questions.write()?,
    }
    Ok(Ended::Well)
}

/// What is asked, and who answers.
struct Questions<'a> {
    subject: &'a Subject,
    encoder: &'a Encoder,
    arguments: &'a PredictArgs,
    task: &'a PromptTask,
    rows: &'a [Drawn],
    examples: &'a [Example],
}

/// Rows as examples, behind the demonstrations that a run was trained behind.
fn examples_of(subject: &Subject, arguments: &PredictArgs, task: &PromptTask, rows: &[Drawn]) -> Result<Vec<Example>> {
    let shots = demonstrations(subject, arguments.task.as_deref(), task)?;
    let question = |row: &Drawn| {
        task.question(&row.row, row.number).map_err(polder::Error::from).with_context(|| place(arguments))
    };
    let mut examples: Vec<Example> = rows.iter().map(question).collect::<Result<_>>()?;
    examples.iter_mut().for_each(|example| shots.put_before(task, example));
    if arguments.chat {
        in_chat(&subject.model.chat()?, &mut examples)?;
    }
    Ok(examples)
}

/// Where the rows come from, for an error.
fn place(arguments: &PredictArgs) -> String {
    arguments.data.as_ref().map_or_else(|| "the row that was typed".to_owned(), |path| format!("`{}`", path.display()))
}

/// Conversations as prompts: up to where the assistant's next answer begins, the last message's place where that is one.
fn conversations(template: &ChatTemplate, rows: &[Drawn]) -> Result<Vec<Example>> {
    let one = |row: &Drawn| -> Result<Example> {
        let typed = |text: &Value| vec![json!({ "role": "user", "content": text })];
        let mut messages = match (row.row.get("messages"), row.row.get("prompt")) {
            (Some(Value::Array(messages)), _) => messages.clone(),
            (None, Some(text @ Value::String(_))) => typed(text),
            _ => anyhow::bail!(
                "row {} (from 0) has neither a list `messages` nor a text `prompt`\nhint: columns are named with --field, a typed \
                 question with --text",
                row.number
            ),
        };
        if messages.last().and_then(|last| last.get("role")).and_then(Value::as_str) == Some("assistant") {
            messages.pop();
        }
        let in_row = || format!("row {} (from 0)", row.number);
        let prompt = template.render(&messages, true).map_err(polder::Error::from).with_context(in_row)?;
        let own = row.row.get("idx").or_else(|| row.row.get("id")).filter(|own| !own.is_null());
        let idx = own.map_or_else(|| row.number.to_string(), |own| own.as_str().map_or(own.to_string(), str::to_owned));
        Ok(Example { idx, prompt, ..Example::default() })
    };
    rows.iter().map(one).collect()
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

impl Questions<'_> {
    /// Chooses among options.
    fn choose(&self) -> Result<()> {
        let Self { subject, encoder, arguments, task, rows, examples } = *self;
        for example in examples {
            ensure!(
                example.options.len() > 1,
                "row `{}` of task `{}` has {} option(s), so there is nothing to choose among",
                example.idx,
                task.name(),
                example.options.len()
            );
        }
        ensure!(
            arguments.max_new_tokens.is_none(),
            "task `{}` chooses among options and writes nothing\nhint: leave --max-new-tokens out",
            task.name()
        );
        let encoded = encode(encoder, examples, false)?;
        let scores = score(&subject.model.engine(), &encoded, PassSize::default(), &mut |_| Ok(()))?;
        for (((row, example), encoded), scores) in rows.iter().zip(examples).zip(&encoded).zip(&scores) {
            let values = values(task.normalize(), encoded, scores);
            print(if arguments.json {
                line(task, row, example, &values).to_string()
            } else {
                words(example, &values)
            })?;
        }
        Ok(())
    }

    /// Writes answers: the likeliest tokens, up to the task's stop texts and limits.
    fn write(&self) -> Result<()> {
        let Self { subject, encoder, arguments, task, rows, examples } = *self;
        let mut settings = settings_of(task, subject.model.loaded.end_ids(), encoder.max_length());
        settings.max_new_tokens = arguments.max_new_tokens.map_or(settings.max_new_tokens, |most| most as usize);
        let ids = |example: &Example| match task.name() == CHAT || arguments.chat {
            true => asked_in_chat(encoder, example),
            false => asked(encoder, example, settings.max_new_tokens),
        };
        let prompts: Vec<Vec<u32>> = examples.iter().map(ids).collect::<polder::Result<_>>()?;
        let mut bar = Counter::new("answering", "rows", rows.len() < 2);
        let (mut done, total) = (0, rows.len() as u64);
        let engine = subject.model.engine();
        let all = generate(&engine, &Points::plain(), encoder.tokenizer(), &prompts, &settings, &mut |heard| {
            if matches!(heard, polder::generation::Heard::Done { .. }) {
                done += 1;
                bar.at(done, total);
            }
            Ok(())
        })?;
        bar.clear();
        for ((row, example), generated) in rows.iter().zip(examples).zip(&all) {
            print(match arguments.json {
                true => text_line(task, row, example, generated).to_string(),
                false => format!("{}\t{}", example.idx, generated.text.trim()),
            })?;
        }
        Ok(())
    }
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

fn text_line(task: &PromptTask, row: &Drawn, example: &Example, generated: &Generated) -> Value {
    json!({
        "task": task.name(),
        "idx": idx(row, example),
        "prompt": example.prompt,
        "answer": generated.text.trim(),
        "finish": finish_name(generated.finish),
        "tokens": generated.ids.len(),
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
