//! What a two-point step has to do: operations and bytes, by formula.

use polder_models::StorageType;
use serde::Serialize;

use super::Architecture;
use super::Card;
use crate::config::Arithmetic;

/// Integer operations that make a random word, counted in the definition (`DIRECTIONS.md`): a quarter of ten rounds of four
/// halves of products, four exclusive ors and two sums.
const WORD: u64 = 25;
/// Operations that make one number of a Gaussian direction: a word, and 29 of the map.
pub const DIRECTION: u64 = WORD + 29;
/// Operations of two points' sums, and of a rule with its rounding.
const REST: u64 = 4;

/// A two-point step over sequences of one length, the last token of each scored, updated by SGD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Operations that make weights at the two points.
    pub shift_operations: u64,
    /// Those among them of integers.
    pub shift_integers: u64,
    /// Bytes of it: weights read once, scratch written for both points.
    pub shift_bytes: u64,
    /// Operations of products, a multiply-add being two.
    pub product_flops: u64,
    /// Bytes of it: scratch read, activations read and written.
    pub product_bytes: u64,
    /// Operations of attention.
    pub attention_flops: u64,
    /// Bytes of attention, norms, activations and sums.
    pub other_bytes: u64,
    /// Operations of the update: the direction once more, the rule, the rounding.
    pub update_operations: u64,
    /// Those among them of integers.
    pub update_integers: u64,
    /// Bytes of the update: every weight read and written.
    pub update_bytes: u64,
}

impl Work {
    /// Of a step with `batch` sequences of `length` tokens.
    pub fn of(a: &Architecture, batch: u64, length: u64, storage: StorageType, arithmetic: Arithmetic) -> Self {
        let [h, f, q, k, layers, e, v] =
            [a.hidden, a.ffn, a.queries, a.keys, a.layers, a.embedding, a.vocab].map(|n| n as u64);
        let (rows, scored) = (2 * batch * length, 2 * batch);
        let held = storage.bytes() as u64;
        let factor = if arithmetic == Arithmetic::Bf16 { 2 } else { 4 };
        // Matrices of a layer, and what they read and write a row.
        let (matrices, inputs, outputs) = match a.opt {
            true => (4 * h * h + 2 * h * f, 5 * h + f, 5 * h + f),
            false => (h * (2 * q + 2 * k) + 3 * h * f, 5 * h + q + f, q + 2 * k + 2 * h + 2 * f),
        };
        let (layered, head) = (layers * matrices, v * e);
        let made = layered + head;
        let elementwise = match a.opt {
            // Two norms, attention, two sums, an activation; each reads and writes.
            true => 4 * h + 4 * h + 6 * h + 2 * f,
            // The same with rotary embeddings and a gate.
            false => 4 * h + 2 * (q + k) + 2 * (q + k) + 6 * h + 3 * f,
        };
        let d = a.parameters as u64;
        let rounding = if storage == StorageType::F32 { 0 } else { WORD };
        Self {
            shift_operations: made * (DIRECTION + REST),
            shift_integers: made * WORD,
            shift_bytes: made * (held + 2 * factor),
            product_flops: 2 * rows * layered + 2 * scored * head,
            product_bytes: 2 * made * factor
                + rows * layers * (inputs * factor + outputs * 4)
                + scored * (e * factor + v * 4),
            attention_flops: 2 * batch * layers * 4 * q * (length * (length + 1) / 2),
            other_bytes: rows * layers * elementwise * 4 + scored * v * 4,
            update_operations: d * (DIRECTION + REST + rounding),
            update_integers: d * (WORD + rounding),
            update_bytes: 2 * d * held,
        }
    }

    /// Operations of products and attention.
    pub fn flops(&self) -> u64 {
        self.product_flops + self.attention_flops
    }

    /// Bytes that go through memory, where nothing stays in a cache between kernels.
    pub fn bytes(&self) -> u64 {
        self.shift_bytes + self.product_bytes + self.other_bytes + self.update_bytes
    }

    /// Seconds on a card by its peaks: each kind of kernel takes what is longer, its bytes or its operations. `None` where
    /// the card lacks the arithmetic.
    ///
    /// Kernels that make directions take what is longest: their bytes, their integer operations, those of numbers,
    /// or all instructions.
    pub fn seconds(&self, card: &Card, arithmetic: Arithmetic) -> Option<f64> {
        let products = card.products(arithmetic)?;
        let moved = |bytes: u64| bytes as f64 / card.bandwidth;
        let made = |operations: u64, integers: u64| {
            let numbers = (operations - integers) as f64 / (card.f32 / 2.0);
            (operations as f64 / card.instructions).max(integers as f64 / card.integer).max(numbers)
        };
        Some(
            moved(self.shift_bytes).max(made(self.shift_operations, self.shift_integers))
                + moved(self.product_bytes).max(self.product_flops as f64 / products)
                + moved(self.other_bytes).max(self.attention_flops as f64 / card.f32)
                + moved(self.update_bytes).max(made(self.update_operations, self.update_integers)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Shape;
    use crate::device::CARDS;

    /// OPT-125M, batch 16, 32 tokens, counted by hand: 12 layers of width 768 and 3072, a vocabulary of 50,272.
    #[test]
    fn a_step_of_opt_125m_is_what_a_hand_counts() {
        let config = Shape::named("opt-125m").unwrap().config().unwrap();
        let a = Architecture::of(&config).unwrap();
        let work = Work::of(&a, 16, 32, StorageType::Bf16, Arithmetic::F32);
        // A layer: 4·768² + 2·768·3072 = 7,077,888; twelve: 84,934,656. The head: 38,608,896.
        let made = 84_934_656 + 38_608_896;
        assert_eq!((work.shift_operations, work.shift_integers), (58 * made, 25 * made));
        // Two bytes read and two times four written.
        assert_eq!(work.shift_bytes, 10 * made);
        // 1,024 rows in the layers, 32 in the head.
        assert_eq!(work.product_flops, 2 * 1024 * 84_934_656 + 2 * 32 * 38_608_896);
        // A row of a layer: inputs 5·768 + 3072 = 6,912 and as many outputs, four bytes each.
        assert_eq!(work.product_bytes, 8 * made + 1024 * 12 * 8 * 6912 + 32 * 4 * (768 + 50_272));
        // 32 sequences of 32·33/2 = 528 pairs, 4·768 operations each in 12 layers.
        assert_eq!(work.attention_flops, 32 * 528 * 4 * 768 * 12);
        assert_eq!(work.other_bytes, 1024 * 12 * 4 * (14 * 768 + 2 * 3072) + 32 * 50_272 * 4);
        // 125,239,296 parameters, two bytes each read and written, 54 + 4 + 25 operations.
        assert_eq!((work.update_bytes, work.update_operations), (4 * 125_239_296, 83 * 125_239_296));
        assert_eq!(work.update_integers, 50 * 125_239_296);
        // On an A100 in f32: shifts 1.235e9 bytes at 2.039e12 (606 µs; 7.17e9 instructions at 19.5e12 would take 367, 3.09e9
        // of integers at 9.75e12 317), products 1.764e11 at 19.5e12 (9.05 ms), the rest 0.84 GB (0.409 ms), the update
        // 6.26e9 of integers (642 µs; 1.04e10 instructions would take 533).
        let seconds = work.seconds(&CARDS[0], Arithmetic::F32).unwrap();
        assert!((seconds / 10.71e-3 - 1.0).abs() < 0.01, "{seconds}");
        assert!(work.seconds(&CARDS[0], Arithmetic::Bf16).unwrap() < seconds);
        assert_eq!(work.seconds(&CARDS[3], Arithmetic::Bf16), None);
        assert_eq!(work.bytes(), work.shift_bytes + work.product_bytes + work.other_bytes + work.update_bytes);
    }
}
