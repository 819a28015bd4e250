//! Examples to packed sequences: what several options share is run once, and nothing is padded.

use std::collections::HashMap;
use std::ops::Range;

use polder_models::Tokens;
use polder_perturb::Span;
use polder_tasks::{EncodedExample, EncodedOption};

use crate::error::{Error, Result};

/// What all options of a set of examples begin with, as far as none of it is scored: run once for all passes over the same
/// weights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Common {
    ids: Vec<u32>,
}

impl Common {
    /// A beginning that is shorter is not worth a sequence of its own.
    const SHORTEST: usize = 8;

    /// What all options of these examples begin with; nothing where that is too short to be worth it.
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a EncodedExample>) -> Self {
        let mut count = 0;
        let options: Vec<&EncodedOption> =
            examples.into_iter().inspect(|_| count += 1).flat_map(|e| &e.options).collect();
        // Each option keeps a token of its own, so that there is a row to follow the beginning.
        let own = options.iter().map(|o| o.ids.len().saturating_sub(o.scored + 1)).min().unwrap_or(0);
        let len = shared_len(&options).min(own);
        let worth = count > 1 && len >= Self::SHORTEST;
        Self { ids: options.first().filter(|_| worth).map_or_else(Vec::new, |o| o.ids[..len].to_vec()) }
    }

    /// Its tokens; none where there is no common beginning.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
}

/// The numbers of the sequences that begin as at least half of all do, and those of the others; all are in the first list
/// where no beginning is that common.
///
/// Demonstrations that were cut to fit the longest sequences would otherwise leave nothing that all have in common.
pub(crate) fn alike<'a>(sequences: impl Iterator<Item = &'a [u32]>) -> (Vec<usize>, Vec<usize>) {
    let beginnings: Vec<&[u32]> = sequences.map(|ids| &ids[..ids.len().min(Common::SHORTEST)]).collect();
    let mut counts: HashMap<&[u32], usize> = HashMap::new();
    for ids in &beginnings {
        *counts.entry(ids).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(ids, count)| (*count, *ids));
    let common = most.filter(|(_, count)| 2 * count >= beginnings.len() && *count > 1);
    let begins = |i: &usize| common.is_none_or(|(ids, _)| beginnings[*i] == ids);
    (0..beginnings.len()).partition(begins)
}

/// [`alike`] of examples, by their first options.
pub(crate) fn alike_examples(examples: &[EncodedExample]) -> (Vec<usize>, Vec<usize>) {
    alike(examples.iter().map(|e| e.options.first().map_or(&[][..], |option| &option.ids)))
}

/// Examples of one forward pass, and where each option's log-probabilities lie in its answer.
///
/// Sequences that begin alike share the rows of their beginning, whether they are options of one example or of several:
/// a pass runs each token once after the same tokens. Where rows are invariant (on the CPU) this changes no bit.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// What the model is given.
    pub tokens: Tokens,
    /// `spans[example][option]`: the wanted numbers of that option, in the order of its scored tokens.
    pub spans: Vec<Vec<Range<usize>>>,
    /// Tokens that every option begins with and that have been run before.
    skip: usize,
    /// The row of a token after a row, or after none.
    next: HashMap<(Option<usize>, u32), usize>,
    /// The first row of each row's sequence.
    firsts: Vec<usize>,
}

impl Packed {
    /// A pass over examples that all begin with `common`, which has been run before.
    pub fn after(common: &Common) -> Self {
        let skip = common.ids.len();
        Self { tokens: Tokens::after(skip), skip, ..Self::default() }
    }

    /// Appends an example with the given options.
    ///
    /// Of each option, what some sequence of the pass begins with is there; the rest becomes a branch. The last token of
    /// an option predicts nothing and is left out, so options of one token after a common prompt are one sequence in all.
    ///
    /// # Errors
    /// An option whose scored tokens are all it has (nothing of it precedes them, beyond what has been run before), or that
    /// has none.
    pub fn push(&mut self, options: &[&EncodedOption]) -> Result<()> {
        for (index, option) in options.iter().enumerate() {
            if option.scored == 0 || option.scored + self.skip >= option.ids.len() {
                return Err(Error::NothingPredicts { option: index, scored: option.scored, tokens: option.ids.len() });
            }
        }
        let spans = options.iter().map(|option| self.option(option)).collect();
        self.spans.push(spans);
        Ok(())
    }

    /// The rows by which an example would lengthen the pass.
    pub fn growth(&self, options: &[&EncodedOption]) -> usize {
        let own: Vec<&[u32]> = options.iter().map(|option| self.own(option)).collect();
        let new = |(i, ids): (usize, &&[u32])| {
            let among = own[..i].iter().map(|other| same(ids, other)).max().unwrap_or(0);
            ids.len() - among.max(self.known(ids).len())
        };
        own.iter().enumerate().map(new).sum()
    }

    /// The tokens of an option that are rows: without those run before, and without the last.
    fn own<'a>(&self, option: &'a EncodedOption) -> &'a [u32] {
        option.ids.get(self.skip..option.ids.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The rows of the tokens that the pass holds already, as far as it holds them.
    fn known(&self, ids: &[u32]) -> Vec<usize> {
        let mut rows: Vec<usize> = Vec::with_capacity(ids.len());
        while let Some(row) = ids.get(rows.len()).and_then(|id| self.next.get(&(rows.last().copied(), *id))) {
            rows.push(*row);
        }
        rows
    }

    /// Packs an option and asks for its scored tokens.
    fn option(&mut self, option: &EncodedOption) -> Range<usize> {
        let ids = self.own(option);
        let mut rows = self.known(ids);
        let rest = &ids[rows.len()..];
        if !rest.is_empty() {
            let prefix = rows.last().map_or_else(Span::default, |row| {
                let start = self.firsts[*row];
                Span { start, len: row + 1 - start }
            });
            let span = self.tokens.push_branch(rest, prefix);
            self.firsts.resize(span.start + span.len, span.start);
            for (row, id) in (span.start..).zip(rest) {
                self.next.insert((rows.last().copied(), *id), row);
                rows.push(row);
            }
        }
        let first = self.tokens.wanted.len();
        for at in option.ids.len() - option.scored..option.ids.len() {
            self.tokens.want(rows[at - 1 - self.skip], option.ids[at]);
        }
        first..self.tokens.wanted.len()
    }
}

/// How many leading tokens are the same.
fn same(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// How many leading tokens all options share and none of them scores.
fn shared_len(options: &[&EncodedOption]) -> usize {
    let Some((first, rest)) = options.split_first() else { return 0 };
    let unscored = options.iter().map(|o| o.ids.len().saturating_sub(o.scored)).min().unwrap_or(0);
    rest.iter().fold(unscored, |len, option| same(&first.ids[..len], &option.ids))
}

/// The rows that an example takes in a pass, at most.
pub fn rows_of(options: &[&EncodedOption]) -> usize {
    Packed::default().growth(options)
}

/// All options of an example.
pub fn all_options(example: &EncodedExample) -> Vec<&EncodedOption> {
    example.options.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(ids: &[u32], scored: usize) -> EncodedOption {
        EncodedOption { ids: ids.to_vec(), scored }
    }

    /// The full sequence that a row ends: what comes before every sequence, what its own continues, itself.
    fn sequence_up_to(tokens: &Tokens, stem: &[u32], row: usize) -> Vec<u32> {
        let lineages = polder_perturb::lineages(&tokens.sequences).unwrap();
        let holds = |s: &Span| (s.start..s.start + s.len).contains(&row);
        let at = tokens.sequences.iter().position(|s| holds(&s.rows)).unwrap();
        let own = tokens.sequences[at].rows;
        let mut ids = stem[..tokens.stem].to_vec();
        for span in &lineages[at] {
            ids.extend(&tokens.ids[span.start..span.start + span.len]);
        }
        assert_eq!(tokens.positions[own.start] as usize, ids.len());
        ids.extend(&tokens.ids[own.start..=row]);
        ids
    }

    /// Packs all cases; each makes the pass as much longer as was said before.
    fn fill(packed: &mut Packed, cases: &[Vec<EncodedOption>]) {
        for options in cases {
            let options: Vec<_> = options.iter().collect();
            let expected = packed.tokens.rows() + packed.growth(&options);
            packed.push(&options).unwrap();
            assert_eq!(packed.tokens.rows(), expected);
        }
    }

    /// Checks that every scored token of `cases` is asked for after all that precedes it, in order.
    fn check(packed: &Packed, stem: &[u32], cases: &[Vec<EncodedOption>]) {
        let mut seen = 0;
        for (options, spans) in cases.iter().zip(&packed.spans) {
            for (option, span) in options.iter().zip(spans) {
                assert_eq!(span.start, seen);
                seen = span.end;
                for (wanted, at) in packed.tokens.wanted[span.clone()].iter().zip(option.ids.len() - option.scored..) {
                    assert_eq!(wanted.token, option.ids[at]);
                    assert_eq!(sequence_up_to(&packed.tokens, stem, wanted.row as usize), option.ids[..at]);
                }
            }
        }
        assert_eq!(seen, packed.tokens.wanted.len());
    }

    #[test]
    fn a_common_beginning_is_one_sequence_or_none() {
        let stem: Vec<u32> = (100..110).collect();
        let after = |ids: &[u32], scored| option(&[&stem[..], ids].concat(), scored);
        let cases = vec![
            vec![after(&[1, 2, 7], 1), after(&[1, 2, 8], 1)],
            vec![after(&[1, 3, 7, 9], 2), after(&[1, 3, 8], 1)],
            vec![after(&[5, 6], 1)],
            // The options share nothing beyond the beginning.
            vec![after(&[4, 7], 1), after(&[5, 7], 1)],
        ];
        let example = |options: &Vec<EncodedOption>| EncodedExample {
            idx: String::new(),
            options: options.clone(),
            ..EncodedExample::default()
        };
        let examples: Vec<EncodedExample> = cases.iter().map(example).collect();
        let common = Common::of(&examples);
        assert_eq!(common.ids(), stem);
        for (mut packed, rows) in [(Packed::default(), 10 + 6), (Packed::after(&common), 6)] {
            fill(&mut packed, &cases);
            check(&packed, &stem, &cases);
            assert_eq!(packed.tokens.rows(), rows);
        }
        assert_eq!(Common::of(&examples[..1]), Common::default(), "one example shares with none");
        // Where an option is only what it scores after the beginning, a token of the beginning stays with it.
        let tight = [example(&vec![after(&[7], 1)]), example(&vec![after(&[8], 1)])];
        assert_eq!(Common::of(&tight).ids(), &stem[..9]);
    }

    #[test]
    fn every_scored_token_is_predicted_from_all_that_precedes_it() {
        let cases = [
            vec![option(&[1, 2, 3, 7], 1), option(&[1, 2, 3, 8], 1)],
            vec![option(&[1, 2, 3, 7, 9], 2), option(&[1, 2, 3, 8], 1), option(&[1, 2, 3, 8, 5, 5], 3)],
            // The last token of the prompt merges with the option, so less is shared.
            vec![option(&[1, 2, 33, 7], 2), option(&[1, 2, 3, 8], 1)],
            vec![option(&[1, 2, 3, 4], 2)],
            // Nothing is shared.
            vec![option(&[4, 7], 1), option(&[5, 7], 1)],
            // Equal options still have their own numbers.
            vec![option(&[1, 2, 3], 2), option(&[1, 2, 3], 2)],
        ];
        let mut packed = Packed::default();
        fill(&mut packed, &cases);
        check(&packed, &[], &cases);
        // Rows are the different beginnings: [1], [1 2], [1 2 3], [1 2 3 7], [1 2 3 8], [1 2 3 8 5], [1 2 33], [4], [5].
        assert_eq!(packed.tokens.rows(), 9);
        let alone: Vec<usize> = cases.iter().map(|c| rows_of(&c.iter().collect::<Vec<_>>())).collect();
        assert_eq!(alone, [3, 6, 4, 3, 2, 2]);
    }

    #[test]
    fn what_examples_share_is_run_once_whatever_their_order() {
        let cases = [
            vec![option(&[1, 2, 3, 4, 5, 7], 1), option(&[1, 2, 3, 4, 6, 7], 2)],
            vec![option(&[1, 2, 9, 4, 7], 1), option(&[1, 2, 9, 4, 8], 1)],
            vec![option(&[1, 2, 3, 4, 6, 5, 7], 2)],
            vec![option(&[1, 2, 7], 1)],
        ];
        for turn in 0..cases.len() {
            let mut cases = cases.to_vec();
            cases.rotate_left(turn);
            let mut packed = Packed::default();
            fill(&mut packed, &cases);
            check(&packed, &[], &cases);
            // [1], [1 2], [1 2 3], [1 2 3 4], [… 5], [… 6], [… 6 5], [1 2 9], [1 2 9 4].
            assert_eq!(packed.tokens.rows(), 9);
        }
    }

    #[test]
    fn sequences_that_begin_otherwise_stand_apart() {
        let long: Vec<u32> = (0..20).collect();
        let cut = &long[3..];
        let of = |ids: &[&[u32]]| alike(ids.iter().copied());
        assert_eq!(of(&[&long, cut, &long, &long[..9]]), (vec![0, 2, 3], vec![1]));
        assert_eq!(of(&[&long, &long]), (vec![0, 1], vec![]));
        // No beginning is common enough: nothing stands apart.
        assert_eq!(of(&[&long, cut, &long[1..], &long[2..], &long[4..]]), (vec![0, 1, 2, 3, 4], vec![]));
        assert_eq!(of(&[&long[..5], cut]), (vec![0, 1], vec![]));
        // Half of them each: the larger ids decide, so that it is always the same ones.
        assert_eq!(of(&[&long, cut, &long, cut]), (vec![1, 3], vec![0, 2]));
        assert_eq!(of(&[]), (vec![], vec![]));
    }

    #[test]
    fn single_token_options_are_one_sequence() {
        let mut packed = Packed::default();
        packed.push(&[&option(&[1, 2, 3, 7], 1), &option(&[1, 2, 3, 8], 1)]).unwrap();
        assert_eq!(packed.tokens.sequences.len(), 1);
        assert_eq!(packed.tokens.ids, [1, 2, 3]);
        assert_eq!(packed.tokens.wanted.iter().map(|w| w.row).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn an_option_that_nothing_precedes_is_refused() {
        let mut packed = Packed::default();
        assert!(packed.push(&[&option(&[1, 2], 2)]).is_err());
        assert!(packed.push(&[&option(&[1, 2], 0)]).is_err());
        assert!(packed.push(&[&option(&[], 0)]).is_err());
        // Nor may all that precedes it have been run before.
        let mut after = Packed::after(&Common { ids: (0..8).collect() });
        assert!(after.push(&[&option(&[0, 1, 2, 3, 4, 5, 6, 7, 9], 1)]).is_err());
        assert!(after.push(&[&option(&[0, 1, 2], 1)]).is_err());
        assert!(after.push(&[&option(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1)]).is_ok());
    }
}
