//! What can go wrong with directions, reads and updates.

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a direction, a read at points or an update.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A parameter that the model asks for is not there.
    #[error("no parameter named `{name}`")]
    NoSuchParameter {
        /// Its canonical Hugging Face name.
        name: String,
    },
    /// A name was given to two parameters.
    #[error("the parameter `{name}` is given twice")]
    DuplicateParameter {
        /// The name in question.
        name: String,
    },
    /// Two parameters' names hash to one key, so their directions would be equal.
    #[error("the parameters `{first}` and `{second}` have the same direction key")]
    KeyCollision {
        /// The parameter that was there first.
        first: String,
        /// The one that could not be added.
        second: String,
    },
    /// A tensor has another shape than the operation needs.
    #[error("`{what}` has shape {found:?}, expected {expected}")]
    Shape {
        /// The parameter or operand.
        what: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that was expected, in words.
        expected: String,
    },
    /// A storage type that this path does not handle.
    #[error("`{what}` is stored as {dtype:?}, which {path} does not handle")]
    DType {
        /// The parameter or operand.
        what: String,
        /// How it is stored.
        dtype: candle_core::DType,
        /// The path that refused it.
        path: &'static str,
    },
    /// An index lies outside of its table.
    #[error("{what} {index} lies outside of 0..{len}")]
    Index {
        /// What is indexed (a token id, a row, a position).
        what: &'static str,
        /// The index.
        index: usize,
        /// The size of what is indexed.
        len: usize,
    },
    /// What a device can't do, or this program was built without.
    #[error("{what} is not there for weights on {device}\nhint: {hint}")]
    Device {
        /// What was asked for.
        what: String,
        /// The kind of device: `cpu`, `cuda`, `metal`.
        device: &'static str,
        /// What can be done instead.
        hint: &'static str,
    },
    /// The state of an optimiser does not belong to these parameters.
    #[error(
        "the optimiser's state does not fit at `{name}`: {why}\n\
         hint: load the state that was saved with these weights, with the same trainable parameters and state type"
    )]
    State {
        /// The parameter or the tensor in question.
        name: String,
        /// What is wrong.
        why: String,
    },
}
