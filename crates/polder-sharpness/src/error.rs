//! What can go wrong with probes, bounds and advice.

use polder_optim::ObjectiveError;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a probe, a bound or a piece of advice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The objective gave no losses.
    #[error("the losses could not be computed: {0}")]
    Objective(#[from] ObjectiveError),
    /// The gradient could not be computed.
    #[error("the gradient could not be computed: {0}")]
    Gradient(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A loss is infinite or not a number.
    #[error(
        "the loss is {loss} at {point}, so nothing can be said of the curvature there\n\
         hint: probe at finite weights; lower the distance of the probe, or store the weights as f32"
    )]
    NonFiniteLoss {
        /// Where the loss was read, in words.
        point: String,
        /// The mean loss there.
        loss: f64,
    },
    /// A number of a gradient or of a product with the Hessian is infinite or not a number.
    #[error("number {index} of {what} is {value}\nhint: look at the gradient near this point; it must be finite there")]
    NonFiniteVector {
        /// Which vector, in words.
        what: &'static str,
        /// The position, from 0.
        index: usize,
        /// The number there.
        value: f64,
    },
    /// An objective's answer does not fit the question.
    #[error("the objective gave {found} {what} where {expected} were expected")]
    LossShape {
        /// What was counted (points, examples).
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// The weights of the examples don't sum to a positive number.
    #[error(
        "the weights of a batch's {examples} examples sum to {sum}, so it has no mean loss\n\
         hint: a batch needs at least one example"
    )]
    NoWeight {
        /// How many examples.
        examples: usize,
        /// The sum of their weights.
        sum: f64,
    },
    /// A list of numbers has another length than the things it belongs to.
    #[error("{what} has {found} numbers, {expected} were expected")]
    Size {
        /// The list.
        what: &'static str,
        /// How many numbers it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A setting has a value that makes no sense.
    #[error("`{name}` = {value} is not possible\nhint: {why}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What it should be.
        why: &'static str,
    },
    /// A spectrum without eigenvalues.
    #[error(
        "the spectrum has no eigenvalue\nhint: give the eigenvalues of the Hessian at a minimum, at least one positive"
    )]
    EmptySpectrum,
    /// An eigenvalue that is negative, infinite or not a number.
    #[error(
        "eigenvalue {index} of the spectrum is {value}, but the critical step is defined at a minimum, \
         where none is negative\n\
         hint: take the Hessian at a minimum; set to zero what is negative by rounding alone"
    )]
    Eigenvalue {
        /// The position in the list, from 0.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A spectrum of zeros only.
    #[error(
        "all {count} eigenvalues of the spectrum are zero (or too small for a normal f64), so every step is stable\n\
         hint: a critical step needs at least one positive eigenvalue"
    )]
    FlatSpectrum {
        /// How many eigenvalues.
        count: usize,
    },
    /// A spectrum whose trace is no finite f64.
    #[error("the trace of the spectrum is not finite\nhint: scale the loss down, and the step up by the same factor")]
    HugeSpectrum,
    /// A preconditioner's number that is not positive and finite.
    #[error(
        "number {index} of the preconditioner is {value}\n\
         hint: each must be positive and finite; for Adam it is √v̂ + ε"
    )]
    Preconditioner {
        /// The position, from 0.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// More eigenvalues than the space of the directions has dimensions.
    #[error(
        "the spectrum has {eigenvalues} eigenvalues, but the sphere lies in {dimension} dimensions\n\
         hint: `dimension` is the number of weights that a direction reaches"
    )]
    Dimension {
        /// How many eigenvalues.
        eigenvalues: usize,
        /// The dimension that was given.
        dimension: u64,
    },
    /// A trace that noise could explain.
    #[error(
        "the trace {trace} is not clear of zero: its standard error is {standard_error}, and it should exceed two\n\
         hint: keep the learning rate you have; take more probes, or probe again later (far from a minimum the \
         curvature may be negative)"
    )]
    UnclearTrace {
        /// The trace.
        trace: f64,
        /// Its standard error.
        standard_error: f64,
    },
    /// A Hessian that no probe felt.
    #[error(
        "the Hessian times each of {probes} probes is zero, so the commutator has no relative size\n\
         hint: probe where the loss has curvature"
    )]
    NoCurvature {
        /// How many probes.
        probes: u64,
    },
    /// A tilted loss that is infinite.
    #[error(
        "t·s²·λ_max = {product} is not below 1, so the tilted loss of this quadratic is infinite\n\
         hint: lower the tilt t or the scale s"
    )]
    TiltBarrier {
        /// The product.
        product: f64,
    },
}

impl Error {
    /// Whether the numbers that were measured allow no answer: a loss that is none, or a trace that noise could explain.
    pub fn is_of_numbers(&self) -> bool {
        matches!(self, Self::NonFiniteLoss { .. } | Self::UnclearTrace { .. })
    }
}

/// The error of a setting.
pub(crate) fn setting(name: &'static str, value: impl std::fmt::Display, why: &'static str) -> Error {
    Error::Setting { name, value: value.to_string(), why }
}

/// A setting that must be positive and finite.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<f64> {
    match value.is_finite() && value > 0.0 {
        true => Ok(value),
        false => Err(setting(name, value, "it must be positive and finite")),
    }
}
