//! What decides stability beside the spectrum: the method, the number of queries, the law of the directions.

use polder_perturb::Law;
use serde::{Deserialize, Serialize};

use super::Spectrum;
use crate::error::{Error, Result, setting};

/// How an estimate becomes a step.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// ZO-GD: `x ← x − ηĝ`.
    #[default]
    Sgd,
    /// ZO-GDM with Polyak's momentum, a sum and no average: `m ← βm + ĝ`, `x ← x − ηm`.
    Polyak {
        /// β, in [0, 1).
        beta: f64,
    },
    /// Adam with its preconditioner P frozen: `m ← β₁m + (1 − β₁)ĝ`, `x ← x − ηP⁻¹m`. With P = 1: averaged momentum.
    FrozenAdam {
        /// β₁, in [0, 1).
        beta1: f64,
    },
}

impl Method {
    /// β or β₁; zero without momentum.
    pub fn beta(self) -> f64 {
        match self {
            Self::Sgd => 0.0,
            Self::Polyak { beta } => beta,
            Self::FrozenAdam { beta1 } => beta1,
        }
    }

    /// Checks β.
    pub(super) fn checked(self) -> Result<Self> {
        match (0.0..1.0).contains(&self.beta()) {
            true => Ok(self),
            false => Err(setting("beta", self.beta(), "it must be at least 0 and less than 1")),
        }
    }
}

/// The law of the directions u, all with `E uuᵀ = I`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Directions {
    /// Standard normal.
    #[default]
    Gaussian,
    /// Uniform on the sphere of radius √d. (On the sphere of radius 1, with the factor d left out of the estimate, a
    /// step does the same when it is d times as long.)
    Sphere {
        /// The number d of weights that a direction reaches, at least 1.
        dimension: u64,
    },
    /// Signs, where the Hessian is diagonal in the coordinates of the weights. Not for other Hessians.
    RademacherDiagonal,
}

impl From<Law> for Directions {
    /// Gaussian for both laws: the Gaussian critical step is never above that of signs, whatever the Hessian.
    ///
    /// For signs `E (uᵀy)²uuᵀ` is the Gaussian `‖y‖²I + 2yyᵀ` less the positive `2·diag(yᵢ²)`, so each step makes
    /// second moments that are no larger.
    fn from(law: Law) -> Self {
        match law {
            Law::Gaussian | Law::Rademacher => Self::Gaussian,
        }
    }
}

/// A zeroth-order method: how an estimate becomes a step, from how many directions, of which law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scheme {
    /// How an estimate becomes a step.
    pub method: Method,
    /// The number q of directions that an estimate averages, at least 1.
    pub queries: u32,
    /// The law of the directions.
    pub directions: Directions,
}

impl Default for Scheme {
    fn default() -> Self {
        Self { method: Method::Sgd, queries: 1, directions: Directions::Gaussian }
    }
}

impl Scheme {
    /// One Gaussian direction a step.
    pub fn of(method: Method) -> Self {
        Self { method, ..Self::default() }
    }

    /// With that many directions a step.
    pub fn with_queries(self, queries: u32) -> Self {
        Self { queries, ..self }
    }

    /// With directions of that law.
    pub fn with_directions(self, directions: Directions) -> Self {
        Self { directions, ..self }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// β outside of [0, 1); no query; a sphere without dimension.
    pub fn checked(self) -> Result<Self> {
        self.method.checked()?;
        if self.queries == 0 {
            return Err(setting("queries", self.queries, "a step needs at least one direction"));
        }
        if self.directions == (Directions::Sphere { dimension: 0 }) {
            return Err(setting("dimension", 0, "it is the number of weights that a direction reaches, at least 1"));
        }
        Ok(self)
    }

    /// Checks the settings and that the spectrum fits the space of the directions.
    pub(super) fn checked_for(self, spectrum: &Spectrum) -> Result<Self> {
        let eigenvalues = spectrum.eigenvalues().len();
        match self.checked()?.directions {
            Directions::Sphere { dimension } if (eigenvalues as u64) > dimension => {
                Err(Error::Dimension { eigenvalues, dimension })
            }
            _ => Ok(self),
        }
    }

    /// The numbers of the critical equation.
    pub(super) fn coefficients(self) -> Coefficients {
        let q = f64::from(self.queries);
        // E (uᵀy)²uuᵀ = across·‖y‖²I + along·yyᵀ, on the diagonal in the eigenbasis.
        let (across, along) = match self.directions {
            Directions::Gaussian => (1.0, 2.0),
            Directions::Sphere { dimension } => {
                let kappa = dimension as f64 / (dimension as f64 + 2.0);
                (kappa, 2.0 * kappa)
            }
            Directions::RademacherDiagonal => (1.0, 0.0),
        };
        let beta = self.method.beta();
        let (c1, c2) = ((1.0 - 1.0 / q) + along / q, across / q);
        let gain = match self.method {
            Method::Sgd | Method::Polyak { .. } => 1.0,
            Method::FrozenAdam { .. } => 1.0 - beta,
        };
        let right = match self.method {
            Method::Sgd | Method::Polyak { .. } => 2.0 * (1.0 - beta),
            Method::FrozenAdam { .. } => 2.0,
        };
        Coefficients { beta, gain, c1, c2, slope: c1 - 2.0 * beta / (1.0 + beta), right }
    }
}

/// The numbers of the critical equation `Σ c₂ηλᵢ/(right − slope·ηλᵢ) = 1` and of the second-moment map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    /// β or β₁.
    pub(super) beta: f64,
    /// What an estimate is multiplied with on its way into the momentum: 1, or 1 − β₁ for Adam.
    pub(super) gain: f64,
    /// `c₁ = (1 − 1/q) + 2κ/q`.
    pub(super) c1: f64,
    /// `c₂ = κ/q`.
    pub(super) c2: f64,
    /// `A = c₁ − 2β/(1 + β)`.
    pub(super) slope: f64,
    /// `2(1 − β)`, or 2 for Adam.
    pub(super) right: f64,
}
