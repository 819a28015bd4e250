//! From the configuration's words to estimator, optimiser and schedule, and to the trajectory's header.

use polder_optim::trajectory::{Digest, Header, Method as Entry, Origin};
use polder_optim::{Estimator, Optimizer, Schedule, Shape, UpdateMode, estimator_from, optimizer_from};
use polder_perturb::{Law, ParamSet, direction, rounding};
use serde_json::{Map, Value, json};

use crate::config::{self, Config};
use crate::error::Result;
use crate::in_place::AfterMoves;
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
    /// The algorithm that a configuration asks for.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn of(config: &Config) -> Result<Self> {
        let config::Estimator::TwoPoint(two) = &config.estimator;
        let config::Optimizer::Sgd(sgd) = &config.optimizer;
        let settings = json!({"eps": two.eps, "directions": two.directions, "clip": config.clip});
        let law = match two.law {
            config::Law::Gaussian => Law::Gaussian,
            config::Law::Rademacher => Law::Rademacher,
        };
        let rounding = match config.rounding {
            config::Rounding::Stochastic => rounding::Rounding::Stochastic,
            config::Rounding::Nearest => rounding::Rounding::Nearest,
        };
        Ok(Self {
            estimator: estimator_from("two-point", &settings)?,
            optimizer: optimizer_from("sgd", &json!({"lr": sgd.lr, "weight_decay": sgd.weight_decay}))?,
            schedule: schedule(&config.schedule).checked()?,
            mode: UpdateMode { law, rounding },
        })
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
        settings.insert("dev".to_owned(), json!(data.dev_fingerprint));
        settings.insert("eval".to_owned(), json!(data.eval_fingerprint));
        Ok(Header {
            polder: env!("CARGO_PKG_VERSION").to_owned(),
            base: Digest(params.digest()?),
            model: Origin { path: config.model.path.display().to_string(), revision: None },
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

/// The optimiser that a replay of this trajectory needs: one that repeats an in-place probe's moves.
pub(crate) fn with_moves(header: &Header, optimizer: Box<dyn Optimizer>) -> Box<dyn Optimizer> {
    let eps = header.estimator.settings.get("eps").and_then(Value::as_f64);
    match eps {
        Some(eps) if header.probe == probe_name(config::Probe::InPlace) => Box::new(AfterMoves::new(optimizer, eps)),
        _ => optimizer,
    }
}

fn schedule(schedule: &config::Schedule) -> Schedule {
    match schedule {
        config::Schedule::Constant(c) => Schedule { shape: Shape::Constant, warmup: c.warmup, end: 0.0 },
        config::Schedule::Linear(l) => Schedule { shape: Shape::Linear, warmup: l.warmup, end: l.end },
        config::Schedule::Cosine(c) => Schedule { shape: Shape::Cosine, warmup: c.warmup, end: c.end },
    }
}

/// Whether the learning rate of a step depends on how many steps there are.
pub(crate) fn steps_bind(config: &Config) -> bool {
    !matches!(config.schedule, config::Schedule::Constant(_))
}
