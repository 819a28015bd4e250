//! The toy (yᵀz − 1)²/2, whose minima have every trace from 2 upwards.

mod balance;
mod courses;
mod figures;
mod stability;

use polder_optim::objectives::Toy;
use polder_perturb::Seed;

use super::experiment::{Experiment, Progress, Request};
use super::outcome::Outcome;
use crate::error::Result;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "toy",
    about: "two-point descent drifts along the minima of (yᵀz − 1)²/2 to a smaller trace, gradient descent does not",
    source: "Zhang et al., arXiv 2506.05454, Proposition 1, Figures 1 and 4",
    seconds: (1.0, 6.0),
    run,
};

/// Numbers in each of y and z.
const BLOCK: usize = 100;
/// The learning rate of the zeroth-order runs.
const LR: f64 = 1e-3;
/// The smoothing that stands for λ → 0: its λ² is a million times below that of λ = 0.1.
const LIMIT: f64 = 1e-4;
/// The largest residual of a start: the first steps' noise adds about 0.12·r² to the trace.
const RESIDUAL: f64 = 5.0;

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let toy = Toy::new(BLOCK)?;
    let mut found = Outcome::default();
    courses::run(&toy, request, heard, &mut found)?;
    balance::run(&toy, request, heard, &mut found)?;
    stability::run(&toy, request, heard, &mut found)?;
    found.differs.extend(DIFFERS.map(str::to_owned));
    found.set("numbers in y and in z", BLOCK);
    found.set("start", format!("y, z ~ N(0, I), the first seed with |yᵀz − 1| ≤ {RESIDUAL}"));
    found.set("η of two-point descent", LR);
    found.set("λ → 0", format!("taken as λ = {LIMIT}"));
    found.figures = figures::all(&found);
    Ok(found)
}

const DIFFERS: [&str; 3] = [
    "The start of the paper's figures has a trace of about 155, which no seed of its script is known to give (seed 17 gives \
     216.9). So traces are compared as shares of their start.",
    "Gradient descent at the paper's η = 0.01 is stable from the figure's start (ηS = 1.55) and not from the script's \
     (ηS = 2.17), where the loss first rises and the trace falls. Both cases are run here by that product.",
    "With large residuals at the start the first noisy steps change the trace by up to a third, in either run; the start is \
     therefore one with a small residual, and a decay of B is compared in the mean of several runs from a minimum.",
];

/// The paper's kind of start, with a small residual.
fn start(toy: &Toy, seed: u64) -> Vec<f64> {
    let mut seed = seed.wrapping_mul(1000);
    loop {
        let start = toy.start(Seed(seed));
        if toy.residual(&start).abs() <= RESIDUAL {
            return start;
        }
        seed = seed.wrapping_add(1);
    }
}
