//! What can go wrong with models, their files and their forward passes.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of loading, saving or running a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// Weights could not be registered, read or changed.
    #[error(transparent)]
    Perturb(#[from] polder_perturb::Error),
    /// A file could not be read.
    #[error("can't read `{}`: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no model at that path.
    #[error("`{}` holds no model: {reason}\nhint: give a Hugging Face folder (config.json beside model.safetensors or \
             model.safetensors.index.json) or a .gguf file", path.display())]
    NoModel {
        /// The path.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A file is larger than anything of its kind.
    #[error("`{}` has {bytes} bytes; more than {limit} can't be a {what}", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// What it should be.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// A JSON file does not hold what it should.
    #[error("`{}` is not valid: {reason}\nhint: fetch the file again", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A configuration is not one that this crate can run.
    #[error("`{}`: {source}", file.display())]
    InConfig {
        /// The file that it came from.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A safetensors file is damaged or hostile.
    #[error("`{}` is not a valid safetensors file: {reason}\nhint: the file is damaged or was cut short; fetch it again", file.display())]
    Safetensors {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The index of a sharded model names a file outside of its folder.
    #[error("`{}` names the shard `{shard}`, which is no plain file name\nhint: shards lie beside the index; \
             an index that points elsewhere is not read", index.display())]
    ShardOutside {
        /// The index.
        index: PathBuf,
        /// The name that it gives.
        shard: String,
    },
    /// A tensor is in two files, or twice in one.
    #[error("`{}` holds the tensor `{tensor}` a second time", file.display())]
    DuplicateTensor {
        /// The file with the second one.
        file: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// Tensors that the configuration asks for are not there.
    #[error("`{}` lacks {names}\nhint: the configuration asks for them; does it belong to these weights?", path.display())]
    MissingTensors {
        /// The folder or file.
        path: PathBuf,
        /// Their names, at most five, and how many more.
        names: String,
    },
    /// Tensors are there that the configuration has no use for.
    #[error("`{}` holds {names}, of which the configuration knows nothing\nhint: the model would be another one without \
             them; does the configuration belong to these weights?", path.display())]
    UnexpectedTensors {
        /// The folder or file.
        path: PathBuf,
        /// Their names, at most five, and how many more.
        names: String,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("`{tensor}` in `{}` has shape {found:?}, but the configuration asks for {expected:?}", file.display())]
    TensorShape {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// A tensor's elements are of a type that is not read.
    #[error("`{tensor}` in `{}` is stored as {dtype}, which is not read\nhint: {known} are", file.display())]
    TensorType {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type's name.
        dtype: String,
        /// The types that are read.
        known: &'static str,
    },
    /// A weight is infinite or not a number, or too large for the chosen storage.
    #[error("`{tensor}` in `{}` holds {value} at element {element}, which is no finite {storage}\nhint: {hint}", file.display())]
    NotFinite {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The row-major index of the first such element, in the file's order.
        element: usize,
        /// The value in the file.
        value: f32,
        /// The chosen storage.
        storage: &'static str,
        /// The remedy.
        hint: &'static str,
    },
    /// A storage type of that name does not exist.
    #[error("unknown storage type `{name}`\nhint: f32, bf16, f16 and bf16+8 are known")]
    UnknownStorage {
        /// The name.
        name: String,
    },
    /// A GGUF file is damaged or hostile.
    #[error("`{}` is not a valid GGUF file: {reason}\nhint: the file is damaged or was cut short; fetch it again", file.display())]
    Gguf {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A GGUF file is sound, but holds something that can't be represented faithfully.
    #[error("`{}`: {what} is not supported\nhint: {hint}", file.display())]
    GgufUnsupported {
        /// The file.
        file: PathBuf,
        /// What it holds.
        what: String,
        /// What can be done.
        hint: String,
    },
    /// A model that a GGUF file can't hold.
    #[error("a GGUF file can't hold this model: {what}\nhint: {hint}")]
    NoGguf {
        /// What has no place in it.
        what: String,
        /// What can be done.
        hint: &'static str,
    },
    /// A type of weights that a GGUF file is not written with.
    #[error("unknown type of weights `{name}`\nhint: f32, f16, bf16 and q8_0 are known")]
    UnknownGgufType {
        /// The name.
        name: String,
    },
    /// A tokenizer file is damaged, or of a kind that is not known.
    #[error("the tokenizer in `{}` can't be used: {reason}", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A folder is not replaced, because it holds other things than a model.
    #[error("`{}` is not replaced: it holds `{}`, which belongs to no model\nhint: choose another folder, or empty this one", folder.display(), stranger.display())]
    NotAModelFolder {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        stranger: PathBuf,
    },
    /// A weight is infinite or not a number, so the model is not worth its place.
    #[error(
        "`{tensor}` holds {value} at element {element}; weights that are not finite are not saved\n\
         hint: the training that made them diverged: lower its learning rate or clip its gradient"
    )]
    WeightNotFinite {
        /// The tensor.
        tensor: String,
        /// The row-major index of the first such element.
        element: usize,
        /// The weight.
        value: f64,
    },
    /// A weight does not fit the storage type that was asked for.
    #[error("`{tensor}` holds {value} at element {element}, which is no finite {storage}\nhint: save as bf16 or f32")]
    WeightTooLarge {
        /// The tensor.
        tensor: String,
        /// The row-major index of the first such element.
        element: usize,
        /// The weight.
        value: f32,
        /// The storage type.
        storage: &'static str,
    },
    /// A model could not be written; what was there before is intact.
    #[error("can't write `{}`: {source}; the model needs {needed} bytes, and nothing at `{}` was changed\n\
             hint: free space or choose another folder", file.display(), folder.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// The folder that was to be written.
        folder: PathBuf,
        /// The bytes that the whole folder needs.
        needed: u64,
        /// Why.
        source: std::io::Error,
    },
    /// A configuration is no JSON object.
    #[error("the configuration is not a JSON object: {reason}")]
    ConfigJson {
        /// What is wrong.
        reason: String,
    },
    /// A key of the configuration is missing and has no documented default.
    #[error("the configuration of `{model_type}` has no `{key}`")]
    ConfigMissing {
        /// The configuration's model type.
        model_type: String,
        /// The key.
        key: String,
    },
    /// A key of the configuration has a value that can't be.
    #[error("`{key}` of the configuration is {found}, expected {expected}")]
    ConfigValue {
        /// The key.
        key: String,
        /// Its value, as JSON, cut short where it is long.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// A model type that this crate does not implement.
    #[error("unknown model type `{model_type}`\nhint: known are {known}; others are refused rather than guessed")]
    UnknownModelType {
        /// The type, as the configuration gives it.
        model_type: String,
        /// The types that are known.
        known: String,
    },
    /// A kind of rotary embedding that this crate does not implement.
    #[error("unknown rope type `{rope_type}`\nhint: known are {known}; others are refused rather than guessed")]
    UnknownRopeType {
        /// The type, as the configuration gives it.
        rope_type: String,
        /// The types that are known.
        known: String,
    },
    /// A parameter of the set has another shape than the configuration asks for.
    #[error("`{tensor}` has shape {found:?}, but the configuration asks for {expected:?}")]
    ParamShape {
        /// The parameter.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
    },
    /// What a forward pass was given does not fit the model, or itself.
    #[error("{what} {found} of the input lies outside of 0..{limit}")]
    InputOutside {
        /// What is outside (token id, position, wanted row, wanted token, sequence end).
        what: &'static str,
        /// The value.
        found: usize,
        /// The smallest value that is too large.
        limit: usize,
    },
    /// The parts of an input have different lengths.
    #[error("the input has {ids} token ids, but {positions} positions")]
    InputLength {
        /// The number of token ids.
        ids: usize,
        /// The number of positions.
        positions: usize,
    },
    /// An input that follows something else than it is run after.
    #[error("the input follows a stem of {expected} {what}, and is run after one of {found}")]
    InputStem {
        /// What differs: tokens, points, layers.
        what: &'static str,
        /// What the stem has.
        found: usize,
        /// What it should have.
        expected: usize,
    },
    /// An input without tokens.
    #[error("the input has no tokens")]
    InputEmpty,
    /// A cache that can't be addressed.
    #[error(
        "a cache for {places} sequences of {tokens} tokens is too large\nhint: fewer sequences at a time, or fewer tokens"
    )]
    CacheSize {
        /// Sequences.
        places: usize,
        /// Tokens of each.
        tokens: usize,
    },
    /// A cache has no such place, or it is named twice in one pass.
    #[error("the cache has no place {place}, or the pass names it twice")]
    CachePlace {
        /// The place.
        place: usize,
    },
    /// A sequence outgrows its place in a cache.
    #[error("{tokens} more tokens do not fit into place {place} of the cache, which has room for {room}")]
    CacheFull {
        /// The place.
        place: usize,
        /// Tokens to append.
        tokens: usize,
        /// Tokens that there is room for.
        room: usize,
    },
}
