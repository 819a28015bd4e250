//! The step at which a zeroth-order method loses stability, and the learning rate that this implies.
//!
//! For a first-order method the largest eigenvalue of the Hessian sets the limit; for a zeroth-order one the whole
//! spectrum does, in the mean square about `η ≤ 2/Tr H`. [`critical_step`] is exact for a known [`Spectrum`];
//! [`step_bounds`] and [`step_for_any_spectrum`] need only the trace, with or without the largest eigenvalue;
//! [`advise`] turns a measured trace into a learning rate; [`MomentMap`] is the map of second moments behind all of it.
//!
//! Source: Song, Zhang, Li, He, Muehlebach, Oh, "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669.

mod advice;
mod bounds;
mod critical;
mod moments;
mod radius;
mod scheme;
mod spectrum;
#[cfg(test)]
mod tests;

pub use advice::{Curvature, StepAdvice, advise};
pub use bounds::{StepBounds, rescaling, step_bounds, step_for_any_spectrum};
pub use critical::{critical_step, first_order_step};
pub use moments::{MomentMap, Moments};
pub use scheme::{Directions, Method, Scheme};
pub use spectrum::Spectrum;
pub(crate) use spectrum::check_preconditioner;
