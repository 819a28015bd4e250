//! The tilted sharpness R_t = f_t − f of a quadratic: closed form against the probe of `polder sharpness`.

use polder_optim::Batch;
use polder_optim::objectives::SmoothObjective;
use polder_perturb::{Law, Seed};
use polder_sharpness::ProbeSeeds;
use polder_sharpness::probe::NeighbourhoodProbe;
use polder_sharpness::theory::gaussian_tilt;

use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::SCALE;
use super::gradient::{EIGENVALUES, GRADIENT, quadratic};
use crate::error::Result;

/// R_t at t = 1 and s = 0.35, computed independently.
const ORACLE: f64 = 0.723481110738558;
/// Tilts; the barrier is at 1/(0.35²·4) = 2.04.
const TILTS: [f64; 7] = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5];

pub(super) fn run(request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    heard(&Progress { what: "tilted sharpness of a quadratic".to_owned(), done: 0, total: 1 });
    let smooth = quadratic(&EIGENVALUES, &GRADIENT)?;
    let params = SmoothObjective::parameter(&[0.0; 3])?;
    let mut objective = SmoothObjective::new(&smooth, &params, Law::Gaussian)?;
    let probes = if request.short { 50_000 } else { 1_000_000 };
    let probe = NeighbourhoodProbe { delta: SCALE, probes, precision: None };
    let around = probe.run(&mut objective, Batch(0), ProbeSeeds::new(Seed(request.seed), 0))?;
    found.evaluations += around.forwards;
    let columns = ["t", "barrier", "exact", "probe", "standard_error", "effective_directions"];
    let mut table = Table::new("regulariser", &columns);
    for t in TILTS {
        // Beyond the barrier there is no finite value.
        let exact = gaussian_tilt(&EIGENVALUES, &GRADIENT, SCALE, t).unwrap_or(f64::INFINITY);
        let tilted = around.tilted(t)?;
        let (value, error) = (tilted.sharpness.value, tilted.sharpness.standard_error);
        let barrier = t * SCALE * SCALE * EIGENVALUES[2];
        table.rows.push(vec![t, barrier, exact, value, error, tilted.effective_samples]);
        // A tilt of 0.5 (ts²λ_max = 0.245) has a mean of finite variance; four standard errors of it are below 2 % in the
        // short form.
        if t <= 0.5 {
            let what = format!("R_t of a quadratic, t = {t}, by the probe");
            let share = if request.short { 0.03 } else { 0.01 };
            found.checks.push(Check::near(what, value, format!("{exact:.6} (closed form)"), exact, share * exact));
        }
    }
    let closed = gaussian_tilt(&EIGENVALUES, &GRADIENT, SCALE, 1.0)?;
    let what = "R_t of a quadratic, t = 1, by the closed form";
    found.checks.push(Check::near(what, closed, format!("{ORACLE} (computed independently)"), ORACLE, 1e-12));
    found.data.push(table);
    Ok(())
}
