//! Data of the kind of LIBSVM's a1a to a9a, where the real ones are not at hand.

use polder_perturb::Seed;

use super::draws::{Words, normal};
use super::libsvm::SparseData;

/// The choices of each attribute of the Adult data as LIBSVM codes them: 14 attributes, 123 features.
const CHOICES: [usize; 14] = [5, 8, 5, 16, 5, 7, 14, 6, 5, 2, 2, 2, 5, 41];
/// The share of positive rows.
const POSITIVE: f64 = 0.24;
/// The standard deviation of the noise in a row's score; the weights have 1.
const NOISE: f64 = 2.0;

/// Training and test rows of the kind of a5a: 123 binary features of which 14 are 1 in a row, about 24 % positive.
///
/// Each attribute takes its k-th choice with probability proportional to 1/k. With a standard normal weight wⱼ for each
/// feature, a row is positive where `Σ wⱼ + 2·noise` over its active features lies in the highest 24 % of all rows.
/// Deterministic in its arguments.
pub fn stand_in(seed: Seed, train: usize, test: usize) -> (SparseData, SparseData) {
    let features = CHOICES.iter().sum();
    let weights = normal(seed, "stand-in.weights", features);
    let noise = normal(seed, "stand-in.noise", train + test);
    let rows: Vec<Vec<u32>> = (0..train + test).map(|row| draw(&mut Words::new(seed, row as u64))).collect();
    let score = |(row, noise): (&Vec<u32>, &f64)| row.iter().map(|j| weights[*j as usize]).sum::<f64>() + NOISE * noise;
    let scores: Vec<f64> = rows.iter().zip(&noise).map(score).collect();
    let mut sorted = scores.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (sorted.len() as f64 * (1.0 - POSITIVE)) as usize;
    let positive: Vec<bool> =
        scores.iter().map(|score| sorted.get(place).is_some_and(|least| score >= least)).collect();
    let part =
        |part: std::ops::Range<usize>| SparseData::binary(features, &rows[part.clone()], positive[part].to_vec());
    (part(0..train), part(train..train + test))
}

/// One row: an active feature for each attribute.
fn draw(words: &mut Words) -> Vec<u32> {
    let mut first = 0;
    let mut row = Vec::with_capacity(CHOICES.len());
    for choices in CHOICES {
        let total: f64 = (1..=choices).map(|k| 1.0 / k as f64).sum();
        let mut left = words.unit() * total;
        let chosen = (1..choices).find(|k| {
            left -= 1.0 / *k as f64;
            left < 0.0
        });
        row.push((first + chosen.unwrap_or(choices) - 1) as u32);
        first += choices;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_shape_of_a5a() {
        let (train, test) = stand_in(Seed(1), 3000, 1000);
        assert_eq!((train.rows(), test.rows(), train.features()), (3000, 1000, 123));
        for row in 0..train.rows() {
            let active: Vec<_> = train.row(row).collect();
            assert_eq!(active.len(), 14);
            assert!(active.iter().all(|(_, value)| *value == 1.0) && active.is_sorted_by(|a, b| a.0 < b.0));
        }
        let positive = |data: &SparseData| data.positive().iter().filter(|p| **p).count();
        assert_eq!(positive(&train) + positive(&test), 960);
        // The standard deviation of the test set's share is 13 rows.
        assert!(positive(&test).abs_diff(240) < 60);
        assert_eq!(stand_in(Seed(1), 3000, 1000), (train, test));
    }
}
