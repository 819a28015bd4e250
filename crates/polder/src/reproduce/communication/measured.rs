//! A small run through the log that real runs write.

use polder_optim::objectives::{SmoothObjective, Toy};
use polder_optim::trajectory::{
    Digest, Durability, End, Header, Method, Origin, Record, Step, Trajectory, Writer, replay,
};
use polder_optim::{
    Batch, Estimator, Objective, Optimizer, Schedule, Sgd, Shape, StepContext, TwoPoint, UpdateMode, rounding_seed,
    step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed, direction};
use serde_json::json;

use crate::error::{Error, Result};

/// What a log takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bytes {
    /// Its header and the frame around it.
    pub(super) header: f64,
    /// A step after the first, which also says what the following ones leave out.
    pub(super) step: f64,
    /// Weights that a replay of the log makes different from those of the run.
    pub(super) differing: u64,
}

const MODE: UpdateMode = UpdateMode { law: Law::Gaussian, rounding: Rounding::Nearest };
const LR: f64 = 1e-4;

/// The bytes of so many steps with so many directions, and whether the log alone rebuilds the weights.
///
/// # Errors
/// A temporary folder that can't be written.
pub(super) fn measure(directions: usize, steps: u64, seed: u64) -> Result<Bytes> {
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let path = folder.path().join("trajectory");
    let toy = Toy::new(100)?;
    let start = toy.start(Seed(seed));
    let params = SmoothObjective::parameter(&start)?;
    let estimator = TwoPoint { directions, ..TwoPoint::default() };
    let mut objective = SmoothObjective::new(&toy, &params, Law::Gaussian)?;
    let mut log = Writer::create(&path, &header(&estimator, &params, steps, seed)?, Durability::Process)?;
    let header = log.bytes() as f64;
    let (mut sgd, mut first) = (Sgd { lr: LR, weight_decay: 0.0 }, 0);
    for step in 0..steps {
        let context = StepContext { step, total: steps, batch: Batch(step), elements: params.elements(), lengths: &[] };
        let seeds = step_seeds(Seed(seed), step, directions);
        let losses = objective.losses(context.batch, &estimator.probes(&context, &seeds))?;
        let estimate = estimator.combine(&context, &seeds, &losses)?;
        let applied = sgd.decide(&estimate, LR, rounding_seed(Seed(seed), step))?;
        log.append(&Record::Step(Step::new(&context, &applied, losses.means(), LR)))?;
        sgd.apply(&params, &MODE, &applied)?;
        if step == 0 {
            first = log.bytes();
        }
    }
    let step = (log.bytes() - first) as f64 / (steps - 1) as f64;
    log.append(&Record::End(End { steps, weights: Digest(params.digest()?) }))?;
    let rebuilt = SmoothObjective::parameter(&start)?;
    replay(&rebuilt, &Trajectory::open(&path)?, steps, &mut |_| ())?;
    let weights = |params| SmoothObjective::new(&toy, params, Law::Gaussian)?.weights();
    let differing =
        weights(&params)?.iter().zip(weights(&rebuilt)?).filter(|(a, b)| a.to_bits() != b.to_bits()).count() as u64;
    Ok(Bytes { header, step, differing })
}

fn header(estimator: &TwoPoint, params: &ParamSet, steps: u64, seed: u64) -> Result<Header> {
    let sgd = Sgd { lr: LR, weight_decay: 0.0 };
    let constant = Schedule { shape: Shape::Constant, warmup: 0, end: 0.0 };
    Ok(Header {
        polder: env!("CARGO_PKG_VERSION").to_owned(),
        base: Digest(params.digest()?),
        model: Origin { path: "toy".to_owned(), revision: None },
        data: String::new(),
        seed,
        steps,
        law: MODE.law.name().to_owned(),
        directions: direction::VERSION,
        estimator: Method { name: estimator.name().to_owned(), settings: estimator.settings() },
        optimizer: Method { name: sgd.name().to_owned(), settings: sgd.settings() },
        schedule: serde_json::to_value(constant).unwrap_or_default(),
        dtype: "f64".to_owned(),
        rounding: MODE.rounding.name().to_owned(),
        arithmetic: "f64".to_owned(),
        probe: "streamed".to_owned(),
        trainable: json!("all"),
        trainable_elements: params.trainable_elements() as u64,
        settings: serde_json::Map::new(),
    })
}
