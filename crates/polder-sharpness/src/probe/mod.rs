//! Probes of the loss around the weights, by forward passes only; no weight is changed.
//!
//! All take any [`Objective`](polder_optim::Objective), which also sets the law of the directions, and give a value
//! with its standard error and its cost. The standard error is that of the random directions; the rounding of the
//! losses is not in it, and the rounding of f(θ), which all samples share, does not average out: [`rounding`] says how
//! large it is.

mod neighbourhood;
mod pairs;
mod reading;
mod running;
mod slice;
#[cfg(test)]
mod tests;
mod trace;

pub use neighbourhood::{Neighbourhood, NeighbourhoodProbe, Tilted};
pub use running::RunningTrace;
pub use slice::{Axis, Line, Plane, Scale};
pub use trace::{TraceProbe, rounding};
