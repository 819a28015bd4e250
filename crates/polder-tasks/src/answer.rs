//! Generated answers against accepted ones.

use std::collections::BTreeMap;

/// How near a generated answer is to the accepted ones, each between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AnswerScore {
    /// Token F1: `2·c / (p + a)`, `c` words in common (with multiplicity), `p` predicted, `a` accepted.
    pub f1: f64,
    /// 1 where the two are equal, else 0.
    pub exact: f64,
}

/// The scores of a generated answer, each the maximum over the accepted ones (SQuAD, Rajpurkar et al. 2016); 0 where none is
/// accepted.
///
/// Both are compared in lower case, without ASCII punctuation, without the articles a, an and the, words parted by white
/// space. Answers without a word have no words in common: their F1 is 0, as in the authors' script.
///
/// ```
/// let score = polder_tasks::answer_score("the Normans!", &["Normans".to_owned(), "in France".to_owned()]);
/// assert_eq!((score.f1, score.exact), (1.0, 1.0));
/// ```
pub fn answer_score(prediction: &str, accepted: &[String]) -> AnswerScore {
    let predicted = words(prediction);
    let mut best = AnswerScore::default();
    for answer in accepted {
        let answer = words(answer);
        best.f1 = best.f1.max(f1(&predicted, &answer));
        best.exact = best.exact.max(if predicted == answer { 1.0 } else { 0.0 });
    }
    best
}

/// An answer as it is compared.
pub fn normal_answer(text: &str) -> String {
    words(text).join(" ")
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let plain: String = lower.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let words = plain.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the"));
    words.map(str::to_owned).collect()
}

fn f1(predicted: &[String], answer: &[String]) -> f64 {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in answer {
        *counts.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in predicted {
        if let Some(left) = counts.get_mut(word.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            common += 1;
        }
    }
    if common == 0 { 0.0 } else { 2.0 * f64::from(common) / (predicted.len() + answer.len()) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(prediction: &str, accepted: &[&str]) -> (f64, f64) {
        let accepted: Vec<String> = accepted.iter().map(|a| (*a).to_owned()).collect();
        let score = answer_score(prediction, &accepted);
        (score.f1, score.exact)
    }

    #[test]
    fn the_best_of_the_accepted_answers_counts() {
        assert_eq!(against("The Denver Broncos.", &["Denver Broncos", "x"]), (1.0, 1.0));
        // One word of two against one of one: 2·1 / 3.
        assert_eq!(against("Denver Broncos", &["x", "Broncos"]), (2.0 / 3.0, 0.0));
        // A word counts as often as both have it.
        assert_eq!(against("so so so", &["so so"]), (0.8, 0.0));
        assert_eq!(against("New York", &["York New"]), (1.0, 0.0));
        assert_eq!(against("x", &[]), (0.0, 0.0));
    }

    #[test]
    fn case_punctuation_articles_and_white_space_do_not_count() {
        // Punctuation goes without leaving a space; articles go as whole words only.
        assert_eq!(normal_answer(" An  \"Anthem\",\tthe well-known\nÉlan! "), "anthem wellknown élan");
        assert_eq!(against("the", &["a"]), (0.0, 1.0));
    }
}
