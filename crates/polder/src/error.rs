//! What can go wrong in a run.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a configuration, a run, an evaluation or a replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that can't be read, or asks for what can't be.
    #[error(transparent)]
    Config(Box<crate::config::ConfigError>),
    /// A device that can't be had.
    #[error(transparent)]
    Device(Box<crate::device::DeviceError>),
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb: read, write, create.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A JSON file of the run folder does not hold what it should.
    #[error("`{}` is not what this run wrote there: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A run is there already.
    #[error("`{}` holds a run already\nhint: go on with it by `--resume`, or name another folder with `--run`", path.display())]
    RunExists {
        /// The run folder.
        path: PathBuf,
    },
    /// There is no run to go on with.
    #[error("`{}` holds no run to resume\nhint: start it without `--resume`", path.display())]
    NoRun {
        /// The run folder.
        path: PathBuf,
    },
    /// A file that says no comparison.
    #[error("`{}` is no comparison: {reason}\nhint: COMPARE.md shows one", path.display())]
    Comparison {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The log of a run that had begun is missing.
    #[error(
        "the run `{}` holds `{left}` but no `trajectory`, so its steps are not known and it can't go on\n\
         hint: bring its trajectory back, or start a new run in another folder (`--run`)",
        path.display()
    )]
    LogGone {
        /// The run folder.
        path: PathBuf,
        /// What is there of the run.
        left: &'static str,
    },
    /// Weights that memory has no room for.
    #[error(
        "`{shape}` needs {needed} bytes for its weights, and {free} are free\nhint: a smaller shape, or a smaller `--dtype`"
    )]
    TooLarge {
        /// The shape.
        shape: &'static str,
        /// Bytes of its weights.
        needed: u64,
        /// Bytes that can be had.
        free: u64,
    },
    /// The system gives no more threads.
    #[error("cannot start {threads} threads: {reason}\nhint: fewer `--threads`")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system answered.
        reason: String,
    },
    /// The model's weights, files or forward pass failed.
    #[error(transparent)]
    Model(Box<polder_models::Error>),
    /// A direction, a read at points or an update failed.
    #[error(transparent)]
    Perturb(#[from] polder_perturb::Error),
    /// An estimate, an update or the trajectory failed.
    #[error(transparent)]
    Optim(Box<polder_optim::Error>),
    /// A task, its data or a tokenizer failed.
    #[error(transparent)]
    Task(Box<polder_tasks::Error>),
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// An option has no tokens to score, or nothing that predicts the first of them.
    #[error(
        "option {option} has {tokens} tokens, of which {scored} are to be scored; at least one must come before them"
    )]
    NothingPredicts {
        /// Which option of its example.
        option: usize,
        /// How many of its tokens are to be scored.
        scored: usize,
        /// How many tokens it has.
        tokens: usize,
    },
    /// A loss was asked for where no example says which option is right.
    #[error("there is no example that says which option is right\nhint: a loss and a score need labelled rows")]
    NoGold,
    /// A prompt without tokens.
    #[error(
        "prompt {number} (from 0) is empty\nhint: give it some text, or a model whose tokenizer begins texts with a BOS token"
    )]
    EmptyPrompt {
        /// Which one.
        number: usize,
    },
    /// A prompt after which there is no room.
    #[error(
        "prompt {number} (from 0) has {tokens} tokens, and with what follows it may have {limit}\nhint: shorten it"
    )]
    LongPrompt {
        /// Which one.
        number: usize,
        /// How many tokens it has.
        tokens: usize,
        /// How many a sequence may have.
        limit: usize,
    },
    /// A question without an accepted answer.
    #[error(
        "row `{row}` has no accepted answer, so no generated one can be scored\nhint: give the task `answers`, or leave such rows out"
    )]
    NoAnswers {
        /// The row.
        row: String,
    },
    /// A loss that is not made of options' scores.
    #[error(
        "the loss `{kind}` is that of generated answers, and nothing is generated here\nhint: take the loss `target`, such as by --set task.loss=target"
    )]
    NotOfScores {
        /// The loss.
        kind: polder_tasks::LossKind,
    },
    /// A loss without gradient where one is needed.
    #[error(
        "the loss `{kind}` is a score of answers and has no gradient, which is needed here\nhint: take the loss `options` or `target`; for a run, give `lr` a number"
    )]
    NoGradient {
        /// The loss.
        kind: polder_tasks::LossKind,
    },
    /// Logits that are no numbers.
    #[error(
        "the model's logits after prompt {number} (from 0) are not finite numbers, so no token can be chosen\nhint: its weights are broken, or have overflowed"
    )]
    NoNumbers {
        /// Which one.
        number: usize,
    },
    /// Somebody asked for the end of the run, or its time is up.
    #[error("the run was stopped")]
    Stopped,
    /// A task without data.
    #[error("the key `task.data` is missing\nhint: give a folder with train, validation and test files, or one file")]
    NoData,
    /// The data is not where it is said to be.
    #[error("`{}`, named by `task.data`, is not there\nhint: give a folder with train, validation and test files, or one \
             file; paths of --set start at the working folder, those in a file at its folder", path.display())]
    NoSuchData {
        /// The place.
        path: PathBuf,
    },
    /// The model has no tokenizer.
    #[error("`{}` holds no tokenizer\nhint: put its tokenizer.json beside the weights", path.display())]
    NoTokenizer {
        /// The model.
        path: PathBuf,
    },
    /// The model has no chat template.
    #[error(
        "`{}` has no chat template (chat_template.jinja, or `chat_template` in its tokenizer_config.json)\n\
         hint: take a model that was trained on conversations, or put a template beside its tokenizer",
        path.display()
    )]
    NoChatTemplate {
        /// The model.
        path: PathBuf,
    },
    /// The Hub failed.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(Box<polder_hub::Error>),
    /// A Hub id in a build without the Hub.
    #[error(
        "`{address}` is on the Hub, which this build can't reach\nhint: build with the feature `hub`, or download it and give its folder"
    )]
    NoHub {
        /// The address.
        address: String,
    },
    /// There is no home folder for a cache.
    #[error("there is no place for rebuilt weights\nhint: set POLDER_CACHE to a folder")]
    NoCache,
    /// The base weights of a trajectory are not where its header says.
    #[error(
        "the trajectory `{}` starts from `{}`, which is not here\n\
         hint: name it with `--base`: a folder, a GGUF file or hf://owner/name; its weights' hash is {digest}",
        path.display(), base.display()
    )]
    NoBase {
        /// The trajectory.
        path: PathBuf,
        /// Where the base lay.
        base: PathBuf,
        /// The digest of its weights.
        digest: String,
    },
    /// A trajectory alone, of a run that has not ended.
    #[error(
        "the trajectory `{}` ends after {steps} steps without a hash of its weights, so they can't be checked\n\
         hint: `polder replay` writes them into a folder all the same", path.display()
    )]
    NotEnded {
        /// The trajectory.
        path: PathBuf,
        /// Its steps.
        steps: u64,
    },
    /// A run that can't be published as it is asked for.
    #[error("`{}` can't be published: {reason}\nhint: {remedy}", path.display())]
    Unpublishable {
        /// The run.
        path: PathBuf,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A run folder without weights.
    #[error("the run `{}` has no weights\nhint: let it end, or go on with it by `polder train … --resume`; of one that ended, `polder replay RUN --out DIR` makes them from its log", path.display())]
    RunWithoutWeights {
        /// The run folder.
        path: PathBuf,
    },
    /// No parameter fits the patterns of those that may change.
    #[error("no parameter fits `trainable` = {patterns}\nhint: `*` matches any text, `all` every parameter")]
    NothingTrainable {
        /// The patterns.
        patterns: String,
    },
    /// A learning rate is to be measured for a method whose stability the trace does not decide.
    #[error(
        "`lr` = \"auto\" does not work with the optimiser `{optimizer}` and the estimator `{estimator}`: the Hessian's trace \
         does not decide which of its steps are stable\n\
         hint: give a number, or take `sgd` or `momentum` with an estimator that does not normalise"
    )]
    NoAutoRate {
        /// The optimiser.
        optimizer: String,
        /// The estimator.
        estimator: String,
    },
    /// Gradients are asked for of a model that is too large for them.
    #[error(
        "eigenvalues need gradients, which are made for at most {most} weights at once; there are {elements}\n\
         hint: leave `--eigenvalue` out, or name fewer weights with `--weights`"
    )]
    TooManyForGradients {
        /// How many weights there are.
        elements: usize,
        /// How many there may be.
        most: usize,
    },
    /// A probe of the loss around the weights failed.
    #[error(transparent)]
    Sharpness(Box<polder_sharpness::Error>),
    /// A picture that can't be made.
    #[error("the figure can't be drawn: {reason}")]
    Figure {
        /// Why not.
        reason: String,
    },
    /// Data of a small objective can't be read or used.
    #[error(transparent)]
    Data(Box<polder_optim::objectives::DataError>),
    /// An option that what was asked for does not read.
    #[error(
        "this experiment does not read `{option}`\nhint: leave it out; `polder reproduce --list` says what each one is"
    )]
    UnreadOption {
        /// The option.
        option: &'static str,
    },
    /// The place for an output is taken.
    #[error("`{}` is there already and is not empty\nhint: name another folder", path.display())]
    OutputExists {
        /// The place.
        path: PathBuf,
    },
    /// A type of weights that a folder of safetensors does not have.
    #[error(
        "a folder of safetensors holds no `{kind}`\nhint: f32, f16 and bf16 are held; for `{kind}` let the name of a file end in .gguf"
    )]
    ExportType {
        /// The type.
        kind: String,
    },
    /// Another process trains or evaluates in this folder.
    #[error("another process is using the folder `{}`\nhint: wait for it or stop it; two can't share a run or an evaluation", path.display())]
    RunLocked {
        /// The folder.
        path: PathBuf,
    },
    /// The plan differs from the one that the run was started with, in keys that may not change.
    #[error("the run cannot be resumed with this plan: {differences}\nhint: set these keys back, or start a new run")]
    PlanChanged {
        /// The keys, each with its old and its new value.
        differences: String,
    },
}

impl Error {
    /// Whether this only says that the run was told to stop.
    pub(crate) fn is_stop(&self) -> bool {
        match self {
            Self::Stopped => true,
            Self::Optim(error) => match error.as_ref() {
                polder_optim::Error::Objective(inner) => inner.0.downcast_ref::<Self>().is_some_and(Self::is_stop),
                _ => false,
            },
            _ => false,
        }
    }

    /// Wraps an answer of the system.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

impl From<polder_optim::ObjectiveError> for Error {
    fn from(error: polder_optim::ObjectiveError) -> Self {
        Self::from(polder_optim::Error::from(error))
    }
}

// Boxed, since a result carries its error's size even where all is well.
impl From<polder_models::Error> for Error {
    fn from(error: polder_models::Error) -> Self {
        Self::Model(Box::new(error))
    }
}

impl From<polder_tasks::Error> for Error {
    fn from(error: polder_tasks::Error) -> Self {
        Self::Task(Box::new(error))
    }
}

impl From<polder_optim::Error> for Error {
    fn from(error: polder_optim::Error) -> Self {
        Self::Optim(Box::new(error))
    }
}

impl From<polder_sharpness::Error> for Error {
    fn from(error: polder_sharpness::Error) -> Self {
        Self::Sharpness(Box::new(error))
    }
}

impl From<polder_optim::objectives::DataError> for Error {
    fn from(error: polder_optim::objectives::DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<crate::device::DeviceError> for Error {
    fn from(error: crate::device::DeviceError) -> Self {
        Self::Device(Box::new(error))
    }
}

impl From<crate::config::ConfigError> for Error {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

#[cfg(feature = "hub")]
impl From<polder_hub::Error> for Error {
    fn from(error: polder_hub::Error) -> Self {
        Self::Hub(Box::new(error))
    }
}
