//! Weights to the bytes of a GGUF tensor.

use half::{bf16, f16};

use super::GgufType;

/// The weights of a block of Q8_0.
pub(super) const BLOCK: usize = 32;

/// The largest scale of Q8_0 times 127: what a block of finite weights may hold.
fn fits_q8(largest: f32) -> bool {
    f16::from_f32(largest / 127.0).is_finite()
}

/// Appends `weights` as a type; `Err` gives the first that is not finite in it.
///
/// Rounded once: to the nearest value, ties to even, for f16 and bf16; Q8_0 as [`q8_0`] says, of which `weights` are whole
/// blocks.
pub(super) fn encode(weights: &[f32], to: GgufType, bytes: &mut Vec<u8>) -> Result<(), usize> {
    let bad = |ok: fn(f32) -> bool| weights.iter().position(|&x| !ok(x)).map_or(Ok(()), Err);
    bad(f32::is_finite)?;
    match to {
        GgufType::F32 => bytes.extend(weights.iter().flat_map(|x| x.to_le_bytes())),
        GgufType::F16 => {
            bad(|x| f16::from_f32(x).is_finite())?;
            bytes.extend(weights.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()));
        }
        GgufType::Bf16 => {
            bad(|x| bf16::from_f32(x).is_finite())?;
            bytes.extend(weights.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()));
        }
        GgufType::Q8_0 => {
            bad(|x| fits_q8(x.abs()))?;
            weights.as_chunks::<BLOCK>().0.iter().for_each(|block| bytes.extend(q8_0(block)));
        }
    }
    Ok(())
}

/// A scale `d = max|x| / 127` as f16, then `q = round(x / d)` as i8, halves away from zero, with `d` before it was
/// rounded (ggml's Q8_0).
fn q8_0(x: &[f32; BLOCK]) -> [u8; 2 + BLOCK] {
    let d = x.iter().fold(0f32, |most, x| most.max(x.abs())) / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut block = [0; 2 + BLOCK];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (q, x) in block[2..].iter_mut().zip(x) {
        *q = ((x * inverse).round() as i8).cast_unsigned();
    }
    block
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::load::encoding::Encoding;
    use crate::load::storage::StorageType;

    fn blocks(weights: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(weights, GgufType::Q8_0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn q8_0_gives_the_bytes_of_candle() {
        let mut state = 9u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        // Magnitudes from the smallest scales of f16 to large ones.
        let weights: Vec<f32> =
            (0..300).flat_map(|n| (0..BLOCK).map(|_| next() * 10f32.powi(n % 12 - 6)).collect::<Vec<_>>()).collect();
        let ours = blocks(&weights);
        let tensor = Tensor::from_slice(&weights, weights.len(), &Device::Cpu).unwrap();
        let theirs = QTensor::quantize(&tensor, GgmlDType::Q8_0).unwrap();
        assert!(theirs.data().unwrap()[..] == ours[..], "other bytes than candle's");
        let mut back = vec![0f32; weights.len()];
        Encoding::Q8_0.decode(&ours, &mut back, StorageType::F32);
        let expected: Vec<f32> = theirs.dequantize(&Device::Cpu).unwrap().to_vec1().unwrap();
        assert!(back == expected, "other weights than candle's");
        // No weight moves by more than half a step, and a rounding of the scale.
        for (x, y) in weights.chunks(BLOCK).zip(back.chunks(BLOCK)) {
            let step = x.iter().fold(0f32, |m, x| m.max(x.abs())) / 127.0;
            assert!(x.iter().zip(y).all(|(x, y)| (x - y).abs() <= 0.57 * step + 6e-8 * 127.0));
        }
    }

    #[test]
    fn halves_go_away_from_zero_and_zeros_stay() {
        let mut weights = [0f32; BLOCK];
        assert_eq!(blocks(&weights), [0; 34]);
        (weights[0], weights[1], weights[2], weights[3]) = (127.0, 2.5, -2.5, -0.5);
        assert_eq!(blocks(&weights)[2..6], [127, 3, (-3i8).cast_unsigned(), (-1i8).cast_unsigned()]);
    }

    #[test]
    fn what_a_type_cannot_hold_is_found() {
        let with = |bad: f32| [[1.0; 7].as_slice(), &[bad], &[1.0; 24]].concat();
        for (bad, fails) in [
            (f32::NAN, [true; 4]),
            (f32::NEG_INFINITY, [true; 4]),
            (1e5, [false, true, false, false]),
            (3.4e38, [false, true, true, true]),
            (1e7, [false, true, false, true]),
        ] {
            for (to, fails) in GgufType::ALL.into_iter().zip(fails) {
                let expected = if fails { Err(7) } else { Ok(()) };
                assert_eq!(encode(&with(bad), to, &mut Vec::new()), expected, "{bad} as {to}");
            }
        }
    }
}
