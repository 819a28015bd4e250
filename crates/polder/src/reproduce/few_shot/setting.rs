//! The run that is made.

use std::path::{Path, PathBuf};

use super::super::experiment::Request;
use crate::config::Config;
use crate::error::{Error, Result};

/// The run that is made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    model: PathBuf,
    data: PathBuf,
    task: String,
    /// Whether it is the model that ships with the program.
    pub(super) embedded: bool,
    /// How many steps.
    pub(super) steps: u64,
    /// The learning rate η.
    pub(super) lr: f64,
    /// The distance ε of the two points.
    pub(super) eps: f64,
    /// Directions for the trace before and after.
    pub(super) probes: u32,
}

impl Setting {
    /// The steps of the full form.
    pub(super) const FULL: u64 = 3000;

    /// The paper's K = 32 rows a class, on the model that ships or on one that is named.
    ///
    /// # Errors
    /// The working folder can't be told.
    pub(super) fn of(request: &Request) -> Result<Self> {
        let embedded = request.model.is_none();
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(Error::io("find", path));
        Ok(Self {
            model: absolute(request.model.clone().unwrap_or_else(|| shipped("models/opt-reviews")))?,
            data: absolute(request.data.clone().unwrap_or_else(|| shipped("data/reviews")))?,
            task: request.task.clone().unwrap_or_else(|| "sst2".to_owned()),
            embedded,
            steps: if request.short { 100 } else { Self::FULL },
            // The rates at which the configurations that ship with the program train these kinds of models.
            lr: if embedded { 1e-4 } else { 1e-5 },
            eps: 1e-3,
            probes: if request.short { 20 } else { 200 },
        })
    }

    /// As a configuration of a run: full batches, the trace sampled every few steps.
    ///
    /// # Errors
    /// A task or a seed that makes none.
    pub(super) fn config(&self, seed: u64) -> Result<Config> {
        let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
        let task = match self.task.ends_with(".toml") {
            true => format!("file = {}", quoted(&std::path::absolute(&self.task).unwrap_or_default())),
            false => format!("name = {}", toml::Value::String(self.task.clone())),
        };
        let (every, looks) = ((self.steps / 600).max(1), (self.steps / 10).max(1));
        let text = format!(
            "seed = {seed}\nsteps = {steps}\nbatch = \"full\"\n\n[model]\npath = {model}\ndtype = \"f32\"\n\n[task]\n{task}\n\
             data = {data}\nper_class = 32\nseed = {seed}\n\n[estimator.two-point]\neps = {eps}\n\n[optimizer.sgd]\nlr = {lr}\n\n\
             [trace]\nevery = {every}\n\n[eval]\nevery = {looks}\n\n[save]\nevery = {steps}\n",
            steps = self.steps,
            model = quoted(&self.model),
            data = quoted(&self.data),
            eps = self.eps,
            lr = self.lr,
        );
        Ok(Config::parse(&text, "the experiment's configuration", Path::new(""), &[])?)
    }
}

/// Something that ships with the program, looked for here and in the folders above.
fn shipped(name: &str) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().map(|folder| folder.join(name)).find(|path| path.is_dir()).unwrap_or_else(|| PathBuf::from(name))
}
