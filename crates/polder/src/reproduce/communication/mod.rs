//! What a step costs to send: a few scalars, or a gradient of as many numbers as there are weights.

mod measured;
mod sizes;

use super::experiment::{Experiment, Progress, Request};
use super::outcome::{Check, Outcome, Table};
use crate::error::Result;
use crate::figure::{Figure, Panel, Series};
use measured::measure;
use sizes::MODELS;

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "communication",
    about: "bytes to send or keep a step: scalars of zeroth-order descent, measured in a real log, against a gradient",
    source: "Malladi et al., arXiv 2305.17333, storage of a run; Qin et al., arXiv 2312.06353, bytes a round",
    seconds: (1.0, 2.0),
    run,
};

/// Numbers of directions a step.
const DIRECTIONS: [usize; 7] = [1, 2, 4, 8, 16, 64, 4096];
/// Steps of a long run in MeZO's setting, and the bytes that its paper gives as the most for them.
const LONG: (u64, f64) = (20_000, 1e5);
/// FedKSeed's bytes a round, at most.
const ROUND: f64 = 18_000.0;

fn run(request: &Request, heard: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
    request.takes(&[])?;
    let mut found = Outcome::default();
    let steps = if request.short { 20 } else { 200 };
    let columns = ["directions", "coefficients", "losses", "log", "header", "differing"];
    let mut table = Table::new("directions", &columns);
    for (at, directions) in DIRECTIONS.into_iter().enumerate() {
        heard(&Progress { what: "steps of a small run".to_owned(), done: at as u64, total: DIRECTIONS.len() as u64 });
        let bytes = measure(directions, steps, request.seed)?;
        found.evaluations += 2 * directions as u64 * steps;
        let q = directions as f64;
        table.rows.push(vec![q, 4.0 * q, 16.0 * q, bytes.step, bytes.header, bytes.differing as f64]);
    }
    check_log(&table, &mut found);
    let models = models(&table);
    check_sizes(&mut found);
    found.figures.push(("bytes".to_owned(), figure(&models, &table)));
    found.data.extend([table, models]);
    let names: Vec<String> = MODELS.iter().enumerate().map(|(at, model)| format!("{at} {}", model.name)).collect();
    found.set("rows of the table `models`", names.join(", "));
    found.set("steps measured for each number of directions", steps);
    found.differs = DIFFERS.map(str::to_owned).to_vec();
    Ok(found)
}

/// Bytes of the log against what it holds, and of a long run against the papers.
fn check_log(table: &Table, found: &mut Outcome) {
    let [logs, differing] = ["log", "differing"].map(|name| table.column(name));
    let (first, second) = (logs[0], logs[1]);
    found.checks.push(Check::near(
        "bytes of the log for one direction more",
        second - first,
        "20 (a coefficient of 4 bytes and two losses of 8)",
        20.0,
        0.0,
    ));
    found.checks.push(Check::near(
        "bytes of the log for a step of one direction",
        first,
        "27 (20, and 7 of kind, length, flags and checksum; the format's description)",
        27.0,
        0.0,
    ));
    found.checks.push(Check::near(
        "weights that differ after a replay of the logs",
        differing.iter().sum(),
        "0 (the scalars are enough)",
        0.0,
        0.0,
    ));
    let (steps, most) = LONG;
    let coefficients = (second - first - 16.0) * steps as f64;
    let theirs = "below 1e5, with the seeds (MeZO's paper, for 66 billion weights)";
    found.checks.push(Check::between(
        format!("bytes of the coefficients of {steps} steps"),
        coefficients,
        theirs,
        0.0,
        most,
    ));
    found.set("bytes of a whole log of 20,000 steps", first * steps as f64 + table.column("header")[0]);
    found.set("directions whose coefficients fit into FedKSeed's 18 kB a round", (ROUND / 4.0).floor());
}

/// Numbers of weights against published ones.
fn check_sizes(found: &mut Outcome) {
    for model in MODELS.iter().filter(|model| model.published.is_some()) {
        let published = model.published.unwrap_or_default() as f64;
        let what = format!("weights of {}", model.name);
        found.checks.push(Check::near(
            what,
            model.parameters() as f64,
            format!("{published} (its checkpoint)"),
            published,
            0.0,
        ));
    }
}

/// Bytes a step for each model.
fn models(directions: &Table) -> Table {
    let columns = ["model", "parameters", "gradient_f32", "gradient_bf16", "log_1", "log_16", "ratio_bf16_to_log_1"];
    let mut table = Table::new("models", &columns);
    let log = |q: f64| directions.rows_where("directions", q).column("log").first().copied().unwrap_or(f64::NAN);
    for (at, model) in MODELS.iter().enumerate() {
        let d = model.parameters() as f64;
        table.rows.push(vec![at as f64, d, 4.0 * d, 2.0 * d, log(1.0), log(16.0), 2.0 * d / log(1.0)]);
    }
    table
}

fn figure(models: &Table, directions: &Table) -> Figure {
    let points = |y| {
        let mut points = models.points("parameters", y);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let sizes = Panel::new("A step, by model")
        .axes("weights", "bytes a step")
        .log_x()
        .log_y()
        .with(Series::line("gradient, f32", points("gradient_f32")))
        .with(Series::line("gradient, bf16", points("gradient_bf16")))
        .with(Series::line("log, 16 directions", points("log_16")))
        .with(Series::line("log, 1 direction", points("log_1")))
        .with(Series::level("FedKSeed, a round", ROUND));
    let log = Panel::new("A step, by directions")
        .axes("directions", "bytes a step")
        .log_x()
        .log_y()
        .with(Series::line("log (coefficients, losses, checksum)", directions.points("directions", "log")))
        .with(Series::line("coefficients alone", directions.points("directions", "coefficients")))
        .with(Series::level("FedKSeed, a round", ROUND));
    Figure::grid(2, [sizes, log])
}

const DIFFERS: [&str; 3] = [
    "MeZO's paper counts seeds and projected gradients; polder's log derives the seeds and also holds both losses of each \
     direction and a checksum a step: about five times the bytes, still independent of the model.",
    "FedKSeed's round has several steps of several clients over a pool of seeds; its 18 kB stand as a level, not as a \
     measurement of the same thing.",
    "Only what one replica has to tell another is counted, not the network's own framing.",
];
