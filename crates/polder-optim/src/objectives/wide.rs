//! Loops over vectors of f64, compiled for the widest instructions of the machine.
//!
//! Products and sums are rounded one by one, none fused, in an order that does not depend on the machine.

pub(super) use pulp::{Simd, WithSimd as Work};

/// Numbers that a loop handles side by side.
pub(super) const LANES: usize = 8;

/// Runs work with the widest vector instructions there are.
///
/// The work's `with_simd` and all that it calls must be inlined, for what is not keeps the plain instructions. So it is no
/// closure: a closure can't say so.
#[inline(always)]
pub(super) fn wide<W: Work>(work: W) -> W::Output {
    pulp::Arch::new().dispatch(work)
}

/// `out[p] = Σᵢ row[i]·points[p][i]`: lane l sums the places i ≡ l (mod 8) in order, then the lanes are added in pairs.
#[inline(always)]
pub(super) fn dots<S: Simd, const P: usize>(simd: S, row: &[f64], points: [&[f64]; P]) -> [f64; P] {
    let points = points.map(|point| &point[..row.len()]);
    let mut sums = match LANES / S::F64_LANES {
        1 => lane_sums::<S, P, 1>(simd, row, points),
        2 => lane_sums::<S, P, 2>(simd, row, points),
        4 => lane_sums::<S, P, 4>(simd, row, points),
        _ => lane_sums::<S, P, 8>(simd, row, points),
    };
    let head = row.len() / LANES * LANES;
    for p in 0..P {
        for (l, i) in (head..row.len()).enumerate() {
            sums[p][l] += row[i] * points[p][i];
        }
    }
    sums.map(|lanes| total(&lanes))
}

/// The lanes' sums over whole groups of eight places, each group V vectors.
#[inline(always)]
fn lane_sums<S: Simd, const P: usize, const V: usize>(simd: S, row: &[f64], points: [&[f64]; P]) -> [[f64; LANES]; P] {
    let row = S::as_simd_f64s(row.as_chunks::<LANES>().0.as_flattened()).0;
    let points = points.map(|point| &S::as_simd_f64s(point).0[..row.len()]);
    let mut sums = [[simd.splat_f64s(0.0); V]; P];
    for i in (0..row.len()).step_by(V) {
        for p in 0..P {
            for v in 0..V {
                sums[p][v] = simd.add_f64s(sums[p][v], simd.mul_f64s(row[i + v], points[p][i + v]));
            }
        }
    }
    let mut out = [[0.0; LANES]; P];
    for p in 0..P {
        S::as_mut_simd_f64s(&mut out[p]).0.copy_from_slice(&sums[p]);
    }
    out
}

/// `sum + w·v` of every lane; written out, so that the lanes stay in registers.
#[inline(always)]
#[rustfmt::skip]
pub(super) fn plus(sum: [f64; LANES], w: f64, v: &[f64; LANES]) -> [f64; LANES] {
    [
        sum[0] + w * v[0], sum[1] + w * v[1], sum[2] + w * v[2], sum[3] + w * v[3],
        sum[4] + w * v[4], sum[5] + w * v[5], sum[6] + w * v[6], sum[7] + w * v[7],
    ]
}

/// `a·b` of every lane.
#[inline(always)]
pub(super) fn times(a: &[f64; LANES], b: &[f64; LANES]) -> [f64; LANES] {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3], a[4] * b[4], a[5] * b[5], a[6] * b[6], a[7] * b[7]]
}

/// The sum of the lanes, in pairs.
#[inline(always)]
pub(super) fn total(lanes: &[f64; LANES]) -> f64 {
    let mut four = [0.0; 4];
    for l in 0..4 {
        four[l] = lanes[l] + lanes[l + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

/// `Σᵢ aᵢbᵢ`.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    wide(Dots { row: a, points: [b] })[0]
}

/// [`dots`] as work.
struct Dots<'a, const P: usize> {
    row: &'a [f64],
    points: [&'a [f64]; P],
}

impl<const P: usize> Work for Dots<'_, P> {
    type Output = [f64; P];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; P] {
        dots(simd, self.row, self.points)
    }
}

/// `y ← y + a·x`.
#[inline(always)]
pub(super) fn add_scaled(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// The hyperbolic tangent of each number, within 3 units of the last place; infinite and NaN arguments as they should.
///
/// `tanh |x| = t/(t + 2)` with `t = e^{2|x|} − 1 = 2ᵏ(e^r − 1) + (2ᵏ − 1)`, `2|x| = k ln 2 + r`, and e^r − 1 by its
/// Taylor polynomial of degree 13 (|r| ≤ 0.347, so the rest is below 1e-17).
#[inline(always)]
pub(super) fn tanh<const N: usize>(x: [f64; N]) -> [f64; N] {
    /// Adding it leaves an integer in the lowest bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts, the first with 32 trailing zeros: its product with k is exact.
    const LN2: [f64; 2] = [0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10];
    let mut out = [0.0; N];
    for i in 0..N {
        // Beyond 20 it is 1; a comparison, since `min` would drop a NaN.
        let y = if x[i].abs() > 20.0 { 40.0 } else { 2.0 * x[i].abs() };
        let shifted = y * std::f64::consts::LOG2_E + SHIFT;
        let k = shifted - SHIFT;
        let r = (y - k * LN2[0]) - k * LN2[1];
        let mut sum = INVERSE_FACTORIALS[0];
        for c in &INVERSE_FACTORIALS[1..] {
            sum = sum * r + c;
        }
        let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
        let t = power * (r * r * sum + r) + (power - 1.0);
        out[i] = (t / (t + 2.0)).copysign(x[i]);
    }
    out
}

/// 1/13!, …, 1/2!: the Taylor coefficients of `(e^r − 1 − r)/r²`, highest power first.
const INVERSE_FACTORIALS: [f64; 12] = {
    let mut all = [0.0; 12];
    let (mut factorial, mut n) = (1u64, 2);
    while n <= 13 {
        factorial *= n;
        all[13 - n as usize] = 1.0 / factorial as f64;
        n += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_is_that_of_the_library() {
        let mut worst: f64 = 0.0;
        for i in -40_000..40_000 {
            for scale in [1e-9, 1e-4, 1.3e-3] {
                let x = f64::from(i) * scale;
                let [found, mirrored] = tanh([x, -x]);
                let expected = x.tanh();
                assert_eq!(found, -mirrored);
                worst = worst.max((found - expected).abs() / expected.abs().max(f64::MIN_POSITIVE));
            }
        }
        // Two units of this function's error and one of the library's.
        assert!(worst < 4.0 * f64::EPSILON, "{worst:e}");
        let odd = tanh([0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310, 19.5, 1e300]);
        assert_eq!(odd[..4], [0.0, -0.0, 1.0, -1.0]);
        assert!(odd[1].is_sign_negative() && odd[4].is_nan());
        assert_eq!(odd[5..], [1e-310, 1.0, 1.0]);
    }

    /// Sums have the bits of the stated order whatever instructions there are, and whatever they are made together with.
    #[test]
    fn dots_have_the_bits_of_their_definition() {
        for len in [0, 1, 7, 8, 9, 31, 124] {
            let numbers = |s: f64| (0..len).map(|i| (i as f64 * s).sin()).collect::<Vec<_>>();
            let (row, a, b) = (numbers(1.1), numbers(0.7), numbers(2.3));
            let plain = |point: &[f64]| {
                let lane = |l: usize| (l..len).step_by(LANES).fold(0.0, |sum, i| sum + row[i] * point[i]);
                ((lane(0) + lane(4)) + (lane(2) + lane(6))) + ((lane(1) + lane(5)) + (lane(3) + lane(7)))
            };
            let pair = wide(Dots { row: &row, points: [&a, &b] });
            assert_eq!(pair.map(f64::to_bits), [plain(&a), plain(&b)].map(f64::to_bits), "{len}");
            assert_eq!(dot(&row, &a).to_bits(), pair[0].to_bits());
        }
    }
}
