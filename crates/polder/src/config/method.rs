//! The choices that make the algorithm: estimator, optimiser, schedule.

use serde::{Deserialize, Serialize};

/// How losses become a gradient estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// `g = (ℓ(θ+εu) − ℓ(θ−εu)) / 2ε` along each direction.
    TwoPoint(TwoPoint),
}

/// The two-point estimator's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoPoint {
    /// The distance λ of the two points from the weights.
    pub eps: f64,
    /// Directions a step, q; 2q points.
    pub directions: usize,
    /// The law of the directions' elements.
    pub law: Law,
}

/// The law of a direction's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// Standard Gaussian.
    Gaussian,
    /// ±1 with equal probability.
    Rademacher,
}

/// How an estimate becomes an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// `θ ← θ − lr·(g·u + weight_decay·θ)`.
    Sgd(Sgd),
}

impl Optimizer {
    /// The learning rate at its height.
    pub fn lr(&self) -> f64 {
        let Self::Sgd(sgd) = self;
        sgd.lr
    }
}

/// The SGD's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    /// Weight decay; norms and biases are exempt.
    pub weight_decay: f64,
}

/// The learning rate over the steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same throughout, after the warm-up.
    Constant(Constant),
    /// Falls on a straight line.
    Linear(Linear),
    /// Falls on half a cosine.
    Cosine(Cosine),
}

/// The constant schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
}

/// The linear schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
    /// The share of the rate that is left at the end.
    pub end: f64,
}

/// The cosine schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
    /// The share of the rate that is left at the end.
    pub end: f64,
}
