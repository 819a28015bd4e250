//! Scores and intervals against values worked out by hand.

use polder_tasks::statistics::{bootstrap, mcnemar, wilson};
use polder_tasks::{Metric, interval, majority, paired_difference, predict, probabilities};

/// (gold, prediction) of a three-class example: F1 is 2/4, 4/5 and 0.
const PAIRS: &[(usize, usize)] = &[(0, 0), (0, 1), (1, 1), (1, 1), (2, 0)];

#[test]
fn scores() {
    assert_eq!(Metric::Accuracy.score(PAIRS), Some(0.6));
    let f1 = Metric::MacroF1.score(PAIRS).unwrap();
    assert!((f1 - 1.3 / 3.0).abs() < 1e-15, "{f1}");
    assert_eq!(Metric::Accuracy.score(&[]), None);
    assert_eq!(Metric::Loss.score(PAIRS), None);
    // Options 1 and not 1: two hits, two gold, three predicted.
    assert_eq!(Metric::BinaryF1.score(PAIRS), Some(0.8));
    assert_eq!(Metric::BinaryF1.score(&[(0, 2)]), Some(0.0));
    assert_eq!(Metric::F1.score(PAIRS), None);
    let all = [Metric::Accuracy, Metric::MacroF1, Metric::BinaryF1, Metric::F1, Metric::ExactMatch, Metric::Loss];
    for metric in all {
        assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
    }
    assert!("acuracy".parse::<Metric>().unwrap_err().to_string().contains("accuracy, macro-f1, binary-f1, f1"));
}

#[test]
fn the_majority_baseline() {
    assert_eq!(majority(Metric::Accuracy, &[1, 0, 1, 1]), Some(0.75));
    // F1 of the constant answer: class 1 has 2·3/(3 + 4), class 0 has 0.
    assert_eq!(majority(Metric::MacroF1, &[1, 0, 1, 1]), Some(3.0 / 7.0));
    assert_eq!(majority(Metric::Accuracy, &[]), None);
}

#[test]
fn predictions_take_the_first_maximum_and_no_nan() {
    assert_eq!(predict(&[-2.0, -1.0, -1.0]), 1);
    assert_eq!(predict(&[f64::NAN, -9.0, f64::NAN]), 1);
    assert_eq!(predict(&[f64::NAN, f64::NAN]), 0);
    assert_eq!(predict(&[f64::NEG_INFINITY, f64::NEG_INFINITY]), 0);
    let p = probabilities(&[-1000.0, -1000.0 + 3f64.ln()]);
    assert!((p[0] - 0.25).abs() < 1e-12 && (p[1] - 0.75).abs() < 1e-12, "{p:?}");
}

#[test]
fn wilsons_interval() {
    // The usual textbook case, 8 of 10; the ends solve (p̂ − p)² = z² p (1 − p) / n.
    let ends = wilson(8, 10).unwrap();
    let z = 1.959_963_984_540_054_f64;
    for p in [ends.low, ends.high] {
        assert!(((0.8 - p).powi(2) - z * z * p * (1.0 - p) / 10.0).abs() < 1e-12, "{p}");
    }
    assert!((ends.low - 0.4902).abs() < 5e-5 && (ends.high - 0.9433).abs() < 5e-5, "{ends:?}");
    assert_eq!(wilson(0, 10).unwrap().low, 0.0);
    assert_eq!(wilson(10, 10).unwrap().high, 1.0);
    assert_eq!(wilson(0, 0), None);
}

#[test]
fn bootstrap_agrees_with_wilson_on_many_examples() {
    let pairs: Vec<_> = (0..872).map(|i| (usize::from(i % 10 < 7), 1)).collect();
    let (a, b) = (bootstrap(Metric::Accuracy, &pairs, 5).unwrap(), interval(Metric::Accuracy, &pairs, 5).unwrap());
    // The ends' own noise at 2,000 resamples is about 0.001, and one example is 0.0011.
    assert!((a.low - b.low).abs() < 0.005 && (a.high - b.high).abs() < 0.005, "{a:?} {b:?}");
    assert_eq!(bootstrap(Metric::Accuracy, &pairs, 5), Some(a));
    assert!(interval(Metric::MacroF1, &pairs, 5).is_some());
    assert_eq!(interval(Metric::Loss, &pairs, 5), None);
}

#[test]
fn paired_differences() {
    let gold = vec![1; 100];
    let first: Vec<usize> = (0..100).map(|i| usize::from(i >= 10)).collect();
    let second: Vec<usize> = (0..100).map(|i| usize::from(!(4..30).contains(&i))).collect();
    let result = paired_difference(Metric::Accuracy, &gold, &first, &second, 0).unwrap().unwrap();
    assert!((result.difference - 0.16).abs() < 1e-12);
    assert_eq!((result.only_first, result.only_second), (20, 4));
    // Standard error √(b + c − (b−c)²/n)/n = 0.0463: the interval is about ± 1.96 of it, to the grid of 0.01.
    assert!(
        (result.interval.low - (0.16 - 0.0908)).abs() < 0.02 && (result.interval.high - (0.16 + 0.0908)).abs() < 0.02
    );
    assert!(paired_difference(Metric::Accuracy, &gold, &first, &second[1..], 0).is_err());
    assert_eq!(paired_difference(Metric::Accuracy, &[], &[], &[], 0).unwrap(), None);
    let same = paired_difference(Metric::Accuracy, &gold, &first, &first, 0).unwrap().unwrap();
    assert_eq!((same.difference, same.interval.low, same.interval.high, same.p_value), (0.0, 0.0, 0.0, 1.0));
}

#[test]
fn mcnemars_exact_test() {
    // 2 · (C(6,0) + C(6,1)) / 2⁶.
    assert!((mcnemar(1, 5) - 14.0 / 64.0).abs() < 1e-12);
    assert_eq!(mcnemar(0, 0), 1.0);
    assert_eq!(mcnemar(3, 3), 1.0);
    // Far beyond where 2⁻ⁿ underflows. In Python's integers: 2·sum(comb(2000, k) for k in range(951)) / 2**2000. A sum of
    // 951 terms made of as many logarithms may lose four digits of sixteen.
    let p = mcnemar(950, 1050);
    assert!((p / 0.026824146240280695 - 1.0).abs() < 1e-11, "{p}");
}
