//! A closed-form objective whose gradient, curvature and critical step are known.

use polder_perturb::{Law, ParamSet, Shift, direction};

use crate::error::{Error, Result};
use crate::objective::{Batch, Losses, Objective, ObjectiveError};

/// The quadratic `fᵢ(x) = ½·xᵀHx + bᵢᵀx` over all weights of a parameter set, computed in f64.
///
/// `x` holds the parameters in the order of the set, each row-major. Every batch has the same examples `i`; with more
/// than one `b` the mean gradient is that of the mean `b`. Points are read as `x + Σ coeff·u(seed)` in f64, coefficients
/// and directions being f32; frozen parameters stay where they are.
#[derive(Debug)]
pub struct Quadratic<'a> {
    params: &'a ParamSet,
    law: Law,
    hessian: Vec<f64>,
    linear: Vec<Vec<f64>>,
}

impl<'a> Quadratic<'a> {
    /// With a dense Hessian, `[d·d]` row-major, and one linear part of d numbers an example.
    ///
    /// # Errors
    /// Parts of another size than the parameters; no example.
    pub fn new(params: &'a ParamSet, law: Law, hessian: Vec<f64>, linear: Vec<Vec<f64>>) -> Result<Self> {
        let d = params.elements();
        let size = |what, found, expected| match found == expected {
            true => Ok(()),
            false => Err(Error::Size { what, found, expected }),
        };
        size("the Hessian", hessian.len(), d.saturating_mul(d))?;
        linear.iter().try_for_each(|b| size("a linear part", b.len(), d))?;
        if linear.is_empty() {
            return Err(Error::NoWeight { examples: 0, sum: 0.0 });
        }
        Ok(Self { params, law, hessian, linear })
    }

    /// `½ Σ λᵢxᵢ² + bᵀx`, one example.
    ///
    /// # Errors
    /// Parts of another size than the parameters.
    pub fn diagonal(params: &'a ParamSet, law: Law, eigenvalues: &[f64], linear: Vec<f64>) -> Result<Self> {
        let d = eigenvalues.len();
        let mut hessian = vec![0.0; d * d];
        hessian.iter_mut().step_by(d + 1).zip(eigenvalues).for_each(|(h, l)| *h = *l);
        Self::new(params, law, hessian, vec![linear])
    }

    /// The weights x.
    ///
    /// # Errors
    /// Weights that can't be read.
    pub fn weights(&self) -> Result<Vec<f64>> {
        self.point(&Shift::none())
    }

    /// The gradient of the mean loss, `Hx + mean bᵢ`.
    pub fn gradient(&self, x: &[f64]) -> Vec<f64> {
        let n = self.linear.len() as f64;
        let mean = |i: usize| self.linear.iter().map(|b| b[i]).sum::<f64>() / n;
        self.hessian_times(x).into_iter().enumerate().map(|(i, h)| h + mean(i)).collect()
    }

    /// The loss of each example.
    pub fn values(&self, x: &[f64]) -> Vec<f64> {
        let half = 0.5 * dot(&self.hessian_times(x), x);
        self.linear.iter().map(|b| half + dot(b, x)).collect()
    }

    fn hessian_times(&self, x: &[f64]) -> Vec<f64> {
        if x.is_empty() {
            return Vec::new();
        }
        self.hessian.chunks_exact(x.len()).map(|row| dot(row, x)).collect()
    }

    /// The point `x + Σ coeff·u(seed)`.
    fn point(&self, shift: &Shift) -> Result<Vec<f64>> {
        let mut all = Vec::with_capacity(self.params.elements());
        for param in self.params.iter() {
            let read = || {
                param
                    .joined()
                    .map_err(candle_core::Error::wrap)?
                    .flatten_all()?
                    .to_dtype(candle_core::DType::F64)?
                    .to_vec1::<f64>()
            };
            let mut x = read().map_err(polder_perturb::Error::from)?;
            if param.trainable {
                let mut u = vec![0f32; x.len()];
                for term in &shift.terms {
                    direction::fill(self.law, term.seed, param.key, 0, &mut u);
                    let coeff = f64::from(term.coeff as f32);
                    x.iter_mut().zip(&u).for_each(|(x, u)| *x += coeff * f64::from(*u));
                }
            }
            all.append(&mut x);
        }
        Ok(all)
    }
}

impl Objective for Quadratic<'_> {
    fn losses(&mut self, _batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError> {
        let values = |shift| Ok(self.values(&self.point(shift)?));
        let points = points.iter().map(values).collect::<Result<_>>().map_err(ObjectiveError::new)?;
        Ok(Losses { points, weights: vec![1.0; self.linear.len()] })
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
