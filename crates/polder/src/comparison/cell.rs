//! One run of a comparison.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Device;
use polder_models::StorageType;
use serde_json::json;

use super::file::{Comparison, Curvature, Variant};
use crate::config::{Config, flatten};
use crate::device::Kind;
use crate::error::Result;
use crate::model::Model;
use crate::plan::Plan;
use crate::run::CHANGEABLE;
use crate::trainer::spec_of;

/// One run: an arm under a case with a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The case's name.
    pub case: String,
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}, seed {}", self.case, self.arm, self.seed)
    }
}

impl Cell {
    /// The configuration of this run: the shared changes, the case's, the arm's, those of `more` (of the command line), the
    /// seed.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn config(&self, comparison: &Comparison, more: &[String]) -> Result<Config> {
        let set_of = |all: &[Variant], name: &str| {
            all.iter().find(|variant| variant.name == name).map(|variant| variant.set.clone()).unwrap_or_default()
        };
        let seeds = [format!("seed={}", self.seed), format!("task.seed={}", self.seed)];
        let sets = [
            comparison.set.clone(),
            set_of(&comparison.cases, &self.case),
            set_of(&comparison.arms, &self.arm),
            more.to_vec(),
            seeds.to_vec(),
        ];
        Ok(Config::load(&comparison.config, &sets.concat())?)
    }

    /// The name of its run folder; another one where the settings are others.
    pub(super) fn folder(&self, key: &str) -> String {
        format!("{}-{}-{}-{}", self.case, self.arm, self.seed, key.get(..8).unwrap_or(key))
    }
}

/// The digests of models' weights, each model loaded once.
#[derive(Debug, Default)]
pub struct Base(Vec<(PathBuf, StorageType, String)>);

impl Base {
    /// The digest of the weights that a plan's run begins from.
    ///
    /// # Errors
    /// They can't be loaded.
    pub fn of(&mut self, plan: &Plan) -> Result<String> {
        let (path, dtype) = (&plan.config.model.path, plan.config.model.dtype);
        if let Some((_, _, digest)) = self.0.iter().find(|(p, d, _)| (p, d) == (path, &dtype)) {
            return Ok(digest.clone());
        }
        let model = Model::load(path, dtype, &Device::Cpu)?;
        let digest = blake3::Hash::from_bytes(model.loaded.params.digest()?).to_hex().to_string();
        self.0.push((path.clone(), dtype, digest.clone()));
        Ok(digest)
    }
}

/// What a run's result is known by: a digest of the settings that its bits depend on, what its task says, its weights at the
/// beginning, its rows as tokens, the kind of its device, how it is scored, and how the trace is measured. Where model, data
/// and a task's file lie, threads and the like are not in it.
///
/// # Errors
/// A task that can't be read any more.
pub fn key_of(plan: &Plan, base: &str, trace: Option<Curvature>) -> Result<String> {
    let scored = |key: &str| ["eval.every", "eval.metric"].contains(&key);
    let changes_nothing = |key: &str| {
        CHANGEABLE
            .iter()
            .any(|name| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    // Losses of a GPU may depend on how many rows go into a pass.
    let device = plan.facts.device.kind;
    let of_pass = |key: &str| device != Kind::Cpu && ["micro_batch", "points_a_pass"].contains(&key);
    // Dotted keys in their order, so that equal settings have one text.
    let mut settings = plan.config.flat();
    settings.retain(|key, _| scored(key) || of_pass(key) || key != "task.file" && !changes_nothing(key));
    let mut task = BTreeMap::new();
    flatten(String::new(), serde_json::to_value(spec_of(&plan.config)?).unwrap_or_default(), &mut task);
    let data = &plan.data;
    let rows = [&data.fingerprint, &data.dev_fingerprint, &data.eval_fingerprint];
    let whole = format!("{} {} {} {base} {rows:?} {trace:?}", json!(settings), json!(task), device.name());
    Ok(blake3::hash(whole.as_bytes()).to_hex().to_string())
}
