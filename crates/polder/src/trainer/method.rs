//! From the configuration's words to estimator, optimiser and schedule, and to the trajectory's header.

use polder_optim::trajectory::{Digest, Header, Method as Entry, Moves};
use polder_optim::{Estimator, Optimizer, Schedule, Shape, UpdateMode, estimator_from};
use polder_perturb::{ParamSet, Seed, direction, rounding};
use serde_json::{Map, json};

use crate::config::{self, Config};
use crate::device::Kind;
use crate::error::Result;
use crate::hub;
use crate::in_place::moves;
use crate::trainer::TaskData;

/// The algorithm of a run.
#[derive(Debug)]
pub struct Method {
    /// How losses become an estimate.
    pub estimator: Box<dyn Estimator>,
    /// How an estimate becomes an update.
    pub optimizer: Box<dyn Optimizer>,
    /// The learning rate over the steps.
    pub schedule: Schedule,
    /// Law and rounding.
    pub mode: UpdateMode,
}

impl Method {
    /// The algorithm that a configuration asks for, at this learning rate.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn of(config: &Config, lr: f64) -> Result<Self> {
        let rounding = match config.rounding {
            config::Rounding::Stochastic => rounding::Rounding::Stochastic,
            config::Rounding::Nearest => rounding::Rounding::Nearest,
        };
        Ok(Self {
            estimator: config.estimator.build(config.clip)?,
            optimizer: config.optimizer.build(lr)?,
            schedule: schedule(&config.schedule).checked()?,
            mode: UpdateMode { law: config.estimator.law.into(), rounding },
        })
    }

    /// How long directions are, if the estimator has to know.
    pub fn lengths(&self, params: &ParamSet, seeds: &[Seed]) -> Vec<f64> {
        let known = seeds.iter().filter(|_| self.estimator.needs_lengths());
        known.map(|seed| params.direction_length(self.mode.law, *seed)).collect()
    }

    /// The header of this run's trajectory.
    ///
    /// # Errors
    /// Weights that can't be read.
    pub fn header(&self, config: &Config, params: &ParamSet, data: &TaskData) -> Result<Header> {
        let mut settings = Map::new();
        settings.insert("batch".to_owned(), json!(config.batch));
        settings.insert("task".to_owned(), json!(config.task));
        settings.insert("max_length".to_owned(), json!(config.max_length));
        settings.insert("device".to_owned(), json!(Kind::of(&params.device())));
        settings.insert("dev".to_owned(), json!(data.dev_fingerprint));
        settings.insert("eval".to_owned(), json!(data.eval_fingerprint));
        Ok(Header {
            polder: env!("CARGO_PKG_VERSION").to_owned(),
            base: Digest(params.digest()?),
            model: hub::origin(&config.model.path),
            data: data.fingerprint.clone(),
            seed: config.seed,
            steps: config.steps,
            law: self.mode.law.name().to_owned(),
            directions: direction::VERSION,
            estimator: Entry { name: self.estimator.name().to_owned(), settings: self.estimator.settings() },
            optimizer: Entry { name: self.optimizer.name().to_owned(), settings: self.optimizer.settings() },
            schedule: serde_json::to_value(self.schedule).unwrap_or_default(),
            dtype: config.model.dtype.name().to_owned(),
            rounding: self.mode.rounding.name().to_owned(),
            arithmetic: config.arithmetic.name().to_owned(),
            probe: probe_name(config.probe).to_owned(),
            trainable: json!(config.trainable),
            trainable_elements: params.trainable_elements() as u64,
            settings,
        })
    }
}

/// A probe's name in a header.
fn probe_name(probe: config::Probe) -> &'static str {
    match probe {
        config::Probe::Read => "streamed",
        config::Probe::InPlace => "in-place",
    }
}

/// What a replay of this trajectory has to repeat before each update: an in-place probe's moves.
///
/// # Errors
/// An estimator that this program does not know.
pub(crate) fn moves_of(header: &Header) -> Result<Option<Moves>> {
    if header.probe != probe_name(config::Probe::InPlace) {
        return Ok(None);
    }
    Ok(Some(moves(estimator_from(&header.estimator.name, &header.estimator.settings)?)))
}

fn schedule(schedule: &config::Schedule) -> Schedule {
    match schedule {
        config::Schedule::Constant(c) => Schedule { shape: Shape::Constant, warmup: c.warmup, end: 0.0 },
        config::Schedule::Linear(l) => Schedule { shape: Shape::Linear, warmup: l.warmup, end: l.end },
        config::Schedule::Cosine(c) => Schedule { shape: Shape::Cosine, warmup: c.warmup, end: c.end },
    }
}

/// Whether what a step does depends on how many steps there are.
///
/// # Errors
/// Settings that make no sense.
pub(crate) fn steps_bind(config: &Config) -> Result<bool> {
    let ramped = config.estimator.build(config.clip)?.bound_to_total();
    Ok(ramped || !matches!(config.schedule, config::Schedule::Constant(_)))
}
