//! Evaluation of scores and texts made by hand.

use polder_tasks::{EncodedOption, LossKind, TextLength};

use polder_tasks::Example;

use super::*;

const RULE: Rule =
    Rule { loss: LossKind::Options, metric: Metric::Accuracy, normalize: Normalize::Tokens, classes: true };

fn example(gold: usize, also: &[usize], characters: &[usize]) -> EncodedExample {
    let lengths = characters.iter().map(|n| TextLength { characters: *n, bytes: *n }).collect();
    let options = vec![EncodedOption { ids: vec![1, 2], scored: 1 }; characters.len()];
    EncodedExample { gold: Some(gold), also: also.to_vec(), options, lengths, ..EncodedExample::default() }
}

fn scores(sums: &[(f64, usize)]) -> Vec<OptionScore> {
    sums.iter().map(|(sum, tokens)| OptionScore { sum: *sum, tokens: *tokens }).collect()
}

fn of(examples: &[EncodedExample], given: &[Vec<OptionScore>], free: Option<&[Vec<OptionScore>]>) -> Evaluated {
    Evaluated::of(examples, given.to_vec(), free, RULE, Counts::default(), 1.0).unwrap()
}

fn named(found: &Evaluated) -> Vec<(&'static str, f64)> {
    found.others.iter().map(|other| (other.name, other.score)).collect()
}

#[test]
fn options_are_compared_by_tokens_and_beside_it_by_sums_and_characters() {
    // By tokens and by sums the first option leads, a character the second; in the second example by tokens alone.
    let examples = [example(0, &[], &[2, 10]), example(0, &[], &[4, 4])];
    let given = [scores(&[(-4.0, 2), (-9.0, 3)]), scores(&[(-6.0, 4), (-5.0, 2)])];
    let found = of(&examples, &given, None);
    assert_eq!((found.predictions.as_slice(), found.marks.as_slice()), ([0, 0].as_slice(), [1.0, 1.0].as_slice()));
    assert_eq!(named(&found), [("acc", 0.5), ("acc_norm", 0.0), ("macro_f1", 1.0)]);
    assert!(
        found.others.iter().all(|other| other.interval.is_some_and(|i| i.low <= other.score && other.score <= i.high))
    );
    assert_eq!((found.score, found.random, found.majority), (1.0, Some(0.5), Some(1.0)));
    let text = found.to_string();
    assert!(
        text.contains("random 50.00 %") && text.contains("acc 50.00 % (9.45 to 90.55), acc_norm 0.00 % ("),
        "{text}"
    );
}

#[test]
fn calibration_takes_off_what_an_option_has_by_itself_and_leaves_the_loss() {
    let examples = [example(1, &[], &[1, 1])];
    let given = [scores(&[(-2.0, 1), (-6.0, 2)])];
    let free = [scores(&[(-1.0, 1), (-8.0, 2)])];
    let (plain, calibrated) = (of(&examples, &given, None), of(&examples, &given, Some(&free)));
    assert_eq!((plain.predictions[0], calibrated.predictions[0]), (0, 1));
    assert_eq!(calibrated.values, [[-1.0, 2.0]]);
    assert_eq!((plain.loss, &plain.others[0]), (calibrated.loss, &calibrated.others[0]));
    let short = Evaluated::of(&examples, given.to_vec(), Some(&[]), RULE, Counts::default(), 1.0);
    assert!(matches!(short, Err(Error::Task(_))));
}

#[test]
fn any_of_the_right_options_is_right() {
    let found = of(&[example(0, &[2], &[1, 1, 1, 1])], &[scores(&[(-3.0, 1), (-4.0, 1), (-1.0, 1), (-5.0, 1)])], None);
    assert_eq!((found.predictions[0], found.score, found.random), (2, 1.0, Some(0.5)));
}

#[test]
fn texts_are_scored_against_the_accepted_answers() {
    let accepts =
        |answers: &[&str]| Example { answers: answers.iter().map(|a| (*a).to_owned()).collect(), ..Example::default() };
    let examples = [accepts(&["the sea", "water"]), accepts(&["a low land"])];
    let texts = ["Sea.".to_owned(), "low sky".to_owned()];
    let found = Evaluated::of_texts(&examples, &texts, Metric::F1, Counts::default(), 1.0).unwrap();
    assert_eq!((found.marks.as_slice(), found.score, found.n), ([1.0, 0.5].as_slice(), 0.75, 2));
    assert_eq!(named(&found), [("f1", 0.75), ("exact_match", 0.5)]);
    // The score itself is F1, and the same interval stands beside it.
    assert_eq!(found.others[0].interval, found.interval);
    assert_eq!(found.others[1].interval.map(|i| (i.low, i.high)), Some((0.0, 1.0)));
    assert!(found.majority.is_some() && found.random.is_none() && found.interval.is_some());
    assert!(!found.to_string().contains("loss"), "{found}");
    let exact = Evaluated::of_texts(&examples, &texts, Metric::ExactMatch, Counts::default(), 1.0).unwrap();
    assert_eq!((exact.metric, exact.score), (Metric::ExactMatch, 0.5));
    assert!(Evaluated::of_texts(&examples, &texts[1..], Metric::F1, Counts::default(), 1.0).is_err());
    assert!(Evaluated::of_texts(&[accepts(&[])], &texts[1..], Metric::F1, Counts::default(), 1.0).is_err());
}
