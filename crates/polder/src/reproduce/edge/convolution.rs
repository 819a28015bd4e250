//! The same on a small convolutional network, whose Hessian a few eigenvalues dominate.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::{Check, Outcome};
use super::course::{Course, Method};
use super::gauge::Reading;
use super::picture;
use super::problem::Problem;
use super::study::{diverges, make, rises, settings};
use super::track::Track;
use crate::error::Result;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge-cnn",
    about: "a convolutional network on generated images stops sharpening within the band where its steps lose stability",
    source: "Song et al., arXiv 2604.14669, Figures 1 and 2, Theorem 1",
    seconds: (6.0, 240.0),
    run,
};

/// Methods and η with the number of steps after which the run has settled.
///
/// With momentum 0.0006 does not meet its edge in these steps (0.63 and 0.73 for the two values below), and 0.0007 diverges.
const RUNS: [(Method, f64, u64); 6] = [
    (Method::Descent, 0.006, 20_000),
    (Method::Descent, 0.005, 30_000),
    (Method::Momentum { beta: 0.9 }, 0.0008, 20_000),
    (Method::Momentum { beta: 0.9 }, 0.001, 20_000),
    (Method::Adam { betas: [0.9, 0.999] }, 0.001, 20_000),
    (Method::Adam { betas: [0.9, 0.999] }, 0.002, 20_000),
];
/// Steps of these runs.
const STEPS: u64 = 40_000;
/// A step size that is lost while the network still sharpens quickly.
const LOST: f64 = 0.02;

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::convolutional(request.seed)?;
    let mut found = Outcome::default();
    let mut courses = vec![Course { probes: 20, ..Course::new(Method::Descent, LOST, 2_000, 8) }];
    if !request.short {
        courses.extend(RUNS.map(|(method, lr, _)| Course::new(method, lr, STEPS, 40)));
    }
    let tracks = make(&problem, &problem.start, courses, (request.seed, heard), &mut found)?;
    found.checks.push(rises(&tracks[0], 0, 3.0, "rises from far below the edge (progressive sharpening, Figure 2)"));
    found.checks.push(diverges(&tracks[0], "diverges once it has sharpened: 2/η is far below where sharpening ends"));
    for (track, (.., settled)) in tracks[1..].iter().zip(RUNS) {
        found.checks.extend(within_the_band(track, settled)?);
        found.differs.push(dominated(track, settled));
    }
    found.figures.push(("edge-cnn".to_owned(), picture::runs("A convolutional network", &tracks)?));
    settings(&problem, &mut found);
    Ok(found)
}

/// The least and the most that the sum of Theorems 1 to 3 can be, given the trace and the largest eigenvalue; 1 at the edge.
///
/// With `z = λ/edge` it is `Σ zᵢ/(1 − Azᵢ)`, A the width of the band: for ZO-GD `Σ ηλᵢ/(2(1 − ηλᵢ))`. The least where the
/// other eigenvalues are many and small, the most where they are as large as the largest: the second reaches 1 where the
/// paper's band `[Tr, Tr + Aλ_max]` reaches the edge. The trace alone, `Tr/edge`, is less than both.
fn sums(reading: &Reading, band: f64) -> [f64; 2] {
    let [trace, largest] = [reading.trace, reading.largest].map(|x| x / reading.edge);
    let left = (1.0 - band * largest).max(0.0);
    [largest / left + trace - largest, trace / left]
}

/// That the loss of stability lies between the two once a run has settled.
fn within_the_band(track: &Track, from: u64) -> Result<[Check; 2]> {
    let steps = from..if track.diverged() { from } else { track.course.steps };
    let band = track.course.band()?;
    let [least, most] = [0, 1].map(|which| track.window(steps.clone(), |r| sums(r, band)[which]).mean);
    let what = |which: &str| {
        format!("{}: mean {which} of the stability sum, steps {from} to {}", track.course.title(), track.course.steps)
    };
    Ok([
        // What the second and later eigenvalues add to the least is not known; it was 0.3 while the run still sharpened. Above 1
        // a step grows, slowly where it is a little above: a run that is thrown back from there may hover up to a tenth beyond.
        Check::between(
            what("least value"),
            least,
            "about 1 at the edge, or less by what the other eigenvalues add (Theorems 1 to 3)",
            0.75,
            1.1,
        ),
        Check::between(what("largest value"), most, "1 or more: the edge inside Tr to Tr + Aλ_max", 1.0, f64::INFINITY),
    ])
}

/// What tells this network from the paper's.
fn dominated(track: &Track, from: u64) -> String {
    let steps = from..track.course.steps;
    let share = track.window(steps.clone(), |r| r.largest / r.trace).mean;
    let ratio = track.window(steps, |r| r.trace / r.edge).mean;
    format!(
        "{}: λ_max is {share:.2} of the trace (about 0.015 in the network of `edge`), so the band is wide and the edge lies \
         well above the trace: the trace over the edge has a mean of {ratio:.2} in the settled part, where the paper's Figures 1 and 2 \
         have it just below 1.",
        track.course.title()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_exact_for_one_eigenvalue_and_for_many_equal_ones() {
        let reading = |trace, largest| Reading {
            step: 0,
            loss: 0.0,
            peak: 0.0,
            trace,
            error: 0.0,
            largest,
            edge: 200.0,
            commutator: f64::NAN,
            evaluations: 0,
        };
        // η = 0.01. One eigenvalue: critical at ηλ = 2/3. Forty equal ones: at ηλ = 2/42.
        let [least, most] = sums(&reading(200.0 / 3.0, 200.0 / 3.0), 2.0);
        assert!((least - 1.0).abs() < 1e-12 && (most - 1.0).abs() < 1e-12);
        let one = 200.0 / 42.0;
        let [least, most] = sums(&reading(40.0 * one, one), 2.0);
        assert!(least < 1.0 && (most - 1.0).abs() < 1e-12, "{least} {most}");
        assert_eq!(sums(&reading(500.0, 100.0), 2.0), [f64::INFINITY; 2]);
    }
}
