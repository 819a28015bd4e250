//! The checked configuration, with every default filled in.

use std::path::PathBuf;

use polder_models::StorageType;
use polder_tasks::{LossKind, Split, TaskSpec};
use serde::{Deserialize, Serialize};

use super::method::{Auto, Estimator, Optimizer, Schedule, Trace};
use crate::device::Wanted;

/// A run, as asked for. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The seed of directions, minibatches and rounding.
    pub seed: u64,
    /// How many steps; 0 for the weights as they are.
    pub steps: u64,
    /// Examples a step.
    pub batch: Batch,
    /// Where to compute.
    pub device: Wanted,
    /// Whether the weights stay in the computer's memory and are sent to a GPU matrix by matrix, for models larger than it.
    /// Results do not depend on it.
    #[serde(default)]
    pub offload: bool,
    /// Worker threads; as many as the machine has cores where absent. Results do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Examples a forward pass; the whole batch where absent. Results do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<usize>,
    /// Points of weight space that a forward pass reads together: faster, for as many times the activations. Results do
    /// not depend on it.
    pub points_a_pass: usize,
    /// Whether generation makes a point's weights whole once, or reads them at the point in every pass; as memory allows where
    /// absent. Results do not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub materialise: Option<bool>,
    /// Longest sequence in tokens; the model's own limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// How a pass sees shifted weights.
    pub probe: Probe,
    /// The arithmetic of a step's products; scores are taken in f32.
    pub arithmetic: Arithmetic,
    /// How an update is rounded to the storage type.
    pub rounding: Rounding,
    /// Patterns of parameter names that the run may change; `*` matches any text, `?` one character, `all` everything.
    pub trainable: Vec<String>,
    /// Bound c on the projected gradient g: `g ← max(−c, min(c, g))`, in nats a unit of λ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Checkpoints.
    pub save: Save,
    /// The model.
    pub model: ModelConfig,
    /// The task and its data.
    pub task: TaskConfig,
    /// How losses become a gradient estimate.
    pub estimator: Estimator,
    /// How an estimate becomes an update.
    pub optimizer: Optimizer,
    /// How a learning rate is found where the optimiser's is `"auto"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto: Option<Auto>,
    /// How the Hessian's trace is followed, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Evaluations.
    pub eval: EvalConfig,
}

/// Examples a step: a number, or all of the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BatchRepr", into = "BatchRepr")]
pub enum Batch {
    /// So many examples.
    Count(usize),
    /// Every training example.
    Full,
}

impl Batch {
    /// How many examples a step has, of `train` training rows.
    pub fn size(self, train: usize) -> usize {
        match self {
            Self::Count(n) => n.min(train),
            Self::Full => train,
        }
    }
}

/// How a [`Batch`] is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BatchRepr {
    Count(usize),
    Word(FullWord),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FullWord {
    Full,
}

impl From<BatchRepr> for Batch {
    fn from(repr: BatchRepr) -> Self {
        match repr {
            BatchRepr::Count(n) => Self::Count(n),
            BatchRepr::Word(FullWord::Full) => Self::Full,
        }
    }
}

impl From<Batch> for BatchRepr {
    fn from(batch: Batch) -> Self {
        match batch {
            Batch::Count(n) => Self::Count(n),
            Batch::Full => Self::Word(FullWord::Full),
        }
    }
}

/// How a pass sees shifted weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Reads weights at points; writes none.
    Read,
    /// Adds λu, −2λu, λu to the weights themselves, as MeZO's own code does; they drift.
    InPlace,
}

/// The arithmetic of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// Single precision.
    F32,
    /// Products of bf16 summed in f32; the shifts of weights rounded stochastically.
    Bf16,
    /// Products of f32 whose factors tensor cores round to ten bits of mantissa; NVIDIA cards only.
    Tf32,
}

impl Arithmetic {
    /// As readers know it.
    pub fn of_readers(self) -> polder_perturb::Arithmetic {
        match self {
            Self::F32 => polder_perturb::Arithmetic::F32,
            Self::Bf16 => polder_perturb::Arithmetic::Bf16,
            Self::Tf32 => polder_perturb::Arithmetic::Tf32,
        }
    }

    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Tf32 => "tf32",
        }
    }
}

/// How an update is rounded to 16-bit storage; f32 storage is always rounded to the nearest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// Up or down at random, right in the mean.
    Stochastic,
    /// To the nearest value, ties to even; small updates vanish.
    Nearest,
}

/// Checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// A checkpoint every so many steps.
    pub every: u64,
}

/// The model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A Hugging Face folder, a GGUF file, a run folder, or an address on the Hub.
    pub path: PathBuf,
    /// How weights are stored.
    pub dtype: StorageType,
}

/// The task and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskConfig {
    /// The name of a built-in task, or of the task that `prompt` and `options` or `target` describe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A task file (TOML).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// All that the task says, these keys included, as a run's plan has it; then neither the file nor the built-in task counts.
    #[serde(skip)]
    pub spec: Option<TaskSpec>,
    /// A folder with train, validation and test files, or one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Training rows.
    pub train: usize,
    /// Rows that choose the best checkpoint.
    pub dev: usize,
    /// The seed that draws training and dev rows.
    pub seed: u64,
    /// So many rows of each class instead, for training and for dev.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<usize>,
    /// The share of the training labels that is replaced by wrong ones, to see how a method withstands them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Answered rows of the train split that stand in front of every prompt, in training and in every score.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shots: u16,
    /// The seed that chooses them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shots_seed: u64,
    /// The prompt's template over a row's columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What may follow the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<OptionSource>,
    /// The column (or template) that says which option is right, or is the text that should follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The column that holds the right option's number or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The label values in the order of the options, or a column that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<OptionSource>,
    /// What stands between prompt and option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<String>,
    /// How the training loss is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,
    /// Whether sequences start with the BOS token; as the tokenizer itself does where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<bool>,
}

/// Whether a number is 0: then it stands in no plan.
fn is_zero<N: Copy + Into<u64>>(number: &N) -> bool {
    (*number).into() == 0
}

/// What may follow the prompt: fixed texts (or templates, one each), or a column that holds a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionSource {
    /// One text or template an option.
    Texts(Vec<String>),
    /// The name of a column that holds a list.
    Column(String),
}

/// Evaluations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalConfig {
    /// Dev rows are evaluated every so many steps.
    pub every: u64,
    /// The split of the first and the final score.
    pub split: Split,
    /// At most so many rows of that split.
    pub limit: usize,
    /// What chooses the best weights on the dev rows: `loss`, the lowest, as MeZO does; or `accuracy`, `macro-f1` or
    /// `binary-f1`, by which the task is then also scored.
    pub metric: String,
    /// Whether to evaluate before the first step.
    pub before: bool,
}
