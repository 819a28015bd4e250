//! A quadratic with a given spectrum.

use polder_perturb::Seed;

use super::draws::normal;
use super::orthogonal::triangularise;
use super::smooth::{Scratch, Smooth};
use super::wide::{add_scaled, dot};
use crate::error::{Error, Result};

/// `f(x) = ½ Σᵢ λᵢ (vᵢᵀ(x − x*))²`, with the axes `vᵢ` of the coordinates or of a random rotation; one example.
///
/// Source: the linearisation that Theorems 1 to 3 of Song et al., arXiv 2604.14669, are about.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticForm {
    eigenvalues: Vec<f64>,
    minimum: Vec<f64>,
    /// `[d·d]`, axis i in row i; empty where the axes are the coordinates'.
    axes: Vec<f64>,
}

impl QuadraticForm {
    /// Diagonal: `½ Σ λᵢ (xᵢ − x*ᵢ)²`. Eigenvalues may be negative or zero.
    ///
    /// # Errors
    /// A minimum of another size than the spectrum; no eigenvalue.
    pub fn diagonal(eigenvalues: Vec<f64>, minimum: Vec<f64>) -> Result<Self> {
        let (found, expected) = (minimum.len(), eigenvalues.len());
        if found != expected || expected == 0 {
            return Err(Error::Size { what: "the minimum of a quadratic", found, expected: expected.max(1) });
        }
        Ok(Self { eigenvalues, minimum, axes: Vec::new() })
    }

    /// The same spectrum along the axes of a rotation drawn uniformly (Haar) from `seed`; d² numbers of memory.
    ///
    /// The rotation is Q of the QR decomposition of a standard normal matrix, with R's diagonal positive.
    #[must_use]
    pub fn rotated(mut self, seed: Seed) -> Self {
        let d = self.eigenvalues.len();
        let draws = normal(seed, "quadratic.axes", d * d);
        let mut columns: Vec<Vec<f64>> = draws.chunks_exact(d).map(<[f64]>::to_vec).collect();
        let unit = |i| (0..d).map(|j| if i == j { 1.0 } else { 0.0 }).collect();
        let mut images: Vec<Vec<f64>> = (0..d).map(unit).collect();
        triangularise(&mut columns, &mut images);
        // Column j of the images is Qᵀeⱼ, so row i of the axes is column i of Q.
        let axis = |i: usize| {
            let sign = 1f64.copysign(columns[i][i]);
            images.iter().map(move |image| sign * image[i]).collect::<Vec<_>>()
        };
        self.axes = (0..d).flat_map(axis).collect();
        self
    }

    /// The eigenvalues, in the order in which they were given.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// The minimum (or saddle) x*.
    pub fn minimum(&self) -> &[f64] {
        &self.minimum
    }

    /// `½ Σ λᵢyᵢ²`, calling `each(i, λᵢyᵢ)` on the way, with `yᵢ = vᵢᵀ(x − x*)`.
    fn walk(&self, x: &[f64], scratch: &mut Scratch, mut each: impl FnMut(usize, f64)) -> f64 {
        let d = self.eigenvalues.len();
        assert_eq!(x.len(), d, "the quadratic's argument");
        let away = scratch.take(d);
        for (away, (x, minimum)) in away.iter_mut().zip(x.iter().zip(&self.minimum)) {
            *away = x - minimum;
        }
        let mut sum = 0.0;
        for (i, lambda) in self.eigenvalues.iter().enumerate() {
            let y = if self.axes.is_empty() { away[i] } else { dot(&self.axes[i * d..(i + 1) * d], away) };
            sum += lambda * y * y;
            each(i, lambda * y);
        }
        0.5 * sum
    }
}

impl Smooth for QuadraticForm {
    fn dimension(&self) -> usize {
        self.eigenvalues.len()
    }

    fn examples(&self) -> usize {
        1
    }

    fn value(&self, x: &[f64], _rows: Option<&[usize]>, scratch: &mut Scratch) -> f64 {
        self.walk(x, scratch, |_, _| ())
    }

    fn gradient(&self, x: &[f64], _rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        let d = self.eigenvalues.len();
        out.fill(0.0);
        self.walk(x, scratch, |i, slope| match self.axes.get(i * d..(i + 1) * d) {
            Some(axis) => add_scaled(slope, axis, out),
            None => out[i] = slope,
        })
    }

    /// `Σ λᵢ`.
    fn trace(&self, _x: &[f64]) -> Option<f64> {
        Some(self.eigenvalues.iter().sum())
    }
}
