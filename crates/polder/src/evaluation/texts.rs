//! Evaluation of generated texts.

use polder_tasks::{AnswerScore, Example, Metric, answer_score, majority_answer, statistics};

use super::{Evaluated, OtherScore};
use crate::engine::Counts;
use crate::error::{Error, Result};

impl Evaluated {
    /// What generated texts say of examples with accepted answers, scored by `metric` ([`Metric::F1`] where that scores no
    /// texts); `cost` and `seconds` are what it took to generate them.
    ///
    /// # Errors
    /// No examples; one without an accepted answer; another number of texts.
    pub fn of_texts(
        examples: &[Example],
        texts: &[String],
        metric: Metric,
        cost: Counts,
        seconds: f64,
    ) -> Result<Self> {
        if examples.len() != texts.len() {
            return Err(polder_tasks::Error::Unpaired { first: examples.len(), second: texts.len() }.into());
        }
        if examples.is_empty() || examples.iter().any(|example| example.answers.is_empty()) {
            return Err(Error::NoGold);
        }
        let metric = if metric.of_texts() { metric } else { Metric::F1 };
        let answers: Vec<AnswerScore> =
            examples.iter().zip(texts).map(|(example, text)| answer_score(text, &example.answers)).collect();
        let marks: Vec<f64> = answers.iter().filter_map(|answer| metric.of_answer(*answer)).collect();
        let accepted: Vec<&[String]> = examples.iter().map(|example| example.answers.as_slice()).collect();
        let other = |name, of: fn(&AnswerScore) -> f64| {
            let values: Vec<f64> = answers.iter().map(of).collect();
            let score = values.iter().sum::<f64>() / values.len() as f64;
            OtherScore { name, score, interval: statistics::bootstrap_mean(&values, 0) }
        };
        Ok(Self {
            metric,
            score: marks.iter().sum::<f64>() / marks.len() as f64,
            interval: statistics::bootstrap_mean(&marks, 0),
            majority: majority_answer(metric, &accepted),
            random: None,
            n: examples.len(),
            loss: f64::NAN,
            seconds,
            forwards: cost.passes,
            sequences: cost.sequences,
            tokens: cost.tokens,
            others: vec![other("f1", |a| a.f1), other("exact_match", |a| a.exact)],
            scores: Vec::new(),
            values: Vec::new(),
            predictions: Vec::new(),
            marks,
            answers,
        })
    }
}
