//! Answers to examples, at any point of weight space.

use polder_perturb::Points;
use polder_tasks::Encoder;

use super::{Generated, Settings, generate};
use crate::engine::Engine;
use crate::error::Result;

/// What a model answers to prompts, and what it cost to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What follows each prompt, in their order.
    pub answers: Vec<Generated>,
    /// Tokens that were written.
    pub written: usize,
}

impl Answered {
    /// Continues prompts at one point; its weights are made whole first where `whole`, which changes no bit.
    ///
    /// `on_done` hears how many prompts are done and may end it all.
    ///
    /// # Errors
    /// As [`generate`].
    pub fn at(
        engine: &Engine<'_>,
        points: &Points,
        whole: bool,
        encoder: &Encoder,
        prompts: &[Vec<u32>],
        settings: &Settings,
        on_done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let mut done = 0;
        let answers = engine.at_point(points, whole, |engine, points| {
            generate(engine, points, encoder, prompts, settings, &mut |heard| match heard {
                super::Heard::Text { .. } => Ok(()),
                super::Heard::Done { .. } => {
                    done += 1;
                    on_done(done)
                }
            })
        })?;
        let written = answers.iter().map(|a| a.ids.len()).sum();
        Ok(Self { answers, written })
    }
}
