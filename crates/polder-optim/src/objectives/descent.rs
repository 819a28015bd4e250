//! First-order methods, to compare with.

use super::smooth::{Scratch, Smooth};
use crate::error::{Error, Result};
use crate::estimator::setting;

/// A first-order method with a constant step size η.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FirstOrder {
    /// Gradient descent: `x ← x − η∇f(x)`.
    Gradient {
        /// η.
        lr: f64,
    },
    /// Polyak's heavy ball: `m ← βm + ∇f(x)`, `x ← x − ηm`.
    HeavyBall {
        /// η.
        lr: f64,
        /// β, in [0, 1).
        beta: f64,
    },
    /// Adam: `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`, `x ← x − η·m̂/(√v̂ + ε)`, `m̂ = m/(1 − β₁ᵗ)`,
    /// `v̂ = v/(1 − β₂ᵗ)`. Source: Kingma and Ba, arXiv 1412.6980, Algorithm 1.
    Adam {
        /// η.
        lr: f64,
        /// β₁ and β₂, in [0, 1).
        betas: [f64; 2],
        /// ε, positive.
        eps: f64,
    },
    /// Sharpness-aware minimisation: `x ← x − η∇f(x + ρ∇f(x)/(‖∇f(x)‖ + 1e-12))`. Source: Foret et al., arXiv
    /// 2010.01412, as the code of arXiv 2506.05454 has it.
    Sam {
        /// η.
        lr: f64,
        /// The radius ρ.
        rho: f64,
    },
}

impl FirstOrder {
    /// Checks the settings.
    ///
    /// # Errors
    /// A step size or radius that is negative or not finite; a β outside of [0, 1); an ε that is not positive.
    pub fn checked(self) -> Result<Self> {
        let at_least_0 = |name, x: f64| match x.is_finite() && x >= 0.0 {
            true => Ok(()),
            false => Err(setting(name, x, "it must be at least 0 and finite")),
        };
        let below_1 = |name, x: f64| match (0.0..1.0).contains(&x) {
            true => Ok(()),
            false => Err(setting(name, x, "it must be at least 0 and below 1")),
        };
        match self {
            Self::Gradient { lr } => at_least_0("lr", lr)?,
            Self::HeavyBall { lr, beta } => at_least_0("lr", lr).and(below_1("beta", beta))?,
            Self::Adam { lr, betas, eps } => {
                at_least_0("lr", lr)?;
                betas.into_iter().try_for_each(|beta| below_1("betas", beta))?;
                if !(eps.is_finite() && eps > 0.0) {
                    return Err(setting("eps", eps, "it must be positive and finite"));
                }
            }
            Self::Sam { lr, rho } => at_least_0("lr", lr).and(at_least_0("rho", rho))?,
        }
        Ok(self)
    }

    /// The step size η.
    fn lr(self) -> f64 {
        match self {
            Self::Gradient { lr } | Self::HeavyBall { lr, .. } | Self::Adam { lr, .. } | Self::Sam { lr, .. } => lr,
        }
    }
}

/// A first-order method on its way down a [`Smooth`].
#[derive(Debug)]
pub struct Descent<'a> {
    smooth: &'a dyn Smooth,
    method: FirstOrder,
    x: Vec<f64>,
    gradient: Vec<f64>,
    /// m, where the method has one; the shifted point of SAM.
    first: Vec<f64>,
    /// v of Adam.
    second: Vec<f64>,
    steps: u64,
    scratch: Scratch,
}

impl<'a> Descent<'a> {
    /// From a start of d numbers.
    ///
    /// # Errors
    /// Settings out of their range; a start of another size.
    pub fn new(smooth: &'a dyn Smooth, method: FirstOrder, start: Vec<f64>) -> Result<Self> {
        let (found, expected) = (start.len(), smooth.dimension());
        if found != expected {
            return Err(Error::Size { what: "the start", found, expected });
        }
        let zeros = vec![0.0; expected];
        Ok(Self {
            smooth,
            method: method.checked()?,
            x: start,
            gradient: zeros.clone(),
            first: zeros.clone(),
            second: zeros,
            steps: 0,
            scratch: Scratch::new(),
        })
    }

    /// The weights x.
    pub fn x(&self) -> &[f64] {
        &self.x
    }

    /// One step on all rows, or on some; gives the mean loss before it.
    pub fn step(&mut self, rows: Option<&[usize]>) -> f64 {
        let Self { smooth, method, x, gradient, first, second, steps, scratch } = self;
        let loss = smooth.gradient(x, rows, scratch, gradient);
        *steps += 1;
        let change: &[f64] = match *method {
            FirstOrder::Gradient { .. } => gradient,
            FirstOrder::HeavyBall { beta, .. } => {
                first.iter_mut().zip(&*gradient).for_each(|(m, g)| *m = beta * *m + g);
                first
            }
            FirstOrder::Adam { betas, eps, .. } => {
                adam(*steps, betas, eps, gradient, first, second);
                gradient
            }
            FirstOrder::Sam { rho, .. } => {
                let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                let scale = rho / (norm + 1e-12);
                first.iter_mut().zip(x.iter().zip(&*gradient)).for_each(|(at, (x, g))| *at = x + scale * g);
                smooth.gradient(first, rows, scratch, gradient);
                gradient
            }
        };
        let lr = method.lr();
        x.iter_mut().zip(change).for_each(|(x, g)| *x -= lr * g);
        loss
    }
}

/// Adam's change in place of the gradient.
fn adam(steps: u64, betas: [f64; 2], eps: f64, gradient: &mut [f64], first: &mut [f64], second: &mut [f64]) {
    let [mean, square] = betas.map(|beta| 1.0 - beta.powf(steps as f64));
    for (g, (m, v)) in gradient.iter_mut().zip(first.iter_mut().zip(second)) {
        *m = betas[0] * *m + (1.0 - betas[0]) * *g;
        *v = betas[1] * *v + (1.0 - betas[1]) * *g * *g;
        *g = (*m / mean) / ((*v / square).sqrt() + eps);
    }
}
