//! SentencePiece's BPE as merges, and merges as its scores.
//!
//! SentencePiece joins the neighbours whose union has the highest score among the tokens, the leftmost of equal ones (Kudo and
//! Richardson 2018). A tokenizer.json says the same by a list of merges, the first the most urgent: every way to cut a token
//! in two tokens, in the order of the tokens' scores.

use std::collections::{HashMap, HashSet};

/// What stands for a space.
pub(crate) const SPACE: &str = "\u{2581}";

/// The longest token that is taken apart, in bytes; published ones have a few dozen.
pub(crate) const LONGEST: usize = 512;

/// Two tokens that merges make and that have the same score: there a list of merges can't say the same.
pub(crate) fn tied<'a>(tokens: &[(&'a str, f32)], merges: &[(String, String)]) -> Option<(&'a str, &'a str)> {
    let made: HashSet<String> = merges.iter().map(|(left, right)| format!("{left}{right}")).collect();
    let mut scored: Vec<_> = tokens.iter().filter(|(text, _)| made.contains(*text)).collect();
    scored.sort_by(|a, b| a.1.total_cmp(&b.1));
    scored.windows(2).find(|pair| pair[0].1 == pair[1].1).map(|pair| (pair[0].0, pair[1].0))
}

/// The merges of tokens with their scores: by falling scores, and for one token the longer first part first. Tokens of more
/// than [`LONGEST`] bytes are not taken apart.
pub(crate) fn merges(tokens: &[(&str, f32)]) -> Vec<(String, String)> {
    let known: HashSet<&str> = tokens.iter().map(|(text, _)| *text).collect();
    let mut all = Vec::new();
    for (text, score) in tokens.iter().filter(|(text, _)| text.len() <= LONGEST) {
        for (at, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(at);
            if known.contains(left) && known.contains(right) {
                all.push((*score, left.chars().count(), left, right));
            }
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    all.into_iter().map(|(_, _, left, right)| (left.to_owned(), right.to_owned())).collect()
}

/// The scores that merges imply: of the tokens in the order in which merges first make them, 0, −1, −2 and so on. Those that no
/// merge makes are not in it.
pub(crate) fn scores(merges: &[(String, String)]) -> HashMap<String, f32> {
    let mut scores = HashMap::new();
    for (left, right) in merges {
        let next = -(scores.len() as f32);
        scores.entry(format!("{left}{right}")).or_insert(next);
    }
    scores
}

/// Whether a token stands for one byte.
pub(crate) fn is_byte(text: &str) -> bool {
    let hex = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    text.strip_prefix("<0x").and_then(|text| text.strip_suffix('>')).is_some_and(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_follow_scores_and_scores_follow_merges() {
        let tokens = [("a", -9.0), ("b", -8.0), ("ab", -1.0), ("ba", 0.0), ("aba", -2.0), ("é", -7.0), ("éa", -3.0)];
        let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
        let expected = [pair("b", "a"), pair("a", "b"), pair("ab", "a"), pair("a", "ba"), pair("é", "a")];
        let merges = merges(&tokens);
        assert_eq!(merges, expected);
        assert_eq!(tied(&tokens, &merges), None);
        // That `é` and `b` have one score decides nothing, since no merge makes them.
        assert_eq!(tied(&[("é", -8.0), ("b", -8.0)], &merges), None);
        assert_eq!(tied(&[("ab", 1.0), ("aba", 0.0), ("ba", 1.0)], &merges), Some(("ab", "ba")));
        let scores = scores(&merges);
        let of = |text: &str| scores.get(text).copied();
        assert_eq!(
            [of("ba"), of("ab"), of("aba"), of("éa"), of("a")],
            [Some(0.0), Some(-1.0), Some(-2.0), Some(-3.0), None]
        );
    }

    #[test]
    fn bytes_are_known_by_their_form() {
        assert!(is_byte("<0x0A>") && is_byte("<0xFF>"));
        assert!(["<0x0a>", "<0x0>", "<0x0A", "0x0A>", "<0x0AB>", "<unk>", "<0xé>"].iter().all(|text| !is_byte(text)));
    }
}
