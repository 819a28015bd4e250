//! The classic probe that changes the weights and changes them back (`probe = "in-place"`).
//!
//! It is there to compare with MeZO's own code: rounding leaves a residue, so the weights drift even where nothing is
//! learned (about 1e-9 of rms a step in f32 at λ = 1e-3; far more in 16 bits). The drift is a function of the seeds, so
//! a replay repeats it.

use polder_optim::trajectory::Moves;
use polder_optim::{Batch, Estimator, Losses, Objective, ObjectiveError, StepContext};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed, Shift, update};

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

/// The moves of an in-place probe by this estimator, repeated before each update: what a replay needs.
pub fn moves(estimator: Box<dyn Estimator>) -> Moves {
    Box::new(move |params, mode, applied| {
        let seeds: Vec<Seed> = applied.terms.iter().map(|(seed, _)| *seed).collect();
        // Where a probe looks depends on its seeds alone, as directions of a fixed length are not probed in place.
        let context = StepContext { step: 0, total: 0, batch: Batch(0), elements: 0, lengths: &[] };
        let mut walk = Walk::new(params, mode.law);
        for point in estimator.probes(&context, &seeds) {
            walk.to(&point)?;
        }
        walk.to(&Shift::none())?;
        Ok(())
    })
}
