//! The configuration of a run: TOML in, a checked [`Config`] out.
//!
//! A file is read into single keys, each with the place where it is written; unknown ones are refused with the nearest
//! known one. `--set` arguments change single keys. Then types and ranges are checked and the defaults filled in. Every
//! error names the key, the value, what is allowed and the place: file, line, column and the line itself.

mod check;
mod convert;
mod error;
mod keys;
mod method;
mod read;
mod set;
mod source;
#[cfg(test)]
mod tests;
mod types;

use std::path::Path;

pub use error::{ConfigError, Place, Spot};
pub use keys::{Key, Kind, keys, nearest};
pub use method::{Auto, Constant, Cosine, Estimator, Law, Linear, Optimizer, Rate, Schedule, Trace};
pub use polder_models::StorageType as Storage;
pub use polder_tasks::Split;
pub use types::{Arithmetic, Batch, Config, EvalConfig, ModelConfig, OptionSource, Probe, Rounding, Save, TaskConfig};

use source::Source;

/// The result of reading a configuration.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

impl Config {
    /// Reads a configuration file and changes single keys of it, `key=value` each, in order.
    ///
    /// Relative paths of the file are taken from the file's folder, those of `sets` from the working folder.
    ///
    /// # Errors
    /// A file that can't be read; TOML that can't be parsed; an unknown key; a value of another type or outside of its
    /// range; a missing key; a Hub id.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self> {
        let text = source::read(path)?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(&text, &path.display().to_string(), folder, sets)
    }

    /// Reads a configuration from text; `name` stands in errors, `folder` is where its relative paths start.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, name: &str, folder: &Path, sets: &[String]) -> Result<Self> {
        let mut source = Source::parse(text, name, folder)?;
        for set in sets {
            set::apply(&mut source, set)?;
        }
        check::config(&source)
    }

    /// Every key with its effective value, by its dotted name; keys without a value are left out.
    pub fn flat(&self) -> std::collections::BTreeMap<String, serde_json::Value> {
        let mut out = std::collections::BTreeMap::new();
        if let Ok(value) = serde_json::to_value(self) {
            flatten(String::new(), value, &mut out);
        }
        out
    }
}

/// The leaves of a JSON value, by their dotted keys below `prefix`.
pub(crate) fn flatten(
    prefix: String,
    value: serde_json::Value,
    out: &mut std::collections::BTreeMap<String, serde_json::Value>,
) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                flatten(name, value, out);
            }
        }
        value => {
            out.insert(prefix, value);
        }
    }
}
