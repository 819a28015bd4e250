//! How sharp the loss is around the weights, and which step that allows.
//!
//! | module | what is there | costs |
//! | --- | --- | --- |
//! | [`stability`] | the critical step of a spectrum, exactly or between bounds; the learning rate that a trace advises | nothing |
//! | [`theory`] | the proved rates towards flat minima, term by term; the tilted loss of a quadratic | nothing |
//! | [`probe`] | Hessian trace, expected and tilted sharpness, slices; a trace that training feeds as it goes | forward passes |
//! | [`curvature`] | top eigenvalue, trace and commutator with a preconditioner, for objectives that have gradients | gradients |
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
//!
//! The trace of a Hessian from forward passes alone, and the learning rate that it advises:
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use polder_optim::{Batch, Quadratic};
//! use polder_perturb::{Law, ParamSet, Seed};
//! use polder_sharpness::ProbeSeeds;
//! use polder_sharpness::probe::TraceProbe;
//! use polder_sharpness::stability::{Curvature, Scheme, StepAdvice, advise};
//!
//! let mut params = ParamSet::new();
//! params.insert("weight", Tensor::new(&[1f32, -2.0, 3.0], &Device::Cpu)?)?;
//! let mut objective = Quadratic::diagonal(&params, Law::Rademacher, &[1.0, 2.0, 4.0], vec![0.0; 3])?;
//!
//! let probe = TraceProbe { probes: 20, ..TraceProbe::default() };
//! let trace = probe.run(&mut objective, Batch(0), ProbeSeeds::new(Seed(17), 0))?;
//! assert!((trace.value - 7.0).abs() < 1e-6); // signs on a diagonal Hessian: no sampling noise
//! assert_eq!(trace.forwards, 41);
//!
//! let curvature = Curvature { trace: trace.value, standard_error: trace.standard_error, largest: None };
//! let advice = advise(&curvature, &Scheme::default(), StepAdvice::SHARE)?;
//! assert!((advice.step - 0.5 * 2.0 / (3.0 * 7.0)).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bisection;
pub mod curvature;
mod error;
mod measured;
pub mod probe;
mod seeds;
pub mod stability;
pub mod theory;

pub use error::{Error, Result};
pub use measured::{Measured, Precision};
pub use seeds::{ProbeSeeds, Purpose};
