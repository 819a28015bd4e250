//! `polder generate`.

use std::io::Write;
use std::time::Instant;

use anyhow::{Result, ensure};
use polder::generation::{Finish, Generated, Heard, Sampling, Settings, generate};
use polder_perturb::Points;
use serde_json::{Value, json};

use super::Ended;
use super::args::GenerateArgs;
use super::output::{print, tell};
use super::progress::Counter;
use super::prompts::{Prompt, prompts};
use super::subject::Subject;

pub(super) fn run(arguments: &GenerateArgs) -> Result<Ended> {
    let sampling = sampling(arguments)?;
    // What can't be read is known before the weights are loaded.
    let given = prompts(arguments)?;
    let subject = Subject::load(&arguments.model, &arguments.load, arguments.quiet)?;
    let encoder = subject.encoder(&arguments.load)?;
    let chats = given.iter().any(|prompt| matches!(prompt, Prompt::Messages(_)));
    let template = if chats { Some(subject.model.chat()?) } else { None };
    let mut texts = Vec::with_capacity(given.len());
    for (number, prompt) in given.iter().enumerate() {
        texts.push(match (prompt, &template) {
            (Prompt::Messages(messages), Some(template)) => {
                template.render(messages, true).map_err(|error| named(error, number))?
            }
            (Prompt::Messages(_), None) => String::new(),
            (Prompt::Text(text), _) => text.clone(),
        });
    }
    let mut ids = Vec::with_capacity(texts.len());
    for (number, (text, prompt)) in texts.iter().zip(&given).enumerate() {
        // A template writes the BOS token itself.
        let bare = matches!(prompt, Prompt::Messages(_)) && arguments.load.bos != Some(true);
        ids.push(encoder.prompt_ids(text, bare, &format!("prompt {number}")).map_err(polder::Error::from)?);
    }
    let settings = Settings {
        max_new_tokens: arguments.max_new_tokens as usize,
        max_length: Some(encoder.max_length()),
        stop: arguments.stops.clone(),
        ends: subject.model.loaded.end_ids(),
        sampling,
        batch: arguments.batch as usize,
    };
    let engine = subject.model.engine();
    let start = Instant::now();
    let streams = arguments.prompt.is_some() && !arguments.json;
    let mut written = Written::new(arguments, &texts, &ids, streams);
    let all = generate(&engine, &Points::plain(), encoder.tokenizer(), &ids, &settings, &mut |heard| {
        written.hear(heard).map_err(|source| polder::Error::Io { action: "write", path: "stdout".into(), source })
    })?;
    written.bar.clear();
    let (seconds, new) = (start.elapsed().as_secs_f64(), all.iter().map(|g| g.ids.len()).sum::<usize>());
    let rate = new as f64 / seconds.max(1e-9);
    tell(arguments.quiet, format!("{new} tokens in {seconds:.2} s ({rate:.1} tokens/s)"));
    Ok(Ended::Well)
}

/// How tokens are drawn, where they are.
fn sampling(arguments: &GenerateArgs) -> Result<Option<Sampling>> {
    let drawn = arguments.temperature > 0.0;
    ensure!(
        drawn || (arguments.top_k.is_none() && arguments.top_p.is_none()),
        "`--top-k` and `--top-p` say what tokens are drawn from, but at temperature 0 none is drawn\n\
         hint: give a temperature too, such as --temperature 1"
    );
    Ok(drawn.then(|| Sampling {
        temperature: arguments.temperature,
        top_k: arguments.top_k.map(|k| k as usize),
        top_p: arguments.top_p,
        seed: arguments.seed,
    }))
}

/// An error with the number of the prompt that it is about.
fn named(error: polder_tasks::Error, number: usize) -> anyhow::Error {
    anyhow::Error::from(polder::Error::from(error)).context(format!("prompt {number} (from 0)"))
}

/// What goes to stdout: text as it comes, or JSON lines in the order of the prompts.
struct Written<'a> {
    texts: &'a [String],
    ids: &'a [Vec<u32>],
    streams: bool,
    bar: Counter,
    done: Vec<Option<Generated>>,
    next: usize,
    count: u64,
}

impl<'a> Written<'a> {
    fn new(arguments: &GenerateArgs, texts: &'a [String], ids: &'a [Vec<u32>], streams: bool) -> Self {
        let bar = Counter::new("generating", "prompts", arguments.quiet || streams);
        Self { texts, ids, streams, bar, done: vec![None; texts.len()], next: 0, count: 0 }
    }

    fn hear(&mut self, heard: Heard<'_>) -> std::io::Result<()> {
        match heard {
            Heard::Text { text, .. } if self.streams => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            Heard::Done { .. } if self.streams => print(""),
            Heard::Text { .. } => Ok(()),
            Heard::Done { prompt, generated } => {
                self.count += 1;
                self.bar.at(self.count, self.texts.len() as u64);
                self.done[prompt] = Some(generated.clone());
                while let Some(Some(generated)) = self.done.get(self.next) {
                    print(line(self.next, &self.texts[self.next], self.ids[self.next].len(), generated))?;
                    self.next += 1;
                }
                Ok(())
            }
        }
    }
}

/// Why a sequence ended, as JSON lines say it.
pub(super) fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::End => "end",
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Context => "context",
    }
}

fn line(number: usize, prompt: &str, tokens: usize, generated: &Generated) -> Value {
    json!({
        "number": number,
        "prompt": prompt,
        "text": generated.text,
        "finish": finish_name(generated.finish),
        "prompt_tokens": tokens,
        "tokens": generated.ids.len(),
        "ids": generated.ids,
        "log_prob": generated.log_probs.iter().sum::<f64>(),
    })
}
