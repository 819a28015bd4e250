//! A real step, timed.

use std::time::{Duration, Instant};

use polder_models::Loaded;
use polder_optim::{Batch, Objective, StepContext, rounding_seed, step_seeds};
use polder_perturb::{ParamSet, Seed, Shift};
use serde::Serialize;

use super::Plan;
use crate::batching::{BatchSize, Batching};
use crate::config::{Config, Probe};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::Model;
use crate::objective::{PassLayout, PromptLoss};
use crate::scoring::{PassSize, score};
use crate::timed::{Clock, Part};
use crate::trainer::{Method, set_threads, set_trainable};

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// Seconds to load the weights.
    pub load: f64,
    /// Seconds a step, the median of a few.
    pub step: f64,
    /// What the seconds of a step go into.
    pub parts: Parts,
    /// Seconds an evaluated example.
    pub example: f64,
    /// Seconds of the whole run, extrapolated.
    pub run: f64,
    /// How the timed steps probed: always [`Probe::Read`], whatever the run will do.
    pub probe: Probe,
}

/// The parts of a step, each as a share of its time; together 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// Products of the linear layers.
    pub linear: f64,
    /// Products of the head, with its log-softmax.
    pub head: f64,
    /// Making the direction and adding it to the weights that both read: by how much longer they take at points away from
    /// the weights than at the weights themselves.
    pub directions: f64,
    /// Changing the weights, which makes the direction once more.
    pub update: f64,
    /// Attention.
    pub attention: f64,
    /// Rows of tables, norms, activations, rotary embeddings, sums.
    pub elementwise: f64,
    /// What is left: putting the batch together, and between the operations.
    pub other: f64,
}

const STEPS: u64 = 5;
const EXAMPLES: usize = 64;

/// Loads the weights, takes a few steps with probes as read and no weight saved, and extrapolates.
///
/// # Errors
/// What a run would fail with.
pub fn measure(plan: &Plan) -> Result<Measured> {
    let (config, data) = (&plan.config, &plan.data);
    set_threads(config.threads);
    let start = Instant::now();
    let mut model = Model::load(&config.model.path, config.model.dtype, config.place()?)?;
    set_trainable(&mut model, &config.trainable)?;
    let load = start.elapsed().as_secs_f64();
    let (moved, still) = (Clock::default(), Clock::default());
    let arithmetic = config.arithmetic.of_readers();
    let timed_by = |clock| model.engine().in_arithmetic(arithmetic).timed_by(clock);
    let (engine, resting) = (timed_by(&moved), timed_by(&still));
    let mut timer = Timer::new(plan, &model.loaded, &engine, &resting)?;
    for step in 0..STEPS {
        timer.step(step)?;
    }
    let (step, parts) = (timer.median(), timer.parts(&moved, &still));
    let some = &data.train[..data.train.len().min(EXAMPLES)];
    let start = Instant::now();
    score(&engine, some, PassSize::default(), &mut |_| Ok(()))?;
    let example = start.elapsed().as_secs_f64() / some.len().max(1) as f64;
    let n = &plan.facts.cost.forwards;
    let evaluated = n.dev_evaluations * data.dev.len() as u64 + n.eval_evaluations * data.eval.len() as u64;
    let run = load + step * config.steps as f64 + example * evaluated as f64;
    Ok(Measured { load, step, parts, example, run, probe: Probe::Read })
}

/// Takes steps by the clock.
struct Timer<'a> {
    config: &'a Config,
    params: &'a ParamSet,
    method: Method,
    loss: PromptLoss<'a>,
    /// The same loss, asked at the weights themselves.
    resting: PromptLoss<'a>,
    steps: Vec<Duration>,
    updates: Duration,
}

impl<'a> Timer<'a> {
    fn new(plan: &'a Plan, loaded: &'a Loaded, engine: &'a Engine<'a>, resting: &'a Engine<'a>) -> Result<Self> {
        let (config, data) = (&plan.config, &plan.data);
        // A rate that is yet to be measured changes no time, as long as it is not 0, where nothing would be updated.
        let method = Method::of(config, config.optimizer.lr.fixed().unwrap_or(1e-9))?;
        let size = BatchSize::of(config.batch, data.train.len());
        let layout = PassLayout { micro_batch: config.micro_batch, points: config.points_a_pass };
        let loss = |engine| {
            let batching = Batching::new(data.train.len(), size, config.seed);
            let loss = PromptLoss::new(engine, &data.train, data.kind, batching, method.mode.law, layout);
            loss.answering(data.answering(loaded.tokenizer.as_ref(), config.materialise))
        };
        let (loss, resting, params) = (loss(engine), loss(resting), &loaded.params);
        Ok(Self { config, params, method, loss, resting, steps: Vec::new(), updates: Duration::ZERO })
    }

    /// A step; then the same batch at as many points that don't move, which the step's time leaves out.
    fn step(&mut self, step: u64) -> Result<()> {
        let Self { config, params, method, loss, resting, steps, updates } = self;
        let start = Instant::now();
        let elements = params.trainable_elements();
        let seeds = step_seeds(Seed(config.seed), step, method.estimator.directions());
        let lengths = method.lengths(params, &seeds);
        let context = StepContext { step, total: config.steps, batch: Batch(step), elements, lengths: &lengths };
        let probes = method.estimator.probes(&context, &seeds);
        let losses = loss.losses(context.batch, &probes).map_err(polder_optim::Error::from)?;
        let estimate = method.estimator.combine(&context, &seeds, &losses)?;
        let (rounding, lr) = (rounding_seed(Seed(config.seed), step), method.optimizer.learning_rate());
        let update = Instant::now();
        method.optimizer.step(params, &method.mode, &estimate, lr, rounding)?;
        // Where updates are queued, a step is done when they are.
        params.device().synchronize()?;
        *updates += update.elapsed();
        steps.push(start.elapsed());
        resting.losses(context.batch, &vec![Shift::none(); probes.len()]).map_err(polder_optim::Error::from)?;
        Ok(())
    }

    /// Seconds of the median step.
    fn median(&self) -> f64 {
        let mut sorted = self.steps.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
    }

    /// What all steps went into.
    fn parts(&self, moved: &Clock, still: &Clock) -> Parts {
        let all = self.steps.iter().sum::<Duration>().as_secs_f64();
        let (away, at_rest) = (|part| moved.of(part).as_secs_f64() / all, |part| still.of(part).as_secs_f64() / all);
        let (linear, head) = (at_rest(Part::Linear), at_rest(Part::Head));
        let (attention, elementwise) = (away(Part::Attention), away(Part::Elementwise));
        let directions = away(Part::Linear) + away(Part::Head) - linear - head;
        let update = self.updates.as_secs_f64() / all;
        let other = 1.0 - (linear + head + directions + update + attention + elementwise);
        Parts { linear, head, directions, update, attention, elementwise, other }
    }
}
