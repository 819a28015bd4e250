//! The classic probe that changes the weights and changes them back (`probe = "in-place"`).
//!
//! It is there to compare with MeZO's own code: rounding leaves a residue, so the weights drift even where nothing is
//! learned (about 1e-9 of rms a step in f32 at λ = 1e-3; far more in 16 bits). The drift is a function of the seeds, so
//! a replay repeats it.

use polder_optim::{Applied, Batch, Estimate, Losses, Objective, ObjectiveError, Optimizer, UpdateMode};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed, Shift, update};
use serde_json::Value;

/// An objective that visits points by moving the weights there: `+λu`, losses, `−2λu`, losses, `+λu`.
///
/// Every move is rounded to the nearest value of the weights' storage. The inner objective is asked at plain points
/// only, so it need not know how to read shifted weights.
#[derive(Debug)]
pub struct InPlace<'a, O> {
    inner: O,
    params: &'a ParamSet,
    law: Law,
}

impl<'a, O: Objective> InPlace<'a, O> {
    /// Moves `params`, which `inner` reads, along directions of `law`.
    pub fn new(inner: O, params: &'a ParamSet, law: Law) -> Self {
        Self { inner, params, law }
    }
}

impl<O: Objective> Objective for InPlace<'_, O> {
    fn losses(&mut self, batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError> {
        let mut all = Losses::default();
        let mut walk = Walk::new(self.params, self.law);
        for point in points {
            walk.to(point).map_err(ObjectiveError::new)?;
            let here = self.inner.losses(batch, &[Shift::none()])?;
            all.points.extend(here.points);
            all.weights = here.weights;
        }
        walk.to(&Shift::none()).map_err(ObjectiveError::new)?;
        Ok(all)
    }
}

/// Where the weights stand, relative to where they started.
struct Walk<'a> {
    params: &'a ParamSet,
    law: Law,
    here: Vec<(Seed, f32)>,
}

impl<'a> Walk<'a> {
    fn new(params: &'a ParamSet, law: Law) -> Self {
        Self { params, law, here: Vec::new() }
    }

    /// Moves the weights to a point, by one visit of each.
    fn to(&mut self, point: &Shift) -> polder_perturb::Result<()> {
        let there: Vec<(Seed, f32)> = point.terms.iter().map(|t| (t.seed, t.coeff as f32)).collect();
        let mut seeds: Vec<Seed> = Vec::new();
        for (seed, _) in self.here.iter().chain(&there) {
            if !seeds.contains(seed) {
                seeds.push(*seed);
            }
        }
        let at = |terms: &[(Seed, f32)], seed| terms.iter().filter(|t| t.0 == seed).map(|t| t.1).sum::<f32>();
        let moves: Vec<(Seed, f32)> = seeds.iter().map(|s| (*s, at(&there, *s) - at(&self.here, *s))).collect();
        if moves.iter().any(|(_, coeff)| *coeff != 0.0) {
            update::visit(self.params, self.law, &moves, &update::Add, Rounding::Nearest, Seed(0))?;
        }
        self.here = there;
        Ok(())
    }
}

/// An optimiser whose updates first repeat the moves of the probe: what replay needs of a run probed in place.
#[derive(Debug)]
pub struct AfterMoves {
    inner: Box<dyn Optimizer>,
    eps: f64,
}

impl AfterMoves {
    /// Repeats the two-point moves `+eps, −2eps, +eps` along each direction before `inner` applies its update.
    pub fn new(inner: Box<dyn Optimizer>, eps: f64) -> Self {
        Self { inner, eps }
    }
}

impl Optimizer for AfterMoves {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn settings(&self) -> Value {
        self.inner.settings()
    }

    fn learning_rate(&self) -> f64 {
        self.inner.learning_rate()
    }

    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> polder_optim::Result<Applied> {
        self.inner.decide(estimate, lr, rounding_seed)
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> polder_optim::Result<()> {
        let mut walk = Walk::new(params, mode.law);
        for (seed, _) in &applied.terms {
            walk.to(&Shift::along(*seed, self.eps))?;
            walk.to(&Shift::along(*seed, -self.eps))?;
        }
        walk.to(&Shift::none())?;
        self.inner.apply(params, mode, applied)
    }
}
