//! What a run will take: forward passes, memory, disk.

use candle_core::{DType, Device, Tensor};
use polder_models::{Cache, Description};
use polder_perturb::ParamSet;
use polder_tasks::{EncodedExample, LossKind};
use serde::Serialize;

use crate::config::{Arithmetic, Config, Probe};
use crate::device::{ALLOWANCE, Architecture, DeviceMemory, Kind, Pass};
use crate::error::Result;
use crate::packing::{Common, alike_examples, all_options, rows_of};
use crate::scoring::ROWS_A_PASS;
use crate::trainer::{TaskData, samples_of};

/// What a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Passes of the model over data.
    pub forwards: Forwards,
    /// Memory, in bytes.
    pub memory: Memory,
    /// Disk, in bytes.
    pub disk: Disk,
}

/// Forward passes, each over a batch of the run's size at one point of weight space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forwards {
    /// A step's: one a point.
    pub step: u64,
    /// All steps', with samples of the trace, and at most those that measure the learning rate.
    pub training: u64,
    /// All evaluations'.
    pub evaluation: u64,
    /// Sequences (a prompt with its options) in all of these.
    pub sequences: u64,
    /// Evaluations of the dev rows.
    pub dev_evaluations: u64,
    /// Evaluations of the evaluation rows.
    pub eval_evaluations: u64,
}

/// An estimate of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// The weights: exact.
    pub weights: u64,
    /// The optimiser's state: exact.
    pub state: u64,
    /// Activations of the largest pass: an estimate from the widths of a layer.
    pub activations: u64,
    /// Keys and values of what all evaluated prompts begin with: exact; a part of the activations.
    pub kept: u64,
    /// Scratch for shifted weights: an estimate.
    pub scratch: u64,
    /// Keys and values of the sequences that answers are generated in: exact for the longest prompts; 0 where none is.
    pub cache: u64,
    /// The weights of one point made whole, where answers are generated at points and it is not ruled out; with
    /// `materialise = "auto"` only if memory allows when the run begins.
    pub point: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        [self.state, self.activations, self.scratch, self.cache, self.point]
            .into_iter()
            .fold(self.weights, u64::saturating_add)
    }
}

/// Disk at its highest, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// `best` and `final`.
    pub weights: u64,
    /// The latest checkpoint, and the next one while it is written.
    pub checkpoints: u64,
    /// The trajectory and `metrics.jsonl`.
    pub logs: u64,
}

impl Disk {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.checkpoints).saturating_add(self.logs)
    }
}

/// What a method takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct MethodCost {
    /// Forward passes a step.
    pub(super) forwards: u64,
    /// Bytes of the optimiser's state.
    pub(super) state: u64,
}

impl MethodCost {
    /// Of a configuration's method, for so many trained weights.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(super) fn of(config: &Config, trained: usize) -> Result<Self> {
        let optimizer = config.optimizer.build(config.optimizer.lr.fixed().unwrap_or_default())?;
        // Models hold no f64 weights, so the state of each is alike.
        let one = Tensor::zeros(1, DType::F32, &Device::Cpu)?;
        let mut sample = ParamSet::new();
        sample.insert("w", one)?;
        let state = optimizer.state_bytes(&sample).saturating_mul(trained as u64);
        Ok(Self { forwards: config.estimator.build(config.clip)?.forwards(), state })
    }
}

pub(super) fn of(
    config: &Config,
    method: MethodCost,
    model: &Description,
    data: &TaskData,
    (parameters, trainable): (usize, usize),
) -> Cost {
    let weights = (parameters as u64).saturating_mul(config.model.dtype.bytes() as u64);
    // A step's record and its line, measured: the points' numbers besides a fixed part.
    let logs = config.steps.saturating_mul(240 + 30 * method.forwards);
    let file = (parameters as u64).saturating_mul(config.model.dtype.file_dtype().size_in_bytes() as u64);
    let disk = Disk {
        weights: file.saturating_mul(2) + method.state,
        checkpoints: (file + method.state).saturating_mul(2),
        logs,
    };
    Cost {
        forwards: forwards(config, method, data),
        memory: memory(config, method, model, data, (weights, trainable)),
        disk,
    }
}

fn forwards(config: &Config, method: MethodCost, data: &TaskData) -> Forwards {
    let step = method.forwards;
    let samples = config.trace.as_ref().map_or(0, |trace| samples_of(config.steps, trace.every));
    let rate = config.auto.as_ref().map_or(0, |auto| 3 * auto.probes as u64 * auto.times(config.steps));
    let training = config.steps.saturating_mul(step).saturating_add(samples).saturating_add(rate);
    let every = config.eval.every.max(1);
    let after = config.steps / every + u64::from(!config.steps.is_multiple_of(every));
    let before = u64::from(config.eval.before);
    let dev = if data.dev.is_empty() { 0 } else { before + after };
    let eval = if data.eval.is_empty() { 0 } else { before + 1 };
    let batch = config.batch.size(data.train.len()).max(1);
    let passes = |n: usize| n.div_ceil(batch) as u64;
    let of = |times: u64, n: u64| times.saturating_mul(n);
    Forwards {
        step,
        training,
        evaluation: of(dev, passes(data.dev.len())).saturating_add(of(eval, passes(data.eval.len()))),
        sequences: of(training, batch as u64)
            .saturating_add(of(dev, data.dev.len() as u64))
            .saturating_add(of(eval, data.eval.len() as u64)),
        dev_evaluations: dev,
        eval_evaluations: eval,
    }
}

/// What the run takes on a GPU: the larger of its largest steps' and its largest evaluations' passes. `None` for a model
/// that the formula does not know.
pub(super) fn on_gpu(
    config: &Config,
    kind: Kind,
    architecture: Option<Architecture>,
    data: &TaskData,
    (cost, forwards): (&Memory, u64),
) -> Option<DeviceMemory> {
    let a = architecture?;
    let kind = if kind == Kind::Cpu { Kind::Cuda } else { kind };
    let batch = config.batch.size(data.train.len());
    let micro = config.micro_batch.unwrap_or(batch).min(batch);
    let scored = |e: &EncodedExample| e.options.iter().map(|o| o.scored).sum::<usize>();
    let mut steps: Vec<(usize, usize)> = data.train.iter().map(|e| (rows_of(&all_options(e)), scored(e))).collect();
    steps.sort_unstable_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let sums = |of: &mut dyn Iterator<Item = (usize, usize)>| of.fold((0, 0), |(r, s), (rows, n)| (r + rows, s + n));
    let (rows, wanted) = sums(&mut steps.into_iter().take(micro));
    let points = if config.probe == Probe::Read { config.points_a_pass.min(forwards as usize).max(1) } else { 1 };
    let sent = if config.offload { config.model.dtype.bytes() } else { 0 };
    let step = Pass { points, rows, wanted: wanted.min(rows), arithmetic: config.arithmetic, kind, sent };
    let evaluated = || data.dev.iter().chain(&data.eval).map(|e| (rows_of(&all_options(e)), scored(e)));
    let longest = evaluated().map(|(rows, _)| rows).max().unwrap_or(0);
    let (all, scored) = sums(&mut evaluated());
    let rows = all.min(ROWS_A_PASS.max(longest));
    // Scores are taken in f32 at the weights themselves.
    let evaluation = Pass { points: 1, rows, wanted: scored.min(rows), arithmetic: Arithmetic::F32, kind, sent };
    let passes = [step, evaluation].map(|pass| a.peak(&pass));
    let pass = if passes[0].total() >= passes[1].total() { passes[0] } else { passes[1] };
    // What lies beside offloaded weights is in the computer's memory with them.
    let [weights, state, point] =
        [cost.weights, cost.state, cost.point].map(|bytes| if config.offload { 0 } else { bytes });
    let kept = cost.kept.saturating_add(cost.cache).saturating_add(point);
    Some(DeviceMemory { weights, state, pass, kept, allowance: ALLOWANCE })
}

fn memory(
    config: &Config,
    method: MethodCost,
    model: &Description,
    data: &TaskData,
    (weights, trainable): (u64, usize),
) -> Memory {
    let batch = config.batch.size(data.train.len());
    let micro = config.micro_batch.unwrap_or(batch).min(batch);
    let mut lengths: Vec<usize> = data.train.iter().map(|e| rows_of(&all_options(e))).collect();
    lengths.sort_unstable_by_key(|rows| std::cmp::Reverse(*rows));
    let together = config.points_a_pass.min(method.forwards as usize);
    let points = if config.probe == Probe::Read { together } else { 1 };
    let training = points * lengths.iter().take(micro).sum::<usize>();
    let evaluated = data.dev.iter().chain(&data.eval).map(|e| rows_of(&all_options(e)));
    let (longest, all) = evaluated.fold((0, 0), |(longest, all), rows| (rows.max(longest), rows.saturating_add(all)));
    let rows = training.max(all.min(ROWS_A_PASS.max(longest))) as u64;
    let attention = (2 * model.heads + 2 * model.kv_heads) * model.head_dim;
    let width = 3 * model.hidden + attention.max(3 * model.ffn);
    // What all evaluated prompts begin with is kept as keys and values of every layer.
    let common = begun(&data.dev).max(begun(&data.eval)) as u64;
    let kept = common.saturating_mul((2 * model.layers * model.kv_heads * model.head_dim) as u64);
    let threads = config.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    Memory {
        weights,
        state: method.state,
        activations: rows.saturating_mul(width as u64).saturating_add(kept).saturating_mul(4),
        kept: kept.saturating_mul(4),
        scratch: (threads as u64) << 22,
        cache: cache(data, model),
        point: if makes_whole(config, data) { (trainable as u64).saturating_mul(4) } else { 0 },
    }
}

/// How many tokens are run before every pass of an evaluation.
fn begun(examples: &[EncodedExample]) -> usize {
    Common::of(alike_examples(examples).0.iter().map(|i| &examples[*i])).ids().len()
}

/// Keys and values of the most sequences that are generated side by side.
fn cache(data: &TaskData, model: &Description) -> u64 {
    let Some(questions) = &data.questions else { return 0 };
    let scored = questions.dev.iter().chain(&questions.eval);
    let all: Vec<usize> = match data.kind {
        LossKind::F1 => scored.chain(&questions.train).map(|q| q.ids.len()).collect(),
        _ => scored.map(|q| q.ids.len()).collect(),
    };
    let each = all.iter().max().map_or(0, |longest| longest + questions.settings.max_new_tokens);
    Cache::bytes(model, 0, questions.settings.batch.min(all.len()), each).unwrap_or(u64::MAX)
}

/// Whether a point's weights may be made whole in steps: where they generate, at points that are read, in f32.
fn makes_whole(config: &Config, data: &TaskData) -> bool {
    data.kind == LossKind::F1
        && config.materialise != Some(false)
        && config.probe == Probe::Read
        && config.arithmetic == Arithmetic::F32
}
