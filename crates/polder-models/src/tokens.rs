//! What a forward pass is given: packed token ids and what is wanted of them.

use polder_perturb::{Sequence, Span};

use crate::error::{Error, Result};

/// One wanted number: `log p(token | everything up to and including row)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The row whose output predicts the token.
    pub row: u32,
    /// The token.
    pub token: u32,
}

/// Packed sequences without padding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Token ids, one a row.
    pub ids: Vec<u32>,
    /// Positions, one a row, counted from 0 at the start of the stem or, without one, of each sequence (a branch goes on
    /// counting from what it continues).
    pub positions: Vec<u32>,
    /// The sequences; together they cover every row once.
    pub sequences: Vec<Sequence>,
    /// The log-probabilities that are wanted.
    pub wanted: Vec<Wanted>,
    /// Tokens of the [`Stem`](crate::Stem) that comes before every sequence.
    pub stem: usize,
    /// The rows of the stem that come before each sequence, in order, where it is not all of them: a list a sequence, or
    /// none at all.
    pub after: Vec<Vec<Span>>,
}

impl Tokens {
    /// No rows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No rows yet, to follow a stem of that many tokens.
    pub fn after(stem: usize) -> Self {
        Self { stem, ..Self::default() }
    }

    /// Appends a sequence, and gives its rows.
    pub fn push(&mut self, ids: &[u32]) -> Span {
        self.append(ids, Span::default())
    }

    /// Appends a branch of a sequence that begins with the rows of `prefix`, and gives its own rows; the branch comes after
    /// these, and whatever that sequence, which may be a branch itself, comes after.
    pub fn push_branch(&mut self, ids: &[u32], prefix: Span) -> Span {
        self.append(ids, prefix)
    }

    /// Appends a sequence that follows some rows of the stem, in that order, and gives its own rows. In one pass either all
    /// sequences are appended so, or none.
    pub fn push_after(&mut self, ids: &[u32], before: Vec<Span>) -> Span {
        let rows = Span { start: self.ids.len(), len: ids.len() };
        let from: usize = before.iter().map(|span| span.len).sum();
        self.ids.extend_from_slice(ids);
        self.positions.extend((from..from + ids.len()).map(|p| p as u32));
        self.sequences.push(Sequence { rows, prefix: Span::default() });
        self.after.push(before);
        rows
    }

    /// What comes before each sequence, as attention is told.
    pub(crate) fn before(&self) -> Option<&[Vec<Span>]> {
        Some(self.after.as_slice()).filter(|after| !after.is_empty())
    }

    fn append(&mut self, ids: &[u32], prefix: Span) -> Span {
        let rows = Span { start: self.ids.len(), len: ids.len() };
        self.ids.extend_from_slice(ids);
        let last = (prefix.start + prefix.len).checked_sub(1).filter(|_| prefix.len > 0);
        let from = last.and_then(|row| self.positions.get(row)).map_or(self.stem, |p| *p as usize + 1);
        self.positions.extend((from..from + ids.len()).map(|p| p as u32));
        self.sequences.push(Sequence { rows, prefix });
        rows
    }

    /// Asks for `log p(token | … row)`.
    pub fn want(&mut self, row: usize, token: u32) {
        self.wanted.push(Wanted { row: row as u32, token });
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Checks that ids, positions, sequences and wanted pairs fit one another and the model.
    ///
    /// # Errors
    /// No tokens; unequal lengths; an id, position, row or token outside of its range.
    pub fn check(&self, vocab: usize, positions: usize) -> Result<()> {
        let rows = self.rows();
        if rows == 0 {
            return Err(Error::InputEmpty);
        }
        if self.positions.len() != rows {
            return Err(Error::InputLength { ids: rows, positions: self.positions.len() });
        }
        let inside = |what, found: usize, limit| match found < limit {
            true => Ok(()),
            false => Err(Error::InputOutside { what, found, limit }),
        };
        self.ids.iter().try_for_each(|id| inside("token id", *id as usize, vocab))?;
        self.positions.iter().try_for_each(|p| inside("position", *p as usize, positions))?;
        for span in self.sequences.iter().flat_map(|s| [s.rows, s.prefix]) {
            inside("sequence end", span.start.saturating_add(span.len), rows + 1)?;
        }
        for wanted in &self.wanted {
            inside("wanted row", wanted.row as usize, rows)?;
            inside("wanted token", wanted.token as usize, vocab)?;
        }
        Ok(())
    }

    /// The rows that something is wanted of, ascending, each once; and every wanted pair, its row counted among them.
    pub fn wanted_rows(&self) -> (Vec<u32>, Vec<(u32, u32)>) {
        let mut rows: Vec<u32> = self.wanted.iter().map(|w| w.row).collect();
        rows.sort_unstable();
        rows.dedup();
        let place = |row: u32| rows.partition_point(|r| *r < row) as u32;
        let pairs = self.wanted.iter().map(|w| (place(w.row), w.token)).collect();
        (rows, pairs)
    }
}
