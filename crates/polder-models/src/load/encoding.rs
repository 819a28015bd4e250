//! How weights are encoded in files, and how they become f32.

use half::{bf16, f16};

use crate::gguf::quant;
use crate::load::storage::StorageType;

/// How the weights of a tensor are encoded in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    F64,
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl Encoding {
    /// The weights and the bytes of a block, the unit that can be decoded on its own.
    pub(crate) const fn block(self) -> (usize, usize) {
        match self {
            Self::F64 => (1, 8),
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// The bytes of a tensor of that shape; `None` where that overflows, or its rows are not whole blocks.
    pub(crate) fn bytes(self, shape: &[usize]) -> Option<usize> {
        let (weights, bytes) = self.block();
        let row = shape.last().copied().unwrap_or(1);
        if row % weights != 0 {
            return None;
        }
        let all = shape.iter().try_fold(1usize, |all, &dim| all.checked_mul(dim))?;
        (all / weights).checked_mul(bytes)
    }

    /// Decodes whole blocks to f32: `bytes` holds exactly the blocks of `to`.
    ///
    /// A f64 that is to end in 16 bits is rounded to odd here, so that the two roundings together are one rounding to
    /// the nearest (f32 has more than two bits to spare).
    pub(crate) fn decode(self, bytes: &[u8], to: &mut [f32], storage: StorageType) {
        match self {
            Self::F64 if storage == StorageType::F32 => each(bytes, to, |b| f64::from_le_bytes(b) as f32),
            Self::F64 => each(bytes, to, |b| round_to_odd(f64::from_le_bytes(b))),
            Self::F32 => each(bytes, to, f32::from_le_bytes),
            Self::F16 => each(bytes, to, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, to, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Q4_0 => blocks(bytes, to, quant::q4_0),
            Self::Q4_1 => blocks(bytes, to, quant::q4_1),
            Self::Q5_0 => blocks(bytes, to, quant::q5_0),
            Self::Q5_1 => blocks(bytes, to, quant::q5_1),
            Self::Q8_0 => blocks(bytes, to, quant::q8_0),
            Self::Q4K => blocks(bytes, to, quant::q4_k),
            Self::Q5K => blocks(bytes, to, quant::q5_k),
            Self::Q6K => blocks(bytes, to, quant::q6_k),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], to: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    let (from, _) = bytes.as_chunks::<N>();
    for (to, &from) in to.iter_mut().zip(from) {
        *to = decode(from);
    }
}

fn blocks<const N: usize, const W: usize>(bytes: &[u8], to: &mut [f32], decode: impl Fn(&[u8; N], &mut [f32; W])) {
    let (from, _) = bytes.as_chunks::<N>();
    let (to, _) = to.as_chunks_mut::<W>();
    for (to, from) in to.iter_mut().zip(from) {
        decode(from, to);
    }
}

/// The f32 that is `x` where that is exact, else the neighbour whose last bit is 1.
fn round_to_odd(x: f64) -> f32 {
    let near = x as f32;
    if !near.is_finite() || f64::from(near) == x || near.to_bits() & 1 == 1 {
        return near;
    }
    // `near` is even and inexact, so the neighbour on the other side of `x` is odd.
    let towards_larger_magnitude = f64::from(near).abs() < x.abs();
    f32::from_bits(if towards_larger_magnitude { near.to_bits() + 1 } else { near.to_bits() - 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f64_is_rounded_once() {
        // Just above the tie between 1 and the next bf16, 1 + 2⁻⁷: a first rounding to the nearest f32 would land on the
        // tie, and the second would go down to even. (half's own `from_f64` drops the low bits before it rounds.)
        let above = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
        let next = bf16::from_bits(bf16::ONE.to_bits() + 1);
        let mut to = [0.0];
        for (x, expected) in [(above, next), (-above, -next), (above - 2f64.powi(-39), bf16::ONE)] {
            Encoding::F64.decode(&x.to_le_bytes(), &mut to, StorageType::Bf16);
            assert_eq!(bf16::from_f32(to[0]), expected, "{x}");
        }
        assert_eq!(bf16::from_f32(above as f32), bf16::ONE, "one rounding after another is not tested");
        Encoding::F64.decode(&above.to_le_bytes(), &mut to, StorageType::F32);
        assert_eq!(to[0], above as f32);
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(Encoding::Q4_1.bytes(&[3, 64]), Some(3 * 2 * 20));
        assert_eq!(Encoding::Q4_1.bytes(&[3, 33]), None);
        assert_eq!(Encoding::F32.bytes(&[usize::MAX, 2]), None);
        assert_eq!(Encoding::F64.bytes(&[usize::MAX / 4]), None);
    }
}
