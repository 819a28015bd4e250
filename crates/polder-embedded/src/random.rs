//! A seeded stream of choices.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random choices that is the same for a seed and a stream number on every machine.
///
/// ChaCha with 8 rounds; integers by multiply-and-shift (Lemire, arXiv 1805.10941, without its rejection: the bias is
/// below 2⁻⁴⁰ for the short lists that are drawn from here), so no other crate's choice of algorithm matters.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// Stream number `stream` of `seed`; streams are independent of one another.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// An integer of `0..n`, or 0 where n is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// One of `items`.
    ///
    /// # Panics
    /// Where `items` is empty; all lists of this crate are constants that hold something.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A number of [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A standard normal number: Box–Muller, the cosine branch.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Puts `items` in a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;

    #[test]
    fn a_seed_and_a_stream_name_one_sequence() {
        let draw = |seed, stream| {
            let mut s = Stream::new(seed, stream);
            (0..8).map(|_| s.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut s = Stream::new(1, 0);
        let n = 40_000;
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let x = s.normal();
            sum += x;
            square += x * x;
        }
        // Four standard errors: 4/√n for the mean, 4·√(2/n) for the variance.
        assert!((sum / f64::from(n)).abs() < 0.02);
        assert!((square / f64::from(n) - 1.0).abs() < 0.03);
    }
}
