//! What the runs of a comparison say together.

use polder_tasks::Interval;
use polder_tasks::statistics::{PairedDifference, bootstrap_mean, paired_means, wilson};
use serde::Serialize;

use super::file::Comparison;
use super::found::{Found, Scored};
use crate::error::Result;

/// An arm under a case, over its seeds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The case's name.
    pub case: String,
    /// The arm's name.
    pub arm: String,
    /// The seeds that were scored.
    pub seeds: Vec<u64>,
    /// How many runs have no score.
    pub failed: usize,
    /// The metric; empty where no run was scored.
    pub metric: String,
    /// The score of each seed.
    pub scores: Vec<f64>,
    /// Their mean.
    pub score: Option<f64>,
    /// The mean's 95 % interval over the rows that were scored, the seeds taken as they are: Wilson's of one seed's right
    /// answers, else the bootstrap's. Absent where seeds were scored on different rows, or all rows count the same.
    pub interval: Option<[f64; 2]>,
    /// The mean loss in nats.
    pub loss: Option<f64>,
    /// The mean trace at the last weights.
    pub trace: Option<f64>,
    /// Its standard error, over the directions.
    pub trace_error: Option<f64>,
    /// Forward passes of a batch in the training of a run, on average.
    pub forwards: f64,
    /// Seconds in the steps of a run, on average.
    pub seconds: f64,
    /// What the score has more than that of the arm it is held against.
    pub against: Option<Against>,
    /// Why nothing is subtracted, where both arms have scores of one seed.
    pub apart: Option<String>,
}

/// A difference of mean scores, over the seeds that both arms have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// The arm that was subtracted.
    pub arm: String,
    /// The difference of each seed.
    pub differences: Vec<f64>,
    /// Their mean.
    pub difference: f64,
    /// Its 95 % interval over rows, each row's difference averaged over the seeds (bootstrap); absent where the score is no
    /// mean over rows, seeds were scored on different rows, or every row differs by as much.
    pub interval: Option<[f64; 2]>,
}

/// Every arm under every case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// In the order of the file.
    pub rows: Vec<Row>,
}

/// Puts results together, in the order of the file.
///
/// # Errors
/// None but a list that is not as long as its partner, which pairs by seed and row rule out.
pub fn summarise(comparison: &Comparison, found: &[Found]) -> Result<Summary> {
    let mut rows = Vec::new();
    for case in &comparison.cases {
        let of = |arm: &str| -> Vec<&Found> {
            found.iter().filter(|found| found.case == case.name && found.arm == arm).collect()
        };
        for arm in &comparison.arms {
            let mut row = row(&case.name, &arm.name, &of(&arm.name));
            if arm.name != comparison.against {
                let pairs = pairs(&of(&arm.name), &of(&comparison.against));
                row.apart = apart(&pairs);
                if row.apart.is_none() {
                    row.against = against(&comparison.against, &pairs)?;
                }
            }
            rows.push(row);
        }
    }
    Ok(Summary { rows })
}

fn row(case: &str, arm: &str, found: &[&Found]) -> Row {
    let scored: Vec<(u64, &Scored)> = scored(found);
    let over = |value: &dyn Fn(&Scored) -> Option<f64>| {
        let all: Option<Vec<f64>> = scored.iter().map(|(_, scored)| value(scored)).collect();
        all.and_then(|all| mean(&all))
    };
    let marks: Vec<&Scored> = scored.iter().map(|(_, scored)| *scored).collect();
    let spread = pooled(&marks).and_then(|marks| spread(&marks));
    let squares = over(&|s| s.trace.map(|trace| trace.standard_error.powi(2)));
    Row {
        case: case.to_owned(),
        arm: arm.to_owned(),
        seeds: scored.iter().map(|(seed, _)| *seed).collect(),
        failed: found.len() - scored.len(),
        metric: scored.first().map(|(_, scored)| scored.metric.clone()).unwrap_or_default(),
        scores: scored.iter().map(|(_, scored)| scored.score).collect(),
        score: over(&|s| Some(s.score)),
        interval: spread,
        loss: over(&|s| s.loss),
        trace: over(&|s| s.trace.map(|trace| trace.value)),
        trace_error: squares.map(|mean| (mean / scored.len() as f64).sqrt()),
        forwards: over(&|s| Some(s.forwards as f64)).unwrap_or(f64::NAN),
        seconds: over(&|s| Some(s.seconds)).unwrap_or(f64::NAN),
        against: None,
        apart: None,
    }
}

/// The runs that were scored, by seed.
fn scored<'a>(found: &[&'a Found]) -> Vec<(u64, &'a Scored)> {
    let mut all: Vec<_> = found.iter().filter_map(|found| Some((found.seed, found.scored()?))).collect();
    all.sort_by_key(|(seed, _)| *seed);
    all
}

/// The runs of two arms, by the seeds that both have.
fn pairs<'a>(first: &[&'a Found], second: &[&'a Found]) -> Vec<(&'a Scored, &'a Scored)> {
    let second = scored(second);
    let partner = |seed: u64| second.iter().find(|(other, _)| *other == seed).map(|(_, scored)| *scored);
    scored(first).into_iter().filter_map(|(seed, scored)| Some((scored, partner(seed)?))).collect()
}

/// Why scores can't be subtracted: they are no scores of one kind, or not of the same rows.
fn apart(pairs: &[(&Scored, &Scored)]) -> Option<String> {
    if let Some((a, b)) = pairs.iter().find(|(a, b)| a.metric != b.metric) {
        return Some(format!("it was scored by {}, the other by {}", a.metric, b.metric));
    }
    let other_rows = pairs.iter().any(|(a, b)| a.rows != b.rows || a.marks.len() != b.marks.len());
    other_rows.then(|| "the two were scored on different rows".to_owned())
}

/// The difference of two arms over the seeds that both have.
fn against(name: &str, pairs: &[(&Scored, &Scored)]) -> Result<Option<Against>> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a.score - b.score).collect();
    let Some(difference) = mean(&differences) else { return Ok(None) };
    let sides: (Vec<&Scored>, Vec<&Scored>) = pairs.iter().copied().unzip();
    let paired: Option<PairedDifference> = match (pooled(&sides.0), pooled(&sides.1)) {
        (Some(a), Some(b)) => paired_means(&a, &b, 0)?,
        _ => None,
    };
    let interval = paired.map(|paired| ends(paired.interval)).filter(|[low, high]| low < high);
    Ok(Some(Against { arm: name.to_owned(), differences, difference, interval }))
}

/// The interval of the mean of what rows count.
fn spread(marks: &[f64]) -> Option<[f64; 2]> {
    let right = marks.iter().filter(|mark| **mark == 1.0).count();
    let single = marks.iter().all(|mark| *mark == 0.0 || *mark == 1.0);
    let interval = if single { wilson(right, marks.len()) } else { bootstrap_mean(marks, 0) };
    interval.map(ends).filter(|[low, high]| low < high)
}

/// What each row counts, averaged over the seeds; `None` where scores are no means over rows, or of different rows: these
/// overlap from seed to seed, and would look like more rows than there are.
fn pooled(scored: &[&Scored]) -> Option<Vec<f64>> {
    let first = scored.first()?;
    if scored.iter().any(|scored| scored.rows.is_none() || scored.marks.is_empty()) {
        return None;
    }
    let same = |other: &&Scored| other.rows == first.rows && other.marks.len() == first.marks.len();
    if !scored.iter().all(same) {
        return None;
    }
    let at = |row: usize| scored.iter().map(|scored| scored.marks[row]).sum::<f64>() / scored.len() as f64;
    Some((0..first.marks.len()).map(at).collect())
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn ends(interval: Interval) -> [f64; 2] {
    [interval.low, interval.high]
}
