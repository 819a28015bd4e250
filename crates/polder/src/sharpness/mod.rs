//! How sharp a task's loss is around a model's weights, and where a learning rate stands against its edge of stability.

mod eigenvalue;
mod slice;

use polder_optim::{Batch, Objective};
use polder_perturb::{Law, Seed, Shift};
use polder_sharpness::probe::{Neighbourhood, NeighbourhoodProbe, RunningTrace, Tilted};
use polder_sharpness::stability::{Curvature, Directions, Method, Scheme, StepAdvice, advise, step_bounds};
use polder_sharpness::{Measured, Precision, ProbeSeeds};
use serde::Serialize;
use serde_json::Value;

pub use eigenvalue::{Eigenvalue, Preconditioned, eigenvalue, preconditioner};
pub use slice::{Path, SliceRequest, Slices, between, slices};

use crate::batching::{BatchSize, Batching};
use crate::config::{self, Config};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::Model;
use crate::objective::{PassLayout, PromptLoss};
use crate::trainer::{TaskData, set_trainable};

/// What is to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The distance δ of the points, in multiples of the direction.
    pub delta: f64,
    /// The most directions; two forward passes each, and one at the weights.
    pub probes: u32,
    /// The relative standard error of the trace at which measuring ends; absent: all directions are taken.
    pub precision: Option<f64>,
    /// The tilt t of the tilted sharpness, in 1/nats.
    pub tilt: f64,
    /// The law of the directions.
    pub law: Law,
    /// How many training rows the loss is the mean of.
    pub rows: usize,
    /// The seed of the directions.
    pub seed: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self { delta: 1e-3, probes: 100, precision: None, tilt: 1.0, law: Law::Rademacher, rows: 64, seed: 0 }
    }
}

/// What was measured of some of a model's weights, the others held still.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sharpness {
    /// The patterns of the weights' names.
    pub weights: Vec<String>,
    /// How many weights they name.
    pub elements: u64,
    /// How many rows the loss is the mean of.
    pub rows: usize,
    /// The distance δ as it was applied.
    pub delta: f64,
    /// The loss f(θ), in nats.
    pub loss: f64,
    /// `Tr ∇²f`, in nats a unit of weight squared.
    pub trace: Measured,
    /// `‖∇f‖² = E (uᵀ∇f)²`, in squared nats a unit of weight squared.
    pub gradient_squared: Measured,
    /// `‖∇f‖²/(2·Tr ∇²f)`, in nats: by how much the loss falls in a step of one direction at the best rate, 1/Tr, where the
    /// trace outweighs the largest eigenvalue.
    pub decrease: f64,
    /// `E f(θ + δu) − f(θ)`, in nats.
    pub expected: Measured,
    /// `(1/t) log E exp(t(f(θ + δu) − f(θ)))`.
    pub tilted: Tilted,
    /// Forward passes over those rows that it took.
    pub forwards: u64,
}

/// Measures how sharp the loss of the training rows is around a model's weights, along the weights of some names.
///
/// # Errors
/// No weight of such a name; a setting that makes no sense; a loss that is not finite.
pub fn measure(model: &mut Model, weights: &[String], data: &TaskData, request: &Request) -> Result<Sharpness> {
    set_trainable(model, weights)?;
    let elements = model.loaded.params.trainable_elements() as u64;
    let rows = request.rows.min(data.train.len());
    let engine = model.engine();
    let mut loss = loss_of(&engine, data, request);
    let seeds = ProbeSeeds::new(Seed(request.seed), 0);
    let precision = request.precision.map(Precision::Relative);
    let probe = NeighbourhoodProbe { delta: request.delta, probes: request.probes, precision };
    let around = probe.run(&mut loss, Batch(0), seeds)?;
    let (trace, gradient_squared) = (trace_of(&around), gradient_of(&around));
    Ok(Sharpness {
        weights: weights.to_vec(),
        elements,
        rows,
        delta: around.delta,
        loss: around.base,
        decrease: gradient_squared.value / (2.0 * trace.value),
        trace,
        gradient_squared,
        expected: around.expected(),
        tilted: around.tilted(request.tilt)?,
        forwards: around.forwards,
    })
}

/// The loss of the training rows that a request asks for, as its batch 0.
fn loss_of<'a>(engine: &'a Engine<'a>, data: &'a TaskData, request: &Request) -> PromptLoss<'a> {
    let size = BatchSize::of(config::Batch::Count(request.rows), data.train.len());
    let batching = Batching::new(data.train.len(), size, request.seed);
    // As many rows a pass as training often has; no bit depends on it.
    let layout = PassLayout { micro_batch: Some(16), points: 2 };
    PromptLoss::new(engine, &data.train, data.kind, batching, request.law, layout)
}

/// `Tr ∇²f = (2/δ²)·(E f(θ + δu) − f(θ))`, from both sides of each direction.
fn trace_of(around: &Neighbourhood) -> Measured {
    let (expected, scale) = (around.expected(), 2.0 / (around.delta * around.delta));
    Measured { value: scale * expected.value, standard_error: scale * expected.standard_error, ..expected }
}

/// `E (uᵀ∇f)²`, from the slopes `(f(θ + δu) − f(θ − δu))/2δ`.
fn gradient_of(around: &Neighbourhood) -> Measured {
    let squares = around.rises.iter().map(|[plus, minus]| ((plus - minus) / (2.0 * around.delta)).powi(2));
    let n = around.rises.len() as f64;
    let value = squares.clone().sum::<f64>() / n;
    let variance = squares.map(|s| (s - value).powi(2)).sum::<f64>() / (n - 1.0);
    let (samples, forwards) = (around.rises.len() as u64, around.forwards);
    Measured { value, standard_error: (variance / n).sqrt(), samples, forwards }
}

/// What decides the stability of a configuration's method beside the Hessian; `None` where the trace does not decide it.
///
/// Adam's limit is that of `P⁻¹H` at a preconditioner that is not known beforehand ([`adam_scheme`]); the length of sign and
/// normalised steps does not depend on the loss at all. A tilt is taken as its limit t → 0.
pub fn scheme_of(config: &Config, elements: usize) -> Option<Scheme> {
    let method = match config.optimizer.name.as_str() {
        "sgd" => Method::Sgd,
        "momentum" => Method::Polyak { beta: number(&config.optimizer.settings, "beta")? },
        _ => return None,
    };
    scheme_with(config, method, elements)
}

/// What decides the stability of Adam's steps beside `P⁻¹H`; `None` for other methods.
pub fn adam_scheme(config: &Config, elements: usize) -> Option<Scheme> {
    let beta1 = number(&config.optimizer.settings, "beta1").filter(|_| config.optimizer.name == "adam")?;
    scheme_with(config, Method::FrozenAdam { beta1 }, elements)
}

/// The scheme of a method with a configuration's estimator.
fn scheme_with(config: &Config, method: Method, elements: usize) -> Option<Scheme> {
    let estimator = &config.estimator.settings;
    if estimator.get("normalize").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let directions = match estimator.get("scaling").and_then(Value::as_str) {
        Some("sphere") => Directions::Sphere { dimension: elements as u64 },
        _ => Directions::Gaussian,
    };
    let queries = number(estimator, "directions")? as u32;
    Some(Scheme { method, queries, directions })
}

fn number(settings: &serde_json::Map<String, Value>, key: &str) -> Option<f64> {
    settings.get(key).and_then(Value::as_f64)
}

/// The scheme of a configuration whose learning rate can be measured.
///
/// # Errors
/// A method whose stability the trace does not decide.
pub fn measurable(config: &Config, elements: usize) -> Result<Scheme> {
    scheme_of(config, elements).ok_or_else(|| crate::Error::NoAutoRate {
        optimizer: config.optimizer.name.clone(),
        estimator: config.estimator.name.clone(),
    })
}

/// The trace above which a learning rate is certainly too large: `2/lr` for one direction a step.
pub fn edge(scheme: &Scheme, lr: f64) -> Option<f64> {
    // Beyond 1/trace times this the step is unstable, whatever the largest eigenvalue.
    let upper = step_bounds(1.0, 1.0, scheme).ok()?.upper;
    (lr > 0.0).then_some(upper / lr)
}

/// How many times the directions that were asked for are taken while it is open whether the trace is above zero.
pub const LONGER: u64 = 4;

/// A learning rate that was found from the trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The trace that was measured.
    pub trace: Measured,
    /// The rate, and why.
    pub advice: StepAdvice,
}

/// The trace that a learning rate is to be found from, measured over minibatches of the run itself from step `from` on.
///
/// Each direction is read on a minibatch of its own, at θ and θ ± δu with δ the estimator's ε: three forward passes. So the
/// standard error counts the spread of minibatches.
///
/// # Errors
/// A loss that is not finite.
pub fn trace_for_rate(config: &Config, from: u64, objective: &mut dyn Objective) -> Result<Measured> {
    let auto = config.auto.clone().unwrap_or(config::Auto::DEFAULT);
    let eps = config.estimator.settings.get("eps").and_then(Value::as_f64).unwrap_or(1e-3);
    // So long a memory that all samples weigh the same.
    let mut running = RunningTrace::new(1e15)?;
    for number in from..from + LONGER * auto.probes as u64 {
        let seed = ProbeSeeds::new(Seed(config.seed), number).seed(polder_sharpness::Purpose::Trace, 0);
        let points = [Shift::none(), Shift::along(seed, eps), Shift::along(seed, -eps)];
        let means = objective.losses(Batch(number), &points).map_err(polder_optim::Error::from)?.means();
        running.feed(means[0], &means[1..], eps)?;
        if let Some(trace) = running.measured() {
            let precise =
                trace.samples >= Precision::LEAST_SAMPLES && trace.standard_error <= auto.precision * trace.value;
            if precise || trace.samples >= auto.probes as u64 && trace.is_clear_of_zero() {
                break;
            }
        }
    }
    let mut trace =
        running.measured().unwrap_or(Measured { value: f64::NAN, standard_error: f64::NAN, samples: 0, forwards: 0 });
    trace.forwards = 3 * trace.samples;
    Ok(trace)
}

/// The learning rate that a share of the stable bound allows at a trace.
///
/// # Errors
/// A method whose stability the trace does not decide; a trace that is not clearly positive.
pub fn advised_rate(config: &Config, elements: usize, trace: Measured) -> Result<Found> {
    let share = config.auto.as_ref().map_or(config::Auto::DEFAULT.share, |auto| auto.share);
    let scheme = measurable(config, elements)?;
    let curvature = Curvature { trace: trace.value, standard_error: trace.standard_error, largest: None };
    Ok(Found { advice: advise(&curvature, &scheme, share)?, trace })
}
