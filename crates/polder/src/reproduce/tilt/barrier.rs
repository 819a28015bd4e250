//! The barrier at ts²λ_max = 1: the plain average walks into a sharp direction, tilted updates leave it.

use polder_optim::objectives::{Scratch, Smooth};
use polder_optim::{Estimator, TwoPoint, Zest};
use polder_perturb::Seed;
use polder_sharpness::theory::gaussian_tilt;

use super::super::descend::ZerothOrder;
use super::super::experiment::{Progress, Request};
use super::super::outcome::{Check, Outcome, Table};
use super::floor;
use super::valley::Valley;
use crate::error::Result;

const VALLEY: Valley = Valley { others: 16, broad: 1.3, width: 2.0 };
/// The scale s of the perturbation.
const SCALE: f64 = 0.5;
/// Directions a step, for the average and for tilted estimates alike.
const DIRECTIONS: usize = 16;
/// The learning rate.
const LR: f64 = 0.3;
/// The start's largest eigenvalue.
const START: f64 = 0.7;
/// Tilts, as the product ts²λ at the sharp end, where λ = 1.
const PRODUCTS: [f64; 7] = [0.0, 0.1, 0.25, 0.5, 0.8, 1.0, 1.25];

pub(super) fn run(request: &Request, heard: &mut dyn FnMut(&Progress), found: &mut Outcome) -> Result<()> {
    let steps = if request.short { 4_000 } else { 20_000 };
    let products: &[f64] = if request.short { &[0.0, 1.0] } else { &PRODUCTS };
    let columns = ["product", "step", "largest", "trace", "loss"];
    let (mut courses, mut ends) = (Table::new("barrier", &columns), Table::new("barrier-ends", &columns));
    for product in products {
        let rows = course(*product, steps, request.seed, heard)?;
        found.evaluations += 2 * DIRECTIONS as u64 * steps;
        ends.rows.extend(rows.last().cloned());
        courses.rows.extend(rows);
    }
    let [plain, tilted] = [0.0, 1.0].map(|product| ends.rows_where("product", product));
    let last = |table: &Table, column| table.column(column).last().copied().unwrap_or(f64::NAN);
    let start = VALLEY.curvatures(VALLEY.place(START)).iter().sum::<f64>();
    let mut check = |what: &str, ours, theirs: &str, low, high| {
        found.checks.push(Check::between(format!("valley: {what}"), ours, theirs, low, high));
    };
    let sharper = if request.short { START } else { 0.85 };
    check(
        "largest eigenvalue after the plain average",
        last(&plain, "largest"),
        "towards 1 (the trace is least there)",
        sharper,
        1.0,
    );
    check(
        "trace after the plain average, over the start's",
        last(&plain, "trace") / start,
        "below 1 (it minimises the trace)",
        0.0,
        0.9999,
    );
    check(
        "trace after tilted updates, over the start's",
        last(&tilted, "trace") / start,
        "above 1 (the trace is the price)",
        1.0001,
        2.0,
    );
    found.checks.push(tilted_end(request, &courses, last(&tilted, "largest")));
    found.data.extend([courses, ends, landscape()]);
    found.set("valley", format!("{VALLEY:?}, start at σ = {START}, y = 0"));
    found.set("valley: s, η, directions, steps", format!("{SCALE}, {LR}, {DIRECTIONS}, {steps}"));
    Ok(())
}

/// Where tilted updates at ts²λ = 1 end: at the least of what they descend. The short form only looks for the way there.
///
/// With infinitely many directions that is the least of the penalty R_t; with k of them the tilt is estimated too low, and the
/// least lies a little towards the plain average's. A run wanders about it, so the mean of its second half is compared; its
/// readings are correlated over about a third of that, so that its error is about half of their spread: four of these.
fn tilted_end(request: &Request, courses: &Table, last: f64) -> Check {
    let what = "valley: largest eigenvalue after tilted updates, ts²λ = 1";
    if request.short {
        return Check::between(what.to_owned(), last, "away from the barrier 1/(ts²) = 1", 0.0, START);
    }
    let course = courses.rows_where("product", 1.0).column("largest");
    let half = &course[course.len() / 2..];
    let mean = half.iter().sum::<f64>() / half.len() as f64;
    let spread = (half.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / half.len() as f64).sqrt();
    let sharpest = |sharpness: f64| VALLEY.curvatures(VALLEY.place(sharpness)).into_iter().fold(0.0, f64::max);
    let all = sharpest(floor::least(&VALLEY, SCALE, tilt(1.0)));
    let some = sharpest(floor::least_of_directions(&VALLEY, SCALE, tilt(1.0), DIRECTIONS, request.seed));
    let theirs =
        format!("{all:.3}, the penalty's least, to {some:.3}, that of {DIRECTIONS} directions; ± the run's noise");
    Check::between(
        format!("{what}, mean of the second half"),
        mean,
        theirs,
        all.min(some) - 2.0 * spread,
        all.max(some) + 2.0 * spread,
    )
}

/// The tilt t of a product ts²λ at λ = 1.
fn tilt(product: f64) -> f64 {
    product / (SCALE * SCALE)
}

fn course(product: f64, steps: u64, seed: u64, heard: &mut dyn FnMut(&Progress)) -> Result<Vec<Vec<f64>>> {
    let estimator: Box<dyn Estimator> = match product == 0.0 {
        true => Box::new(TwoPoint { eps: SCALE, directions: DIRECTIONS, ..TwoPoint::default() }),
        false => Box::new(Zest { eps: SCALE, t: tilt(product), directions: DIRECTIONS, ..Zest::default() }),
    };
    let mut start = vec![0.0; VALLEY.dimension()];
    start[0] = VALLEY.place(START);
    let run = ZerothOrder { estimator: &*estimator, lr: LR, seed: Seed(seed) };
    let mut rows = Vec::new();
    run.descend(&VALLEY, &start, (steps, steps / 200), &mut |step, x| {
        heard(&Progress { what: format!("valley, ts²λ = {product}"), done: step, total: steps });
        let curvatures = VALLEY.curvatures(x[0]);
        let largest = curvatures.iter().copied().fold(0.0, f64::max);
        let loss = VALLEY.value(x, None, &mut Scratch::new());
        rows.push(vec![product, step as f64, largest, curvatures.iter().sum(), loss]);
    })?;
    Ok(rows)
}

/// What is penalised along the floor: R_t by the closed form, exact for y; not a number beyond the barrier.
fn landscape() -> Table {
    let mut table = Table::new("valley", &["product", "sharpness", "largest", "trace", "penalty"]);
    for product in PRODUCTS {
        for at in 1..100 {
            let sharpness = f64::from(at) / 100.0;
            let curvatures = VALLEY.curvatures(VALLEY.place(sharpness));
            let still = vec![0.0; curvatures.len()];
            let penalty = gaussian_tilt(&curvatures, &still, SCALE, tilt(product)).unwrap_or(f64::NAN);
            let largest = curvatures.iter().copied().fold(0.0, f64::max);
            table.rows.push(vec![product, sharpness, largest, curvatures.iter().sum(), penalty]);
        }
    }
    table
}
