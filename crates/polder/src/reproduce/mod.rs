//! Published experiments, run again: our numbers beside the paper's, with the tolerance and where they differ.
//!
//! An [`Experiment`] is a row of [`EXPERIMENTS`], which the command line, its help, the documentation and the tests read.
//! It answers a [`Request`] by an [`Outcome`]: checks, sentences, tables and figures; [`write()`] puts them into a folder.
//!
//! ```
//! use polder::reproduce::{Request, named};
//!
//! let experiment = named("toy").expect("it is in the table");
//! let outcome = (experiment.run)(&Request { short: true, ..Request::default() }, &mut |_| ())?;
//! assert!(outcome.checks.iter().all(|check| check.passes()));
//! # Ok::<(), polder::Error>(())
//! ```

mod communication;
mod descend;
mod edge;
mod experiment;
mod few_shot;
mod linear;
mod outcome;
mod tilt;
mod toy;
mod write;

pub use descend::ZerothOrder;
pub use experiment::{Experiment, Progress, Request, Run};
pub use outcome::{Check, Outcome, Table};
pub use write::{Wrote, prepare, report, write};

/// Every experiment.
pub static EXPERIMENTS: &[Experiment] = &[
    toy::EXPERIMENT,
    linear::SVM,
    linear::LOGISTIC,
    tilt::EXPERIMENT,
    communication::EXPERIMENT,
    few_shot::EXPERIMENT,
    edge::GRADIENT,
    edge::MOMENTUM,
    edge::ADAM,
    edge::QUERIES,
    edge::SMOOTHING,
    edge::MINIBATCH,
    edge::CATAPULT,
    edge::CONVOLUTION,
];

/// The experiment of that name.
pub fn named(name: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name)
}

/// The experiments as a list for people: name, what it shows, source, and seconds of the short and the full form.
pub fn listing() -> String {
    let widest = EXPERIMENTS.iter().map(|experiment| experiment.name.len()).max().unwrap_or(0);
    let line = |experiment: &Experiment| {
        let Experiment { name, about, source, seconds: (short, full), .. } = experiment;
        format!("{name:widest$}  {about}\n{:widest$}  {source}; about {short} s short, {full} s full", "")
    };
    EXPERIMENTS.iter().map(line).collect::<Vec<_>>().join("\n")
}
