//! A step size that is raised at the edge.

use std::ops::Range;

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::{Check, Outcome};
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{AT_THE_EDGE, make, settings};
use super::track::Track;
use crate::error::Result;
use crate::figure::Figure;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "catapult",
    about: "a step size that is raised at the edge throws the run to a smaller trace, from where it climbs to the new edge",
    source: "Song et al., arXiv 2604.14669, Figure 3",
    seconds: (3.0, 120.0),
    run,
};

/// From which step on which step size, with the edges 500, 400 and 333.
///
/// After the first change the trace falls to 0.7 of the new edge; 100,000 steps later it was still climbing, at 0.95.
const STAIRS: [(u64, f64); 3] = [(0, 0.004), (120_000, 0.005), (260_000, 0.006)];
/// How many steps before a change the run is taken to have settled.
const SETTLED: u64 = 20_000;
/// The same in the short form, from a sharp start.
const SHORT: [(u64, f64); 2] = [(0, 0.004), (500, 0.006)];

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let (start, stairs, steps, readings, mark) = match request.short {
        true => (problem.sharp(450)?, SHORT.to_vec(), 6_000, 24, "sharp start"),
        false => (problem.start.clone(), STAIRS.to_vec(), 340_000, 170, ""),
    };
    let mut course = Course { mark, ..Course::new(Method::Descent, 1.0, steps, readings) };
    course.rates.clone_from(&stairs);
    let tracks = make(&problem, &start, vec![course], (request.seed, heard), &mut found)?;
    for (at, (from, lr)) in stairs.iter().enumerate() {
        let to = stairs.get(at + 1).map_or(steps, |(next, _)| *next);
        if at > 0 {
            thrown(&tracks[0], *from..to, *lr, &mut found);
        }
        if !request.short {
            settled(&tracks[0], to - to.min(SETTLED)..to, *lr, &mut found);
        }
        if !request.short && at > 0 {
            climbs(&tracks[0], *from..to, *lr, &mut found);
        }
    }
    let panels = [picture::panel(&tracks[0])?, picture::losses(&tracks)];
    found.figures.push(("catapult".to_owned(), Figure::grid(1, panels).titled("Catapult")));
    settings(&problem, &mut found);
    Ok(found)
}

/// That the loss jumps after a change of the step size and the trace dips below the new edge.
fn thrown(track: &Track, steps: Range<u64>, lr: f64, found: &mut Outcome) {
    let calm = track.readings.iter().rfind(|r| r.step <= steps.start).map_or(f64::NAN, |r| r.loss);
    let peak = track.window(steps.clone(), |r| r.peak).high;
    let what = format!("to η = {lr}: highest loss after the change over the loss before");
    found.checks.push(Check::between(what, peak / calm, "the loss spikes (Figure 3)", 2.0, f64::INFINITY));
    let dip = track.window(steps, |r| r.trace / r.edge).low;
    let what = format!("to η = {lr}: smallest Tr over the new edge after the change");
    found.checks.push(Check::between(what, dip, "the trace falls below the new edge (Figure 3)", 0.4, 0.95));
}

/// That the trace climbs again after its dip.
fn climbs(track: &Track, steps: Range<u64>, lr: f64, found: &mut Outcome) {
    let dip = track.window(steps.clone(), |r| r.trace).low;
    let end = track.window(steps.end - SETTLED..steps.end, |r| r.trace).mean;
    let what = format!("to η = {lr}: mean Tr of the last {SETTLED} steps over the smallest after the change");
    found.checks.push(Check::between(what, end / dip, "climbs back (Figure 3)", 1.05, f64::INFINITY));
}

/// That the run is at the edge of its step size.
fn settled(track: &Track, steps: Range<u64>, lr: f64, found: &mut Outcome) {
    let what = format!("at η = {lr}: mean of Tr over the edge, steps {} to {}", steps.start, steps.end);
    let mean = track.window(steps, |r| r.trace / r.edge).mean;
    found.checks.push(Check::between(what, mean, "1, from slightly below (Figure 3)", AT_THE_EDGE.0, AT_THE_EDGE.1));
}
