//! Theorem 1 and its Corollary of zeroth-order descent towards flat minima, with the lemmas behind them.

use serde::{Deserialize, Serialize};

use crate::error::{Result, positive, setting};

/// The assumptions: the dimension and the three Lipschitz constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothness {
    d: f64,
    l1: f64,
    l2: f64,
    l3: f64,
}

/// The right side of Theorem 1, term by term, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Theorem1 {
    /// `8(d+6)L₁‖x₀−x_F*‖²/T`: what descent has not yet done.
    pub descent: f64,
    /// `(L₃/6)λ⁴(d+4)²`: what F leaves out of the smoothed loss.
    pub smoothing: f64,
    /// `(L₂²/(24L₁))λ⁴(d+6)³`: the estimate's second moment from the third derivatives.
    pub third: f64,
    /// `(L₃²/(1152L₁))λ⁶(d+10)⁴`: the estimate's second moment from the fourth derivatives.
    pub fourth: f64,
}

impl Theorem1 {
    /// The bound of `E[F(x_τ) − min F]`.
    pub fn total(&self) -> f64 {
        self.descent + self.smoothing + self.third + self.fourth
    }
}

/// One of the four limits of the Corollary: what it asks of λ and of T.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limit {
    /// Where it comes from, in words.
    pub origin: &'static str,
    /// The largest λ² that it allows.
    pub lambda_squared: f64,
    /// The fewest steps that it asks for.
    pub steps: f64,
    /// Whether it is the one that decides: the smallest λ² and the most steps belong to the same limit.
    pub binds: bool,
}

/// What to run and what is then proved, by the Corollary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Corollary {
    /// The learning rate `η = 1/(8(d+6)L₁)`.
    pub step: f64,
    /// The squared smoothing λ², the smallest of the four limits.
    pub lambda_squared: f64,
    /// The number of steps T, whole, the largest of the four limits; as f64, because it may be astronomical.
    pub steps: f64,
    /// The trace's distance ε from that of the flattest minimum, in the mean over a random step.
    pub trace_gap: f64,
    /// The loss's distance from its minimum, in nats: `(3L₁²ε/(2L₂²(d+6)²))(1 + ε/(L₁(d+6)))`.
    pub loss_gap: f64,
    /// The same from the λ that is really used: `(λ²/2)(dL₁ + ε)`, never more.
    pub loss_gap_at_lambda: f64,
    /// The four limits, in the paper's order.
    pub limits: [Limit; 4],
}

impl Smoothness {
    /// The dimension d and the constants L₁ (nats per unit², L₂ per unit³, L₃ per unit⁴).
    ///
    /// # Errors
    /// No dimension; a constant that is not positive and finite (a Lipschitz constant is an upper bound: for zero give
    /// a small positive number).
    pub fn new(dimension: u64, l1: f64, l2: f64, l3: f64) -> Result<Self> {
        if dimension == 0 {
            return Err(setting("dimension", dimension, "it is the number of weights, at least 1"));
        }
        let constant = |name, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(value),
            false => Err(setting(name, value, "it must be positive and finite; for zero give a small positive number")),
        };
        Ok(Self { d: dimension as f64, l1: constant("l1", l1)?, l2: constant("l2", l2)?, l3: constant("l3", l3)? })
    }

    /// The learning rate of Theorem 1, `η = 1/(8(d+6)L₁)`, in units of weight squared a nat.
    pub fn step(&self) -> f64 {
        1.0 / (8.0 * (self.d + 6.0) * self.l1)
    }

    /// Lemma 1, first part: `|f_λ − F| ≤ (L₃/24)λ⁴(d+4)²`, in nats.
    pub fn smoothing_gap(&self, lambda: f64) -> f64 {
        self.l3 / 24.0 * lambda.powi(4) * (self.d + 4.0).powi(2)
    }

    /// Lemma 1, second part: `E‖g‖² ≤ 2(d+6)‖∇F‖² + (L₂²/3)λ⁴(d+6)⁴ + (L₃²/288)λ⁶(d+10)⁵`, from `‖∇F‖²`.
    pub fn second_moment(&self, lambda: f64, squared_gradient: f64) -> f64 {
        let Self { d, l2, l3, .. } = *self;
        2.0 * (d + 6.0) * squared_gradient
            + l2 * l2 / 3.0 * lambda.powi(4) * (d + 6.0).powi(4)
            + l3 * l3 / 288.0 * lambda.powi(6) * (d + 10.0).powi(5)
    }

    /// Lemma 2: F is 2L₁-smooth for λ² up to `√2·L₁/(d^{3/2}L₃)`, which this gives.
    pub fn smooth_up_to(&self) -> f64 {
        2f64.sqrt() * self.l1 / (self.d.powf(1.5) * self.l3)
    }

    /// Theorem 1: the bound of `E[F(x_τ) − min F]` after `steps` steps with smoothing λ from a start at the squared
    /// distance `‖x₀ − x_F*‖²`.
    ///
    /// # Errors
    /// A number that is not positive and finite; a λ² beyond Lemma 2's.
    pub fn theorem1(&self, lambda: f64, steps: f64, squared_distance: f64) -> Result<Theorem1> {
        positive("lambda", lambda)?;
        positive("steps", steps)?;
        positive("squared_distance", squared_distance)?;
        // The Corollary may take λ² at the limit itself, where its root squared may lie one rounding above.
        if lambda * lambda > self.smooth_up_to() * (1.0 + 4.0 * f64::EPSILON) {
            return Err(setting("lambda", lambda, "its square must be at most √2·L₁/(d^{3/2}·L₃), by Lemma 2"));
        }
        let Self { d, l1, l2, l3 } = *self;
        Ok(Theorem1 {
            descent: 8.0 * (d + 6.0) * l1 * squared_distance / steps,
            smoothing: l3 / 6.0 * lambda.powi(4) * (d + 4.0).powi(2),
            third: l2 * l2 / (24.0 * l1) * lambda.powi(4) * (d + 6.0).powi(3),
            fourth: l3 * l3 / (1152.0 * l1) * lambda.powi(6) * (d + 10.0).powi(4),
        })
    }

    /// The Corollary: λ² and T for which the trace's gap is at most ε in the mean, and the gaps.
    ///
    /// λ² is the least of `√2L₁/(d^{3/2}L₃)`, `12√(L₁ε)/(L₃(d+10)²)`, `3ε/(4L₃(d+4)²)`, `3L₁ε/(L₂²(d+6)³)`;
    /// `T = 64(d+6)L₁‖x₀−x_F*‖²/(λ²ε)`. Orders: T = O(d⁴/ε²), λ = O(√ε/d^{3/2}).
    ///
    /// # Errors
    /// ε or the squared distance not positive and finite.
    pub fn corollary(&self, epsilon: f64, squared_distance: f64) -> Result<Corollary> {
        positive("epsilon", epsilon)?;
        positive("squared_distance", squared_distance)?;
        let Self { d, l1, l2, l3 } = *self;
        let allowed = [
            ("Lemma 2: F must stay smooth", self.smooth_up_to()),
            ("the fourth derivatives in the estimate's second moment", {
                12.0 * (l1 * epsilon).sqrt() / (l3 * (d + 10.0).powi(2))
            }),
            ("what F leaves out of the smoothed loss", 3.0 * epsilon / (4.0 * l3 * (d + 4.0).powi(2))),
            ("the third derivatives in the estimate's second moment", {
                3.0 * l1 * epsilon / (l2 * l2 * (d + 6.0).powi(3))
            }),
        ];
        let steps = |squared: f64| (64.0 * (d + 6.0) * l1 * squared_distance / (squared * epsilon)).ceil();
        let least = allowed.iter().map(|(_, squared)| *squared).fold(f64::INFINITY, f64::min);
        let limits = allowed.map(|(origin, lambda_squared)| Limit {
            origin,
            lambda_squared,
            steps: steps(lambda_squared),
            binds: lambda_squared == least,
        });
        Ok(Corollary {
            step: self.step(),
            lambda_squared: least,
            steps: steps(least),
            trace_gap: epsilon,
            loss_gap: 3.0 * l1 * l1 * epsilon / (2.0 * l2 * l2 * (d + 6.0).powi(2))
                * (1.0 + epsilon / (l1 * (d + 6.0))),
            loss_gap_at_lambda: least / 2.0 * (d * l1 + epsilon),
            limits,
        })
    }
}
