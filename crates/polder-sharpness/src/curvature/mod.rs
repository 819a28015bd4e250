//! Curvature where gradients exist: products with the Hessian by central differences of the gradient, and what follows
//! from them.
//!
//! A language model that is only run forwards has no gradient; the closed-form objectives on which methods are tested
//! have. [`GradientHessian`] holds a gradient and a point; [`Lanczos`] finds the top eigenvalue, [`GradientTrace`] the
//! trace, both also of `P⁻¹H`, and [`Commutator`] says how far P and H commute.

mod commutator;
mod hessian;
mod lanczos;
#[cfg(test)]
mod tests;
mod trace;
mod tridiagonal;

pub use commutator::Commutator;
pub use hessian::{Gradient, GradientHessian};
pub use lanczos::{Lanczos, TopEigenvalue};
pub use trace::{ByGradients, GradientTrace};
