//! What a step does to the second moments of position and momentum on a quadratic.

use super::scheme::Coefficients;
use super::spectrum::{check_preconditioner, sum};
use super::{Scheme, Spectrum};
use crate::error::{Error, Result, positive};

/// The second moments along each eigendirection.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// `a = E x²`, in squared units of weight.
    pub position: Vec<f64>,
    /// `c = E x·m`.
    pub cross: Vec<f64>,
    /// `v = E m²`.
    pub momentum: Vec<f64>,
}

impl Moments {
    /// The moments of a start at `x`, in the eigenbasis, with no momentum.
    pub fn start(x: &[f64]) -> Self {
        let none = vec![0.0; x.len()];
        Self { position: x.iter().map(|x| x * x).collect(), cross: none.clone(), momentum: none }
    }

    /// `E‖x‖²`.
    pub fn distance(&self) -> f64 {
        sum(self.position.iter().copied())
    }
}

/// The linear map of the second moments that one step of a method makes, per eigendirection with `T = Σⱼ λⱼ²aⱼ`:
///
/// ```text
/// v' = β²v + 2βsλc + s²(c₁λ²a + c₂T);    w = βc + sλa;    c' = w − hv';    a' = a − 2hw + h²v'
/// ```
///
/// s = 1 and h = η, or for frozen Adam s = 1 − β₁ and h = η/pᵢ; c₁ and c₂ as in
/// [`critical_step`](super::critical_step). Moments across eigendirections never
/// dominate and are not followed. Derived
/// from the methods of Song et al., arXiv 2604.14669.
#[derive(Debug, Clone)]
pub struct MomentMap {
    eigenvalues: Vec<f64>,
    steps: Vec<f64>,
    c: Coefficients,
}

impl MomentMap {
    /// The map for a learning rate η, with P = 1.
    ///
    /// # Errors
    /// η not positive and finite; a scheme that is not possible.
    pub fn new(spectrum: &Spectrum, scheme: &Scheme, step: f64) -> Result<Self> {
        Self::preconditioned(spectrum, &vec![1.0; spectrum.eigenvalues().len()], scheme, step)
    }

    /// The map for the spectrum of H and a preconditioner that is diagonal in its eigenbasis.
    ///
    /// # Errors
    /// As [`MomentMap::new`]; a preconditioner of another length, or with a number that is not positive and finite.
    pub fn preconditioned(spectrum: &Spectrum, p: &[f64], scheme: &Scheme, step: f64) -> Result<Self> {
        let c = scheme.checked_for(spectrum)?.coefficients();
        check_preconditioner(p, spectrum.eigenvalues().len())?;
        let step = positive("step", step)?;
        Ok(Self { eigenvalues: spectrum.eigenvalues().to_vec(), steps: p.iter().map(|p| step / p).collect(), c })
    }

    /// The moments after one step.
    ///
    /// # Errors
    /// Moments of another number of directions.
    pub fn apply(&self, moments: &Moments) -> Result<Moments> {
        let expected = self.eigenvalues.len();
        for list in [&moments.position, &moments.cross, &moments.momentum] {
            if list.len() != expected {
                return Err(Error::Size { what: "a list of moments", found: list.len(), expected });
            }
        }
        let Coefficients { beta, gain: s, c1, c2, .. } = self.c;
        let noise = c2 * sum(self.eigenvalues.iter().zip(&moments.position).map(|(l, a)| l * l * a));
        let mut next = moments.clone();
        for i in 0..expected {
            let (l, h) = (self.eigenvalues[i], self.steps[i]);
            let (a, c, v) = (moments.position[i], moments.cross[i], moments.momentum[i]);
            let v = beta * beta * v + 2.0 * beta * s * l * c + s * s * (c1 * l * l * a + noise);
            let w = beta * c + s * l * a;
            next.momentum[i] = v;
            next.cross[i] = w - h * v;
            next.position[i] = a - 2.0 * h * w + h * h * v;
        }
        Ok(next)
    }

    /// The spectral radius of the map over the directions of positive curvature: 1 exactly at the critical step.
    ///
    /// Directions of no curvature are left out: their position moves, but moves nothing else, and keeps the eigenvalue
    /// 1 at every step. See the `radius` module for how it is found.
    pub fn spectral_radius(&self) -> f64 {
        let lengths = self.eigenvalues.iter().zip(&self.steps).map(|(l, h)| self.c.gain * l * h).filter(|l| *l > 0.0);
        super::radius::spectral_radius(&self.c, &lengths.collect::<Vec<_>>())
    }
}
