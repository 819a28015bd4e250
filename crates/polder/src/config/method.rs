//! The choices that make the algorithm: estimator, optimiser, schedule.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

/// How losses become a gradient estimate: an entry of the registry with its settings, and the law of the directions.
///
/// Written as a table of its name: `{"two-point": {"eps": 0.001, "directions": 1, "law": "gaussian"}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimator {
    /// The name in the registry.
    pub name: String,
    /// All its settings, but for the clip, which is a key of its own.
    pub settings: Map<String, Value>,
    /// The law of the directions' elements.
    pub law: Law,
}

impl Estimator {
    /// The estimator itself.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn build(&self, clip: Option<f64>) -> polder_optim::Result<Box<dyn polder_optim::Estimator>> {
        let mut settings = self.settings.clone();
        if let Some(clip) = clip {
            settings.insert("clip".to_owned(), clip.into());
        }
        polder_optim::estimator_from(&self.name, &Value::Object(settings))
    }
}

/// How an estimate becomes an update: an entry of the registry with its settings.
///
/// Written as a table of its name: `{"sgd": {"lr": 1e-6, "weight_decay": 0.0}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimizer {
    /// The name in the registry.
    pub name: String,
    /// All its settings but the learning rate.
    pub settings: Map<String, Value>,
    /// The learning rate at its height.
    pub lr: Rate,
}

impl Optimizer {
    /// The optimiser itself, at a learning rate.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn build(&self, lr: f64) -> polder_optim::Result<Box<dyn polder_optim::Optimizer>> {
        let mut settings = self.settings.clone();
        settings.insert("lr".to_owned(), lr.into());
        polder_optim::optimizer_from(&self.name, &Value::Object(settings))
    }
}

/// A learning rate: a number, or `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// The number.
    Fixed(f64),
    /// A share of the largest stable one, measured when the run begins.
    Auto,
}

impl Rate {
    /// The number; `None` for one that is to be measured.
    pub fn fixed(self) -> Option<f64> {
        match self {
            Self::Fixed(lr) => Some(lr),
            Self::Auto => None,
        }
    }
}

/// The law of a direction's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// Standard Gaussian.
    Gaussian,
    /// ±1 with equal probability.
    Rademacher,
}

impl Serialize for Estimator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut settings = self.settings.clone();
        settings.insert("law".to_owned(), serde_json::to_value(self.law).unwrap_or_default());
        BTreeMap::from([(&self.name, settings)]).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Estimator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, mut settings) = only_entry(deserializer)?;
        let law = settings.remove("law").ok_or_else(|| de::Error::missing_field("law"))?;
        Ok(Self { name, settings, law: serde_json::from_value(law).map_err(de::Error::custom)? })
    }
}

impl Serialize for Optimizer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut settings = self.settings.clone();
        let lr = match self.lr {
            Rate::Fixed(lr) => lr.into(),
            Rate::Auto => AUTO.into(),
        };
        settings.insert("lr".to_owned(), lr);
        BTreeMap::from([(&self.name, settings)]).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Optimizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, mut settings) = only_entry(deserializer)?;
        let lr = match settings.remove("lr") {
            Some(Value::String(word)) if word == AUTO => Rate::Auto,
            Some(Value::Number(lr)) => Rate::Fixed(lr.as_f64().unwrap_or_default()),
            _ => return Err(de::Error::custom("`lr` is a number or \"auto\"")),
        };
        Ok(Self { name, settings, lr })
    }
}

/// The word for a learning rate that is measured.
pub(super) const AUTO: &str = "auto";

/// The one entry of a table.
fn only_entry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(String, Map<String, Value>), D::Error> {
    let mut table = BTreeMap::<String, Map<String, Value>>::deserialize(deserializer)?;
    match (table.pop_first(), table.is_empty()) {
        (Some(entry), true) => Ok(entry),
        _ => Err(de::Error::custom("a table with one entry is expected")),
    }
}

/// How a learning rate is found where it is `"auto"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auto {
    /// The share of the bound from the Hessian's trace, above 0 and at most 1.
    pub share: f64,
    /// The most directions along which the trace is measured; two forward passes each, and one at the weights.
    pub probes: usize,
    /// The relative standard error at which measuring ends.
    pub precision: f64,
    /// Every so many steps it is measured again; absent: when the run begins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

impl Auto {
    /// A twentieth of the bound, from at most 64 directions, to a tenth.
    ///
    /// The bound is that of a full batch. The noise of minibatches moves weights in all directions, also where the loss is
    /// flat, and asks for far less: CONFIG.md has the measurements.
    pub const DEFAULT: Self = Self { share: 0.05, probes: 64, precision: 0.1, every: None };

    /// Whether the rate is measured again before a step, counted from 0.
    pub fn again_at(&self, step: u64) -> bool {
        step > 0 && self.every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// How often the rate is measured in a run of so many steps.
    pub fn times(&self, steps: u64) -> u64 {
        1 + self.every.map_or(0, |every| steps.saturating_sub(1) / every)
    }
}

/// The trace of the Hessian, followed along a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Every so many steps one forward pass more is made, at the weights themselves.
    pub every: u64,
    /// How many directions the mean remembers, about.
    pub memory: f64,
}

/// The learning rate over the steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same throughout, after the warm-up.
    Constant(Constant),
    /// Falls on a straight line.
    Linear(Linear),
    /// Falls on half a cosine.
    Cosine(Cosine),
}

/// The constant schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
}

/// The linear schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
    /// The share of the rate that is left at the end.
    pub end: f64,
}

/// The cosine schedule's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    /// Steps on which the rate rises from 0.
    pub warmup: u64,
    /// The share of the rate that is left at the end.
    pub end: f64,
}
