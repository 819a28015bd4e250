//! Text to token ids, and which of them an option is scored by.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tokenizers::Tokenizer;

use crate::encoded::{EncodedExample, EncodedOption, TextLength};
use crate::error::shortened;
use crate::{Error, Example, Result};

/// What stands in front of every sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BosPolicy {
    /// What the tokenizer's own post-processor adds.
    #[default]
    Tokenizer,
    /// The BOS token, also where the post-processor adds none.
    Force,
    /// Nothing.
    Forbid,
}

impl std::str::FromStr for BosPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tokenizer" => Ok(Self::Tokenizer),
            "force" => Ok(Self::Force),
            "forbid" => Ok(Self::Forbid),
            _ => Err(Error::Name { what: "BOS policy", value: text.to_owned(), choices: "tokenizer, force, forbid" }),
        }
    }
}

impl std::fmt::Display for BosPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tokenizer => "tokenizer",
            Self::Force => "force",
            Self::Forbid => "forbid",
        })
    }
}

/// A tokenizer with MeZO's rules for options and truncation.
///
/// - The sequence is `front ‖ tokens(prompt + option)`; spaces (not newlines) at the outer ends of the text are dropped.
///   The front is what the post-processor puts in front, or as [`BosPolicy`] says; what it puts behind (an EOS) is left
///   out, because the option has to end the sequence.
/// - An option's length is `tokens(prompt + option) − tokens(prompt)`, the prompt without spaces at its outer ends, each
///   tokenised by itself. Where prompt and option merge so that the difference is zero or less, the option's tokens are
///   those behind the two sequences' common beginning, at least one: these hold all of the option's text.
/// - A sequence longer than `max_length` loses tokens behind the front (so it keeps BOS, the end of the prompt and the
///   whole option). All options of an example lose as many as the longest must, so that they answer the same prompt;
///   MeZO cuts each by itself, which differs only where truncated options differ in length.
pub struct Encoder {
    tokenizer: Tokenizer,
    front: Vec<u32>,
    bos_id: Option<u32>,
    max_length: usize,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("front", &self.front)
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder; truncation and padding that the tokenizer's file asks for are turned off.
    ///
    /// # Errors
    /// [`Error::NoBos`] where a BOS is forced and none is known, [`Error::MaxLength`], [`Error::Tokenizer`].
    pub fn new(mut tokenizer: Tokenizer, bos: BosPolicy, bos_id: Option<u32>, max_length: usize) -> Result<Self> {
        tokenizer
            .with_truncation(None)
            .map_err(|e| Error::Tokenizer { place: String::new(), reason: e.to_string() })?;
        tokenizer.with_padding(None);
        let own = own_front(&tokenizer)?;
        let front = match (bos, bos_id) {
            (BosPolicy::Forbid, _) => Vec::new(),
            (BosPolicy::Tokenizer, _) => own,
            (BosPolicy::Force, None) => return Err(Error::NoBos),
            (BosPolicy::Force, Some(id)) if own.contains(&id) => own,
            (BosPolicy::Force, Some(id)) => std::iter::once(id).chain(own).collect(),
        };
        let least = front.len().max(1) + 1;
        if max_length < least {
            return Err(Error::MaxLength { max_length, least });
        }
        Ok(Self { tokenizer, front, bos_id, max_length })
    }

    /// The ids in front of every sequence.
    pub fn front(&self) -> &[u32] {
        &self.front
    }

    /// The longest sequence, in tokens.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The token ids of an example's options.
    ///
    /// # Errors
    /// [`Error::EmptyOption`], [`Error::OptionTooLong`], [`Error::NothingToScore`], [`Error::Tokenizer`]; each names the row.
    pub fn encode(&self, example: &Example) -> Result<EncodedExample> {
        self.encode_after(&self.front, example)
    }

    /// The token ids of the options after the content-free prompt; `None` where the example has none. Where that prompt is
    /// empty and nothing stands in front of a sequence, the BOS does, if one is known, so that each option has a score
    /// (lm-evaluation-harness does so with empty contexts).
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_content_free(&self, example: &Example) -> Result<Option<EncodedExample>> {
        let Some(prompt) = &example.content_free else { return Ok(None) };
        let bare = Example { prompt: prompt.clone(), prompts: Vec::new(), ..example.clone() };
        let lead = self.bos_id.filter(|_| self.front.is_empty() && prompt.trim_matches(' ').is_empty());
        let front = lead.map_or_else(|| self.front.clone(), |bos| vec![bos]);
        self.encode_after(&front, &bare).map(Some)
    }

    fn encode_after(&self, front: &[u32], example: &Example) -> Result<EncodedExample> {
        // Its end would be the prompt's, whose last token would be scored in its place.
        if let Some(number) = example.options.iter().position(|option| option.trim().is_empty()) {
            return Err(Error::EmptyOption { row: example.idx.clone(), number });
        }
        let shared = self.ids(example.prompt.trim_matches(' '), &example.idx)?;
        let texts = example.options.iter().enumerate().map(|(number, option)| {
            let prompt = example.prompt_of(number);
            let whole = format!("{prompt}{option}");
            let body = self.ids(whole.trim_matches(' '), &example.idx)?;
            let scored = match example.prompts.get(number) {
                Some(own) => {
                    self.scored(front, &self.ids(own.trim_matches(' '), &example.idx)?, &body, option, &example.idx)?
                }
                None => self.scored(front, &shared, &body, option, &example.idx)?,
            };
            Ok((body, scored))
        });
        let texts = texts.collect::<Result<Vec<_>>>()?;
        let longest = texts.iter().map(|(body, _)| body.len()).max().unwrap_or(0);
        let cut = (front.len() + longest).saturating_sub(self.max_length);
        let mut options = Vec::with_capacity(texts.len());
        for ((body, scored), option) in texts.iter().zip(&example.options) {
            options.push(self.assemble(front, body, *scored, cut).ok_or_else(|| Error::OptionTooLong {
                row: example.idx.clone(),
                option: shortened(option.trim()),
                tokens: *scored,
                front: front.len().max(1),
                max_length: self.max_length,
            })?);
        }
        let lengths = example.options.iter().map(|option| TextLength::of(option)).collect();
        let (idx, also) = (example.idx.clone(), example.also.clone());
        Ok(EncodedExample { idx, options, gold: example.gold, also, lengths, cut })
    }

    /// How many of the last tokens are the option's.
    fn scored(&self, front: &[u32], prompt: &[u32], body: &[u32], option: &str, row: &str) -> Result<usize> {
        let by_length = body.len().saturating_sub(prompt.len());
        let scored = if by_length > 0 {
            by_length
        } else {
            let common = prompt.iter().zip(body).take_while(|(a, b)| a == b).count();
            body.len().saturating_sub(common).max(1)
        };
        // The first token of a sequence has nothing that predicts it.
        let most = (front.len() + body.len()).saturating_sub(1).min(body.len());
        match scored.min(most) {
            0 => Err(Error::NothingToScore { row: row.to_owned(), option: shortened(option) }),
            scored => Ok(scored),
        }
    }

    /// Front and body without the body's first `cut` tokens; `None` where that would cut into the option, or leave it
    /// without anything in front.
    fn assemble(&self, front: &[u32], body: &[u32], scored: usize, cut: usize) -> Option<EncodedOption> {
        // A shorter option keeps at least its own tokens and, without a front, one in front of them.
        let needed = scored + usize::from(front.is_empty());
        let cut = cut.min(body.len().checked_sub(needed)?);
        let rest = body.get(cut..)?;
        if front.len() + rest.len() > self.max_length {
            return None;
        }
        let ids = front.iter().chain(rest).copied().collect();
        Some(EncodedOption { ids, scored })
    }

    pub(crate) fn ids(&self, text: &str, row: &str) -> Result<Vec<u32>> {
        tokenise(&self.tokenizer, text, false)
            .map(|(ids, _)| ids)
            .map_err(|reason| Error::Tokenizer { place: format!(" on row `{row}`"), reason })
    }
}

/// What the post-processor puts in front of a text.
fn own_front(tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let (ids, special) =
        tokenise(tokenizer, "a", true).map_err(|reason| Error::Tokenizer { place: String::new(), reason })?;
    let front = special.iter().take_while(|mask| **mask == 1).count();
    Ok(if front == ids.len() { Vec::new() } else { ids.into_iter().take(front).collect() })
}

/// Ids and the mask of added tokens. Tokenizer files come from outside and the library panics on some of them.
fn tokenise(tokenizer: &Tokenizer, text: &str, added: bool) -> std::result::Result<(Vec<u32>, Vec<u32>), String> {
    let text = Cow::Borrowed(text);
    crate::data::guarded(|| {
        let encoding = tokenizer.encode_fast(text, added).map_err(|e| e.to_string())?;
        Ok((encoding.get_ids().to_vec(), encoding.get_special_tokens_mask().to_vec()))
    })
}
