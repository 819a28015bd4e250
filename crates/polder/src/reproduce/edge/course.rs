//! What a run does: its method, its steps, and how often it is looked at.

use polder_sharpness::stability::{self, Scheme, StepBounds, step_bounds};

use crate::error::Result;

/// How weights move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    /// Plain gradient descent, which needs gradients: what zeroth-order descent is compared with.
    Gradient,
    /// ZO-GD: the two-point estimator and plain steps.
    Descent,
    /// ZO-GDM: the two-point estimator and Polyak's momentum β.
    Momentum { beta: f64 },
    /// ZO-Adam: the two-point estimator and Adam with β₁ and β₂.
    Adam { betas: [f64; 2] },
}

impl Method {
    /// The method as the theory of mean-square stability has it; nothing for one with gradients.
    fn stability(self) -> Option<stability::Method> {
        match self {
            Self::Gradient => None,
            Self::Descent => Some(stability::Method::Sgd),
            Self::Momentum { beta } => Some(stability::Method::Polyak { beta }),
            Self::Adam { betas } => Some(stability::Method::FrozenAdam { beta1: betas[0] }),
        }
    }

    /// Whether it needs gradients.
    pub(super) fn is_first_order(self) -> bool {
        self.stability().is_none()
    }

    /// Its name for people, and for files.
    fn names(self) -> (String, String) {
        match self {
            Self::Gradient => ("GD".to_owned(), "gd".to_owned()),
            Self::Descent => ("ZO-GD".to_owned(), "zo-gd".to_owned()),
            Self::Momentum { beta } => (format!("ZO-GDM, β = {beta}"), format!("zo-gdm-beta-{beta}")),
            Self::Adam { betas: [beta, _] } => (format!("ZO-Adam, β₁ = {beta}"), format!("zo-adam-beta-{beta}")),
        }
    }
}

/// A run: a method with a step size that is constant or changes at given steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Course {
    pub(super) method: Method,
    /// From which step on which step size η; the first from step 0.
    pub(super) rates: Vec<(u64, f64)>,
    /// The number q of directions a step.
    pub(super) queries: usize,
    /// The smoothing μ: half the distance of the two points.
    pub(super) smoothing: f64,
    /// The size of a minibatch; absent: all examples at every step.
    pub(super) minibatch: Option<usize>,
    /// The number of steps.
    pub(super) steps: u64,
    /// After how many steps each time the curvature is measured.
    pub(super) every: u64,
    /// Further steps after which it is measured.
    pub(super) also: &'static [u64],
    /// How many random vectors measure a trace.
    pub(super) probes: u32,
    /// Whether the commutator of Adam's P with H is measured as well.
    pub(super) commutator: bool,
    /// What tells it from others of the same settings: the network, or the start. May be empty.
    pub(super) mark: &'static str,
}

impl Course {
    /// A run with one direction a step, μ = 1e-3 and full batches, looked at `readings` times.
    pub(super) fn new(method: Method, lr: f64, steps: u64, readings: u64) -> Self {
        Self {
            method,
            rates: vec![(0, lr)],
            queries: 1,
            smoothing: 1e-3,
            minibatch: None,
            steps,
            every: (steps / readings.max(1)).max(1),
            also: &[],
            probes: 50,
            commutator: false,
            mark: "",
        }
    }

    /// The step size η of a step.
    pub(super) fn lr(&self, step: u64) -> f64 {
        self.rates.iter().rev().find(|(from, _)| *from <= step).map_or(0.0, |(_, lr)| *lr)
    }

    /// The edge: the trace (of `P⁻¹H` for Adam) above which no step of this size is stable in mean square; for gradients
    /// the largest eigenvalue above which none is.
    ///
    /// `2/η` for ZO-GD and ZO-Adam, `2(1−β)/η` with momentum, `2q/η` with q directions; `2/η` for gradients.
    pub(super) fn edge(&self, step: u64) -> Result<f64> {
        Ok(self.bounds()?.map_or(2.0, |bounds| bounds.upper) / self.lr(step))
    }

    /// How many largest eigenvalues the band above the trace is wide: where the edge lies above `Tr + this·λ_max`, every
    /// step is stable.
    ///
    /// 2 for ZO-GD, `2/(1+β)` with momentum, q + 1 with q directions.
    pub(super) fn band(&self) -> Result<f64> {
        Ok(self.bounds()?.map_or(0.0, |bounds| bounds.upper / bounds.lower - 1.0))
    }

    /// The bounds of the critical step where trace and largest eigenvalue are 1.
    fn bounds(&self) -> Result<Option<StepBounds>> {
        let scheme = self.method.stability().map(|method| Scheme::of(method).with_queries(self.queries as u32));
        Ok(scheme.map(|scheme| step_bounds(1.0, 1.0, &scheme)).transpose()?)
    }

    /// A title for people: "ZO-GD, η = 0.004".
    pub(super) fn title(&self) -> String {
        let rates: Vec<String> = self.rates.iter().map(|(_, lr)| lr.to_string()).collect();
        let mut title = format!("{}, η = {}", self.method.names().0, rates.join(" → "));
        if self.queries > 1 {
            title += &format!(", {} directions", self.queries);
        }
        if self.smoothing != 1e-3 {
            title += &format!(", μ = {}", self.smoothing);
        }
        if let Some(size) = self.minibatch {
            title += &format!(", minibatches of {size}");
        }
        if !self.mark.is_empty() {
            title += &format!(", {}", self.mark);
        }
        title
    }

    /// The same for a file's name: "zo-gd-eta-0.004".
    pub(super) fn file(&self) -> String {
        let rates: Vec<String> = self.rates.iter().map(|(_, lr)| lr.to_string()).collect();
        let mut name = format!("{}-eta-{}", self.method.names().1, rates.join("-"));
        if self.queries > 1 {
            name += &format!("-directions-{}", self.queries);
        }
        if self.smoothing != 1e-3 {
            name += &format!("-mu-{}", self.smoothing);
        }
        if let Some(size) = self.minibatch {
            name += &format!("-minibatch-{size}");
        }
        if !self.mark.is_empty() {
            name += &format!("-{}", self.mark.replace(' ', "-"));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_and_bands_are_those_of_the_theorems() {
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        let zo = Course::new(Method::Descent, 0.004, 10, 1);
        near(zo.edge(0).unwrap(), 2.0 / 0.004);
        near(zo.band().unwrap(), 2.0);
        let many = Course { queries: 4, ..zo.clone() };
        near(many.edge(0).unwrap(), 2.0 * 4.0 / 0.004);
        near(many.band().unwrap(), 5.0);
        let momentum = Course { method: Method::Momentum { beta: 0.9 }, ..zo.clone() };
        near(momentum.edge(0).unwrap(), 2.0 * 0.1 / 0.004);
        near(momentum.band().unwrap(), 2.0 / 1.9);
        let adam = Course { method: Method::Adam { betas: [0.5, 0.999] }, ..zo.clone() };
        near(adam.edge(0).unwrap(), 2.0 / 0.004);
        near(adam.band().unwrap(), 2.0 / 1.5);
        let gradient = Course { method: Method::Gradient, ..zo.clone() };
        near(gradient.edge(0).unwrap(), 2.0 / 0.004);
        let stairs = Course { rates: vec![(0, 0.004), (5, 0.008)], ..zo };
        assert_eq!([4, 5, 9].map(|step| stairs.lr(step)), [0.004, 0.008, 0.008]);
        near(stairs.edge(5).unwrap(), 250.0);
    }

    #[test]
    fn names_tell_runs_apart() {
        let plain = Course::new(Method::Descent, 0.004, 10, 1);
        assert_eq!((plain.title().as_str(), plain.file().as_str()), ("ZO-GD, η = 0.004", "zo-gd-eta-0.004"));
        let other = Course { queries: 4, minibatch: Some(20), smoothing: 0.03, mark: "sharp start", ..plain };
        assert_eq!(other.file(), "zo-gd-eta-0.004-directions-4-mu-0.03-minibatch-20-sharp-start");
    }
}
