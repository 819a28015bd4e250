//! Token ids to text, as they come: no half characters, and nothing of a stop text.

use tokenizers::Tokenizer;

use crate::{Encoder, Error, Result};

/// Ids of a prompt's end that are decoded with what follows: some decoders treat the first word of a text otherwise.
const CONTEXT: usize = 6;
/// What a decoder writes for bytes that make no character, or not yet.
const INCOMPLETE: char = '\u{FFFD}';

/// What new ids mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Text that is certain: no later id changes it.
    pub text: String,
    /// Whether a stop text was reached; the text ends before it.
    pub stopped: bool,
}

/// The text of a sequence that grows, without its prompt and without special tokens.
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    stops: &'a [String],
    ids: Vec<u32>,
    /// What `ids[prefix..read]` says is known; decoding starts at `prefix`.
    prefix: usize,
    read: usize,
    held: String,
}

impl std::fmt::Debug for TextStream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextStream").field("ids", &self.ids.len()).field("held", &self.held).finish_non_exhaustive()
    }
}

impl<'a> TextStream<'a> {
    /// What follows a prompt; it ends before the first of `stops` (empty ones are none).
    pub fn after(tokenizer: &'a Tokenizer, prompt: &[u32], stops: &'a [String]) -> Self {
        let ids = prompt[prompt.len().saturating_sub(CONTEXT)..].to_vec();
        let read = ids.len();
        Self { tokenizer, stops, ids, prefix: 0, read, held: String::new() }
    }

    /// Appends an id.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] where it can't be decoded.
    pub fn push(&mut self, id: u32) -> Result<Piece> {
        self.ids.push(id);
        let (known, all) = (self.decode(self.read)?, self.decode(self.ids.len())?);
        if all.ends_with(INCOMPLETE) {
            return Ok(Piece::default());
        }
        self.held.push_str(&following(&known, &all));
        (self.prefix, self.read) = (self.read, self.ids.len());
        Ok(self.certain())
    }

    /// What was held back, when nothing more comes; a character that was begun and not ended is left out.
    ///
    /// # Errors
    /// As [`TextStream::push`].
    pub fn finish(mut self) -> Result<Piece> {
        let (known, all) = (self.decode(self.read)?, self.decode(self.ids.len())?);
        let rest = following(&known, &all);
        self.held.push_str(rest.trim_end_matches(INCOMPLETE));
        let piece = self.certain();
        Ok(if piece.stopped { piece } else { Piece { text: piece.text + &self.held, stopped: false } })
    }

    /// What `ids[prefix..end]` says.
    fn decode(&self, end: usize) -> Result<String> {
        // Tokenizer files come from outside and the library panics on some of them.
        crate::data::guarded(|| self.tokenizer.decode(&self.ids[self.prefix..end], true).map_err(|e| e.to_string()))
            .map_err(|reason| Error::Tokenizer { place: String::new(), reason })
    }

    /// Takes what can be no part of a stop text; all before one that is there.
    fn certain(&mut self) -> Piece {
        let stops = || self.stops.iter().filter(|stop| !stop.is_empty());
        if let Some(at) = stops().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let begun = stops().map(|stop| begun(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - begun);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }
}

/// What `all` says after `known`: what it says more, where it begins with it.
fn following(known: &str, all: &str) -> String {
    match all.strip_prefix(known) {
        Some(rest) => rest.to_owned(),
        None => all.chars().skip(known.chars().count()).collect(),
    }
}

/// The length of the longest end of `text` that a stop text begins with, without being all of it.
fn begun(text: &str, stop: &str) -> usize {
    let starts = stop.char_indices().map(|(at, _)| at).skip(1);
    starts.filter(|at| text.ends_with(&stop[..*at])).max().unwrap_or(0)
}

impl Encoder {
    /// The ids of a prompt that is to be continued, all of it: the front that every sequence has unless the text is `bare`
    /// (a rendered chat, which brings its own), then the text as it stands.
    ///
    /// # Errors
    /// [`Error::Tokenizer`], with `name` to say which prompt it is.
    pub fn prompt_ids(&self, text: &str, bare: bool, name: &str) -> Result<Vec<u32>> {
        let body = self.ids(text, name)?;
        let front = if bare { &[] } else { self.front() };
        Ok(front.iter().copied().chain(body).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_may_begin_a_stop_text() {
        for (text, stop, expected) in [
            ("a\n", "\n\n", 1),
            ("a", "\n\n", 0),
            ("xaba", "abab", 3),
            ("xab", "ab", 0),
            ("é", "é€", 2),
            ("", "ab", 0),
            ("ab", "", 0),
        ] {
            assert_eq!(begun(text, stop), expected, "{text:?} {stop:?}");
        }
    }
}
