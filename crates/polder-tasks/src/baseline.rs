//! What one scores without looking.

use std::collections::BTreeMap;

use crate::answer::normal_answer;
use crate::{EncodedExample, Metric, answer_score};

/// The score that options drawn uniformly at random reach; `None` without labelled examples with options, or where the
/// metric needs no options.
///
/// Accuracy: the mean share of right options. F1 of a class c: `2·E[tp] / (n_c + E[predicted])`, the expectations in place
/// of the counts, which is what many examples give.
pub fn random_baseline(metric: Metric, examples: &[EncodedExample]) -> Option<f64> {
    let usable: Vec<(usize, usize, usize)> = examples
        .iter()
        .filter(|e| e.options.len() > 1)
        .filter_map(|e| Some((e.gold?, 1 + e.also.len(), e.options.len())))
        .collect();
    if usable.is_empty() {
        return None;
    }
    match metric {
        Metric::Accuracy => {
            let sum: f64 = usable.iter().map(|(_, right, options)| *right as f64 / *options as f64).sum();
            Some(sum / usable.len() as f64)
        }
        Metric::MacroF1 => {
            let most = usable.iter().map(|(_, _, options)| *options).max()?;
            Some((0..most).map(|class| class_f1(&usable, class)).sum::<f64>() / most as f64)
        }
        Metric::BinaryF1 => Some(class_f1(&usable, 1)),
        Metric::F1 | Metric::ExactMatch | Metric::Loss => None,
    }
}

fn class_f1(rows: &[(usize, usize, usize)], class: usize) -> f64 {
    let (mut hits, mut occurrences) = (0.0, 0.0);
    for (gold, _, options) in rows.iter().filter(|(_, _, options)| *options > class) {
        let share = 1.0 / *options as f64;
        occurrences += share;
        if *gold == class {
            hits += share;
            occurrences += 1.0;
        }
    }
    if occurrences == 0.0 { 0.0 } else { 2.0 * hits / occurrences }
}

/// The score of always generating the answer that the most examples accept (the first of several in the alphabet); `None`
/// without accepted answers, or where the metric is not of generated texts.
pub fn majority_answer(metric: Metric, accepted: &[&[String]]) -> Option<f64> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for answers in accepted {
        let distinct: std::collections::BTreeSet<String> = answers.iter().map(|a| normal_answer(a)).collect();
        for answer in distinct {
            *counts.entry(answer).or_default() += 1;
        }
    }
    let most = counts.values().copied().max()?;
    let answer = counts.iter().find(|(_, count)| **count == most).map(|(answer, _)| answer.as_str())?;
    let sum: f64 =
        accepted.iter().map(|answers| metric.of_answer(answer_score(answer, answers))).sum::<Option<f64>>()?;
    Some(sum / accepted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EncodedOption;

    fn example(gold: usize, also: &[usize], options: usize) -> EncodedExample {
        let options = vec![EncodedOption { ids: vec![1, 2], scored: 1 }; options];
        EncodedExample { gold: Some(gold), also: also.to_vec(), options, ..EncodedExample::default() }
    }

    #[test]
    fn guesses_are_right_as_often_as_there_are_right_options() {
        let examples = [example(0, &[], 2), example(1, &[3], 4)];
        assert_eq!(random_baseline(Metric::Accuracy, &examples), Some(0.5));
        assert_eq!(random_baseline(Metric::Accuracy, &[example(0, &[], 1)]), None);
        // Three of four are class 0: F1 is 2·1.5/(3 + 2) for it and 2·0.5/(1 + 2) for the other.
        let uneven: Vec<_> = [0, 0, 0, 1].map(|gold| example(gold, &[], 2)).into();
        let (zero, one) = (3.0 / 5.0, 1.0 / 3.0);
        assert!((random_baseline(Metric::MacroF1, &uneven).unwrap() - (zero + one) / 2.0).abs() < 1e-12);
        assert!((random_baseline(Metric::BinaryF1, &uneven).unwrap() - one).abs() < 1e-12);
        assert_eq!(random_baseline(Metric::F1, &uneven), None);
    }

    #[test]
    fn the_commonest_accepted_answer_is_the_majority() {
        let accepted =
            [vec!["the sea".to_owned(), "Sea".to_owned()], vec!["a deep sea".to_owned()], vec!["sea".to_owned()]];
        let accepted: Vec<&[String]> = accepted.iter().map(Vec::as_slice).collect();
        assert_eq!(majority_answer(Metric::ExactMatch, &accepted), Some(2.0 / 3.0));
        let f1 = majority_answer(Metric::F1, &accepted).unwrap();
        assert!((f1 - (1.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12, "{f1}");
        assert_eq!(majority_answer(Metric::F1, &[]), None);
        assert_eq!(majority_answer(Metric::Accuracy, &accepted), None);
    }
}
