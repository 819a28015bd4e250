//! The estimators and optimisers there are: one table each, read by the configuration, the help and the tests.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::estimator::{Estimator, TwoPoint};
use crate::optimizer::{Optimizer, Sgd};

/// A setting, for the help.
#[derive(Debug, Clone, Copy)]
pub struct SettingHelp {
    /// Its key.
    pub key: &'static str,
    /// One line on what it is, with its default.
    pub about: &'static str,
}

/// One entry of a registry.
#[derive(Debug)]
pub struct Entry<T: ?Sized> {
    /// The name, as in `[estimator.NAME]`.
    pub name: &'static str,
    /// One line on what it is.
    pub about: &'static str,
    /// Its settings, in the order of their importance.
    pub settings: &'static [SettingHelp],
    /// Makes it from its settings (a map; absent keys take their defaults, unknown ones are refused, so are values that
    /// make no sense).
    pub build: fn(&Value) -> Result<Box<T>>,
}

/// The estimators.
pub static ESTIMATORS: &[Entry<dyn Estimator>] = &[Entry {
    name: "two-point",
    about: "the slope along random directions, from the losses at both sides (MeZO)",
    settings: &[
        SettingHelp { key: "eps", about: "half distance of the two points, in multiples of the direction (1e-3)" },
        SettingHelp { key: "directions", about: "directions a step, averaged; two forward passes each (1)" },
        SettingHelp { key: "clip", about: "bound on the absolute slope along a direction (no bound)" },
    ],
    build: |settings| Ok(Box::new(read::<TwoPoint>("estimator", "two-point", settings)?.checked()?)),
}];

/// The optimisers.
pub static OPTIMIZERS: &[Entry<dyn Optimizer>] = &[Entry {
    name: "sgd",
    about: "gradient descent with weight decay (norms and biases exempt), without state",
    settings: &[
        SettingHelp { key: "lr", about: "learning rate (1e-6)" },
        SettingHelp { key: "weight_decay", about: "weight decay, scaled by the learning rate (0)" },
    ],
    build: |settings| Ok(Box::new(read::<Sgd>("optimiser", "sgd", settings)?.checked()?)),
}];

/// The estimator of that name, with those settings.
///
/// # Errors
/// No such name; settings that can't be read or make no sense.
pub fn estimator_from(name: &str, settings: &Value) -> Result<Box<dyn Estimator>> {
    (find("estimator", ESTIMATORS, name)?.build)(settings)
}

/// The optimiser of that name, with those settings.
///
/// # Errors
/// No such name; settings that can't be read or make no sense.
pub fn optimizer_from(name: &str, settings: &Value) -> Result<Box<dyn Optimizer>> {
    (find("optimiser", OPTIMIZERS, name)?.build)(settings)
}

/// The entry of that name.
fn find<T: ?Sized>(what: &'static str, table: &'static [Entry<T>], name: &str) -> Result<&'static Entry<T>> {
    table.iter().find(|entry| entry.name == name).ok_or_else(|| Error::Unknown {
        what,
        name: name.to_owned(),
        known: table.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
    })
}

/// Settings of type `T` from a map.
fn read<T: DeserializeOwned>(what: &'static str, name: &str, settings: &Value) -> Result<T> {
    serde_json::from_value(settings.clone()).map_err(|error| Error::Settings {
        what,
        name: name.to_owned(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Settings come back as they were given, the help names just the keys that there are, unknown keys are refused.
    #[test]
    fn entries_keep_the_contract() {
        for entry in ESTIMATORS {
            let made = (entry.build)(&json!({})).unwrap();
            assert_eq!(made.name(), entry.name);
            let again = (entry.build)(&made.settings()).unwrap();
            assert_eq!(again.settings(), made.settings());
            check_help(entry.settings, &made.settings(), |v| (entry.build)(v).map(drop));
        }
        for entry in OPTIMIZERS {
            let made = (entry.build)(&json!({})).unwrap();
            assert_eq!(made.name(), entry.name);
            let again = (entry.build)(&made.settings()).unwrap();
            assert_eq!(again.settings(), made.settings());
            assert!(made.learning_rate() > 0.0);
            check_help(entry.settings, &made.settings(), |v| (entry.build)(v).map(drop));
        }
    }

    fn check_help(help: &[SettingHelp], defaults: &Value, build: impl Fn(&Value) -> Result<()>) {
        let keys: Vec<_> = help.iter().map(|h| h.key).collect();
        assert!(defaults.as_object().unwrap().keys().all(|k| keys.contains(&k.as_str())), "{defaults}: {keys:?}");
        for key in keys {
            build(&json!({ key: 1 })).unwrap_or_else(|e| panic!("`{key}` is in the help: {e}"));
            assert!(build(&json!({ key: "text" })).is_err(), "`{key}` takes no text");
        }
        assert!(matches!(build(&json!({ "no_such_key": 1 })), Err(Error::Settings { .. })));
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = estimator_from("three-point", &json!({})).unwrap_err().to_string();
        assert!(error.contains("`three-point`") && error.contains("two-point"), "{error}");
        assert!(optimizer_from("adam", &json!({})).unwrap_err().to_string().contains("hint: choose one of sgd"));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        for settings in [
            json!({ "eps": 0.0 }),
            json!({ "eps": -1e-3 }),
            json!({ "eps": 1e-60 }),
            json!({ "eps": 1e60 }),
            json!({ "directions": 0 }),
            json!({ "directions": 1u64 << 40 }),
            json!({ "clip": 0.0 }),
        ] {
            assert!(matches!(estimator_from("two-point", &settings), Err(Error::Setting { .. })), "{settings}");
        }
        for settings in [json!({ "lr": -1.0 }), json!({ "weight_decay": -0.1 })] {
            assert!(matches!(optimizer_from("sgd", &settings), Err(Error::Setting { .. })), "{settings}");
        }
    }
}
