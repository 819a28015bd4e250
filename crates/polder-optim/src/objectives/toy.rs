//! The product of two vectors that should be 1: minima of every trace from 2 upwards.

use polder_perturb::Seed;

use super::draws::normal;
use super::smooth::{Scratch, Smooth};
use super::wide::dot;
use crate::error::Result;
use crate::estimator::setting;

/// `h(y, z) = (yᵀz − 1)²/2` of `x = (y, z)`, two blocks of d numbers each; one example.
///
/// At a minimum the Hessian has rank one and its only eigenvalue is the trace `‖y‖² + ‖z‖²`, at least 2. Source: Zhang
/// et al., arXiv 2506.05454, Proposition 1 and Figures 1 and 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toy {
    block: usize,
}

impl Toy {
    /// With blocks of d numbers (100 in the paper), so 2d in all.
    ///
    /// # Errors
    /// No number, or more than 10⁸.
    pub fn new(block: usize) -> Result<Self> {
        match block {
            1..=100_000_000 => Ok(Self { block }),
            _ => Err(setting("block", block, "it must be between 1 and 100000000")),
        }
    }

    /// The residual `r = yᵀz − 1`.
    pub fn residual(&self, x: &[f64]) -> f64 {
        let (y, z) = self.blocks(x);
        dot(y, z) - 1.0
    }

    /// The balance `B = (‖y‖² − ‖z‖²)/2`.
    ///
    /// Gradient flow keeps it, a gradient step of size η makes it `B(1 − η²r²)`, and two-point descent lets its mean
    /// decay as `e^{−2ηλ²t}`. Source: arXiv 2506.05454, Proposition 1.
    pub fn balance(&self, x: &[f64]) -> f64 {
        let (y, z) = self.blocks(x);
        0.5 * (dot(y, y) - dot(z, z))
    }

    /// The paper's start: y and z standard normal.
    pub fn start(&self, seed: Seed) -> Vec<f64> {
        normal(seed, "toy.start", 2 * self.block)
    }

    /// A random minimum, `yᵀz = 1`, with `‖y‖²` and `‖z‖²` as given.
    ///
    /// # Errors
    /// Squares with a product below 1, or one number a block and a product other than 1: no such minimum exists.
    pub fn minimum(&self, seed: Seed, y_square: f64, z_square: f64) -> Result<Vec<f64>> {
        let product = y_square * z_square;
        let possible = y_square > 0.0 && z_square > 0.0 && product.is_finite() && product >= 1.0;
        if !possible || (self.block == 1 && product != 1.0) {
            return Err(setting(
                "z_square",
                z_square,
                "times `y_square` it must be at least 1 (1, if blocks have size 1)",
            ));
        }
        let mut x = normal(seed, "toy.minimum", 2 * self.block);
        let (y, z) = x.split_at_mut(self.block);
        let scale = (y_square / dot(y, y)).sqrt();
        y.iter_mut().for_each(|y| *y *= scale);
        // z = y/‖y‖² + a·w with w ⟂ y.
        let along = dot(y, z) / y_square;
        z.iter_mut().zip(&*y).for_each(|(z, y)| *z -= along * y);
        let across = dot(z, z);
        let scale = if across > 0.0 { ((z_square - 1.0 / y_square).max(0.0) / across).sqrt() } else { 0.0 };
        z.iter_mut().zip(&*y).for_each(|(z, y)| *z = scale * *z + y / y_square);
        Ok(x)
    }

    fn blocks<'a>(&self, x: &'a [f64]) -> (&'a [f64], &'a [f64]) {
        assert_eq!(x.len(), 2 * self.block, "the toy's argument");
        x.split_at(self.block)
    }
}

impl Smooth for Toy {
    fn dimension(&self) -> usize {
        2 * self.block
    }

    fn examples(&self) -> usize {
        1
    }

    fn value(&self, x: &[f64], _rows: Option<&[usize]>, _scratch: &mut Scratch) -> f64 {
        let r = self.residual(x);
        0.5 * r * r
    }

    /// `∇h = r·(z, y)`.
    fn gradient(&self, x: &[f64], _rows: Option<&[usize]>, _scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        let r = self.residual(x);
        let (y, z) = self.blocks(x);
        let (dy, dz) = out.split_at_mut(self.block);
        dy.iter_mut().zip(z).for_each(|(d, z)| *d = r * z);
        dz.iter_mut().zip(y).for_each(|(d, y)| *d = r * y);
        0.5 * r * r
    }

    /// `‖y‖² + ‖z‖²`, everywhere.
    fn trace(&self, x: &[f64]) -> Option<f64> {
        Some(dot(x, x))
    }
}
