//! Directions as they are drawn, or of a fixed length.

use polder_perturb::Seed;
use serde::{Deserialize, Serialize};

use super::StepContext;
use crate::error::{Error, Result};

/// How long directions are.
///
/// A direction z is drawn by its law and used as `u = scale·z`. On the sphere of radius √d, `u = √d·z/‖z‖`, so that ε
/// means the same for both: the step of one weight, rms. With the radius ρ of a unit direction, `ρ = ε·√d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    /// As drawn: `E uuᵀ = I`, and `‖u‖²` is d on average.
    #[default]
    Plain,
    /// On the sphere of radius √d: `E uuᵀ = I`, and `‖u‖² = d`.
    Sphere,
}

impl Scaling {
    /// The names in configurations.
    pub const NAMES: &[&str] = &["plain", "sphere"];

    /// Whether directions are used as drawn.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// The factor `u/z` of each direction.
    ///
    /// # Errors
    /// Lengths that were not given, or one of 0.
    pub(super) fn scales(self, context: &StepContext<'_>, seeds: &[Seed]) -> Result<Vec<f64>> {
        match self {
            Self::Plain => Ok(vec![1.0; seeds.len()]),
            Self::Sphere if context.lengths.len() != seeds.len() => {
                let (found, expected) = (context.lengths.len(), seeds.len());
                Err(Error::LossShape { what: "lengths of directions", found, expected })
            }
            Self::Sphere => {
                let root = (context.elements as f64).sqrt();
                Ok(context.lengths.iter().map(|length| root / length).collect())
            }
        }
    }

    /// The coefficient of each direction z that moves the weights by `eps·u`: the nearest f32, as it is applied.
    ///
    /// Directions of unknown length are taken as drawn; [`Scaling::scales`] refuses them.
    pub(super) fn steps(self, context: &StepContext<'_>, seeds: &[Seed], eps: f64) -> Vec<f64> {
        let scales = self.scales(context, seeds).unwrap_or_else(|_| vec![1.0; seeds.len()]);
        scales.into_iter().map(|scale| f64::from((eps * scale) as f32)).collect()
    }
}
