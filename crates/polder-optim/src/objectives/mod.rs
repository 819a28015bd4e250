//! The small objectives of the papers, in f64: smooth functions of a few to some thousand numbers.
//!
//! A [`Smooth`] is the function itself: mean losses over its examples, analytic gradients, where there is one the exact
//! trace of the Hessian. [`SmoothObjective`] puts it behind [`crate::Objective`], so estimators and optimisers meet
//! it as they meet a language model; [`Descent`] runs the first-order methods that the papers compare with.
//!
//! | function | what it shows | source |
//! | --- | --- | --- |
//! | [`QuadraticForm`] | thresholds that depend on the spectrum alone | arXiv 2604.14669, 2510.16157 |
//! | [`Toy`] | the drift to the minimum of smallest trace | arXiv 2506.05454, Proposition 1 |
//! | [`LinearModel`] | logistic regression and SVM on lifted features | arXiv 2506.05454, Figures 2 and 5 |
//! | [`Network`] | the edge of stability on a CPU | arXiv 2604.14669 |
//!
//! ```
//! use polder_optim::objectives::{Scratch, Smooth, SmoothObjective, Toy};
//! use polder_optim::{Batch, Estimator, Objective, Optimizer, Sgd, StepContext, TwoPoint, UpdateMode};
//! use polder_optim::{rounding_seed, step_seeds};
//! use polder_perturb::{Law, Seed, rounding::Rounding};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let toy = Toy::new(100)?;
//! let params = SmoothObjective::parameter(&toy.minimum(Seed(3), 150.0, 70.0)?)?;
//! let mut objective = SmoothObjective::new(&toy, &params, Law::Gaussian)?;
//! let (two, mut sgd) = (TwoPoint { eps: 0.1, ..TwoPoint::default() }, Sgd { lr: 1e-3, weight_decay: 0.0 });
//! let mode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };
//! for step in 0..1000 {
//!     let context = StepContext { step, total: 1000, batch: Batch(step), elements: toy.dimension(), lengths: &[] };
//!     let seeds = step_seeds(Seed(5), step, two.directions());
//!     let losses = objective.losses(context.batch, &two.probes(&context, &seeds))?;
//!     let estimate = two.combine(&context, &seeds, &losses)?;
//!     sgd.step(&params, &mode, &estimate, sgd.lr, rounding_seed(Seed(5), step))?;
//! }
//! let x = objective.weights()?;
//! assert!(toy.value(&x, None, &mut Scratch::new()) < 0.1);
//! assert!(toy.trace(&x).is_some_and(|trace| trace < 220.0));
//! # Ok(())
//! # }
//! ```

mod adapter;
mod data_error;
mod descent;
mod draws;
mod features;
mod libsvm;
mod linear;
mod network;
mod orthogonal;
mod quadratic_form;
mod smooth;
mod stand_in;
mod standardise;
mod toy;
mod wide;

pub use adapter::SmoothObjective;
pub use data_error::{DataError, Place};
pub use descent::{Descent, FirstOrder};
pub use features::{Features, Lifted, RandomFeatures};
pub use libsvm::SparseData;
pub use linear::{LinearLoss, LinearModel};
pub use network::{Examples, Network};
pub use quadratic_form::QuadraticForm;
pub use smooth::{Scratch, Smooth};
pub use stand_in::stand_in;
pub use toy::Toy;
