//! The model and the task of a command, from its arguments or from a run's plan.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use polder::config::Config;
use polder::device::{self, Drivers, Kind, Place, ThisMachine, choose};
use polder::model::{Model, find_with};
use polder::trainer::{set_threads, task_of};
use polder_models::StorageType;
use polder_tasks::{BosPolicy, Encoder, PromptTask, TaskSpec};

use super::args::LoadArgs;
use super::output::tell;
use super::transfer::Transfer;

/// A model, and what its run says where it is one.
pub(super) struct Subject {
    pub(super) model: Model,
    pub(super) dtype: StorageType,
    pub(super) run: Option<Config>,
}

impl Subject {
    /// Loads the model.
    pub(super) fn load(model: &Path, arguments: &LoadArgs, quiet: bool) -> Result<Self> {
        let chosen = choose(arguments.device, &ThisMachine).map_err(polder::Error::from)?;
        // On a build that knows nothing else, the CPU goes without saying.
        if chosen.kind != Kind::Cpu || [Kind::Cuda, Kind::Metal].into_iter().any(|kind| ThisMachine.built(kind)) {
            tell(quiet, format!("device: {chosen}"));
        }
        let mut bar = Transfer::new(quiet);
        let found = find_with(model, arguments.base.as_deref(), &mut |p| bar.at(p))?;
        bar.clear();
        if let Some(note) = &found.note {
            tell(quiet, format!("note: {note}"));
        }
        let run = found.run.as_deref().map(plan_of).transpose()?;
        set_threads(arguments.threads.map(usize::from));
        let dtype = match arguments.dtype {
            Some(dtype) => dtype,
            None => own_dtype(&found.path)?,
        };
        let place = Place::new(device::open(&chosen)?, arguments.offload).map_err(polder::Error::from)?;
        if arguments.offload && !place.offloads() {
            tell(quiet, "note: --offload changes nothing on the CPU, which reads weights where they lie");
        }
        let model = Model::load(&found.path, dtype, place)?;
        Ok(Self { model, dtype, run })
    }

    /// The encoder of its tokenizer, as the arguments or the run say.
    pub(super) fn encoder(&self, arguments: &LoadArgs) -> Result<Encoder> {
        let run = self.run.as_ref();
        let bos = match arguments.bos {
            Some(true) => BosPolicy::Force,
            Some(false) => BosPolicy::Forbid,
            None => run.map_or(BosPolicy::Tokenizer, |config| config.task.bos_policy()),
        };
        let longest = arguments.max_length.or_else(|| run.and_then(|config| config.max_length));
        Ok(self.model.encoder(bos, longest)?)
    }

    /// A task by its name or file; the run's own where none is named, or where it has that name.
    pub(super) fn task(&self, named: Option<&str>) -> Result<PromptTask> {
        if let Some(config) = self.own(named) {
            return Ok(task_of(config)?);
        }
        let Some(named) = named else {
            bail!("no task is given\nhint: name one with --task, such as --task sst2 or --task task.toml");
        };
        let spec = TaskSpec::resolve(named, Path::new("")).map_err(polder::Error::from)?;
        Ok(spec.compile().map_err(polder::Error::from)?)
    }

    /// The run's configuration, where a task is the run's own.
    pub(super) fn own(&self, named: Option<&str>) -> Option<&Config> {
        self.run.as_ref().filter(|config| named.is_none_or(|name| config.task.name.as_deref() == Some(name)))
    }

    /// The data of a run.
    pub(super) fn data(&self) -> Option<PathBuf> {
        self.run.as_ref().and_then(|config| config.task.data.clone())
    }
}

/// The configuration in a run's plan.
pub(super) fn plan_of(run: &Path) -> Result<Config> {
    let path = run.join("plan.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("can't read `{}`", path.display()))?;
    let mut json: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is no plan", path.display()))?;
    // Earlier versions did not keep it.
    let spec = json.pointer("/facts/task").filter(|spec| spec.is_object()).cloned();
    if let Some(map) = json.as_object_mut() {
        map.remove("facts");
        map.remove("published");
        // What earlier versions called it.
        if let Some(paired) = map.remove("paired") {
            map.entry("points_a_pass").or_insert_with(|| if paired == true { 2.into() } else { 1.into() });
        }
    }
    let other = || format!("`{}` is no plan of this version", path.display());
    let mut config: Config = serde_json::from_value(json).with_context(other)?;
    config.task.spec = spec.map(serde_json::from_value).transpose().with_context(other)?;
    Ok(config)
}

/// How a model's files hold most of its weights; quantised ones are held in f32, which loses nothing.
fn own_dtype(path: &Path) -> Result<StorageType> {
    let about = polder_models::inspect(path).map_err(polder::Error::from)?;
    let most = about.source.stored.iter().max_by_key(|(_, weights)| **weights);
    Ok(match most.map(|(name, _)| name.to_ascii_lowercase()).as_deref() {
        Some("bf16") => StorageType::Bf16,
        Some("f16") => StorageType::F16,
        _ => StorageType::F32,
    })
}
