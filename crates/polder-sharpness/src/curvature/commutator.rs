//! How far a preconditioner and the Hessian commute.

use serde::{Deserialize, Serialize};

use super::hessian::{GradientHessian, dot, signs};
use super::trace::{ByGradients, at_least_two};
use crate::error::{Error, Result};
use crate::measured::Tally;
use crate::seeds::{ProbeSeeds, Purpose};
use crate::stability::check_preconditioner;

/// A probe of the relative commutator `‖PH − HP‖_F/‖PH‖_F`: 0 where the theory of frozen Adam is exact.
///
/// `‖M‖_F² = E‖Mz‖²` for random signs z, with the same z above and below; the standard error of the quotient is by the
/// delta method. Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, Theorem 3
/// and appendix D.3; the estimate by probes is ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Commutator {
    /// The number of probes n, at least 2; each costs four gradients.
    pub probes: u32,
}

impl Default for Commutator {
    fn default() -> Self {
        Self { probes: 100 }
    }
}

impl Commutator {
    /// The relative commutator, without unit, of H itself and a diagonal P.
    ///
    /// # Errors
    /// Fewer than two probes; a preconditioner of another length or with a number that is not positive and finite; a
    /// Hessian that no probe felt; gradients that can't be computed or are not finite.
    pub fn run<E>(&self, hessian: &mut GradientHessian<'_, E>, p: &[f64], seeds: ProbeSeeds) -> Result<ByGradients>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        at_least_two(self.probes)?;
        check_preconditioner(p, hessian.dimension())?;
        let before = hessian.gradients();
        let times_p = |v: &[f64]| -> Vec<f64> { v.iter().zip(p).map(|(v, p)| v * p).collect() };
        let mut squares = Vec::with_capacity(self.probes as usize);
        for index in 0..self.probes {
            let z = signs(seeds.seed(Purpose::Commutator, index), p.len());
            let ph = times_p(&hessian.plain_times(&z)?);
            let hp = hessian.plain_times(&times_p(&z))?;
            let apart: Vec<f64> = ph.iter().zip(&hp).map(|(a, b)| a - b).collect();
            squares.push((dot(&apart, &apart), dot(&ph, &ph)));
        }
        let below = Tally::of(squares.iter().map(|(_, whole)| *whole)).mean;
        if below == 0.0 {
            return Err(Error::NoCurvature { probes: u64::from(self.probes) });
        }
        let ratio = Tally::of(squares.iter().map(|(apart, _)| *apart)).mean / below;
        let influences = Tally::of(squares.iter().map(|(apart, whole)| apart - ratio * whole));
        let value = ratio.sqrt();
        // d√R = dR/(2√R); with no commutator at all every sample is 0 and so is the error.
        let standard_error = if value == 0.0 { 0.0 } else { influences.standard_error() / below / (2.0 * value) };
        let (samples, gradients) = (influences.samples, hessian.gradients() - before);
        Ok(ByGradients { value, standard_error, samples, gradients })
    }
}
