//! Products with a Hessian, from gradients.

use polder_perturb::direction::{Law, ParamKey, Seed, fill};

use crate::error::{Error, Result, positive};
use crate::stability::check_preconditioner;

/// A gradient: weights to nats per unit of weight, as many numbers as weights.
pub type Gradient<'g, E> = &'g dyn Fn(&[f64]) -> std::result::Result<Vec<f64>, E>;

/// The Hessian at a point, or `P^{-1/2} H P^{-1/2}` for a diagonal P: symmetric, with the eigenvalues and the trace of
/// `P⁻¹H`.
///
/// `Hv ≈ ‖v‖·(∇f(x + rv/‖v‖) − ∇f(x − rv/‖v‖))/2r`: exact on a quadratic up to rounding, elsewhere off by about
/// `(r²/6)·∇⁴f`. Each product costs two gradients.
pub struct GradientHessian<'g, E> {
    gradient: Gradient<'g, E>,
    point: Vec<f64>,
    roots: Option<Vec<f64>>,
    distance: f64,
    gradients: u64,
}

impl<'g, E: Into<Box<dyn std::error::Error + Send + Sync>>> GradientHessian<'g, E> {
    /// The Hessian at a point, with the distance `r = ε^{1/3}(1 + ‖x‖)`, ε = 2⁻⁵², which balances rounding and fourth
    /// derivatives of size one.
    ///
    /// # Errors
    /// A point of no or not finite numbers.
    pub fn new(gradient: Gradient<'g, E>, point: &[f64]) -> Result<Self> {
        if point.is_empty() {
            return Err(Error::Size { what: "the point", found: 0, expected: 1 });
        }
        finite("the point", point)?;
        let distance = f64::EPSILON.cbrt() * (1.0 + norm(point));
        Ok(Self { gradient, point: point.to_vec(), roots: None, distance, gradients: 0 })
    }

    /// With another distance r, in units of weight.
    ///
    /// # Errors
    /// One that is not positive and finite.
    pub fn with_distance(self, distance: f64) -> Result<Self> {
        Ok(Self { distance: positive("distance", distance)?, ..self })
    }

    /// `P^{-1/2} H P^{-1/2}` for the diagonal `p` of P, as in Adam's step `P⁻¹m`.
    ///
    /// # Errors
    /// A list of another length than the point; a number that is not positive and finite.
    pub fn preconditioned(self, p: &[f64]) -> Result<Self> {
        check_preconditioner(p, self.point.len())?;
        Ok(Self { roots: Some(p.iter().map(|p| 1.0 / p.sqrt()).collect()), ..self })
    }

    /// The number of weights.
    pub fn dimension(&self) -> usize {
        self.point.len()
    }

    /// How many gradients were computed so far.
    pub fn gradients(&self) -> u64 {
        self.gradients
    }

    /// The product with a vector.
    ///
    /// # Errors
    /// A vector of another length; a gradient that can't be computed, has another length, or is not finite.
    pub fn times(&mut self, v: &[f64]) -> Result<Vec<f64>> {
        self.check(v)?;
        let product = self.plain_times(&self.rooted(v))?;
        Ok(self.rooted(&product))
    }

    /// `P^{-1/2}v`, or v without P.
    fn rooted(&self, v: &[f64]) -> Vec<f64> {
        match &self.roots {
            Some(roots) => v.iter().zip(roots).map(|(v, root)| v * root).collect(),
            None => v.to_vec(),
        }
    }

    /// Checks a vector's length.
    fn check(&self, v: &[f64]) -> Result<()> {
        match (v.len(), self.point.len()) {
            (found, expected) if found != expected => Err(Error::Size { what: "the vector", found, expected }),
            _ => Ok(()),
        }
    }

    /// The product of H itself, without P, with a vector.
    pub(super) fn plain_times(&mut self, v: &[f64]) -> Result<Vec<f64>> {
        self.check(v)?;
        finite("the vector", v)?;
        let length = norm(v);
        if length == 0.0 {
            return Ok(vec![0.0; v.len()]);
        }
        let shift = self.distance / length;
        let ahead = self.gradient_at(v, shift)?;
        let behind = self.gradient_at(v, -shift)?;
        Ok(ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * shift)).collect())
    }

    fn gradient_at(&mut self, v: &[f64], shift: f64) -> Result<Vec<f64>> {
        let at: Vec<f64> = self.point.iter().zip(v).map(|(x, v)| x + shift * v).collect();
        self.gradients += 1;
        let gradient = (self.gradient)(&at).map_err(|e| Error::Gradient(e.into()))?;
        if gradient.len() != at.len() {
            return Err(Error::Size { what: "the gradient", found: gradient.len(), expected: at.len() });
        }
        finite("the gradient", &gradient)?;
        Ok(gradient)
    }
}

/// Checks that all numbers of a vector are finite.
fn finite(what: &'static str, vector: &[f64]) -> Result<()> {
    match vector.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(Error::NonFiniteVector { what, index, value: vector[index] }),
        None => Ok(()),
    }
}

/// A vector of random signs: the Rademacher direction of a parameter named `curvature`.
pub(super) fn signs(seed: Seed, dimension: usize) -> Vec<f64> {
    let mut signs = vec![0f32; dimension];
    fill(Law::Rademacher, seed, ParamKey::of("curvature"), 0, &mut signs);
    signs.into_iter().map(f64::from).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
