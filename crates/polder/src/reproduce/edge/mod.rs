//! The edge of stability: zeroth-order methods sharpen until the Hessian's trace meets the limit of their mean-square
//! stability, and stay there.
//!
//! A [`course::Course`] says what a run does, [`walk`] makes runs by the traits that training uses ([`mover`]) and measures
//! curvatures along them ([`gauge`]); [`study`] makes tables and checks of the [`track::Track`]s, [`picture`] figures. Each
//! experiment is a module.

mod adam;
mod catapult;
mod convolution;
mod course;
mod gauge;
mod gradient;
mod minibatch;
mod momentum;
mod mover;
mod picture;
mod problem;
mod queries;
mod smoothing;
mod study;
#[cfg(test)]
mod tests;
mod track;
mod walk;

pub(in crate::reproduce) use adam::EXPERIMENT as ADAM;
pub(in crate::reproduce) use catapult::EXPERIMENT as CATAPULT;
pub(in crate::reproduce) use convolution::EXPERIMENT as CONVOLUTION;
pub(in crate::reproduce) use gradient::EXPERIMENT as GRADIENT;
pub(in crate::reproduce) use minibatch::EXPERIMENT as MINIBATCH;
pub(in crate::reproduce) use momentum::EXPERIMENT as MOMENTUM;
pub(in crate::reproduce) use queries::EXPERIMENT as QUERIES;
pub(in crate::reproduce) use smoothing::EXPERIMENT as SMOOTHING;
