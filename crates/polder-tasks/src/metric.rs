//! Predictions and their scores.

use serde::{Deserialize, Serialize};

use crate::{AnswerScore, Error, Result};

/// How predictions are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Share of examples whose prediction is the gold option.
    Accuracy,
    /// Mean over classes of `F1 = 2·tp / (2·tp + fp + fn)`; the classes are those that occur as gold or prediction.
    MacroF1,
    /// F1 of option 1 (the second): `2·tp / (2·tp + fp + fn)`; 0 where it is neither gold nor predicted.
    BinaryF1,
    /// Mean token F1 of generated answers; see [`answer_score`](crate::answer_score).
    F1,
    /// Share of generated answers that are equal to an accepted one; see [`answer_score`](crate::answer_score).
    ExactMatch,
    /// No predictions: the mean loss an option token in nats is the score, lower is better.
    Loss,
}

impl Metric {
    /// Whether the score is made of predictions.
    pub fn needs_predictions(self) -> bool {
        self != Self::Loss
    }

    /// Whether generated texts are scored and not the options chosen.
    pub fn of_texts(self) -> bool {
        matches!(self, Self::F1 | Self::ExactMatch)
    }

    /// Whether the score is the mean of what each row counts by itself.
    pub fn is_mean(self) -> bool {
        matches!(self, Self::Accuracy | Self::F1 | Self::ExactMatch)
    }

    /// What a generated answer counts, between 0 and 1; `None` for other metrics than of texts.
    pub fn of_answer(self, score: AnswerScore) -> Option<f64> {
        match self {
            Self::F1 => Some(score.f1),
            Self::ExactMatch => Some(score.exact),
            Self::Accuracy | Self::MacroF1 | Self::BinaryF1 | Self::Loss => None,
        }
    }

    /// Whether a larger score is better.
    pub fn higher_is_better(self) -> bool {
        self != Self::Loss
    }

    /// The score of (gold, prediction) pairs, between 0 and 1; `None` without pairs, or where the metric is the loss or of
    /// generated texts.
    pub fn score(self, pairs: &[(usize, usize)]) -> Option<f64> {
        match self {
            _ if pairs.is_empty() => None,
            Self::Accuracy => Some(right(pairs) as f64 / pairs.len() as f64),
            Self::MacroF1 => Some(macro_f1(pairs)),
            Self::BinaryF1 => Some(f1_of_one(pairs)),
            Self::F1 | Self::ExactMatch | Self::Loss => None,
        }
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Accuracy => "accuracy",
            Self::MacroF1 => "macro-f1",
            Self::BinaryF1 => "binary-f1",
            Self::F1 => "f1",
            Self::ExactMatch => "exact-match",
            Self::Loss => "loss",
        })
    }
}

impl std::str::FromStr for Metric {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "accuracy" => Ok(Self::Accuracy),
            "macro-f1" => Ok(Self::MacroF1),
            "binary-f1" => Ok(Self::BinaryF1),
            "f1" => Ok(Self::F1),
            "exact-match" => Ok(Self::ExactMatch),
            "loss" => Ok(Self::Loss),
            _ => Err(Error::Name {
                what: "metric",
                value: text.to_owned(),
                choices: "accuracy, macro-f1, binary-f1, f1, exact-match, loss",
            }),
        }
    }
}

/// How many pairs agree.
pub(crate) fn right(pairs: &[(usize, usize)]) -> usize {
    pairs.iter().filter(|(gold, prediction)| gold == prediction).count()
}

fn macro_f1(pairs: &[(usize, usize)]) -> f64 {
    // True positives, and how often a class occurs as gold or as prediction (2·tp + fp + fn).
    let mut classes: std::collections::BTreeMap<usize, (u64, u64)> = std::collections::BTreeMap::new();
    for (gold, prediction) in pairs {
        classes.entry(*gold).or_default().1 += 1;
        classes.entry(*prediction).or_default().1 += 1;
        if gold == prediction {
            classes.entry(*gold).or_default().0 += 1;
        }
    }
    let sum: f64 = classes.values().map(|(hits, occurrences)| 2.0 * *hits as f64 / *occurrences as f64).sum();
    sum / classes.len().max(1) as f64
}

fn f1_of_one(pairs: &[(usize, usize)]) -> f64 {
    let hits = pairs.iter().filter(|pair| **pair == (1, 1)).count();
    let occurrences =
        pairs.iter().map(|(gold, answer)| usize::from(*gold == 1) + usize::from(*answer == 1)).sum::<usize>();
    if occurrences == 0 { 0.0 } else { 2.0 * hits as f64 / occurrences as f64 }
}

/// The score of always answering with the commonest gold option (the first of several); `None` as [`Metric::score`].
pub fn majority(metric: Metric, gold: &[usize]) -> Option<f64> {
    let mut counts: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    for class in gold {
        *counts.entry(*class).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    let answer = counts.iter().find(|(_, count)| **count == most).map(|(class, _)| *class)?;
    let pairs: Vec<(usize, usize)> = gold.iter().map(|g| (*g, answer)).collect();
    metric.score(&pairs)
}

/// The option with the largest score, the first of several; a NaN is never larger. 0 where there are none.
pub fn predict(scores: &[f64]) -> usize {
    let mut best = 0;
    for (option, score) in scores.iter().enumerate() {
        let leader = scores.get(best).copied().unwrap_or(f64::NAN);
        if *score > leader || (leader.is_nan() && !score.is_nan()) {
            best = option;
        }
    }
    best
}

/// `softmax(scores)`: the options' probabilities, the scores being logits in nats.
pub fn probabilities(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let parts: Vec<f64> = scores.iter().map(|s| (s - largest).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.iter().map(|p| p / sum).collect()
}
