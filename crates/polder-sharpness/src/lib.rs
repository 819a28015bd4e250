//! How sharp the loss is around the weights, and which step that allows.
//!
//! | module | what is there | costs |
//! | --- | --- | --- |
//! | [`stability`] | the critical step of a spectrum, exactly or between bounds; the learning rate that a trace advises | nothing |
//! | [`theory`] | the proved rates towards flat minima, term by term; the tilted loss of a quadratic | nothing |
//!
//! Nothing here changes a weight. Every measured number has its standard error and its cost; probes take directions
//! that training never takes ([`ProbeSeeds`]).
//!
//! The critical step of a known spectrum, and what its trace alone says of it:
//!
//! ```
//! use polder_sharpness::stability::{Scheme, Spectrum, critical_step, step_bounds};
//!
//! let spectrum = Spectrum::new((1..=10).map(|i| 1.0 / f64::from(i)).collect())?;
//! let scheme = Scheme::default(); // one Gaussian direction a step, no momentum
//! let critical = critical_step(&spectrum, &scheme)?;
//! let bounds = step_bounds(spectrum.trace(), spectrum.largest(), &scheme)?;
//! assert!((critical - 0.479516).abs() < 1e-6);
//! assert!(bounds.lower < critical && critical < bounds.upper);
//! # Ok::<(), polder_sharpness::Error>(())
//! ```

mod bisection;
mod error;
mod measured;
mod seeds;
pub mod stability;
pub mod theory;

pub use error::{Error, Result};
pub use measured::{Measured, Precision};
pub use seeds::{ProbeSeeds, Purpose};
