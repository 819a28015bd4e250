//! ZO-Adam: several step sizes, several β₁, and how its preconditioner comes to commute with the Hessian.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::{Check, Outcome};
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{at_the_edge, below_the_edge, make, rises, settings};
use super::track::Track;
use crate::error::Result;
use crate::figure::Figure;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge-adam",
    about: "for ZO-Adam the trace of P⁻¹H meets 2/η, whatever β₁, and P comes to commute with H",
    source: "Song et al., arXiv 2604.14669, Figures 2 and 10, appendices D.2 and D.3",
    seconds: (5.0, 180.0),
    run,
};

/// β₂ of every run.
const BETA2: f64 = 0.999;
/// β₁ of the sweep at η = 1e-3; the first is that of Figure 2.
const BETAS: [f64; 3] = [0.9, 0.0, 0.5];
/// After how many of the first steps the commutator is looked at: it falls quickly.
const FIRST: &[u64] = &[1, 10, 100, 300];

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let (steps, readings) = if request.short { (3_000, 3) } else { (80_000, 40) };
    let course = |beta, lr, steps, readings| Course {
        commutator: true,
        also: FIRST,
        ..Course::new(Method::Adam { betas: [beta, BETA2] }, lr, steps, readings)
    };
    let betas = if request.short { &BETAS[..2] } else { &BETAS };
    let mut courses: Vec<Course> = betas.iter().map(|beta| course(*beta, 1e-3, steps, readings)).collect();
    if !request.short {
        courses.push(course(BETAS[0], 3e-4, 160_000, 40));
    }
    let tracks = make(&problem, &problem.start, courses, (request.seed, heard), &mut found)?;
    if request.short {
        short(&tracks, &mut found)
    } else {
        full(&tracks, &mut found)
    }
    tracks.iter().for_each(|track| commutes(track, &mut found));
    let panels = tracks.iter().map(picture::panel).collect::<Result<Vec<_>>>()?;
    let all = panels.into_iter().chain([picture::commutators(&tracks)]);
    found.figures.push(("edge-adam".to_owned(), Figure::grid(2, all).titled("ZO-Adam")));
    found.differs.push(
        "The paper says that ‖PH − HP‖/‖PH‖ falls from 0.8–0.9 to below 0.05, without step counts. Here it does so within the \
         first 2,000 steps: v is at first the squares of a few estimates, which differ wildly from weight to weight, and later \
         a mean over a thousand."
            .to_owned(),
    );
    settings(&problem, &mut found);
    Ok(found)
}

fn full(tracks: &[Track], found: &mut Outcome) {
    for (track, settled) in tracks.iter().zip([40_000, 40_000, 40_000, 100_000]) {
        found.checks.push(at_the_edge(track, settled, "1, whatever β₁ (Figures 2 and 10)"));
    }
}

fn short(tracks: &[Track], found: &mut Outcome) {
    for track in tracks {
        found.checks.push(rises(track, 300, 2.0, "rises towards 2/η (Figure 2)"));
        found.checks.push(below_the_edge(track, 1_000, 0.1, "below 1"));
    }
    let last = |track: &Track| track.last().map_or(f64::NAN, |r| r.trace);
    let [low, high] = [f64::min, f64::max].map(|of| tracks.iter().map(last).fold(f64::NAN, of));
    // Each trace is within 1.3 % (one standard error).
    let what = "largest over smallest Tr(P⁻¹H) at the end of the runs with β₁ = 0 and 0.9";
    found.checks.push(Check::between(what, high / low, "1: β₁ does not matter (Figure 10)", 1.0, 1.1));
}

/// That P and H commute badly at first and well later.
fn commutes(track: &Track, found: &mut Outcome) {
    let title = track.course.title();
    let first = track.window(0..1, |r| r.commutator).mean;
    let what = format!("{title}: ‖PH − HP‖/‖PH‖ after the first step");
    found.checks.push(Check::between(what, first, "0.8 to 0.9 at the start (appendix D.3)", 0.5, 1.2));
    let steps = track.course.steps;
    let later = track.window(steps / 2..steps, |r| r.commutator).high;
    let what = format!("{title}: largest ‖PH − HP‖/‖PH‖ in the second half");
    found.checks.push(Check::between(what, later, "below 0.05 (appendix D.3)", 0.0, 0.05));
}
