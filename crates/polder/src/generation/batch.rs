//! Prompts that grow side by side.

use std::iter::Peekable;
use std::vec::IntoIter;

use polder_models::Cache;
use polder_perturb::{Next, Points};
use polder_tasks::TextStream;
use tokenizers::Tokenizer;

use super::{Chooser, Finish, Generated, Heard, Settings};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory::available;
use crate::packing::alike;
use crate::scoring::ROWS_A_PASS;

/// A common beginning that is shorter is not worth a pass of its own.
const SHORTEST: usize = 8;

/// Continues prompts, given as token ids, at one point of weight space: what each gives, in their order.
///
/// `hear` is told of text as it becomes certain, and may end it all.
///
/// # Errors
/// Several points; a prompt that is empty, or so long that nothing can follow; logits that are no numbers; a failing
/// pass; what `hear` answers.
pub fn generate(
    engine: &Engine<'_>,
    points: &Points,
    tokenizer: &Tokenizer,
    prompts: &[Vec<u32>],
    settings: &Settings,
    hear: &mut dyn FnMut(Heard<'_>) -> Result<()>,
) -> Result<Vec<Generated>> {
    let positions = engine.positions();
    let limit = settings.max_length.map_or(positions, |most| most.min(positions));
    for (number, prompt) in prompts.iter().enumerate() {
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt { number });
        }
        if prompt.len() >= limit {
            return Err(Error::LongPrompt { number, tokens: prompt.len(), limit });
        }
    }
    let (most, others) = alike(prompts.iter().map(Vec::as_slice));
    let mut done = vec![None; prompts.len()];
    for members in [most, others].into_iter().filter(|members| !members.is_empty()) {
        let mut group = Group::new(engine, points, tokenizer, prompts, members, settings, limit)?;
        while group.step(hear, &mut done)? {}
    }
    Ok(done.into_iter().flatten().collect())
}

/// What all prompts begin with, each keeping a token of its own; nothing where that is too short to be worth it.
fn common(prompts: &[&[u32]]) -> usize {
    let Some((first, rest)) = prompts.split_first().filter(|(_, rest)| !rest.is_empty()) else { return 0 };
    let own = prompts.iter().map(|p| p.len() - 1).min().unwrap_or(0);
    let shared =
        rest.iter().fold(own, |len, prompt| first[..len].iter().zip(*prompt).take_while(|(a, b)| a == b).count());
    if shared >= SHORTEST { shared } else { 0 }
}

/// A sequence that grows.
struct Running<'a> {
    prompt: usize,
    place: usize,
    /// Tokens that the cache has not seen yet.
    unseen: Vec<u32>,
    chooser: Chooser,
    stream: TextStream<'a>,
    so_far: Generated,
}

struct Group<'a> {
    engine: &'a Engine<'a>,
    points: &'a Points,
    tokenizer: &'a Tokenizer,
    prompts: &'a [Vec<u32>],
    settings: &'a Settings,
    limit: usize,
    cache: Cache,
    common: usize,
    waiting: Peekable<IntoIter<usize>>,
    free: Vec<usize>,
    running: Vec<Running<'a>>,
}

impl<'a> Group<'a> {
    fn new(
        engine: &'a Engine<'a>,
        points: &'a Points,
        tokenizer: &'a Tokenizer,
        prompts: &'a [Vec<u32>],
        members: Vec<usize>,
        settings: &'a Settings,
        limit: usize,
    ) -> Result<Self> {
        let own: Vec<&[u32]> = members.iter().map(|i| prompts[*i].as_slice()).collect();
        let common = common(&own);
        let longest = own.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let each = longest.saturating_add(settings.max_new_tokens).min(limit) - common.min(limit);
        let mut places = settings.batch.clamp(1, own.len().max(1));
        // Half of what is free, so that passes have room too; one sequence is tried in any case.
        let fits = |places| {
            let bytes = Cache::bytes(&engine.describe(), common, places, each).unwrap_or(u64::MAX);
            available().is_none_or(|free| bytes <= free / 2)
        };
        while places > 1 && !fits(places) {
            places /= 2;
        }
        let mut cache = engine.cache(points, common, places, each)?;
        if common > 0 {
            engine.begin(points, &mut cache, &own[0][..common])?;
        }
        let (free, running) = ((0..places).rev().collect(), Vec::new());
        let waiting = members.into_iter().peekable();
        Ok(Self { engine, points, tokenizer, prompts, settings, limit, cache, common, waiting, free, running })
    }

    /// Takes in prompts that wait, runs a pass, and appends a token to every sequence; `false` once there are none.
    fn step(&mut self, hear: &mut dyn FnMut(Heard<'_>) -> Result<()>, done: &mut [Option<Generated>]) -> Result<bool> {
        self.admit();
        if self.running.is_empty() {
            return Ok(false);
        }
        let parts: Vec<(usize, &[u32])> = self.running.iter().map(|r| (r.place, r.unseen.as_slice())).collect();
        let whole = self.settings.sampling.is_some();
        let nexts = self.engine.extend(self.points, &mut self.cache, &parts, whole)?;
        for (mut running, next) in std::mem::take(&mut self.running).into_iter().zip(nexts) {
            match self.append(&mut running, &next, hear)? {
                None => self.running.push(running),
                Some(finish) => {
                    let prompt = running.prompt;
                    done[prompt] = Some(self.end(running, finish, hear)?);
                }
            }
        }
        Ok(true)
    }

    /// Gives waiting prompts the free places, as far as a pass has rows for them.
    fn admit(&mut self) {
        let mut rows: usize = self.running.iter().map(|r| r.unseen.len()).sum();
        while let Some(place) = self.free.last().copied() {
            let Some(&number) = self.waiting.peek() else { break };
            let prompt = &self.prompts[number];
            let unseen = prompt[self.common..].to_vec();
            if rows > 0 && rows + unseen.len() > ROWS_A_PASS {
                break;
            }
            rows += unseen.len();
            self.free.pop();
            self.cache.clear(place);
            self.waiting.next();
            let empty =
                Generated { ids: Vec::new(), log_probs: Vec::new(), text: String::new(), finish: Finish::Length };
            self.running.push(Running {
                prompt: number,
                place,
                unseen,
                chooser: Chooser::new(self.settings.sampling, number as u64),
                stream: TextStream::after(self.tokenizer, prompt, &self.settings.stop),
                so_far: empty,
            });
        }
    }

    /// Appends the next token to a sequence, and says whether that ends it.
    fn append(
        &self,
        running: &mut Running<'a>,
        next: &Next,
        hear: &mut dyn FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<Option<Finish>> {
        let prompt = running.prompt;
        let (token, log_prob) = running.chooser.choose(next).ok_or(Error::NoNumbers { number: prompt })?;
        running.so_far.ids.push(token);
        running.so_far.log_probs.push(log_prob);
        if self.settings.ends.contains(&token) {
            return Ok(Some(Finish::End));
        }
        let piece = running.stream.push(token)?;
        if !piece.text.is_empty() {
            running.so_far.text.push_str(&piece.text);
            hear(Heard::Text { prompt, text: &piece.text })?;
        }
        let (new, all) = (running.so_far.ids.len(), self.prompts[prompt].len() + running.so_far.ids.len());
        running.unseen = vec![token];
        Ok(match () {
            () if piece.stopped => Some(Finish::Stop),
            () if new >= self.settings.max_new_tokens => Some(Finish::Length),
            () if all >= self.limit => Some(Finish::Context),
            () => None,
        })
    }

    /// Ends a sequence, and frees its place.
    fn end(
        &mut self,
        running: Running<'a>,
        finish: Finish,
        hear: &mut dyn FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<Generated> {
        let Running { prompt, place, stream, mut so_far, .. } = running;
        so_far.finish = finish;
        if finish != Finish::Stop {
            let rest = stream.finish()?;
            if rest.stopped {
                so_far.finish = Finish::Stop;
            }
            if !rest.text.is_empty() {
                so_far.text.push_str(&rest.text);
                hear(Heard::Text { prompt, text: &rest.text })?;
            }
        }
        hear(Heard::Done { prompt, generated: &so_far })?;
        self.free.push(place);
        Ok(so_far)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_beginning_leaves_each_prompt_a_token() {
        let long: Vec<u32> = (0..12).collect();
        let of = common;
        assert_eq!(of(&[&long]), 0);
        assert_eq!(of(&[&long, &long]), 11);
        assert_eq!(of(&[&long, &long[..9]]), 8);
        assert_eq!(of(&[&long, &long[..8]]), 0);
        assert_eq!(of(&[&long, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 99, 7]]), 9);
        assert_eq!(of(&[]), 0);
    }
}
