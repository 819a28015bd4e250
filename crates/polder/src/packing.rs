//! Examples to packed sequences: what several options share is run once, and nothing is padded.

use std::ops::Range;

use polder_models::Tokens;
use polder_tasks::{EncodedExample, EncodedOption};

use crate::error::{Error, Result};

/// Examples of one forward pass, and where each option's log-probabilities lie in its answer.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// What the model is given.
    pub tokens: Tokens,
    /// `spans[example][option]`: the wanted numbers of that option, in the order of its scored tokens.
    pub spans: Vec<Vec<Range<usize>>>,
}

impl Packed {
    /// Appends an example with the given options.
    ///
    /// The longest common beginning of the options, as far as nothing of it is scored, becomes one sequence; what is
    /// left of each option is a branch of it. The last token of an option predicts nothing and is left out, so options
    /// of one token after a common prompt are one sequence in all.
    ///
    /// # Errors
    /// An option whose scored tokens are all it has (nothing precedes them), or that has none.
    pub fn push(&mut self, options: &[&EncodedOption]) -> Result<()> {
        for (index, option) in options.iter().enumerate() {
            if option.scored == 0 || option.scored >= option.ids.len() {
                return Err(Error::NothingPredicts { option: index, scored: option.scored, tokens: option.ids.len() });
            }
        }
        let shared = shared_len(options);
        let spans = match options {
            [] => Vec::new(),
            _ if shared == 0 || options.len() == 1 => options.iter().map(|option| self.alone(option)).collect(),
            [first, ..] => {
                let prefix = self.tokens.push(&first.ids[..shared]);
                let branch = |option: &&EncodedOption| {
                    let own = &option.ids[shared..option.ids.len() - 1];
                    let start = if own.is_empty() { 0 } else { self.tokens.push_branch(own, prefix).start };
                    self.want(option, |at| if at < shared { prefix.start + at } else { start + at - shared })
                };
                options.iter().map(branch).collect()
            }
        };
        self.spans.push(spans);
        Ok(())
    }

    /// An option that shares nothing: one sequence.
    fn alone(&mut self, option: &EncodedOption) -> Range<usize> {
        let rows = self.tokens.push(&option.ids[..option.ids.len() - 1]);
        self.want(option, |at| rows.start + at)
    }

    /// Asks for the scored tokens of an option; `row` says where its token number `at` lies.
    fn want(&mut self, option: &EncodedOption, row: impl Fn(usize) -> usize) -> Range<usize> {
        let first = self.tokens.wanted.len();
        for at in option.ids.len() - option.scored..option.ids.len() {
            self.tokens.want(row(at - 1), option.ids[at]);
        }
        first..self.tokens.wanted.len()
    }
}

/// How many leading tokens all options share and none of them scores.
fn shared_len(options: &[&EncodedOption]) -> usize {
    let Some((first, rest)) = options.split_first() else { return 0 };
    let unscored = options.iter().map(|o| o.ids.len() - o.scored).min().unwrap_or(0);
    rest.iter()
        .fold(unscored, |len, option| first.ids[..len].iter().zip(&option.ids).take_while(|(a, b)| a == b).count())
}

/// The rows that an example takes in a pass, at most.
pub fn rows_of(options: &[&EncodedOption]) -> usize {
    if options.iter().any(|o| o.scored == 0 || o.scored >= o.ids.len()) {
        return 0;
    }
    match options {
        [only] => only.ids.len() - 1,
        _ => {
            let shared = shared_len(options);
            shared + options.iter().map(|o| o.ids.len() - 1 - shared).sum::<usize>()
        }
    }
}

/// All options of an example.
pub fn all_options(example: &EncodedExample) -> Vec<&EncodedOption> {
    example.options.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polder_perturb::Span;

    fn option(ids: &[u32], scored: usize) -> EncodedOption {
        EncodedOption { ids: ids.to_vec(), scored }
    }

    /// The full sequence that a row ends: its prefix's rows, then its own.
    fn sequence_up_to(tokens: &Tokens, row: usize) -> Vec<u32> {
        let of = |span: Span| tokens.ids[span.start..span.start + span.len].to_vec();
        let own = tokens.sequences.iter().find(|s| (s.rows.start..s.rows.start + s.rows.len).contains(&row)).unwrap();
        let mut ids = of(own.prefix);
        ids.extend(&tokens.ids[own.rows.start..=row]);
        ids
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
        for options in &cases {
            packed.push(&options.iter().collect::<Vec<_>>()).unwrap();
        }
        let mut seen = 0;
        for (options, spans) in cases.iter().zip(&packed.spans) {
            for (option, span) in options.iter().zip(spans) {
                assert_eq!(span.start, seen);
                seen = span.end;
                for (wanted, at) in packed.tokens.wanted[span.clone()].iter().zip(option.ids.len() - option.scored..) {
                    assert_eq!(wanted.token, option.ids[at]);
                    assert_eq!(sequence_up_to(&packed.tokens, wanted.row as usize), option.ids[..at]);
                }
            }
        }
        assert_eq!(seen, packed.tokens.wanted.len());
        let rows: usize = cases.iter().map(|c| rows_of(&c.iter().collect::<Vec<_>>())).sum();
        assert_eq!(rows, packed.tokens.rows());
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
    }
}
