//! Scores and texts that are taken from a ledger where it has them, and written into it where not.

use polder_perturb::Points;
use polder_tasks::EncodedExample;
use tokenizers::Tokenizer;

use super::ledger::{Answer, Key, Ledger, key_of_options, key_of_text};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::generation::{Heard, Settings, generate};
use crate::scoring::{OptionScore, PassSize, score_passes};

impl Ledger {
    /// The scores of the options of examples, as [`score`](crate::scoring::score) gives them, by weights of that digest.
    ///
    /// # Errors
    /// As there; a disk that takes no more.
    pub fn scores(
        &mut self,
        engine: &Engine<'_>,
        weights: &[u8; 32],
        examples: &[EncodedExample],
        size: PassSize,
        on_pass: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<Vec<OptionScore>>> {
        let keys: Vec<Key> = examples.iter().map(|example| key_of_options(weights, example)).collect();
        let open: Vec<usize> = (0..examples.len()).filter(|i| self.known_scores(&keys[*i]).is_none()).collect();
        let asked: Vec<EncodedExample> = open.iter().map(|i| examples[*i].clone()).collect();
        let there = examples.len() - asked.len();
        if there > 0 {
            on_pass(there)?;
        }
        if !asked.is_empty() {
            score_passes(engine, &asked, size, &mut |pass| {
                let answer = |i: &usize| (keys[open[*i]], Answer::Scores(pass.scores[*i].clone()));
                self.add(pass.examples.iter().map(answer))?;
                on_pass(there + pass.done)
            })?;
        }
        keys.iter().map(|key| self.known_scores(key).cloned().ok_or(Error::NoGold)).collect()
    }

    /// What follows prompts at the weights as they are, as [`generate`] writes it.
    ///
    /// # Errors
    /// As there; a disk that takes no more.
    pub fn texts(
        &mut self,
        engine: &Engine<'_>,
        weights: &[u8; 32],
        tokenizer: &Tokenizer,
        prompts: &[Vec<u32>],
        settings: &Settings,
        on_done: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<String>> {
        let key = |(number, prompt): (usize, &Vec<u32>)| key_of_text(weights, prompt, number, settings);
        let keys: Vec<Key> = prompts.iter().enumerate().map(key).collect();
        // A prompt's random numbers depend on its number, so where tokens are drawn all are asked again.
        let drawn = settings.sampling.is_some() && keys.iter().any(|key| self.known_text(key).is_none());
        let open: Vec<usize> = (0..keys.len()).filter(|i| drawn || self.known_text(&keys[*i]).is_none()).collect();
        let asked: Vec<Vec<u32>> = open.iter().map(|i| prompts[*i].clone()).collect();
        let mut done = prompts.len() - asked.len();
        on_done(done)?;
        if !asked.is_empty() {
            generate(engine, &Points::plain(), tokenizer, &asked, settings, &mut |heard| {
                if let Heard::Done { prompt, generated } = heard {
                    self.add([(keys[open[prompt]], Answer::Text(generated.text.clone()))])?;
                    done += 1;
                }
                on_done(done)
            })?;
        }
        keys.iter().map(|key| self.known_text(key).cloned().ok_or(Error::NoGold)).collect()
    }

    fn known_scores(&self, key: &Key) -> Option<&Vec<OptionScore>> {
        match self.get(key)? {
            Answer::Scores(scores) => Some(scores),
            Answer::Text(_) => None,
        }
    }

    fn known_text(&self, key: &Key) -> Option<&String> {
        match self.get(key)? {
            Answer::Text(text) => Some(text),
            Answer::Scores(_) => None,
        }
    }
}
