//! Batches of documents.

use std::collections::BTreeMap;
use std::collections::HashSet;

use anyhow::{Result, anyhow};
use polder_models::Tokens;
use tokenizers::Tokenizer;

use crate::random::Stream;
use crate::world::corpus;

/// An endless row of batches of fresh documents; those of a batch have one length, so attention goes in one piece.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    tokenizer: &'a Tokenizer,
    stream: Stream,
    held_out: HashSet<String>,
    waiting: BTreeMap<usize, Vec<Vec<u32>>>,
    rows: usize,
    longest: usize,
}

impl<'a> Batches<'a> {
    /// Batches of about `rows` tokens from documents of at most `longest` tokens, BOS included.
    pub(super) fn new(
        tokenizer: &'a Tokenizer,
        stream: Stream,
        held_out: HashSet<String>,
        rows: usize,
        longest: usize,
    ) -> Self {
        Self { tokenizer, stream, held_out, waiting: BTreeMap::new(), rows, longest }
    }

    /// The next batch; every token but the first of a document is wanted.
    ///
    /// # Errors
    /// A document that the tokenizer refuses.
    pub(super) fn next_batch(&mut self) -> Result<Tokens> {
        loop {
            let text = corpus::document(&mut self.stream, &|sentence| self.held_out.contains(sentence));
            let encoding = self.tokenizer.encode(text, true).map_err(|e| anyhow!("can't encode a document: {e}"))?;
            let ids = encoding.get_ids();
            let len = ids.len();
            if len < 2 || len > self.longest {
                continue;
            }
            let documents = self.waiting.entry(len).or_default();
            documents.push(ids.to_vec());
            if (documents.len() + 1) * len > self.rows {
                return Ok(pack(&std::mem::take(documents)));
            }
        }
    }
}

fn pack(documents: &[Vec<u32>]) -> Tokens {
    let mut tokens = Tokens::new();
    for ids in documents {
        let rows = tokens.push(ids);
        for (row, next) in (rows.start..).zip(&ids[1..]) {
            tokens.want(row, *next);
        }
    }
    tokens
}
