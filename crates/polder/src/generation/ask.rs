//! Answers in words to examples, at any point of weight space.

use std::time::Instant;

use polder_perturb::{Arithmetic, Points, materialised_bytes};
use polder_tasks::{Encoder, Example, Metric, Task, answer_score};
use tokenizers::Tokenizer;

use super::{Heard, Settings, generate};
use crate::device::room;
use crate::engine::{Counts, Engine};
use crate::error::{Error, Result};
use crate::evaluation::Evaluated;

/// An example that is answered in words: its prompt as token ids, and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What the model reads.
    pub ids: Vec<u32>,
    /// The answers that are accepted.
    pub accepted: Vec<String>,
}

impl Question {
    /// The question of an example, its prompt as [`asked`] has it.
    ///
    /// # Errors
    /// Text that can't be tokenised; no accepted answer.
    pub fn of(encoder: &Encoder, example: &Example, room: usize) -> Result<Self> {
        if example.answers.is_empty() {
            return Err(Error::NoAnswers { row: example.idx.clone() });
        }
        Ok(Self { ids: asked(encoder, example, room)?, accepted: example.answers.clone() })
    }
}

/// What a model reads of an example that it is to answer in words: its prompt without spaces at the outer ends. One that
/// leaves no room for `room` new tokens (for half of the context, where that is less) loses tokens behind the front that every
/// sequence has, as examples with options do.
///
/// # Errors
/// Text that can't be tokenised.
pub fn asked(encoder: &Encoder, example: &Example, room: usize) -> Result<Vec<u32>> {
    let mut ids = encoder.prompt_ids(example.prompt.trim_matches(' '), false, &example.idx)?;
    let front = encoder.front().len().min(ids.len());
    let room = room.min(encoder.max_length() / 2);
    let most = encoder.max_length().saturating_sub(room).max(front + 1);
    ids.drain(front..front + ids.len().saturating_sub(most));
    Ok(ids)
}

/// The same of an example whose prompt a chat template made: to the last space, and nothing of it is cut.
///
/// # Errors
/// As [`asked`].
pub fn asked_in_chat(encoder: &Encoder, example: &Example) -> Result<Vec<u32>> {
    Ok(encoder.prompt_ids(&example.prompt, false, &example.idx)?)
}

/// How a task's answers are generated: the likeliest tokens, up to its stop texts and limits.
pub fn settings_of(task: &dyn Task, ends: Vec<u32>, max_length: usize) -> Settings {
    Settings {
        max_new_tokens: task.max_new_tokens().max(1),
        max_length: Some(max_length),
        stop: task.stop(),
        ends,
        sampling: None,
        batch: 32,
    }
}

/// Whether a point's weights are made whole for generation: as it is said, else where they take at most half of the memory
/// that is free on their device, and not where they are offloaded. Never in bf16 arithmetic, where bits would change.
pub fn makes_whole(said: Option<bool>, engine: &Engine<'_>) -> bool {
    let bytes = materialised_bytes(engine.params()) as u64;
    let fits = || room(&engine.params().device()).is_none_or(|(free, _)| bytes <= free / 2);
    // Offloaded weights would be sent in f32 for every token.
    engine.arithmetic() != Arithmetic::Bf16 && said.unwrap_or_else(|| !engine.params().offloaded() && fits())
}

/// The texts that a model answers at one point; its weights are made whole first where `whole`, which changes no bit.
///
/// `on_done` hears how many are done, also while they are written, and may end it all.
///
/// # Errors
/// As [`generate`].
pub fn answers(
    engine: &Engine<'_>,
    points: &Points,
    whole: bool,
    tokenizer: &Tokenizer,
    questions: &[&Question],
    settings: &Settings,
    on_done: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<String>> {
    let prompts: Vec<Vec<u32>> = questions.iter().map(|question| question.ids.clone()).collect();
    let mut done = 0;
    let mut hear = |heard: Heard<'_>| {
        done += usize::from(matches!(heard, Heard::Done { .. }));
        on_done(done)
    };
    let all = engine
        .at_point(points, whole, |engine, points| generate(engine, points, tokenizer, &prompts, settings, &mut hear))?;
    Ok(all.into_iter().map(|generated| generated.text).collect())
}

/// The token F1 of each answer, between 0 and 1.
pub fn f1(questions: &[&Question], texts: &[String]) -> Vec<f64> {
    questions.iter().zip(texts).map(|(question, text)| answer_score(text, &question.accepted).f1).collect()
}

/// Evaluates a model by the answers that it writes, at its weights as they are.
///
/// # Errors
/// No questions; as [`answers`].
pub fn evaluate_answers(
    engine: &Engine<'_>,
    tokenizer: &Tokenizer,
    questions: &[Question],
    settings: &Settings,
    metric: Metric,
    on_done: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<(Evaluated, Vec<String>)> {
    let (start, before): (Instant, Counts) = (Instant::now(), engine.counts());
    let all: Vec<&Question> = questions.iter().collect();
    let texts = answers(engine, &Points::plain(), false, tokenizer, &all, settings, on_done)?;
    let accepted = |question: &Question| Example { answers: question.accepted.clone(), ..Example::default() };
    let examples: Vec<Example> = questions.iter().map(accepted).collect();
    let cost = engine.counts().since(before);
    let found = Evaluated::of_texts(&examples, &texts, metric, cost, start.elapsed().as_secs_f64())?;
    Ok((found, texts))
}
