//! Operations on each row alone: norms, activations, rotary embedding, sums and gathers.

use crate::cpu::level::{at_each_level, level};
use crate::cpu::made::made;
use crate::cpu::math::{erf, sigmoid, tanh};
use crate::reader::{Activation, NormKind, RopeTable};

const LANES: usize = 16;
/// Elements that one task handles, so that small tensors stay on one thread.
const TASK: usize = 1 << 14;

/// Normalises groups of `width`, each point with its own weight and bias.
pub(super) fn norm(
    x: &[f32],
    points: usize,
    width: usize,
    kind: NormKind,
    eps: f32,
    weight: Option<&[Vec<f32>]>,
    bias: Option<&[Vec<f32>]>,
) -> Vec<f32> {
    let per_point = x.len() / points;
    let level = level();
    let chunk = (TASK / width).max(1) * width;
    made(x.len(), chunk, |i, out| {
        let mut done = 0;
        while done < out.len() {
            // A stretch may hold the end of one point and the beginning of the next.
            let at = i * chunk + done;
            let p = at / per_point;
            let len = (out.len() - done).min((p + 1) * per_point - at);
            let (w, b) = (weight.map(|w| w[p].as_slice()), bias.map(|b| b[p].as_slice()));
            norm_rows(level, &x[at..at + len], width, kind, eps, w, b, &mut out[done..done + len]);
            done += len;
        }
    })
}

at_each_level! {
    fn norm_rows(
        x: &[f32],
        width: usize,
        kind: NormKind,
        eps: f32,
        weight: Option<&[f32]>,
        bias: Option<&[f32]>,
        out: &mut [f32],
    ) {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let mean = match kind {
                NormKind::Rms => 0.0,
                NormKind::Layer => sum(x, |v| v) / width as f32,
            };
            let variance = sum(x, |v| (v - mean) * (v - mean)) / width as f32;
            let scale = 1.0 / (variance + eps).sqrt();
            for (o, v) in out.iter_mut().zip(x) {
                *o = (v - mean) * scale;
            }
            if let Some(w) = weight {
                out.iter_mut().zip(w).for_each(|(o, w)| *o *= w);
            }
            if let Some(b) = bias {
                out.iter_mut().zip(b).for_each(|(o, b)| *o += b);
            }
        }
    }
}

/// `Σ f(x)` in sixteen interleaved chains, joined pairwise: one order at every level.
#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut acc = [0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for l in 0..LANES {
            acc[l] += f(chunk[l]);
        }
    }
    for (a, v) in acc.iter_mut().zip(rest) {
        *a += f(*v);
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            acc[l] += acc[l + half];
        }
        half /= 2;
    }
    acc[0]
}

/// `activation(gate) · up`, or `activation(gate)` where there is no `up`.
pub(super) fn gate(x: &[f32], up: Option<&[f32]>, activation: Activation) -> Vec<f32> {
    let level = level();
    made(x.len(), TASK, |i, out| {
        let at = i * TASK..i * TASK + out.len();
        activate(level, &x[at.clone()], activation, out);
        if let Some(up) = up {
            multiply(level, &up[at], out);
        }
    })
}

at_each_level! {
    fn activate(x: &[f32], activation: Activation, out: &mut [f32]) {
        let pairs = out.iter_mut().zip(x);
        match activation {
            // Not `max`, which would turn a NaN into 0 and hide a diverged run.
            Activation::Relu => pairs.for_each(|(o, x)| *o = if *x < 0.0 { 0.0 } else { *x }),
            Activation::Silu => pairs.for_each(|(o, x)| *o = x * sigmoid(*x)),
            Activation::Gelu => pairs.for_each(|(o, x)| *o = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))),
            Activation::GeluTanh => pairs.for_each(|(o, x)| {
                let inner = 0.797_884_6 * (0.044_715 * x * x).mul_add(*x, *x);
                *o = 0.5 * x * (1.0 + tanh(inner));
            }),
        }
    }
}

at_each_level! {
    fn multiply(y: &[f32], out: &mut [f32]) {
        out.iter_mut().zip(y).for_each(|(o, y)| *o *= y);
    }
}

/// `x + y`.
pub(super) fn add(x: &[f32], y: &[f32]) -> Vec<f32> {
    made(x.len(), TASK, |i, out| {
        let at = i * TASK..i * TASK + out.len();
        for ((o, x), y) in out.iter_mut().zip(&x[at.clone()]).zip(&y[at]) {
            *o = x + y;
        }
    })
}

/// The rotary embedding: `(a, b) → (a·cos − b·sin, b·cos + a·sin)` for the two halves of each head.
pub(super) fn rope(x: &[f32], width: usize, table: &RopeTable, positions: &[u32]) -> Vec<f32> {
    let half = table.half;
    let level = level();
    let rows = (TASK / width).max(1);
    made(x.len(), rows * width, |i, out| {
        let (mut cos, mut sin) = (vec![0f32; half], vec![0f32; half]);
        for (r, out) in out.chunks_exact_mut(width).enumerate() {
            let row = i * rows + r;
            let at = positions[row % positions.len()] as usize * half;
            for j in 0..half {
                (cos[j], sin[j]) = (table.cos[at + j] as f32, table.sin[at + j] as f32);
            }
            turn(level, &x[row * width..(row + 1) * width], &cos, &sin, out);
        }
    })
}

at_each_level! {
    /// One row's heads, each turned by the same angles.
    fn turn(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
        let half = cos.len();
        for (out, x) in out.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
            let ((y0, y1), (a, b)) = (out.split_at_mut(half), x.split_at(half));
            for j in 0..half {
                y0[j] = a[j] * cos[j] - b[j] * sin[j];
                y1[j] = b[j] * cos[j] + a[j] * sin[j];
            }
        }
    }
}

/// Rows of every point, in the given order.
pub(super) fn select(x: &[f32], points: usize, width: usize, rows: &[u32]) -> Vec<f32> {
    let per_point = x.len() / width / points;
    let mut out = Vec::with_capacity(points * rows.len() * width);
    for p in 0..points {
        for row in rows {
            let at = (p * per_point + *row as usize) * width;
            out.extend_from_slice(&x[at..at + width]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_near_the_exact_one_whatever_the_length() {
        for n in [1usize, 15, 16, 17, 100] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let exact: f64 = x.iter().map(|v| f64::from(*v)).sum();
            // A chain of at most 11 additions of numbers below 1.
            assert!((f64::from(sum(&x, |v| v)) - exact).abs() < 1e-5, "{n}");
        }
    }

    #[test]
    fn a_nan_survives_every_activation() {
        for activation in [Activation::Relu, Activation::Silu, Activation::Gelu, Activation::GeluTanh] {
            assert!(gate(&[f32::NAN, 1.0], None, activation)[0].is_nan(), "{activation:?}");
        }
    }
}
