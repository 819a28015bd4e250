//! Numbers drawn from polder's own generator, for data and starting points.

use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};

/// The index of a stream's seed among those derived from a seed; no direction and no rounding has it.
const STREAMS: u64 = u32::MAX as u64 - 1;

/// `count` standard normal numbers: the direction of this seed for a parameter of that name.
pub(super) fn normal(seed: Seed, name: &str, count: usize) -> Vec<f64> {
    let mut draws = vec![0f32; count];
    fill(Law::Gaussian, seed, ParamKey::of(name), 0, &mut draws);
    draws.into_iter().map(f64::from).collect()
}

/// 64 random bits at a time, each word a pure function of seed, stream and place.
#[derive(Debug)]
pub(super) struct Words {
    seed: Seed,
    next: u64,
}

impl Words {
    /// The words of a stream (mod 2⁵⁶) from its beginning.
    pub(super) fn new(seed: Seed, stream: u64) -> Self {
        Self { seed: seed.derive(stream, STREAMS), next: 0 }
    }

    fn word(&mut self) -> u64 {
        let word = self.seed.derive(self.next, 0).0;
        self.next += 1;
        word
    }

    /// `⌊r·count / 2⁶⁴⌋` of the next word r: one of `0..count`, with a bias below count·2⁻⁶⁴.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.word()) * count as u128) >> 64) as usize
    }

    /// The next number in [0, 1), a multiple of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (0.5 * f64::EPSILON)
    }

    /// `size` different numbers of `0..count` in random order, written over `out`: the first of a shuffle.
    pub(super) fn choose(&mut self, count: usize, size: usize, out: &mut Vec<usize>) {
        out.clear();
        out.extend(0..count);
        for place in 0..size {
            let other = place + self.below(count - place);
            out.swap(place, other);
        }
        out.truncate(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_a_choice_has_no_doubles() {
        let mut words = Words::new(Seed(1), 7);
        let units: Vec<f64> = (0..100_000).map(|_| words.unit()).collect();
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = units.iter().sum::<f64>() / 1e5;
        // The standard error is 0.289 / √1e5 = 9e-4.
        assert!((mean - 0.5).abs() < 4e-3, "{mean}");
        let mut seen = [0u32; 10];
        let mut rows = Vec::new();
        for stream in 0..10_000 {
            Words::new(Seed(2), stream).choose(10, 4, &mut rows);
            let mut sorted = rows.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 4);
            rows.iter().for_each(|&row| seen[row] += 1);
        }
        // Each is expected 4000 times, with a standard deviation of 49.
        assert!(seen.iter().all(|&n| n.abs_diff(4000) < 250), "{seen:?}");
    }
}
