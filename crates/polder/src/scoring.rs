//! Evaluation: every option of every example, packed into passes.

use std::cmp::Reverse;

use polder_perturb::Points;
use polder_tasks::{EncodedExample, LossKind, Metric, Normalize, Task, TextLength, predict};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::packing::{Common, Packed, alike_examples, all_options};

/// How many token rows an evaluation pass takes unless told otherwise; results do not depend on it. Their activations stay
/// in the last cache: 2,048 rows took 8 to 21 % longer with SmolLM2-135M in f32.
pub const ROWS_A_PASS: usize = 512;

/// How much an evaluation pass takes; results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassSize {
    /// About that many token rows, one example at least.
    Rows(usize),
    /// That many examples, one at least.
    Examples(usize),
}

impl Default for PassSize {
    fn default() -> Self {
        Self::Rows(ROWS_A_PASS)
    }
}

/// How options are chosen by their scores, and the choices scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How the loss is made.
    pub loss: LossKind,
    /// How predictions are scored.
    pub metric: Metric,
    /// How an option's score is made of its log-probabilities.
    pub normalize: Normalize,
    /// Whether all examples have the same options, so that an option is a class.
    pub classes: bool,
}

impl Rule {
    /// A task's own.
    pub fn of(task: &dyn Task) -> Self {
        let classes = task.label_names().is_some();
        Self { loss: task.loss(), metric: task.metric(), normalize: task.normalize(), classes }
    }
}

/// What a model gives an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionScore {
    /// `Σ log p(token | all before it)` over the option's tokens, in nats, summed in f64 from left to right.
    pub sum: f64,
    /// How many tokens.
    pub tokens: usize,
}

impl OptionScore {
    /// The score of an option, in nats a token: the mean log-probability of its tokens (MeZO, authors' code).
    pub fn mean(&self) -> f64 {
        self.sum / self.tokens as f64
    }

    /// The score by which options are compared; see [`Normalize`].
    pub fn normalized(&self, by: Normalize, length: TextLength) -> f64 {
        match by {
            Normalize::Tokens => self.mean(),
            Normalize::None => self.sum,
            Normalize::Characters => self.sum / length.characters.max(1) as f64,
            Normalize::Bytes => self.sum / length.bytes.max(1) as f64,
        }
    }

    /// Sums up the log-probabilities of an option's tokens.
    pub(crate) fn of(log_probs: &[f64]) -> Self {
        Self { sum: log_probs.iter().sum(), tokens: log_probs.len() }
    }
}

/// What a pass of [`score_passes`] gave.
#[derive(Debug)]
pub struct Pass<'a> {
    /// How many examples are done.
    pub done: usize,
    /// The numbers of the examples of this pass.
    pub examples: &'a [usize],
    /// The scores of all examples; empty for those that are not done.
    pub scores: &'a [Vec<OptionScore>],
}

/// The score of every option of every example: `scores[example][option]`, in the order of the examples.
///
/// `on_pass` hears how many examples are done and may end the evaluation.
///
/// # Errors
/// As [`score_passes`].
pub fn score(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    size: PassSize,
    on_pass: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<Vec<OptionScore>>> {
    score_passes(engine, examples, size, &mut |pass| on_pass(pass.done))
}

/// As [`score`], with what each pass gave.
///
/// Examples are packed into passes of `size`, by rows those that begin alike next to one another, so that a pass runs what
/// they share once; each option's bits depend on its own tokens only. What all examples begin with (demonstrations, an
/// instruction) is run once for all passes; the few that begin otherwise, since they were cut to fit, come last. `on_pass`
/// may end the evaluation.
///
/// # Errors
/// An example that can't be scored; a failing pass; what `on_pass` answers.
pub fn score_passes(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    size: PassSize,
    on_pass: &mut dyn FnMut(&Pass<'_>) -> Result<()>,
) -> Result<Vec<Vec<OptionScore>>> {
    let (most, others) = alike_examples(examples);
    let mut state = Progress { done: 0, scores: vec![Vec::new(); examples.len()], on_pass };
    for members in [most, others] {
        score_alike(engine, examples, members, size, &mut state)?;
    }
    Ok(state.scores)
}

/// How far an evaluation is.
struct Progress<'a> {
    done: usize,
    scores: Vec<Vec<OptionScore>>,
    on_pass: &'a mut dyn FnMut(&Pass<'_>) -> Result<()>,
}

/// Scores the examples of those numbers.
fn score_alike(
    engine: &Engine<'_>,
    examples: &[EncodedExample],
    mut order: Vec<usize>,
    size: PassSize,
    state: &mut Progress<'_>,
) -> Result<()> {
    let common = Common::of(order.iter().map(|i| &examples[*i]));
    let stem = match common.ids() {
        [] => None,
        ids => Some(engine.stem(&Points::plain(), ids)?),
    };
    let alone = Packed::after(&common);
    let rows = |i: usize| alone.growth(&all_options(&examples[i]));
    let least = match size {
        PassSize::Rows(most) => most,
        PassSize::Examples(_) => 0,
    };
    // The longest first, so that what a pass needs at most is known at once; where rows are what fills it, only those that
    // are longer than a pass, and the rest by what they begin with.
    let ids = |i: usize| examples[i].options.first().map_or(&[][..], |option| option.ids.as_slice());
    order.sort_by_cached_key(|i| (Reverse(rows(*i).max(least)), ids(*i)));
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let mut taken = 0;
        let mut packed = Packed::after(&common);
        for i in rest {
            let options = all_options(&examples[*i]);
            let full = match size {
                PassSize::Rows(most) => packed.tokens.rows() + packed.growth(&options) > most,
                PassSize::Examples(most) => taken >= most,
            };
            if taken > 0 && full {
                break;
            }
            packed.push(&options)?;
            taken += 1;
        }
        let (of_pass, later) = rest.split_at(taken);
        let log_probs = engine.log_probs_of(&Points::plain(), stem.as_ref(), &packed)?;
        for (i, spans) in of_pass.iter().zip(&packed.spans) {
            state.scores[*i] = spans.iter().map(|span| OptionScore::of(&log_probs[span.clone()])).collect();
        }
        state.done += taken;
        (state.on_pass)(&Pass { done: state.done, examples: of_pass, scores: &state.scores })?;
        rest = later;
    }
    Ok(())
}

/// The loss of an example in nats, and its weight in the mean.
///
/// `Options`: the cross-entropy `log Σⱼ exp(sⱼ) − s_gold` over the options with their scores s as logits, weight 1.
/// `Target`: the mean negative log-probability of the gold option's tokens, weight their number (MeZO, authors' code).
/// `Accuracy`: −1 where the gold option has the highest score, else 0, weight 1.
///
/// # Errors
/// An example without a gold option; a loss of generated answers.
pub fn loss(kind: LossKind, scores: &[OptionScore], gold: Option<usize>) -> Result<(f64, f64)> {
    let right = gold.and_then(|g| scores.get(g)).ok_or(Error::NoGold)?;
    Ok(match kind {
        LossKind::Target => (-right.mean(), right.tokens as f64),
        LossKind::Options => (log_sum_exp(scores) - right.mean(), 1.0),
        LossKind::Accuracy => (-share_right(scores, &[], gold), 1.0),
        LossKind::F1 => return Err(crate::answering::not_here()),
    })
}

/// The loss of an example, which knows what else counts as right; as [`loss`].
///
/// # Errors
/// As there.
pub fn example_loss(kind: LossKind, example: &EncodedExample, scores: &[OptionScore]) -> Result<(f64, f64)> {
    match (kind, example.gold) {
        (LossKind::Accuracy, Some(_)) => Ok((-share_right(scores, &example.also, example.gold), 1.0)),
        _ => loss(kind, scores, example.gold),
    }
}

/// 1 where the option with the highest score is right, else 0; not a number where a score is none.
fn share_right(scores: &[OptionScore], also: &[usize], gold: Option<usize>) -> f64 {
    if scores.iter().any(|s| s.mean().is_nan()) {
        return f64::NAN;
    }
    let chosen = prediction(scores);
    if chosen.is_some_and(|chosen| gold == Some(chosen) || also.contains(&chosen)) { 1.0 } else { 0.0 }
}

/// `log Σ exp(s)`, stable; not a number where a score is none.
fn log_sum_exp(scores: &[OptionScore]) -> f64 {
    // f64::max passes over what is no number, so these are asked for first.
    if scores.iter().any(|s| s.mean().is_nan()) {
        return f64::NAN;
    }
    let top = scores.iter().map(OptionScore::mean).fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return f64::NAN;
    }
    top + scores.iter().map(|s| (s.mean() - top).exp()).sum::<f64>().ln()
}

/// The weighted mean of the losses of labelled examples, in nats, summed in f64 in the order of the examples.
///
/// # Errors
/// An example without a gold option; no example.
pub fn mean_loss(kind: LossKind, examples: &[EncodedExample], scores: &[Vec<OptionScore>]) -> Result<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for (example, scores) in examples.iter().zip(scores) {
        let (value, w) = example_loss(kind, example, scores)?;
        sum += w * value;
        weight += w;
    }
    if weight == 0.0 { Err(Error::NoGold) } else { Ok(sum / weight) }
}

/// The scores by which an example's options are compared.
pub fn values(by: Normalize, example: &EncodedExample, scores: &[OptionScore]) -> Vec<f64> {
    let length = |option: usize| example.lengths.get(option).copied().unwrap_or_default();
    scores.iter().enumerate().map(|(option, score)| score.normalized(by, length(option))).collect()
}

/// The option with the highest mean, the first of equal ones; `None` where there are no options.
pub fn prediction(scores: &[OptionScore]) -> Option<usize> {
    let means: Vec<f64> = scores.iter().map(OptionScore::mean).collect();
    (!means.is_empty()).then(|| predict(&means))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(sums: &[(f64, usize)]) -> Vec<OptionScore> {
        sums.iter().map(|(sum, tokens)| OptionScore { sum: *sum, tokens: *tokens }).collect()
    }

    #[test]
    fn losses_are_those_of_the_formulas() {
        let scores = scored(&[(-2.0, 2), (-6.0, 3)]);
        let (options, weight) = loss(LossKind::Options, &scores, Some(1)).unwrap();
        // Means −1 and −2: cross-entropy of the second is ln(e^−1 + e^−2) + 2.
        let expected = ((-1f64).exp() + (-2f64).exp()).ln() + 2.0;
        assert!((options - expected).abs() < 1e-14 && weight == 1.0);
        assert_eq!(loss(LossKind::Target, &scores, Some(1)).unwrap(), (2.0, 3.0));
        assert_eq!(loss(LossKind::Accuracy, &scores, Some(0)).unwrap(), (-1.0, 1.0));
        assert_eq!(loss(LossKind::Accuracy, &scores, Some(1)).unwrap(), (0.0, 1.0));
        let also = EncodedExample { gold: Some(1), also: vec![0], ..EncodedExample::default() };
        assert_eq!(example_loss(LossKind::Accuracy, &also, &scores).unwrap(), (-1.0, 1.0));
        assert!(matches!(loss(LossKind::F1, &scores, Some(1)), Err(Error::NotOfScores { .. })));
        assert!(matches!(loss(LossKind::Options, &scores, None), Err(Error::NoGold)));
        assert!(matches!(loss(LossKind::Options, &scores, Some(2)), Err(Error::NoGold)));
    }

    #[test]
    fn scores_are_divided_by_tokens_characters_or_bytes() {
        let lengths = vec![TextLength { characters: 4, bytes: 8 }, TextLength { characters: 12, bytes: 12 }];
        let example = EncodedExample { lengths, ..EncodedExample::default() };
        let scores = scored(&[(-8.0, 2), (-12.0, 4)]);
        for (by, expected) in [
            (Normalize::Tokens, [-4.0, -3.0]),
            (Normalize::None, [-8.0, -12.0]),
            (Normalize::Characters, [-2.0, -1.0]),
            (Normalize::Bytes, [-1.0, -1.0]),
        ] {
            assert_eq!(values(by, &example, &scores), expected, "{by}");
        }
    }

    #[test]
    fn the_prediction_is_the_highest_mean() {
        assert_eq!(prediction(&scored(&[(-4.0, 4), (-1.5, 1)])), Some(0));
        assert_eq!(prediction(&[]), None);
    }

    #[test]
    fn large_scores_do_not_overflow_and_broken_ones_show() {
        let (value, _) = loss(LossKind::Options, &scored(&[(-2000.0, 1), (-1000.0, 1)]), Some(0)).unwrap();
        assert!((value - 1000.0).abs() < 1e-9);
        let (broken, _) = loss(LossKind::Options, &scored(&[(f64::NAN, 1), (-1.0, 1)]), Some(1)).unwrap();
        assert!(broken.is_nan());
    }
}
