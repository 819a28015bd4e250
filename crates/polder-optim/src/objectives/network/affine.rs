//! Affine maps of rows, forwards and backwards.

use super::super::wide::{LANES, Simd, plus, times, total};

/// One number of each of the eight examples.
pub(super) type Row = [f64; LANES];

/// Where an affine map's weights, `[outputs, inputs]`, and after them its biases lie among the network's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    pub(super) at: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Affine {
    /// The number of weights and biases.
    pub(super) fn len(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// The weights and the biases among the network's numbers.
    #[inline(always)]
    fn parts<'x>(&self, x: &'x [f64]) -> (&'x [f64], &'x [f64]) {
        x[self.at..self.at + self.len()].split_at(self.inputs * self.outputs)
    }

    /// Writes the output of `input` over `out`.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(&self, simd: S, x: &[f64], input: &[Row], out: &mut [Row]) {
        let (weights, biases) = self.parts(x);
        let (mut weights, mut biases) = (weights.chunks_exact(self.inputs), biases.iter());
        let mut next = || (weights.next().unwrap_or_default(), biases.next().copied().unwrap_or_default());
        let (fours, rest) = out.as_chunks_mut::<4>();
        for out in fours {
            some(simd, [next(), next(), next(), next()], input, out);
        }
        for out in rest {
            some(simd, [next()], input, std::array::from_mut(out));
        }
    }

    /// Adds to the gradients of the weights and of the input, given that of the output.
    #[inline(always)]
    pub(super) fn backward(&self, x: &[f64], input: &[Row], slope: &[Row], gradient: &mut [f64], down: &mut [Row]) {
        let ((weights, _), n) = (self.parts(x), self.inputs);
        let (to_weights, to_biases) = gradient[self.at..self.at + self.len()].split_at_mut(n * self.outputs);
        for (c, slope) in slope.iter().enumerate() {
            to_biases[c] += total(slope);
            let weights = weights[c * n..(c + 1) * n].iter().zip(&mut to_weights[c * n..(c + 1) * n]);
            for ((w, to_w), (input, down)) in weights.zip(input.iter().zip(&mut *down)) {
                *to_w += total(&times(slope, input));
                *down = plus(*down, *w, slope);
            }
        }
    }
}

/// `C` outputs of an affine map, each of weights and a bias: `b + Σ wₖ·inputₖ` in the order of k.
#[inline(always)]
fn some<S: Simd, const C: usize>(simd: S, maps: [(&[f64], f64); C], input: &[Row], out: &mut [Row; C]) {
    let mut from = 0;
    while from + 2 * S::F64_LANES <= LANES {
        columns::<S, C, 2>(simd, from, &maps, input, out);
        from += 2 * S::F64_LANES;
    }
    while from < LANES {
        columns::<S, C, 1>(simd, from, &maps, input, out);
        from += S::F64_LANES;
    }
}

/// The same for V vectors of the lanes, the first one at lane `from`: C·V sums in registers.
#[inline(always)]
fn columns<S: Simd, const C: usize, const V: usize>(
    simd: S,
    from: usize,
    maps: &[(&[f64], f64); C],
    input: &[Row],
    out: &mut [Row; C],
) {
    let n = input.len();
    let weights: [&[f64]; C] = std::array::from_fn(|c| &maps[c].0[..n]);
    let mut sums: [[S::f64s; V]; C] = std::array::from_fn(|c| [simd.splat_f64s(maps[c].1); V]);
    for k in 0..n {
        let vectors = S::as_simd_f64s(&input[k][from..]).0;
        for c in 0..C {
            let w = simd.splat_f64s(weights[c][k]);
            for v in 0..V {
                sums[c][v] = simd.add_f64s(sums[c][v], simd.mul_f64s(w, vectors[v]));
            }
        }
    }
    for c in 0..C {
        let to = S::as_mut_simd_f64s(&mut out[c][from..]).0;
        to[..V].copy_from_slice(&sums[c]);
    }
}
