//! From runs to an outcome: tables, figures and the checks that several experiments share.

use polder_optim::objectives::Smooth;
use polder_perturb::Seed;

use super::super::experiment::Progress;
use super::super::outcome::{Check, Outcome, Table};
use super::course::Course;
use super::problem::Problem;
use super::track::{End, Track, Window};
use super::walk::{Trip, make_all};
use crate::error::Result;

/// Where the mean of trace over edge lies once a run has settled. The theory has it between `1 − 2λ_max/Tr` (0.97 here) and
/// 1; a mean over tens of readings, each within 1.3 %, and the swings of a run add the rest.
pub(super) const AT_THE_EDGE: (f64, f64) = (0.95, 1.03);

/// What a trace may reach in units of the edge before a short run is said to have crossed it: single readings are off by
/// 1.3 % (one standard error), and a run that comes from below overshoots by up to 2 %.
pub(super) const BELOW_THE_EDGE: f64 = 1.05;

/// Makes runs on a problem, all from one start, side by side, and puts their readings into the outcome.
///
/// Their directions are those of `seed`: runs are compared on the same luck.
pub(super) fn make(
    problem: &Problem,
    start: &[f64],
    courses: Vec<Course>,
    (seed, heard): (u64, &mut dyn FnMut(&Progress)),
    found: &mut Outcome,
) -> Result<Vec<Track>> {
    let what = match &courses[..] {
        [one] => one.title(),
        many => format!("{} runs", many.len()),
    };
    let (smooth, seed) = (&problem.network, Seed(seed).derive(1, 0));
    let trips: Vec<Trip<'_>> = courses.into_iter().map(|course| Trip { course, smooth, start, seed }).collect();
    let mut told = |done, total| heard(&Progress { what: what.clone(), done, total });
    told(0, trips.iter().map(|trip| trip.course.steps).sum());
    let tracks = make_all(&trips, &mut told)?;
    for track in &tracks {
        found.evaluations += track.evaluations(problem.network.data().count());
        found.data.push(table(track)?);
    }
    Ok(tracks)
}

/// The readings of a run.
fn table(track: &Track) -> Result<Table> {
    let columns = ["step", "loss", "peak", "trace", "standard_error", "largest", "edge", "ratio", "band", "commutator"];
    let mut table = Table::new(track.course.file(), &columns);
    let band = track.course.band()?;
    for r in &track.readings {
        let (ratio, top) = (track.measured(r) / r.edge, r.trace + band * r.largest);
        let row = [r.step as f64, r.loss, r.peak, r.trace, r.error, r.largest, r.edge, ratio, top, r.commutator];
        table.rows.push(row.to_vec());
    }
    Ok(table)
}

/// That a run has settled at its edge from a step on.
pub(super) fn at_the_edge(track: &Track, from: u64, theirs: &str) -> Check {
    let Window { mean, low, high } = track.ratio(from);
    let what = format!(
        "{}: mean of {} over the edge {}, steps {from} to {} (single readings {low:.3} to {high:.3})",
        track.course.title(),
        track.quantity(),
        short(track.edge()),
        track.course.steps
    );
    Check::between(what, mean, theirs, AT_THE_EDGE.0, AT_THE_EDGE.1)
}

/// That no reading after a step lies beyond the edge by more than its noise, nor below `low` times the edge.
pub(super) fn below_the_edge(track: &Track, from: u64, low: f64, theirs: &str) -> Check {
    let (title, quantity) = (track.course.title(), track.quantity());
    let what = format!("{title}: largest reading of {quantity} over the edge after {from} steps");
    Check::between(what, track.ratio(from).high, theirs, low, BELOW_THE_EDGE)
}

/// That what meets the edge grows by a factor at least, from the first reading after `from` steps or more to the last.
pub(super) fn rises(track: &Track, from: u64, factor: f64, theirs: &str) -> Check {
    let first = track.readings.iter().find(|r| r.step >= from).map_or(f64::NAN, |r| track.measured(r));
    let last = track.last().map_or(f64::NAN, |r| track.measured(r));
    let what = format!("{}: {} at the end over that after {from} steps", track.course.title(), track.quantity());
    Check::between(what, last / first, theirs, factor, f64::INFINITY)
}

/// That of two runs from one sharp start the one whose edge lies below its trace is not stable there and the other is.
///
/// Both are close to a minimum, where the loss of an unstable run grows exponentially and that of a stable one does not.
pub(super) fn two_sides(beyond: &Track, within: &Track) -> Result<[Check; 4]> {
    let at = |track: &Track| track.readings.first().map_or(f64::NAN, |r| r.trace / r.edge);
    let grown = |track: &Track| {
        let first = track.readings.first().map_or(f64::NAN, |r| r.loss);
        if track.diverged() { f64::INFINITY } else { track.window(0..track.course.steps, |r| r.loss).high / first }
    };
    let start = |track: &Track| format!("{}: {} over the edge at the start", track.course.title(), track.quantity());
    let loss = |track: &Track| format!("{}: highest loss over that at the start", track.course.title());
    let most = 1.0 / (1.0 + within.course.band()? * largest_share(within));
    let up = f64::INFINITY;
    Ok([
        Check::between(start(beyond), at(beyond), "above 1, made so by gradients: not stable", BELOW_THE_EDGE, up),
        Check::between(
            loss(beyond),
            grown(beyond),
            "grows: the step is beyond the critical one (Theorems 1 and 2)",
            3.0,
            up,
        ),
        Check::between(
            start(within),
            at(within),
            "below the lower end of the band of Theorems 1 and 2: stable",
            0.0,
            most,
        ),
        Check::between(
            loss(within),
            grown(within),
            "does not grow: the step is below the critical one (Theorems 1 and 2)",
            0.0,
            1.1,
        ),
    ])
}

/// `λ_max/Tr` at the start.
fn largest_share(track: &Track) -> f64 {
    track.readings.first().map_or(f64::NAN, |r| r.largest / r.trace)
}

/// That a run diverges, and within how many steps.
pub(super) fn diverges(track: &Track, theirs: &str) -> Check {
    let at = match track.end {
        End::Diverged { step } => step as f64,
        End::Finished => f64::NAN,
    };
    let what = format!("{}: steps until the loss is above 1000 or not finite", track.course.title());
    Check::between(what, at, theirs, 1.0, track.course.steps as f64)
}

/// What was chosen and how that differs from the paper, for the report.
pub(super) fn settings(problem: &Problem, found: &mut Outcome) {
    let (data, d) = (problem.network.data(), problem.network.dimension());
    let settings = [
        ("network", format!("{}, {d} weights in f64, squared loss", problem.what)),
        ("examples", format!("{} of {} numbers in {} classes", data.count(), data.width(), data.classes())),
        ("smoothing μ", "0.001 unless a run says otherwise".to_owned()),
        ("β₂ and ε of Adam", "0.999 and 1e-8".to_owned()),
        ("trace", "50 random signs, products with the Hessian by central differences of the gradient".to_owned()),
        ("λ_max", "Lanczos, 60 iterations at most, relative residual 1e-3".to_owned()),
    ];
    found.differs.push(
        "The paper trains networks of tens of thousands of weights on a thousand images of CIFAR-10 and does not state its step \
         sizes; here it is a network of two thousand weights on generated examples. So ratios to the edge are compared, no \
         absolute numbers."
            .to_owned(),
    );
    found.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
}

/// A number of a title or a row: whole where it is large, else with three decimals at most.
pub(super) fn short(x: f64) -> String {
    if x >= 100.0 {
        return format!("{x:.0}");
    }
    format!("{x:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
