//! Minibatch noise lowers the limit.

use super::super::experiment::{Experiment, Progress, Request};
use super::super::outcome::{Check, Outcome};
use super::course::{Course, Method};
use super::picture;
use super::problem::Problem;
use super::study::{diverges, make, settings};
use super::track::Track;
use crate::error::Result;

pub(in crate::reproduce) const EXPERIMENT: Experiment = Experiment {
    name: "edge-minibatch",
    about: "with minibatches the noise of the batch comes on top: runs diverge below the edge, or stay at a smaller trace",
    source: "Song et al., arXiv 2604.14669, Figure 5",
    seconds: (3.0, 45.0),
    run,
};

/// Examples of a minibatch, of 200.
const SIZE: usize = 20;
/// A step size that is stable on all examples at once and not on minibatches, and one that is stable on both.
const RATES: [f64; 2] = [0.005, 0.001];
/// Steps of the long runs.
const STEPS: u64 = 120_000;

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let problem = Problem::mlp(request.seed)?;
    let mut found = Outcome::default();
    let course = |lr, minibatch, steps| Course { minibatch, ..Course::new(Method::Descent, lr, steps, steps / 2_500) };
    let mut courses = vec![course(RATES[0], Some(SIZE), 5_000), course(RATES[0], None, 5_000)];
    if !request.short {
        courses.extend([course(RATES[1], Some(SIZE), STEPS), course(RATES[1], None, STEPS)]);
    }
    let tracks = make(&problem, &problem.start, courses, (request.seed, heard), &mut found)?;
    found.checks.push(diverges(&tracks[0], "diverges far below the edge of full batches"));
    let loss = tracks[1].last().map_or(f64::NAN, |r| r.loss);
    let what = format!("{}: loss after 5000 steps", tracks[1].course.title());
    found.checks.push(Check::between(what, loss, "falls: this step is stable on all examples", 0.0, 0.5));
    if let [.., noisy, whole] = &tracks[2..] {
        smaller(noisy, whole, &mut found);
    }
    let drawn: Vec<_> = tracks.into_iter().filter(|track| !track.diverged()).collect();
    found.figures.push(("edge-minibatch".to_owned(), picture::runs("Minibatches", &drawn)?));
    settings(&problem, &mut found);
    Ok(found)
}

/// That the trace with minibatches is smaller than with all examples.
fn smaller(noisy: &Track, whole: &Track, found: &mut Outcome) {
    let trace = |track: &Track| track.window(STEPS / 2..STEPS, |r| r.trace).mean;
    let what =
        format!("{}: mean trace over that with all examples, steps {} to {STEPS}", noisy.course.title(), STEPS / 2);
    // Nothing is said of how much smaller; a tenth is far more than the noise of the means, about 1 %.
    found.checks.push(Check::between(what, trace(noisy) / trace(whole), "clearly below 1 (Figure 5)", 0.1, 0.9));
    let [third, two] = [STEPS / 3, 2 * (STEPS / 3)];
    let growth =
        |track: &Track| track.window(two..STEPS, |r| r.trace).mean / track.window(third..two, |r| r.trace).mean;
    let what =
        |track: &Track| format!("{}: mean trace of the last third over that of the second", track.course.title());
    found.checks.push(Check::between(what(noisy), growth(noisy), "1: it has stopped sharpening (Figure 5)", 0.9, 1.1));
    let on = "above 1: 2/η is far away, it sharpens on";
    found.checks.push(Check::between(what(whole), growth(whole), on, 1.15, f64::INFINITY));
    found.differs.push(format!(
        "The paper gives no theory of minibatches, and its batch sizes are not known. Here the trace with minibatches of {SIZE} stops \
         at {:.2} of 2/η.",
        noisy.ratio(two).mean
    ));
}
