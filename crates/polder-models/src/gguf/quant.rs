//! The block formats of quantised GGUF weights, decoded to f32.
//!
//! Sources: the block layouts of ggml, as documented with the GGUF format. A scale is an f16; `q` are the small
//! integers; in the K formats a block of 256 holds 8 or 16 groups with scales (and minima) of their own.

use half::f16;

fn scale(low: u8, high: u8) -> f32 {
    f16::from_le_bytes([low, high]).to_f32()
}

/// `x = d·(q − 8)`, 32 weights of 4 bits: the low nibbles first, then the high ones.
pub(crate) fn q4_0(b: &[u8; 18], to: &mut [f32; 32]) {
    let d = scale(b[0], b[1]);
    for (j, q) in b[2..].iter().enumerate() {
        to[j] = d * (f32::from(q & 15) - 8.0);
        to[j + 16] = d * (f32::from(q >> 4) - 8.0);
    }
}

/// `x = d·q + m`, 32 weights of 4 bits.
pub(crate) fn q4_1(b: &[u8; 20], to: &mut [f32; 32]) {
    let (d, m) = (scale(b[0], b[1]), scale(b[2], b[3]));
    for (j, q) in b[4..].iter().enumerate() {
        to[j] = d * f32::from(q & 15) + m;
        to[j + 16] = d * f32::from(q >> 4) + m;
    }
}

/// `x = d·(q − 16)`, 32 weights of 5 bits; the fifth bits lie together in 4 bytes.
pub(crate) fn q5_0(b: &[u8; 22], to: &mut [f32; 32]) {
    let d = scale(b[0], b[1]);
    let fifth = u32::from_le_bytes([b[2], b[3], b[4], b[5]]);
    for (j, q) in b[6..].iter().enumerate() {
        to[j] = d * (f32::from((q & 15) | bit(fifth, j)) - 16.0);
        to[j + 16] = d * (f32::from((q >> 4) | bit(fifth, j + 16)) - 16.0);
    }
}

/// `x = d·q + m`, 32 weights of 5 bits.
pub(crate) fn q5_1(b: &[u8; 24], to: &mut [f32; 32]) {
    let (d, m) = (scale(b[0], b[1]), scale(b[2], b[3]));
    let fifth = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
    for (j, q) in b[8..].iter().enumerate() {
        to[j] = d * f32::from((q & 15) | bit(fifth, j)) + m;
        to[j + 16] = d * f32::from((q >> 4) | bit(fifth, j + 16)) + m;
    }
}

fn bit(bits: u32, at: usize) -> u8 {
    (((bits >> at) & 1) << 4) as u8
}

/// `x = d·q`, 32 weights of 8 bits.
pub(crate) fn q8_0(b: &[u8; 34], to: &mut [f32; 32]) {
    let d = scale(b[0], b[1]);
    for (to, q) in to.iter_mut().zip(&b[2..]) {
        *to = d * f32::from(*q as i8);
    }
}

/// The 6-bit scale and minimum of group `j` (of 8) of a Q4_K or Q5_K block.
fn scale_and_min(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        ((packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4), (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4))
    };
    (f32::from(scale), f32::from(min))
}

/// `x = d·s·q − m·t`, 256 weights of 4 bits in 8 groups with scale s and minimum t of 6 bits.
pub(crate) fn q4_k(b: &[u8; 144], to: &mut [f32; 256]) {
    let (d, m) = (scale(b[0], b[1]), scale(b[2], b[3]));
    let (scales, nibbles) = (&b[4..16], &b[16..]);
    for (pair, (to, q)) in to.chunks_exact_mut(64).zip(nibbles.chunks_exact(32)).enumerate() {
        let (s0, t0) = scale_and_min(scales, 2 * pair);
        let (s1, t1) = scale_and_min(scales, 2 * pair + 1);
        for (j, q) in q.iter().enumerate() {
            to[j] = d * s0 * f32::from(q & 15) - m * t0;
            to[j + 32] = d * s1 * f32::from(q >> 4) - m * t1;
        }
    }
}

/// `x = d·s·q − m·t`, 256 weights of 5 bits; bit `g` of the fifth bits' byte `j` belongs to weight `j` of group `g`.
pub(crate) fn q5_k(b: &[u8; 176], to: &mut [f32; 256]) {
    let (d, m) = (scale(b[0], b[1]), scale(b[2], b[3]));
    let (scales, fifth, nibbles) = (&b[4..16], &b[16..48], &b[48..]);
    for (pair, (to, q)) in to.chunks_exact_mut(64).zip(nibbles.chunks_exact(32)).enumerate() {
        let (s0, t0) = scale_and_min(scales, 2 * pair);
        let (s1, t1) = scale_and_min(scales, 2 * pair + 1);
        for (j, (q, fifth)) in q.iter().zip(fifth).enumerate() {
            let low = ((fifth >> (2 * pair)) & 1) << 4;
            let high = ((fifth >> (2 * pair + 1)) & 1) << 4;
            to[j] = d * s0 * f32::from((q & 15) | low) - m * t0;
            to[j + 32] = d * s1 * f32::from((q >> 4) | high) - m * t1;
        }
    }
}

/// `x = d·s·(q − 32)`, 256 weights of 6 bits in 16 groups with a signed 8-bit scale s.
pub(crate) fn q6_k(b: &[u8; 210], to: &mut [f32; 256]) {
    let (low, high, scales, d) = (&b[..128], &b[128..192], &b[192..208], scale(b[208], b[209]));
    for (half, to) in to.chunks_exact_mut(128).enumerate() {
        let (low, high, scales) = (&low[64 * half..], &high[32 * half..], &scales[8 * half..]);
        for j in 0..32 {
            let quarters = [low[j] & 15, low[j + 32] & 15, low[j] >> 4, low[j + 32] >> 4];
            for (quarter, nibble) in quarters.into_iter().enumerate() {
                let q = nibble | (((high[j] >> (2 * quarter)) & 3) << 4);
                let s = f32::from(scales[2 * quarter + j / 16] as i8);
                to[32 * quarter + j] = d * s * (f32::from(q) - 32.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::{GgmlDType, QStorage, QTensor};
    use rand_like::Bytes;

    use crate::load::encoding::Encoding;
    use crate::load::storage::StorageType;

    /// A small deterministic byte source.
    mod rand_like {
        pub(super) struct Bytes(pub(super) u64);
        impl Bytes {
            pub(super) fn byte(&mut self) -> u8 {
                self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (self.0 >> 56) as u8
            }
        }
    }

    /// Random blocks whose f16 scales (at the given offsets) are finite.
    fn blocks(seed: u64, encoding: Encoding, count: usize, scales: &[usize]) -> Vec<u8> {
        let mut source = Bytes(seed);
        let (_, size) = encoding.block();
        let mut all = Vec::new();
        for _ in 0..count {
            let mut block: Vec<u8> = (0..size).map(|_| source.byte()).collect();
            for &at in scales {
                // An exponent below 31 is finite.
                block[at + 1] &= 0xbb;
            }
            all.extend(block);
        }
        all
    }

    #[test]
    fn agrees_with_candle_on_random_blocks() {
        let cases = [
            (Encoding::Q4_0, GgmlDType::Q4_0, &[0][..]),
            (Encoding::Q4_1, GgmlDType::Q4_1, &[0, 2]),
            (Encoding::Q5_0, GgmlDType::Q5_0, &[0]),
            (Encoding::Q5_1, GgmlDType::Q5_1, &[0, 2]),
            (Encoding::Q8_0, GgmlDType::Q8_0, &[0]),
            (Encoding::Q4K, GgmlDType::Q4K, &[0, 2]),
            (Encoding::Q5K, GgmlDType::Q5K, &[0, 2]),
            (Encoding::Q6K, GgmlDType::Q6K, &[208]),
        ];
        for (encoding, theirs, scales) in cases {
            let count = 200;
            let bytes = blocks(7, encoding, count, scales);
            let weights = count * encoding.block().0;
            let mut ours = vec![0f32; weights];
            encoding.decode(&bytes, &mut ours, StorageType::F32);
            let storage = QStorage::from_data(bytes.into(), &Device::Cpu, theirs).unwrap();
            let expected = QTensor::new(storage, weights).unwrap().dequantize(&Device::Cpu).unwrap();
            let expected: Vec<f32> = expected.to_vec1().unwrap();
            // The same products and sums in another order of factors: a few units in the last place of the largest
            // term, which the difference in the K formats may cancel.
            let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
            for (at, (a, b)) in ours.iter().zip(&expected).enumerate() {
                assert!((a - b).abs() <= 4.0 * f32::EPSILON * largest, "{encoding:?} at {at}: {a} and {b}");
            }
            assert!(largest > 1.0, "{encoding:?} decodes to nothing");
        }
    }
}
