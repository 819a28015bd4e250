//! What is proved of zeroth-order descent towards flat minima, as a calculator.
//!
//! Zhang, Li, Thekumparampil, Oh, Muehlebach, He, "Zeroth-Order Optimization Finds Flat Minima", arXiv 2506.05454: for
//! a convex f of d variables whose gradient, Hessian and third derivative are Lipschitz with constants L₁, L₂, L₃,
//! two-point descent with Gaussian directions and smoothing λ minimises `F = f + (λ²/2) Tr ∇²f`.
//!
//! [`gaussian_tilt`] is the exact tilted loss of a quadratic, against which a probe can be held.

mod flat;
#[cfg(test)]
mod tests;
mod tilt;

pub use flat::{Corollary, Limit, Smoothness, Theorem1};
pub use tilt::gaussian_tilt;
