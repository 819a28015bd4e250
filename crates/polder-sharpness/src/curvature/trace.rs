//! The trace of a Hessian from gradients.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hessian::{GradientHessian, dot, signs};
use crate::error::{Result, setting};
use crate::measured::{Precision, Tally};
use crate::seeds::{ProbeSeeds, Purpose};

/// A number measured with gradients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByGradients {
    /// The estimate, in the unit of what was measured.
    pub value: f64,
    /// Its standard error over the random vectors, in the same unit.
    pub standard_error: f64,
    /// How many independent samples it comes from.
    pub samples: u64,
    /// What it cost, in gradients of a whole batch.
    pub gradients: u64,
}

impl fmt::Display for ByGradients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, standard_error, samples, gradients } = self;
        write!(f, "{value:.6} ± {standard_error:.6} ({samples} samples, {gradients} gradients)")
    }
}

/// Hutchinson's estimate of the trace with random signs z: `Tr H ≈ (1/n) Σᵢ zᵢᵀHzᵢ`, variance `2(‖H‖_F² − Σ Hᵢᵢ²)/n`.
///
/// Source: Hutchinson, Comm. Statist. Simula. 19 (1990) 433.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GradientTrace {
    /// The most probes n, at least 2; each costs two gradients.
    pub probes: u32,
    /// Where to stop early, looked at after each probe from the sixteenth on; absent: all probes are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl Default for GradientTrace {
    fn default() -> Self {
        Self { probes: 100, precision: None }
    }
}

impl GradientTrace {
    /// The trace of H, or of `P⁻¹H` where the Hessian is preconditioned.
    ///
    /// # Errors
    /// Settings that are not possible; gradients that can't be computed or are not finite.
    pub fn run<E>(&self, hessian: &mut GradientHessian<'_, E>, seeds: ProbeSeeds) -> Result<ByGradients>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let precision = self.precision.map(Precision::checked).transpose()?;
        at_least_two(self.probes)?;
        let before = hessian.gradients();
        let mut tally = Tally::default();
        for index in 0..self.probes {
            let z = signs(seeds.seed(Purpose::GradientTrace, index), hessian.dimension());
            tally.add(dot(&z, &hessian.times(&z)?));
            if precision.is_some_and(|precision| precision.reached(&tally)) {
                break;
            }
        }
        Ok(ByGradients {
            value: tally.mean,
            standard_error: tally.standard_error(),
            samples: tally.samples,
            gradients: hessian.gradients() - before,
        })
    }
}

/// Checks the number of probes.
pub(super) fn at_least_two(probes: u32) -> Result<()> {
    match probes {
        0 | 1 => Err(setting("probes", probes, "it must be at least 2: one sample has no standard error")),
        _ => Ok(()),
    }
}
