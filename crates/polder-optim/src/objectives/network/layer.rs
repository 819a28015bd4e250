//! The layers of a small network, forwards and backwards, on eight examples side by side.
//!
//! A number of an example is a lane of a row; a layer's output is a list of rows. Images lie position after position,
//! the channels of a position side by side.

use super::super::wide::{LANES, Simd, plus, tanh};
use super::affine::{Affine, Row};

/// √(2/π).
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of the approximate GELU.
const GELU_CUBIC: f64 = 0.044_715;

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Layer {
    /// `out = W·in + b`.
    Dense(Affine),
    /// A 3×3 convolution of a square image, zero beyond its edge: `out[p] = W·patch(p) + b`.
    Convolution {
        /// Pixels a side.
        side: usize,
        /// From the 9·channels of a patch, position after position.
        affine: Affine,
    },
    /// The hyperbolic tangent of that many rows.
    Tanh(usize),
    /// `x/2·(1 + tanh(√(2/π)(x + 0.044715x³)))` of that many rows (Hendrycks and Gimpel, arXiv 1606.08415).
    Gelu(usize),
    /// The average of each window of a square image, channel by channel.
    Pool {
        /// Pixels a side, a multiple of the window.
        side: usize,
        /// Channels.
        channels: usize,
        /// Pixels a side of a window.
        window: usize,
    },
}

impl Layer {
    /// How many rows it gives.
    pub(super) fn outputs(&self) -> usize {
        match self {
            Self::Dense(affine) => affine.outputs,
            Self::Convolution { side, affine } => side * side * affine.outputs,
            Self::Tanh(rows) | Self::Gelu(rows) => *rows,
            Self::Pool { side, channels, window } => (side / window) * (side / window) * channels,
        }
    }

    /// Its affine map, if it has one.
    pub(super) fn affine(&self) -> Option<&Affine> {
        match self {
            Self::Dense(affine) | Self::Convolution { affine, .. } => Some(affine),
            _ => None,
        }
    }

    /// The rows of a patch that it works on.
    pub(super) fn patch(&self) -> usize {
        if let Self::Convolution { affine, .. } = self { affine.inputs } else { 0 }
    }

    /// Writes the output of `input` over `out`.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(&self, simd: S, x: &[f64], input: &[Row], out: &mut [Row], patch: &mut [Row]) {
        match self {
            Self::Dense(affine) => affine.forward(simd, x, input, out),
            Self::Convolution { side, affine } => {
                for (position, out) in out.chunks_exact_mut(affine.outputs).enumerate() {
                    gather(*side, position, input, patch);
                    affine.forward(simd, x, patch, out);
                }
            }
            Self::Tanh(_) => {
                for (out, input) in out.iter_mut().zip(input) {
                    *out = tanh(*input);
                }
            }
            Self::Gelu(_) => {
                for (out, input) in out.iter_mut().zip(input) {
                    *out = gelu(input).0;
                }
            }
            Self::Pool { side, channels, window } => {
                out.fill([0.0; LANES]);
                let share = 1.0 / (window * window) as f64;
                for (position, input) in input.chunks_exact(*channels).enumerate() {
                    let to = pooled(*side, *window, position) * channels;
                    add(share, input, &mut out[to..to + channels]);
                }
            }
        }
    }

    /// Writes the gradient by the input over `down`, and adds that by the weights to `gradient`.
    ///
    /// `pass` holds the layer's input, its output and the gradient by the output.
    #[inline(always)]
    pub(super) fn backward(
        &self,
        x: &[f64],
        pass: Pass<'_>,
        gradient: &mut [f64],
        down: &mut [Row],
        patch: &mut [Row],
    ) {
        let Pass { input, out, slope } = pass;
        down.fill([0.0; LANES]);
        match self {
            Self::Dense(affine) => affine.backward(x, input, slope, gradient, down),
            Self::Convolution { side, affine } => {
                let (patch, patch_down) = patch.split_at_mut(affine.inputs);
                for (position, slope) in slope.chunks_exact(affine.outputs).enumerate() {
                    gather(*side, position, input, patch);
                    patch_down.fill([0.0; LANES]);
                    affine.backward(x, patch, slope, gradient, patch_down);
                    scatter(*side, position, patch_down, down);
                }
            }
            Self::Tanh(_) => {
                for (down, (out, slope)) in down.iter_mut().zip(out.iter().zip(slope)) {
                    for l in 0..LANES {
                        down[l] = slope[l] * (1.0 - out[l] * out[l]);
                    }
                }
            }
            Self::Gelu(_) => {
                for (down, (input, slope)) in down.iter_mut().zip(input.iter().zip(slope)) {
                    let by_input = gelu(input).1;
                    for l in 0..LANES {
                        down[l] = slope[l] * by_input[l];
                    }
                }
            }
            Self::Pool { side, channels, window } => {
                let share = 1.0 / (window * window) as f64;
                for (position, down) in down.chunks_exact_mut(*channels).enumerate() {
                    let from = pooled(*side, *window, position) * channels;
                    add(share, &slope[from..from + channels], down);
                }
            }
        }
    }
}

/// What a layer read, what it gave, and the gradient by what it gave.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) input: &'a [Row],
    pub(super) out: &'a [Row],
    pub(super) slope: &'a [Row],
}

/// `to ← to + share·from`, row by row.
#[inline(always)]
fn add(share: f64, from: &[Row], to: &mut [Row]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = plus(*to, share, from);
    }
}

/// Copies the rows of the nine positions around a position, zeros beyond the image's edge.
#[inline(always)]
fn gather(side: usize, position: usize, image: &[Row], patch: &mut [Row]) {
    let channels = patch.len() / 9;
    for (patch, from) in patch.chunks_exact_mut(channels).zip(neighbours(side, position)) {
        match from {
            Some(p) => patch.copy_from_slice(&image[p * channels..(p + 1) * channels]),
            None => patch.fill([0.0; LANES]),
        }
    }
}

/// Adds the rows of a patch to those of the nine positions around a position.
#[inline(always)]
fn scatter(side: usize, position: usize, patch: &[Row], image: &mut [Row]) {
    let channels = patch.len() / 9;
    for (patch, to) in patch.chunks_exact(channels).zip(neighbours(side, position)) {
        if let Some(p) = to {
            add(1.0, patch, &mut image[p * channels..(p + 1) * channels]);
        }
    }
}

/// The nine positions around a position of a square image, row by row; nothing where it ends.
#[inline(always)]
fn neighbours(side: usize, position: usize) -> impl Iterator<Item = Option<usize>> {
    let (row, column) = (position / side, position % side);
    (0..9).map(move |k| {
        let (row, column) = ((row + k / 3).wrapping_sub(1), (column + k % 3).wrapping_sub(1));
        (row < side && column < side).then(|| row * side + column)
    })
}

/// The window that a position lies in.
#[inline(always)]
fn pooled(side: usize, window: usize, position: usize) -> usize {
    (position / side / window) * (side / window) + position % side / window
}

/// The approximate GELU and its derivative.
#[inline(always)]
fn gelu(x: &Row) -> (Row, Row) {
    let (mut inner, mut value, mut slope) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for l in 0..LANES {
        inner[l] = GELU_SCALE * (x[l] + GELU_CUBIC * (x[l] * x[l] * x[l]));
    }
    let t = tanh(inner);
    for l in 0..LANES {
        let by_inner = GELU_SCALE * (1.0 + 3.0 * GELU_CUBIC * (x[l] * x[l]));
        value[l] = 0.5 * x[l] * (1.0 + t[l]);
        slope[l] = 0.5 * (1.0 + t[l]) + 0.5 * x[l] * (1.0 - t[l] * t[l]) * by_inner;
    }
    (value, slope)
}
