//! Which rows a minibatch holds: a pure function of the seed and the batch's number.

use std::sync::Mutex;

use polder_optim::Batch as Number;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::config::Batch;

/// How many examples a step sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// That many examples, drawn without replacement within an epoch.
    Examples(usize),
    /// Every training example, in order.
    Full,
}

impl BatchSize {
    /// What a configuration asks for, of `examples` training examples; a larger number takes each once a step.
    pub fn of(batch: Batch, examples: usize) -> Self {
        match batch {
            Batch::Count(_) => Self::Examples(batch.size(examples)),
            Batch::Full => Self::Full,
        }
    }
}

/// Minibatches of a training set: every number names the same rows, everywhere and in any order of asking.
///
/// The examples are reshuffled for every epoch e by ChaCha8 keyed with (seed, e); the epochs are laid end to end, and
/// batch b is the slice `[b·size, (b+1)·size)`. So each example is seen once an epoch, a batch may reach over an
/// epoch's end, and a batch may be larger than the set.
#[derive(Debug)]
pub struct Batching {
    examples: usize,
    size: BatchSize,
    seed: u64,
    latest: Mutex<Option<(u64, Vec<u32>)>>,
}

impl Batching {
    /// Minibatches of `size` out of `examples` examples.
    pub fn new(examples: usize, size: BatchSize, seed: u64) -> Self {
        Self { examples, size, seed, latest: Mutex::new(None) }
    }

    /// The number of examples in a batch.
    pub fn batch_len(&self) -> usize {
        match self.size {
            BatchSize::Examples(size) => size,
            BatchSize::Full => self.examples,
        }
    }

    /// The rows of a batch, as indices of examples; empty only where there are no examples.
    pub fn rows(&self, batch: Number) -> Vec<usize> {
        let BatchSize::Examples(size) = self.size else {
            return (0..self.examples).collect();
        };
        if self.examples == 0 {
            return Vec::new();
        }
        let first = u128::from(batch.0) * size as u128;
        (first..first + size as u128).map(|at| self.row(at)).collect()
    }

    /// The example at a place of the endless row of epochs.
    fn row(&self, at: u128) -> usize {
        let examples = self.examples as u128;
        let (epoch, place) = ((at / examples) as u64, (at % examples) as usize);
        let mut latest = self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*latest {
            Some((known, order)) if *known == epoch => order[place] as usize,
            _ => {
                let order = permutation(self.examples, self.seed, epoch);
                let row = order[place] as usize;
                *latest = Some((epoch, order));
                row
            }
        }
    }
}

/// The order of an epoch's examples: Fisher and Yates' shuffle from the end.
///
/// Place `last` is exchanged with place `⌊r·(last + 1) / 2⁶⁴⌋`, r being the next 64 bits of ChaCha8 under the key
/// `seed (8 bytes, little-endian) ‖ epoch (8 bytes) ‖ "polder/batches/1"`; the bias of a place is below n·2⁻⁶⁴.
fn permutation(examples: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    key[16..].copy_from_slice(b"polder/batches/1");
    let mut random = ChaCha8Rng::from_seed(key);
    let mut order: Vec<u32> = (0..examples as u32).collect();
    for last in (1..order.len()).rev() {
        let other = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, other as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_example_once() {
        let batching = Batching::new(10, BatchSize::Examples(4), 7);
        // 5 batches of 4 are exactly 2 epochs of 10; the third batch reaches over the epoch's end.
        let rows: Vec<usize> = (0..5).flat_map(|b| batching.rows(Number(b))).collect();
        for epoch in rows.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(rows[..10], rows[10..], "each epoch has its own order");
    }

    #[test]
    fn a_number_names_the_same_rows_in_any_order_of_asking() {
        let forwards = Batching::new(33, BatchSize::Examples(16), 3);
        let backwards = Batching::new(33, BatchSize::Examples(16), 3);
        let a: Vec<_> = (0..20).map(|b| forwards.rows(Number(b))).collect();
        let mut b: Vec<_> = (0..20).rev().map(|b| backwards.rows(Number(b))).collect();
        b.reverse();
        assert_eq!(a, b);
        assert_ne!(
            a,
            (0..20).map(|b| Batching::new(33, BatchSize::Examples(16), 4).rows(Number(b))).collect::<Vec<_>>()
        );
    }

    #[test]
    fn batches_larger_than_the_set_wrap_and_full_is_in_order() {
        let rows = Batching::new(3, BatchSize::Examples(7), 0).rows(Number(u64::MAX));
        assert_eq!(rows.len(), 7);
        assert!(rows.iter().all(|r| *r < 3));
        assert_eq!(Batching::new(3, BatchSize::Full, 0).rows(Number(9)), vec![0, 1, 2]);
        assert!(Batching::new(0, BatchSize::Examples(2), 0).rows(Number(0)).is_empty());
    }

    #[test]
    fn the_order_of_an_epoch_is_the_specified_one() {
        // From a few lines of Python that follow RFC 8439's ChaCha, with 8 rounds, and the text above.
        assert_eq!(permutation(8, 0, 0), [6, 0, 2, 4, 1, 5, 3, 7]);
        assert_eq!(permutation(20, 7, 3), [5, 4, 14, 6, 8, 11, 9, 7, 18, 1, 13, 15, 3, 2, 0, 12, 16, 17, 19, 10]);
    }

    #[test]
    fn a_batch_is_at_most_the_set() {
        assert_eq!(BatchSize::of(Batch::Count(16), 9), BatchSize::Examples(9));
        assert_eq!(BatchSize::of(Batch::Count(16), 90), BatchSize::Examples(16));
        assert_eq!(BatchSize::of(Batch::Full, 9), BatchSize::Full);
    }
}
