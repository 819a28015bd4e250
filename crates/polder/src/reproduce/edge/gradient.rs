//! ZO-GD at several step sizes beside plain gradient descent.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::{Check, Outcome};
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{at_the_edge, below_the_edge, diverges, make, rises, settings, two_sides};
use super::track::Track;
use crate::error::Result;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge",
    about: "zeroth-order descent sharpens until the Hessian's trace meets 2/η and stays there; gradient descent stops at λ_max",
    source: "Song et al., arXiv 2604.14669, Figures 1 and 2",
    seconds: (4.0, 150.0),
    run,
};

/// η of gradient descent: its edge 2/η = 6.7 lies below the λ_max of 8 to 10 that it reaches with smaller steps.
const GRADIENT: f64 = 0.3;

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let mut tracks = if request.short {
        short(&problem, request.seed, heard, &mut found)?
    } else {
        full(&problem, request.seed, heard, &mut found)?
    };
    tracks.retain(|track| !track.diverged());
    found.figures.push(("edge".to_owned(), picture::runs("The edge of stability", &tracks)?));
    settings(&problem, &mut found);
    Ok(found)
}

fn full(problem: &Problem, seed: u64, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<Vec<Track>> {
    let zo = |lr, steps, readings| Course::new(Method::Descent, lr, steps, readings);
    let courses = vec![
        zo(0.004, 160_000, 80),
        zo(0.005, 120_000, 60),
        zo(0.006, 120_000, 60),
        zo(0.02, 5_000, 5),
        Course::new(Method::Gradient, GRADIENT, 15_000, 50),
    ];
    let tracks = make(problem, &problem.start, courses, (seed, heard), found)?;
    let theirs = "1, from slightly below (Figures 1 and 2)";
    for (track, settled) in tracks.iter().zip([100_000, 60_000, 40_000]) {
        found.checks.push(at_the_edge(track, settled, theirs));
        found.checks.push(eigenvalue(track, settled));
    }
    found.checks.push(diverges(&tracks[3], "diverges: the trace at the start is above 2/η already"));
    let gradient = &tracks[4];
    let what = format!("{}: mean of λ_max over 2/η, steps 5000 to 15000", gradient.course.title());
    let ours = gradient.ratio(5_000).mean;
    found.checks.push(Check::between(what, ours, "1 (Figure 1: λ_max ≈ 2/η)", 0.95, 1.05));
    found.checks.push(beyond(gradient, &tracks[1]));
    Ok(tracks)
}

fn short(problem: &Problem, seed: u64, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<Vec<Track>> {
    let courses = vec![
        Course::new(Method::Descent, 0.006, 5_000, 5),
        Course::new(Method::Descent, 0.02, 2_000, 2),
        Course::new(Method::Gradient, GRADIENT, 2_000, 5),
    ];
    let mut tracks = make(problem, &problem.start, courses, (seed, heard), found)?;
    found.checks.push(rises(&tracks[0], 0, 1.2, "rises towards 2/η (progressive sharpening, Figure 2)"));
    found.checks.push(below_the_edge(&tracks[0], 1_000, 0.4, "below 1"));
    found.checks.push(diverges(&tracks[1], "diverges: the trace at the start is above 2/η already"));
    found.checks.push(beyond(&tracks[2], &tracks[0]));
    let sharp = |lr| Course { mark: "sharp start", ..Course::new(Method::Descent, lr, 2_000, 4) };
    let sides = make(problem, &problem.sharp(450)?, vec![sharp(0.006), sharp(0.003)], (seed, heard), found)?;
    found.checks.extend(two_sides(&sides[0], &sides[1])?);
    tracks.extend(sides);
    Ok(tracks)
}

/// λ_max of a zeroth-order run is nowhere near the edge of gradient descent with that step.
fn eigenvalue(track: &Track, from: u64) -> Check {
    let largest = track.window(from..track.course.steps, |r| r.largest / r.edge).high;
    let what = format!("{}: largest λ_max over 2/η, steps {from} to {}", track.course.title(), track.course.steps);
    Check::between(what, largest, "far below 1: λ_max shows no such trend (Figure 1)", 0.0, 0.1)
}

/// Gradient descent goes on to traces at which the zeroth-order run can't stay.
fn beyond(gradient: &Track, zeroth: &Track) -> Check {
    let trace = gradient.last().map_or(f64::NAN, |r| r.trace);
    let what = format!("{}: trace at the end over the edge of {}", gradient.course.title(), zeroth.course.title());
    Check::between(what, trace / zeroth.edge(), "above 1: the trace does not bind it", 1.05, f64::INFINITY)
}
