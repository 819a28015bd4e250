//! A model's answers to the rows of a task.

use std::time::Instant;

use anyhow::{Result, ensure};
use polder::calibration::{content_free, score_content_free};
use polder::device::Kind;
use polder::evaluation::{Evaluated, Ledger};
use polder::generation::{asked, asked_in_chat, settings_of};
use polder::scoring::{PassSize, Rule};
use polder_optim::trajectory::Digest;
use polder_tasks::{EncodedExample, Encoder, Example, PromptTask, Task};

use super::super::args::EvalArgs;
use super::super::chat::in_chat;
use super::super::output::tell;
use super::super::progress::Counter;
use super::super::subject::Subject;
use super::rows::Work;

/// What a model answered to the rows of a task.
pub(super) struct Asked {
    pub(super) found: Evaluated,
    /// The texts that it wrote, where the task asks for texts.
    pub(super) texts: Vec<String>,
    /// What it was asked, where that is not the task's own prompts: through its chat template.
    pub(super) in_chat: Option<Vec<Example>>,
}

/// Who is asked: a model, what encodes for it, the digest of its weights, and what its answers are known by.
pub(super) struct Askable<'a> {
    subject: &'a Subject,
    encoder: Encoder,
    weights: Digest,
    known_by: [u8; 32],
}

impl<'a> Askable<'a> {
    pub(super) fn new(subject: &'a Subject, arguments: &EvalArgs) -> Result<Self> {
        let mut load = arguments.model.load.clone();
        // A chat template writes the BOS token itself.
        load.bos = load.bos.or(arguments.chat.then_some(false));
        let encoder = subject.encoder(&load)?;
        let weights = subject.model.loaded.params.digest().map_err(polder::Error::from)?;
        let mut known_by = weights;
        // Another kind of device gives other bits: its answers are not taken for this one's.
        let kind = Kind::of(&subject.model.loaded.params.device());
        if kind != Kind::Cpu {
            known_by = *blake3::Hasher::new().update(&weights).update(kind.name().as_bytes()).finalize().as_bytes();
        }
        Ok(Self { subject, encoder, weights: Digest(weights), known_by })
    }

    /// The digest of its weights.
    pub(super) fn weights(&self) -> Digest {
        self.weights
    }

    /// Asks, but for what the ledger knows.
    pub(super) fn ask(&self, work: &Work, ledger: &mut Ledger, arguments: &EvalArgs) -> Result<Asked> {
        let mut bar = Counter::new(work.task.name(), "examples", arguments.quiet);
        let total = work.examples.len() as u64;
        let mut on_done = |done: usize| {
            bar.at(done as u64, total);
            Ok(())
        };
        let through = match arguments.chat {
            true => {
                let mut examples = work.examples.clone();
                in_chat(&self.subject.model.chat()?, &mut examples)?;
                Some(examples)
            }
            false => None,
        };
        let examples = through.as_deref().unwrap_or(&work.examples);
        let (found, texts) = if work.task.metric().of_texts() {
            self.texts(&work.task, examples, ledger, arguments, &mut on_done)?
        } else {
            (self.options(&work.task, examples, ledger, arguments, &mut on_done)?, Vec::new())
        };
        Ok(Asked { found, texts, in_chat: through })
    }

    fn options(
        &self,
        task: &PromptTask,
        examples: &[Example],
        ledger: &mut Ledger,
        arguments: &EvalArgs,
        on_done: &mut dyn FnMut(usize) -> polder::Result<()>,
    ) -> Result<Evaluated> {
        let encoded = encode(&self.encoder, examples, arguments.quiet)?;
        let free = match arguments.calibrate {
            true => Some(content_free(&self.encoder, task, examples)?),
            false => None,
        };
        let (engine, start) = (self.subject.model.engine(), Instant::now());
        let size = arguments.batch.map_or_else(PassSize::default, |n| PassSize::Examples(n as usize));
        let scores = ledger.scores(&engine, &self.known_by, &encoded, size, on_done)?;
        let free = free.map(|free| score_content_free(&engine, &free, size, &mut |_| Ok(()))).transpose()?;
        let seconds = start.elapsed().as_secs_f64();
        let rule = Rule::of(task);
        Ok(Evaluated::of(&encoded, scores, free.as_deref(), rule, engine.counts(), seconds)?)
    }

    fn texts(
        &self,
        task: &PromptTask,
        examples: &[Example],
        ledger: &mut Ledger,
        arguments: &EvalArgs,
        on_done: &mut dyn FnMut(usize) -> polder::Result<()>,
    ) -> Result<(Evaluated, Vec<String>)> {
        let name = task.name();
        ensure!(!arguments.calibrate, "task `{name}` has no options that `--calibrate` could compare");
        let model = &self.subject.model;
        let mut settings = settings_of(task, model.loaded.end_ids(), self.encoder.max_length());
        if let Some(batch) = arguments.batch {
            settings.batch = batch as usize;
        }
        if let Some(example) = examples.iter().find(|example| example.answers.is_empty()) {
            return Err(polder::Error::NoAnswers { row: example.idx.clone() }.into());
        }
        let ids = |example: &Example| match arguments.chat {
            true => asked_in_chat(&self.encoder, example),
            false => asked(&self.encoder, example, settings.max_new_tokens),
        };
        let prompts: Vec<Vec<u32>> = examples.iter().map(ids).collect::<polder::Result<_>>()?;
        let (engine, start) = (model.engine(), Instant::now());
        let tokenizer = self.encoder.tokenizer();
        let texts = ledger.texts(&engine, &self.known_by, tokenizer, &prompts, &settings, on_done)?;
        let seconds = start.elapsed().as_secs_f64();
        let found = Evaluated::of_texts(examples, &texts, task.metric(), engine.counts(), seconds)?;
        Ok((found, texts))
    }
}

/// Token ids; says how many examples were cut.
pub(in crate::cli) fn encode(encoder: &Encoder, examples: &[Example], quiet: bool) -> Result<Vec<EncodedExample>> {
    let encoded: Vec<EncodedExample> =
        examples.iter().map(|e| encoder.encode(e)).collect::<Result<_, _>>().map_err(polder::Error::from)?;
    let cut = encoded.iter().filter(|e| e.cut > 0).count();
    if cut > 0 {
        tell(quiet, format!("note: {cut} examples were cut to {} tokens, at the front", encoder.max_length()));
    }
    Ok(encoded)
}
