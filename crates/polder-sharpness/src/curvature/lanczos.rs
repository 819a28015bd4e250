//! The top eigenvalue of a Hessian.

use serde::{Deserialize, Serialize};

use super::hessian::{GradientHessian, dot, norm, signs};
use super::tridiagonal::Tridiagonal;
use crate::error::{Result, positive, setting};
use crate::seeds::{ProbeSeeds, Purpose};

/// Lanczos iteration with full reorthogonalisation: the Hessian's top eigenvalue on a growing Krylov space.
///
/// It keeps one vector of d numbers an iteration. Source: Lanczos (1950); Golub and Van Loan, "Matrix Computations",
/// chapter 10; the residual is Paige's `β_k·|last element of the small matrix's eigenvector|`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lanczos {
    /// The most iterations, at least 1; each costs two gradients.
    pub iterations: u32,
    /// It ends when the residual is at most this share of the eigenvalue's size; positive.
    pub tolerance: f64,
}

/// The top eigenvalue as found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopEigenvalue {
    /// The largest eigenvalue (not the largest in size), in nats per squared unit of weight; never above the true one,
    /// up to the rounding of the products.
    pub value: f64,
    /// `‖Hy − value·y‖` for the unit vector y found: an eigenvalue lies within it, and λ_max, apart from the other
    /// eigenvalues by a gap, within about residual²/gap.
    pub residual: f64,
    /// Whether the residual reached the tolerance.
    pub converged: bool,
    /// How many iterations it took.
    pub iterations: u32,
    /// What it cost, in gradients of a whole batch.
    pub gradients: u64,
}

impl Default for Lanczos {
    fn default() -> Self {
        Self { iterations: 60, tolerance: 1e-4 }
    }
}

impl Lanczos {
    /// Finds the top eigenvalue, from a start of random signs.
    ///
    /// # Errors
    /// Settings that are not possible; gradients that can't be computed or are not finite.
    pub fn run<E>(&self, hessian: &mut GradientHessian<'_, E>, seeds: ProbeSeeds) -> Result<TopEigenvalue>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        positive("tolerance", self.tolerance)?;
        if self.iterations == 0 {
            return Err(setting("iterations", 0, "it must be at least 1"));
        }
        let (d, before) = (hessian.dimension(), hessian.gradients());
        let most = (self.iterations as usize).min(d);
        let mut basis = vec![unit(signs(seeds.seed(Purpose::Eigenvalue, 0), d))];
        let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
        loop {
            let newest = &basis[basis.len() - 1];
            let mut next = hessian.times(newest)?;
            diagonal.push(dot(newest, &next));
            // Twice is enough (Parlett).
            for _ in 0..2 {
                for vector in &basis {
                    let part = dot(vector, &next);
                    next.iter_mut().zip(vector).for_each(|(n, v)| *n -= part * v);
                }
            }
            let length = norm(&next);
            let (value, last) = Tridiagonal { diagonal: &diagonal, beside: &beside }.top();
            let residual = length * last;
            let converged = residual <= self.tolerance * value.abs();
            if converged || diagonal.len() == most || length == 0.0 {
                let iterations = diagonal.len() as u32;
                return Ok(TopEigenvalue {
                    value,
                    residual,
                    converged,
                    iterations,
                    gradients: hessian.gradients() - before,
                });
            }
            beside.push(length);
            basis.push(unit(next));
        }
    }
}

/// The vector divided by its length.
fn unit(mut vector: Vec<f64>) -> Vec<f64> {
    let length = norm(&vector);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}
