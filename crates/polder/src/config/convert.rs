//! From the configuration's words to the types of the crates that do the work.

use polder_perturb as perturb;
use polder_tasks::{BosPolicy, OptionsSpec, Overrides, SampleSpec};

use super::method::Law;
use super::types::{Config, OptionSource, TaskConfig};
use crate::device::Place;
use crate::error::Result;

impl From<Law> for perturb::Law {
    fn from(law: Law) -> Self {
        match law {
            Law::Gaussian => Self::Gaussian,
            Law::Rademacher => Self::Rademacher,
        }
    }
}

impl Config {
    /// The keys of the task that the configuration sets.
    pub fn task_overrides(&self) -> Overrides {
        let metric = self.eval.metric.parse().ok().filter(|m: &polder_tasks::Metric| m.needs_predictions());
        self.task.overrides(metric)
    }

    /// Opens the device, where the model is to be read.
    ///
    /// # Errors
    /// A device that isn't there or can't be opened, or to which nothing is offloaded.
    pub fn place(&self) -> Result<Place> {
        Ok(Place::new(self.device.open()?, self.offload)?)
    }

    /// How many rows to draw.
    pub fn sample_spec(&self) -> SampleSpec {
        SampleSpec {
            train: self.task.train,
            dev: self.task.dev,
            eval: Some(self.eval.limit),
            eval_split: Some(self.eval.split),
            per_class: self.task.per_class,
        }
    }
}

impl TaskConfig {
    /// The keys of the task that the configuration sets.
    pub fn overrides(&self, metric: Option<polder_tasks::Metric>) -> Overrides {
        Overrides {
            prompt: self.prompt.clone(),
            options: self.options.as_ref().map(OptionSource::spec),
            joint: self.joint.clone(),
            target: self.target.clone(),
            label: self.label.clone(),
            labels: self.labels.as_ref().map(OptionSource::spec),
            metric,
            loss: self.loss,
        }
    }

    /// What stands in front of every sequence.
    pub fn bos_policy(&self) -> BosPolicy {
        match self.bos {
            // A chat template writes the BOS token itself.
            None if self.name.as_deref() == Some(polder_tasks::CHAT) => BosPolicy::Forbid,
            None => BosPolicy::Tokenizer,
            Some(true) => BosPolicy::Force,
            Some(false) => BosPolicy::Forbid,
        }
    }
}

impl OptionSource {
    fn spec(&self) -> OptionsSpec {
        match self {
            Self::Texts(texts) => OptionsSpec::Each(texts.clone()),
            Self::Column(column) => OptionsSpec::List(column.clone()),
        }
    }
}
