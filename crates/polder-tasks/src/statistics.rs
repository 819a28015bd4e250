//! How sure a score is, and how sure a difference of two.

use serde::{Deserialize, Serialize};

use crate::metric::right;
use crate::permutation::Draws;
use crate::{Error, Metric, Result};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// The standard normal's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval that is printed beside a score: Wilson's for accuracy, the bootstrap's otherwise; `None` as
/// [`Metric::score`].
pub fn interval(metric: Metric, pairs: &[(usize, usize)], seed: u64) -> Option<Interval> {
    match metric {
        Metric::Accuracy => wilson(right(pairs), pairs.len()),
        _ => bootstrap(metric, pairs, seed),
    }
}

/// Wilson's 95 % score interval of a proportion (Wilson 1927):
/// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`; `None` for n = 0.
pub fn wilson(successes: usize, n: usize) -> Option<Interval> {
    if n == 0 || successes > n {
        return None;
    }
    let (n, p) = (n as f64, successes as f64 / n as f64);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let (middle, scale) = (p + Z * Z / (2.0 * n), 1.0 + Z * Z / n);
    // At both ends the formula gives 0 and 1 up to rounding.
    let low = if successes == 0 { 0.0 } else { (middle - spread) / scale };
    let high = if p == 1.0 { 1.0 } else { (middle + spread) / scale };
    Some(Interval { low, high })
}

/// The 95 % percentile bootstrap interval (Efron 1979): 2,000 resamples of the examples with replacement, seeded.
pub fn bootstrap(metric: Metric, pairs: &[(usize, usize)], seed: u64) -> Option<Interval> {
    metric.score(pairs)?;
    let mut draws = Draws::new(seed, b"resample");
    percentiles(|| {
        let resampled: Vec<_> = (0..pairs.len()).filter_map(|_| pick(pairs, &mut draws)).collect();
        metric.score(&resampled)
    })
}

/// The 95 % percentile bootstrap interval of a mean, such as that of F1 over generated answers; `None` without values.
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Option<Interval> {
    mean(values)?;
    let mut draws = Draws::new(seed, b"resample");
    percentiles(|| mean(&(0..values.len()).filter_map(|_| pick(values, &mut draws)).collect::<Vec<_>>()))
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn pick<T: Copy>(items: &[T], draws: &mut Draws) -> Option<T> {
    items.get(draws.below(items.len() as u64) as usize).copied()
}

fn percentiles(mut draw: impl FnMut() -> Option<f64>) -> Option<Interval> {
    let mut values: Vec<f64> = (0..RESAMPLES).filter_map(|_| draw()).collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get(((values.len() as f64 - 1.0).max(0.0) * share).round() as usize).copied();
    Some(Interval { low: at(0.025)?, high: at(0.975)? })
}

/// Two lists of predictions for the same examples, compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Score of the first minus score of the second.
    pub difference: f64,
    /// Its 95 % percentile bootstrap interval, examples resampled in pairs.
    pub interval: Interval,
    /// Examples that only the first has right.
    pub only_first: usize,
    /// Examples that only the second has right.
    pub only_second: usize,
    /// McNemar's exact test: the two-sided probability of a split at least as uneven if both were equally good.
    pub p_value: f64,
}

/// The difference of two lists of predictions on the same examples; `None` without examples, or where the metric is the
/// loss.
///
/// # Errors
/// [`Error::Unpaired`] for lists of different length.
pub fn paired_difference(
    metric: Metric,
    gold: &[usize],
    first: &[usize],
    second: &[usize],
    seed: u64,
) -> Result<Option<PairedDifference>> {
    for list in [first, second] {
        if list.len() != gold.len() {
            return Err(Error::Unpaired { first: gold.len(), second: list.len() });
        }
    }
    let triples: Vec<_> = gold.iter().zip(first).zip(second).map(|((g, a), b)| (*g, *a, *b)).collect();
    let Some(difference) = difference(metric, &triples) else {
        return Ok(None);
    };
    let mut draws = Draws::new(seed, b"resample");
    let interval = percentiles(|| {
        let resampled: Vec<_> = (0..triples.len()).filter_map(|_| pick(&triples, &mut draws)).collect();
        self::difference(metric, &resampled)
    });
    let only_first = triples.iter().filter(|(g, a, b)| a == g && b != g).count();
    let only_second = triples.iter().filter(|(g, a, b)| a != g && b == g).count();
    Ok(interval.map(|interval| PairedDifference {
        difference,
        interval,
        only_first,
        only_second,
        p_value: mcnemar(only_first, only_second),
    }))
}

/// The difference of the means of two lists of values for the same examples, such as F1 of generated answers, or 1 where an
/// answer is right and 0 where not; `None` without examples. An example counts for the one whose value is larger.
///
/// # Errors
/// [`Error::Unpaired`] for lists of different length.
pub fn paired_means(first: &[f64], second: &[f64], seed: u64) -> Result<Option<PairedDifference>> {
    if first.len() != second.len() {
        return Err(Error::Unpaired { first: first.len(), second: second.len() });
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let (Some(difference), Some(interval)) = (mean(&differences), bootstrap_mean(&differences, seed)) else {
        return Ok(None);
    };
    let only_first = differences.iter().filter(|d| **d > 0.0).count();
    let only_second = differences.iter().filter(|d| **d < 0.0).count();
    let p_value = mcnemar(only_first, only_second);
    Ok(Some(PairedDifference { difference, interval, only_first, only_second, p_value }))
}

fn difference(metric: Metric, triples: &[(usize, usize, usize)]) -> Option<f64> {
    let first: Vec<_> = triples.iter().map(|(g, a, _)| (*g, *a)).collect();
    let second: Vec<_> = triples.iter().map(|(g, _, b)| (*g, *b)).collect();
    Some(metric.score(&first)? - metric.score(&second)?)
}

/// McNemar's exact two-sided p-value: `min(1, 2·P(X ≤ min(b, c)))`, `X ~ Binomial(b + c, ½)` (McNemar 1947).
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let n = (only_first + only_second) as f64;
    // Terms in logarithms: C(n, k)·2⁻ⁿ underflows from n = 1075 on.
    let mut term = -n * std::f64::consts::LN_2;
    let mut sum = 0.0;
    for k in 0..=only_first.min(only_second) {
        if k > 0 {
            term += ((n - k as f64 + 1.0) / k as f64).ln();
        }
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}
