//! Evaluation of a task: predictions, score, interval, baselines, loss and cost.

mod ledger;
mod recorded;
mod texts;

use std::time::Instant;

use polder_tasks::{
    AnswerScore, EncodedExample, Interval, Metric, Normalize, interval, majority, predict, random_baseline,
};

pub use ledger::{Answer, Key, Ledger, key_of_options, key_of_text};

use crate::engine::{Counts, Engine};
use crate::error::{Error, Result};
use crate::scoring::{OptionScore, PassSize, Rule, mean_loss, score, values};

/// How well a model answers, and what it cost to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// How predictions are scored.
    pub metric: Metric,
    /// The score: a share between 0 and 1, or for [`Metric::Loss`] the loss.
    pub score: f64,
    /// The score's 95 % interval; `None` for a loss.
    pub interval: Option<Interval>,
    /// The score of always giving the commonest right answer; `None` for a loss.
    pub majority: Option<f64>,
    /// The score of options drawn at random; `None` where there are none.
    pub random: Option<f64>,
    /// How many examples.
    pub n: usize,
    /// The mean loss, in nats; not a number where generated texts are scored.
    pub loss: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Forward passes of the model.
    pub forwards: u64,
    /// Sequences in these passes; options share their prompt's.
    pub sequences: u64,
    /// Token rows in these passes.
    pub tokens: u64,
    /// Other scores of the same answers: `acc` (options compared by their sums) and `acc_norm` (by their sums a character), as
    /// lm-evaluation-harness defines them, and `macro_f1` where the options are classes; of generated texts `f1` and
    /// `exact_match`.
    pub others: Vec<OtherScore>,
    /// Every option's score: `scores[example][option]`; without calibration.
    pub scores: Vec<Vec<OptionScore>>,
    /// What options were chosen by: `values[example][option]`; normalised or calibrated.
    pub values: Vec<Vec<f64>>,
    /// The option that each example is answered with.
    pub predictions: Vec<usize>,
    /// What each example counts: 1 where its answer is right and 0 where not, or what the metric gives its text.
    pub marks: Vec<f64>,
    /// The scores of generated texts; empty where options are chosen.
    pub answers: Vec<AnswerScore>,
}

/// Another score of the same answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OtherScore {
    /// Its name.
    pub name: &'static str,
    /// The score, a share between 0 and 1.
    pub score: f64,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
}

impl OtherScore {
    /// Of the right option and the one chosen of every example; `None` without examples.
    fn of(name: &'static str, metric: Metric, pairs: &[(usize, usize)]) -> Option<Self> {
        Some(Self { name, score: metric.score(pairs)?, interval: interval(metric, pairs, 0) })
    }
}

impl std::fmt::Display for OtherScore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:.2} %", self.name, 100.0 * self.score)?;
        self.interval.map_or(Ok(()), |i| write!(f, " ({:.2} to {:.2})", 100.0 * i.low, 100.0 * i.high))
    }
}

/// Evaluates labelled examples.
///
/// `on_pass` hears how many examples are done and may end the evaluation.
///
/// # Errors
/// No examples; one without a right option; a failing pass; what `on_pass` answers.
pub fn evaluate(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    rule: Rule,
    size: PassSize,
    on_pass: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Evaluated> {
    let (start, before) = (Instant::now(), engine.counts());
    let scores = score(engine, examples, size, on_pass)?;
    let cost = engine.counts().since(before);
    Evaluated::of(examples, scores, None, rule, cost, start.elapsed().as_secs_f64())
}

impl Evaluated {
    /// What scores say of labelled examples; `cost` and `seconds` are what it took to get them.
    ///
    /// With the scores of the same options after a prompt without content, an option's value is the difference of the sums,
    /// `Σ log p(option | prompt) − Σ log p(option | content-free prompt)`, whatever the rule's normalisation (surface form
    /// competition: Holtzman et al. 2021; MeZO's SFC, and its ICL-SFC where demonstrations stand in front of both). Loss,
    /// `acc` and `acc_norm` are without calibration.
    ///
    /// # Errors
    /// No examples; one without a right option; scores of other options.
    pub fn of(
        examples: &[EncodedExample],
        scores: Vec<Vec<OptionScore>>,
        content_free: Option<&[Vec<OptionScore>]>,
        rule: Rule,
        cost: Counts,
        seconds: f64,
    ) -> Result<Self> {
        let values = match content_free {
            None => compared(rule.normalize, examples, &scores),
            Some(free) => calibrated(&scores, free)?,
        };
        let predictions = chosen(&values)?;
        let gold: Vec<usize> = examples.iter().map(|e| e.gold.ok_or(Error::NoGold)).collect::<Result<_>>()?;
        let pairs = pairs(examples, &predictions);
        let loss = mean_loss(rule.loss, examples, &scores)?;
        // Texts are scored by `of_texts`; what the scores of a target alone say is its loss.
        let metric = if rule.metric.of_texts() { Metric::Loss } else { rule.metric };
        Ok(Self {
            metric,
            score: metric.score(&pairs).unwrap_or(loss),
            interval: interval(metric, &pairs, 0),
            majority: majority(metric, &gold),
            random: random_baseline(metric, examples),
            n: pairs.len(),
            loss,
            seconds,
            forwards: cost.passes,
            sequences: cost.sequences,
            tokens: cost.tokens,
            others: others(examples, &scores, &pairs, rule.classes)?,
            scores,
            values,
            predictions,
            marks: pairs.iter().map(|(gold, answer)| if gold == answer { 1.0 } else { 0.0 }).collect(),
            answers: Vec::new(),
        })
    }

    /// The same predictions, scored by another metric; `None` where that needs no predictions.
    pub fn score_by(&self, metric: Metric, examples: &[EncodedExample]) -> Option<f64> {
        metric.score(&pairs(examples, &self.predictions))
    }
}

/// What rows count as JSON numbers, whole ones without a fraction, so that a row of 0 and 1 takes two bytes.
pub(crate) fn compact(marks: &[f64]) -> serde_json::Value {
    let number = |mark: &f64| match mark.fract() == 0.0 && mark.abs() < 1e9 {
        true => serde_json::Value::from(*mark as i64),
        false => serde_json::Value::from(*mark),
    };
    marks.iter().map(number).collect()
}

/// Each option's sum less that after the prompt without content.
fn calibrated(scores: &[Vec<OptionScore>], free: &[Vec<OptionScore>]) -> Result<Vec<Vec<f64>>> {
    let paired = |first: usize, second: usize| match first == second {
        true => Ok(()),
        false => Err(polder_tasks::Error::Unpaired { first, second }),
    };
    paired(scores.len(), free.len())?;
    let mut values = Vec::with_capacity(scores.len());
    for (scores, free) in scores.iter().zip(free) {
        paired(scores.len(), free.len())?;
        values.push(scores.iter().zip(free).map(|(score, free)| score.sum - free.sum).collect());
    }
    Ok(values)
}

/// The scores by which the options of every example are compared.
fn compared(by: Normalize, examples: &[EncodedExample], scores: &[Vec<OptionScore>]) -> Vec<Vec<f64>> {
    examples.iter().zip(scores).map(|(example, scores)| values(by, example, scores)).collect()
}

/// `acc`, `acc_norm` and, of classes, `macro_f1` of the choices that were made.
fn others(
    examples: &[EncodedExample],
    scores: &[Vec<OptionScore>],
    made: &[(usize, usize)],
    classes: bool,
) -> Result<Vec<OtherScore>> {
    let mut others = Vec::new();
    if examples.iter().any(|example| example.options.len() > 1) {
        for (name, by) in [("acc", Normalize::None), ("acc_norm", Normalize::Characters)] {
            let pairs = pairs(examples, &chosen(&compared(by, examples, scores))?);
            others.extend(OtherScore::of(name, Metric::Accuracy, &pairs));
        }
        if classes {
            others.extend(OtherScore::of("macro_f1", Metric::MacroF1, made));
        }
    }
    Ok(others)
}

/// The option with the highest value of every example.
fn chosen(values: &[Vec<f64>]) -> Result<Vec<usize>> {
    values.iter().map(|values| if values.is_empty() { Err(Error::NoGold) } else { Ok(predict(values)) }).collect()
}

/// The right option and the one chosen of every labelled example; a chosen one that counts as right is its own gold.
fn pairs(examples: &[EncodedExample], predictions: &[usize]) -> Vec<(usize, usize)> {
    let pair = |(example, answer): (&EncodedExample, &usize)| {
        let gold = example.gold?;
        Some((if example.also.contains(answer) { *answer } else { gold }, *answer))
    };
    examples.iter().zip(predictions).filter_map(pair).collect()
}

impl std::fmt::Display for Evaluated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |score: f64| format!("{:.2} %", 100.0 * score);
        if self.metric == Metric::Loss {
            write!(f, "loss {:.4}", self.loss)?;
        } else {
            write!(f, "{} {}", self.metric, percent(self.score))?;
            if let Some(i) = self.interval {
                write!(f, " (95 % interval {:.2} to {:.2})", 100.0 * i.low, 100.0 * i.high)?;
            }
            for (name, baseline) in [("majority", self.majority), ("random", self.random)] {
                if let Some(baseline) = baseline {
                    write!(f, ", {name} {}", percent(baseline))?;
                }
            }
            if self.answers.is_empty() {
                write!(f, ", loss {:.4}", self.loss)?;
            }
        }
        if !self.others.is_empty() {
            let others: Vec<String> = self.others.iter().map(ToString::to_string).collect();
            write!(f, "\n  {}", others.join(", "))?;
        }
        let rate = if self.seconds > 0.0 { self.tokens as f64 / self.seconds } else { 0.0 };
        let counted = |n: u64, one: &str, more: &str| format!("{n} {one}{}", if n == 1 { "" } else { more });
        let (examples, passes) = (counted(self.n as u64, "example", "s"), counted(self.forwards, "forward pass", "es"));
        write!(f, "\n  {examples}, {passes}, {}, ", counted(self.sequences, "sequence", "s"))?;
        write!(f, "{} tokens in {:.2} s ({rate:.0} tokens/s)", self.tokens, self.seconds)
    }
}

#[cfg(test)]
mod tests;
