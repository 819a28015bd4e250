//! The plan of a run: the configuration with every default, the facts of model and data, and what it will cost.

mod agreement;
mod cost;
mod measure;
mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;

use polder_models::{Inspected, inspect};
use polder_tasks::{Encoder, TaskSpec};
use serde::Serialize;
use serde_json::Value;

pub use agreement::{Agreement, agreement};
pub use cost::{Cost, Disk, Forwards, Memory};
pub use measure::{Measured, Parts, measure};
pub(crate) use show::size;

use crate::config::{Config, Rate};
use crate::device::{Architecture, Chosen, DeviceMemory, Kind, ThisMachine, check_arithmetic, check_offload, choose};
use crate::error::{Error, Result};
use crate::hub;
use crate::model::find;
use crate::sharpness::measurable;
use crate::trainer::{TaskData, matches, spec_of};

/// A run that can be started: everything that it names was found, read and checked; no weight was loaded.
#[derive(Debug)]
pub struct Plan {
    /// What was asked for; the model's path is that of its files.
    pub config: Config,
    /// What was found.
    pub facts: Facts,
    /// The rows, drawn and encoded.
    pub data: TaskData,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// The version that made the plan.
    pub polder: &'static str,
    /// The device, and why it is that one.
    pub device: Chosen,
    /// The model.
    pub model: ModelFacts,
    /// What the task says, the configuration's own changes included: a task file may be another one later.
    pub task: TaskSpec,
    /// The data.
    pub data: DataFacts,
    /// What the run will take.
    pub cost: Cost,
    /// What it takes on a GPU, or would; by formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<DeviceMemory>,
    /// What fell back or was chosen, in sentences.
    pub notes: Vec<String>,
}

/// Facts of a model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelFacts {
    /// The type, as its config.json names it.
    pub model_type: String,
    /// Weights, tied ones once.
    pub parameters: usize,
    /// Weights that the run may change.
    pub trainable: usize,
    /// Bytes a weight in memory.
    pub bytes_a_weight: usize,
    /// Layers.
    pub layers: usize,
    /// The width of the residual stream.
    pub hidden: usize,
    /// Tokens in the vocabulary.
    pub vocab: usize,
    /// The number of weights of each type in the files.
    pub stored: BTreeMap<String, usize>,
}

/// Facts of the data.
#[derive(Debug, Clone, Serialize)]
pub struct DataFacts {
    /// The task.
    pub task: String,
    /// The folder or file.
    pub path: Option<PathBuf>,
    /// Training rows.
    pub train: usize,
    /// Rows that choose the best weights.
    pub dev: usize,
    /// Rows of the first and the last score.
    pub eval: usize,
    /// The split that those come from.
    pub eval_split: String,
    /// How predictions are scored.
    pub metric: String,
    /// How the loss is made.
    pub loss: String,
    /// Examples a step.
    pub batch: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
    /// The content hash of the training examples.
    pub fingerprint: String,
}

impl Plan {
    /// Checks a configuration against the model's and the data's files.
    ///
    /// # Errors
    /// A device that isn't there or lacks the arithmetic; a model, tokenizer, task or data file that isn't there or can't be
    /// used; nothing trainable; a learning rate that is to be measured where that can't be.
    pub fn new(mut config: Config) -> Result<Self> {
        // The cheapest check of all, and the one that most often fails on a new machine.
        let device = choose(config.device, &ThisMachine)?;
        check_arithmetic(device.kind, config.arithmetic)?;
        check_offload(device.kind, config.offload)?;
        let fetched = hub::pin(&mut config, &mut |_| {})?;
        let found = find(&config.model.path)?;
        let model = inspect(&found.path)?;
        // An address stays one, with its commit: it means the same everywhere.
        if hub::address(&config.model.path).is_none() {
            config.model.path = found.path;
        }
        let tokenizer = model.tokenizer.clone().ok_or(Error::NoTokenizer { path: config.model.path.clone() })?;
        let positions = model.describe().positions;
        let longest = config.max_length.map_or(positions, |longest| longest.min(positions));
        let encoder = Encoder::new(tokenizer, config.task.bos_policy(), model.bos_id(), longest)?;
        let data = TaskData::prepare(&config, &encoder, &model)?;
        let architecture = Architecture::of(&model.config);
        let model = model_facts(&config, &model)?;
        if config.optimizer.lr == Rate::Auto {
            measurable(&config, model.0.trainable)?;
            if data.kind.is_score() {
                return Err(Error::NoGradient { kind: data.kind });
            }
        }
        let method = cost::MethodCost::of(&config, model.0.trainable)?;
        let cost = cost::of(&config, method, &model.1, &data, (model.0.parameters, model.0.trainable));
        let gpu = cost::on_gpu(&config, device.kind, architecture, &data, (&cost.memory, cost.forwards.step));
        let idle = (config.offload && device.kind == Kind::Cpu).then(|| {
            "`offload` changes nothing here: the CPU reads weights where they lie, in the computer's memory".to_owned()
        });
        let notes = fetched.into_iter().chain(found.note).chain(idle).chain(data.notes.iter().cloned()).collect();
        let (polder, data_facts) = (env!("CARGO_PKG_VERSION"), data_facts(&config, &data));
        let task = spec_of(&config)?;
        let facts = Facts { polder, device, model: model.0, task, data: data_facts, cost, gpu, notes };
        Ok(Self { config, facts, data })
    }

    /// The plan as `RUN/plan.json` holds it: every key of the configuration, and `facts`.
    pub fn to_json(&self) -> Value {
        let mut json = serde_json::to_value(&self.config).unwrap_or_default();
        if let Value::Object(map) = &mut json {
            map.insert("facts".to_owned(), serde_json::to_value(&self.facts).unwrap_or_default());
        }
        json
    }
}

fn model_facts(config: &Config, model: &Inspected) -> Result<(ModelFacts, polder_models::Description)> {
    let about = model.describe();
    let (mut parameters, mut trainable) = (0usize, 0usize);
    for (name, shape) in polder_models::expected_tensors(&model.config) {
        let size = shape.iter().product::<usize>();
        parameters += size;
        if config.trainable.iter().any(|pattern| matches(pattern, &name)) {
            trainable += size;
        }
    }
    if trainable == 0 {
        return Err(Error::NothingTrainable { patterns: config.trainable.join(", ") });
    }
    let facts = ModelFacts {
        model_type: model.config.model_type().to_owned(),
        parameters,
        trainable,
        bytes_a_weight: config.model.dtype.bytes(),
        layers: about.layers,
        hidden: about.hidden,
        vocab: about.vocab,
        stored: model.source.stored.clone(),
    };
    Ok((facts, about))
}

fn data_facts(config: &Config, data: &TaskData) -> DataFacts {
    let all = data.train.iter().chain(&data.dev).chain(&data.eval);
    DataFacts {
        task: data.name.clone(),
        path: config.task.data.clone(),
        train: data.train.len(),
        dev: data.dev.len(),
        eval: data.eval.len(),
        eval_split: data.eval_split.to_string(),
        metric: data.metric.to_string(),
        loss: data.kind.to_string(),
        batch: config.batch.size(data.train.len()),
        longest: all.flat_map(|e| &e.options).map(|o| o.ids.len()).max().unwrap_or(0),
        fingerprint: data.fingerprint.clone(),
    }
}
