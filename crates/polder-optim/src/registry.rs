//! The estimators and optimisers there are: one table each, read by the configuration, the help and the tests.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::estimator::{Estimator, OneSided, Scaling, TwoPoint, Zest};
use crate::optimizer::{Adam, Momentum, Optimizer, Sgd, Sign};

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// A number.
    Number,
    /// A whole number, 0 or above.
    Count,
    /// A truth value.
    Truth,
    /// One of some words.
    Word(&'static [&'static str]),
}

/// A setting, for the configuration and the help.
#[derive(Debug, Clone, Copy)]
pub struct SettingHelp {
    /// Its key.
    pub key: &'static str,
    /// What its value is.
    pub kind: SettingKind,
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

const fn number(key: &'static str, about: &'static str) -> SettingHelp {
    SettingHelp { key, kind: SettingKind::Number, about }
}

const fn count(key: &'static str, about: &'static str) -> SettingHelp {
    SettingHelp { key, kind: SettingKind::Count, about }
}

const fn word(key: &'static str, words: &'static [&'static str], about: &'static str) -> SettingHelp {
    SettingHelp { key, kind: SettingKind::Word(words), about }
}

const EPS: SettingHelp = number("eps", "distance of the points, in multiples of the direction (1e-3)");
const SCALING: SettingHelp = word("scaling", Scaling::NAMES, "directions plain, or on the sphere of radius √d (plain)");
const CLIP: SettingHelp = number("clip", "bound on the absolute slope along a direction (none)");
const DECAY: SettingHelp = number("weight_decay", "weight decay; norms and biases exempt (0)");
const STATE: SettingHelp = word("state", &["f32", "bf16"], "how the state is held (f32)");

/// The estimators.
pub static ESTIMATORS: &[Entry<dyn Estimator>] = &[
    Entry {
        name: "two-point",
        about: "the slope along random directions, from the losses at both sides (MeZO)",
        settings: &[
            EPS,
            count("directions", "directions a step, averaged; two forward passes each (1)"),
            CLIP,
            SCALING,
        ],
        build: |settings| Ok(Box::new(read::<TwoPoint>("estimator", "two-point", settings)?.checked()?)),
    },
    Entry {
        name: "one-sided",
        about: "the slope along many directions, from one loss at each and one at the weights (FZOO, 1.5-SPSA)",
        settings: &[
            EPS,
            count("directions", "directions a step; one forward pass each, and one more (8)"),
            SettingHelp {
                key: "normalize",
                kind: SettingKind::Truth,
                about: "divide by the standard deviation of the losses instead of eps, as FZOO does (false)",
            },
            CLIP,
            SCALING,
        ],
        build: |settings| Ok(Box::new(read::<OneSided>("estimator", "one-sided", settings)?.checked()?)),
    },
    Entry {
        name: "zest",
        about: "directions weighted by the exponential of their losses: flat minima (ZEST)",
        settings: &[
            EPS,
            number("t", "tilt, in 1/nats; 0 is the two-point average (1)"),
            count("directions", "directions a step; two forward passes each, one on one side (4)"),
            word("sides", &["two", "one"], "points of a direction (two)"),
            word("correction", &["none", "delta", "jackknife"], "of the bias of the tilted mean (none)"),
            word("ramp", &["constant", "up", "down"], "the tilt over the run: t, from 0 to t, from t to 0 (constant)"),
            CLIP,
            SCALING,
        ],
        build: |settings| Ok(Box::new(read::<Zest>("estimator", "zest", settings)?.checked()?)),
    },
];

/// The optimisers.
pub static OPTIMIZERS: &[Entry<dyn Optimizer>] = &[
    Entry {
        name: "sgd",
        about: "gradient descent, without state",
        settings: &[number("lr", "learning rate (1e-6)"), DECAY],
        build: |settings| Ok(Box::new(read::<Sgd>("optimiser", "sgd", settings)?.checked()?)),
    },
    Entry {
        name: "momentum",
        about: "gradient descent with Polyak's momentum: one number of state a weight, or none with a window",
        settings: &[
            number("lr", "learning rate; 1 − beta times that of SGD is alike (1e-7)"),
            number("beta", "part of the momentum that a step keeps (0.9)"),
            DECAY,
            STATE,
            count("window", "rebuild momentum from the seeds of so many steps instead of keeping it (keep it)"),
        ],
        build: |settings| Ok(Box::new(read::<Momentum>("optimiser", "momentum", settings)?.checked()?)),
    },
    Entry {
        name: "adam",
        about: "Adam with decoupled decay: two numbers of state a weight",
        settings: &[
            number("lr", "learning rate (1e-4)"),
            number("beta1", "part of the mean that a step keeps (0.9)"),
            number("beta2", "part of the mean square that a step keeps (0.999)"),
            number("eps", "keeps the quotient finite (1e-8)"),
            DECAY,
            STATE,
        ],
        build: |settings| Ok(Box::new(read::<Adam>("optimiser", "adam", settings)?.checked()?)),
    },
    Entry {
        name: "sign",
        about: "the sign of each weight's estimate, without state",
        settings: &[number("lr", "learning rate: how far every weight moves (1e-6)"), DECAY],
        build: |settings| Ok(Box::new(read::<Sign>("optimiser", "sign", settings)?.checked()?)),
    },
];

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
        for SettingHelp { key, kind, .. } in help {
            let values = match kind {
                // A number that suits all of them, also those that must be below 1.
                SettingKind::Number => vec![json!(0.5)],
                SettingKind::Count => vec![json!(3)],
                SettingKind::Truth => vec![json!(true), json!(false)],
                SettingKind::Word(words) => words.iter().map(|word| json!(word)).collect(),
            };
            for value in values {
                build(&json!({ *key: value })).unwrap_or_else(|e| panic!("`{key}` = {value} is in the help: {e}"));
            }
            assert!(build(&json!({ *key: "text" })).is_err(), "`{key}` takes not every text");
        }
        assert!(matches!(build(&json!({ "no_such_key": 1 })), Err(Error::Settings { .. })));
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = estimator_from("three-point", &json!({})).unwrap_err().to_string();
        assert!(error.contains("`three-point`") && error.contains("two-point"), "{error}");
        assert!(optimizer_from("adamw", &json!({})).unwrap_err().to_string().contains("hint: choose one of sgd"));
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
