//! Zeroth-order estimators, optimisers and schedules; the trajectory and its replay.
//!
//! A step reads as the algorithm: take seeds, ask the [`Objective`] for losses at the [`Estimator`]'s probes, let the
//! estimator say what they mean, let the [`Optimizer`] decide the exact coefficients, log them, apply them:
//!
//! ```text
//! let seeds    = step_seeds(run_seed, step, estimator.directions());
//! let losses   = objective.losses(batch, &estimator.probes(&context, &seeds))?;
//! let estimate = estimator.combine(&context, &seeds, &losses)?;
//! let applied  = optimizer.decide(&estimate, lr, rounding_seed(run_seed, step))?;
//! writer.append(&Record::Step(Step::new(&context, &applied, losses.means(), lr)))?;
//! optimizer.apply(params, &mode, &applied)?;
//! ```
//!
//! [`trajectory::replay`] repeats the last line from the log alone and reaches the same bits.

mod error;
mod estimator;
mod objective;
pub mod objectives;
mod optimizer;
mod quadratic;
mod registry;
mod schedule;
mod seeds;
pub mod trajectory;

pub use error::{Error, Result};
pub use estimator::{
    Correction, Estimate, Estimator, MAX_DIRECTIONS, OneSided, Ramp, Scaling, Sides, StepContext, Tilt, TwoPoint, Zest,
};
pub use objective::{Batch, Losses, Objective, ObjectiveError};
pub use optimizer::{Adam, Applied, Momentum, Optimizer, Sgd, Sign, UpdateMode};
pub use quadratic::Quadratic;
pub use registry::{ESTIMATORS, Entry, OPTIMIZERS, SettingHelp, SettingKind, estimator_from, optimizer_from};
pub use schedule::{Schedule, Shape};
pub use seeds::{rounding_seed, step_seeds};
