//! Seeded random numbers for drawing rows and resampling.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// ChaCha8 with the key `seed (8 bytes, little-endian) ‖ purpose (8 bytes) ‖ zeros`, so that purposes never share draws.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64, purpose: &[u8; 8]) -> Self {
        let mut key = [0_u8; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes().iter().chain(purpose)) {
            *to = *from;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A uniform number below `bound` (1 at least), by multiplication with rejection (Lemire 2019).
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let bound = bound.max(1);
        let reject = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// A uniform permutation of `0..n` (Fisher and Yates, from the end).
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            let other = self.below(last as u64 + 1) as usize;
            order.swap(last, other);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_are_permutations_and_depend_on_seed_and_purpose() {
        let order = Draws::new(3, b"rows____").permutation(100);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, Draws::new(3, b"rows____").permutation(100));
        assert_ne!(order, Draws::new(4, b"rows____").permutation(100));
        assert_ne!(order, Draws::new(3, b"other___").permutation(100));
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut counts = [[0_u32; 4]; 4];
        let mut draws = Draws::new(0, b"rows____");
        for _ in 0..4000 {
            for (place, value) in draws.permutation(4).into_iter().enumerate() {
                counts[place][value] += 1;
            }
        }
        // Binomial(4000, 1/4): mean 1000, standard deviation 27.4; five of them.
        assert!(counts.iter().flatten().all(|c| c.abs_diff(1000) < 137), "{counts:?}");
    }
}
