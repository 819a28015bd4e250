//! Which ids an option becomes, at the edges.

mod support;

use polder_tasks::{BosPolicy, Encoder, Error, Example};
use serde_json::Value;
use support::{BOS, bos_and, tokenizer};
use tokenizers::Tokenizer;

fn example(prompt: &str, options: &[&str]) -> Example {
    let options = options.iter().map(|o| (*o).to_owned()).collect();
    Example { idx: "r7".to_owned(), prompt: prompt.to_owned(), options, ..Example::default() }
}

fn encoder(tokenizer: Tokenizer, bos: BosPolicy, max_length: usize) -> Encoder {
    Encoder::new(tokenizer, bos, Some(BOS), max_length).unwrap()
}

/// The scored tokens' text, in the byte alphabet.
fn scored(encoder: &Encoder, prompt: &str, option: &str) -> Vec<String> {
    let encoded = encoder.encode(&example(prompt, &[option])).unwrap();
    let option = &encoded.options[0];
    assert!(option.scored >= 1 && option.scored < option.ids.len());
    option.ids[option.ids.len() - option.scored..]
        .iter()
        .map(|id| encoder.tokenizer().id_to_token(*id).unwrap())
        .collect()
}

#[test]
fn an_option_is_scored_by_what_it_adds() {
    let merges = [("Ġ", "g"), ("Ġg", "o"), ("i", "t")];
    for bos in [BosPolicy::Tokenizer, BosPolicy::Forbid, BosPolicy::Force] {
        let encoder = encoder(tokenizer(&merges, bos_and(false)), bos, 64);
        assert_eq!(scored(&encoder, "it", " go"), ["Ġgo"]);
        assert_eq!(scored(&encoder, "it", " gone"), ["Ġgo", "n", "e"]);
    }
}

#[test]
fn spaces_at_the_prompts_end_belong_to_the_option() {
    let merges = [("Ġ", "g"), ("Ġg", "o"), ("i", "t")];
    let encoder = encoder(tokenizer(&merges, Value::Null), BosPolicy::Tokenizer, 64);
    // "it " + "go" is the text "it go": the space goes into the option's first token.
    assert_eq!(scored(&encoder, "it ", "go"), ["Ġgo"]);
    // Two spaces leave one of them over, which the stripped prompt does not have.
    assert_eq!(scored(&encoder, "it  ", "go"), ["Ġ", "Ġgo"]);
    // A newline is not a space: it stays the prompt's.
    assert_eq!(scored(&encoder, "it\n", "go"), ["g", "o"]);
    // Spaces in front of the prompt and behind the option are dropped and not counted.
    assert_eq!(scored(&encoder, "  it", " go "), ["Ġgo"]);
}

#[test]
fn an_option_that_merges_with_the_prompt_keeps_a_scored_token() {
    // "ab" + "c" is one token more than nothing: "a", "bc", as many as the prompt has.
    let encoder = encoder(tokenizer(&[("b", "c")], Value::Null), BosPolicy::Force, 64);
    assert_eq!(scored(&encoder, "ab", "c"), ["bc"]);
    // The prompt's tokens may even be more than the whole text's.
    let merges = [("b", "c"), ("a", "bc")];
    let encoder = self::encoder(tokenizer(&merges, Value::Null), BosPolicy::Force, 64);
    assert_eq!(scored(&encoder, "ab", "c"), ["abc"]);
    assert_eq!(scored(&encoder, "ab", "cd"), ["abc", "d"]);
    // A difference above zero is taken as MeZO takes it.
    assert_eq!(scored(&encoder, "ab", "cde"), ["e"]);
}

#[test]
fn bos_is_the_post_processors_forced_or_forbidden() {
    let front = |post: Value, bos, id| {
        Encoder::new(tokenizer(&[], post), bos, id, 64)
            .map(|e| (e.front().to_vec(), e.encode(&example("a", &["b"])).unwrap().options[0].ids.len()))
    };
    assert_eq!(front(Value::Null, BosPolicy::Tokenizer, Some(BOS)).unwrap(), (vec![], 2));
    assert_eq!(front(Value::Null, BosPolicy::Force, Some(BOS)).unwrap(), (vec![BOS], 3));
    assert_eq!(front(bos_and(false), BosPolicy::Tokenizer, None).unwrap(), (vec![BOS], 3));
    assert_eq!(front(bos_and(false), BosPolicy::Force, Some(BOS)).unwrap(), (vec![BOS], 3));
    assert_eq!(front(bos_and(false), BosPolicy::Forbid, Some(BOS)).unwrap(), (vec![], 2));
    // An EOS that the post-processor puts behind is left out: the option ends the sequence.
    assert_eq!(front(bos_and(true), BosPolicy::Tokenizer, None).unwrap(), (vec![BOS], 3));
    assert!(matches!(front(Value::Null, BosPolicy::Force, None), Err(Error::NoBos)));
}

#[test]
fn an_empty_prompt_needs_something_in_front() {
    let with_bos = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 64);
    assert_eq!(scored(&with_bos, "", "ab"), ["a", "b"]);
    // Nothing predicts a sequence's first token: the second alone is scored.
    let without = encoder(tokenizer(&[], Value::Null), BosPolicy::Tokenizer, 64);
    assert_eq!(scored(&without, "", "ab"), ["b"]);
    assert!(matches!(without.encode(&example("", &["a"])), Err(Error::NothingToScore { .. })));
    assert!(matches!(with_bos.encode(&example("", &[""])), Err(Error::EmptyOption { .. })));
}

#[test]
fn an_empty_option_is_an_error_and_not_scored_by_the_prompts_end() {
    let encoder = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 64);
    for empty in ["", " ", " \t\n"] {
        let error = encoder.encode(&example("ab", &["c", empty])).unwrap_err();
        assert!(matches!(error, Error::EmptyOption { number: 1, .. }), "{empty:?}: {error}");
        assert!(error.to_string().contains("row `r7`"), "{error}");
    }
}

#[test]
fn unicode_is_counted_in_tokens() {
    let encoder = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 64);
    assert_eq!(scored(&encoder, "naïve", " é").len(), 3);
    assert_eq!(scored(&encoder, "好", "🙂").len(), 4);
}

#[test]
fn truncation_cuts_on_the_left_and_keeps_bos_and_the_option() {
    let encoder = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 6);
    let encoded = encoder.encode(&example("abcdefg", &["xy"])).unwrap();
    let tokens: Vec<_> =
        encoded.options[0].ids.iter().map(|id| encoder.tokenizer().id_to_token(*id).unwrap()).collect();
    assert_eq!(tokens, ["<s>", "e", "f", "g", "x", "y"]);
    assert_eq!((encoded.options[0].scored, encoded.cut), (2, 4));
    // Exactly as long as allowed: nothing is cut.
    assert_eq!(encoder.encode(&example("abc", &["xy"])).unwrap().cut, 0);
}

#[test]
fn options_of_one_example_lose_the_same_tokens() {
    let encoder = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 6);
    let encoded = encoder.encode(&example("abcdefg", &["x", "xyz"])).unwrap();
    let text = |option: usize| {
        let ids = &encoded.options[option].ids;
        ids.iter().map(|id| encoder.tokenizer().id_to_token(*id).unwrap()).collect::<String>()
    };
    assert_eq!((text(0).as_str(), text(1).as_str()), ("<s>fgx", "<s>fgxyz"));
}

#[test]
fn an_option_longer_than_the_limit_is_an_error_that_names_the_row() {
    let encoder = encoder(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, 4);
    assert!(encoder.encode(&example("ab", &["xyz"])).is_ok());
    let error = encoder.encode(&example("ab", &["xyzw"])).unwrap_err();
    assert!(matches!(error, Error::OptionTooLong { tokens: 4, max_length: 4, .. }));
    assert!(error.to_string().contains("row `r7`"), "{error}");
    // Without a front, one token of the prompt has to stay.
    let bare = self::encoder(tokenizer(&[], Value::Null), BosPolicy::Tokenizer, 4);
    assert!(bare.encode(&example("ab", &["xyz"])).is_ok());
    assert!(bare.encode(&example("ab", &["xyzw"])).is_err());
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for max_length in [0, 1] {
        let outcome = Encoder::new(tokenizer(&[], bos_and(false)), BosPolicy::Tokenizer, None, max_length);
        assert!(matches!(outcome, Err(Error::MaxLength { least: 2, .. })), "{max_length}");
    }
}

#[test]
fn truncation_and_padding_of_the_tokenizers_file_are_turned_off() {
    let mut padded = tokenizer(&[], bos_and(false));
    padded.with_padding(Some(tokenizers::PaddingParams {
        strategy: tokenizers::PaddingStrategy::Fixed(32),
        ..Default::default()
    }));
    padded.with_truncation(Some(tokenizers::TruncationParams { max_length: 3, ..Default::default() })).unwrap();
    let encoder = encoder(padded, BosPolicy::Tokenizer, 64);
    assert_eq!(encoder.encode(&example("abcdef", &["xy"])).unwrap().options[0].ids.len(), 9);
}
