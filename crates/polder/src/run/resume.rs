//! Which keys of a plan may change between the parts of one run.

use std::fmt;

use polder_optim::trajectory::Header;
use serde_json::Value;

use crate::device::{DeviceError, Kind};
use crate::error::{Error, Result};

/// The keys that may change at a resume, since no bit of the weights depends on them.
///
/// A name stands for itself and all that lies below it. `steps` is besides: it may change where the schedule does not
/// depend on it, but not fall below what is done.
///
/// `paired` is what earlier versions had for `points_a_pass`. Where model and data lie may change too: the header's
/// digests say whether they are the same. `facts` is what a plan found out, not what was asked for. `device` may be
/// named otherwise, but the kind of device that it stands for stays. `eval.split` and `eval.limit` may not change where
/// evaluation rows are held out from the train split and the training rows become others by it.
pub const CHANGEABLE: &[&str] = &[
    "threads",
    "device",
    "offload",
    "micro_batch",
    "points_a_pass",
    "paired",
    "materialise",
    "eval",
    "save",
    "model.path",
    "task.data",
    "facts",
];

/// One key that differs between two plans.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The dotted key.
    pub key: String,
    /// Its value in the run's plan; `None` where it has no such key.
    pub old: Option<Value>,
    /// Its value in the new plan.
    pub new: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |v: &Option<Value>| v.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "`{}` was {} and is now {}", self.key, show(&self.old), show(&self.new))
    }
}

/// Every leaf that differs between two JSON values, by dotted key, in order of the keys.
pub fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(old), Some(new), &mut found);
    found
}

fn compare(key: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    let table = |v: Option<&Value>| v.and_then(Value::as_object).cloned();
    match (table(old), table(new)) {
        (Some(a), Some(b)) => {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let below = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                compare(below, a.get(name), b.get(name), found);
            }
        }
        _ if old == new || is_null(old) && is_null(new) => {}
        _ => found.push(Difference { key, old: old.cloned(), new: new.cloned() }),
    }
}

fn is_null(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

/// Refuses a plan that would not go on with the same run.
///
/// `done` is the number of steps in the trajectory; `steps_bind` says that the schedule depends on the number of steps.
///
/// # Errors
/// [`DeviceError::Changed`]; [`Error::PlanChanged`] with every key that may not change.
pub fn check_plan(old: &Value, new: &Value, done: u64, steps_bind: bool) -> Result<()> {
    check_device(old, new)?;
    let bound = rows_depend_on_evaluation(old, new);
    let allowed = |d: &Difference| {
        let of_evaluation = ["eval.split", "eval.limit"].contains(&d.key.as_str());
        may_change(d, done, steps_bind) && !(bound && of_evaluation)
    };
    let refused: Vec<String> =
        differences(old, new).into_iter().filter(|d| !allowed(d)).map(|d| d.to_string()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::PlanChanged { differences: refused.join("; ") })
}

/// Refuses another kind of device: a vendor's library promises no bits, so the losses would be others.
fn check_device(old: &Value, new: &Value) -> Result<()> {
    // Plans of earlier versions say nothing of it: they knew the CPU only.
    let kind = |plan: &Value| match plan.pointer("/facts/device/kind").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        None => Kind::Cpu.name().to_owned(),
    };
    let (old, new) = (kind(old), kind(new));
    if old == new { Ok(()) } else { Err(DeviceError::Changed { old, new }.into()) }
}

/// What differs in the passes of a run on a GPU, in words; `None` where nothing does.
///
/// The CPU's losses are row-invariant: they depend on the tokens and the point alone. On a GPU the order of a vendor's sums may
/// depend on how many rows a pass has, so whoever changes that at a resume is told, and so is the log.
pub fn other_passes(old: &Value, new: &Value) -> Option<String> {
    let kind = new.pointer("/facts/device/kind").and_then(Value::as_str);
    if kind.is_none_or(|kind| kind == Kind::Cpu.name()) {
        return None;
    }
    let of_pass = |d: &Difference| ["micro_batch", "points_a_pass"].contains(&d.key.as_str());
    let found: Vec<String> =
        differences(old, new).into_iter().filter(of_pass).map(|difference| difference.to_string()).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// Refuses a log whose header is not that of the run to go on with (the base weights are compared elsewhere).
///
/// Evaluation rows may be others, since no choice is made by them; dev rows may not: scores of other rows can't be held
/// against each other.
///
/// # Errors
/// [`Error::PlanChanged`] with every field that differs.
pub fn check_headers(old: &Header, new: &Header) -> Result<()> {
    // Logs of earlier versions do not say which dev rows they had.
    let dev_is_known = [old, new].iter().all(|header| header.settings.contains_key("dev"));
    let value = |header: &Header| {
        let mut value = serde_json::to_value(header).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            let settings = fields.remove("settings").unwrap_or_default();
            for key in ["polder", "base", "model", "steps"] {
                fields.remove(key);
            }
            // Logs of earlier versions were computed on the CPU.
            let device = settings.get("device").cloned().unwrap_or_else(|| Kind::Cpu.name().into());
            fields.insert("device".to_owned(), device);
            if let Some(dev) = settings.get("dev").filter(|_| dev_is_known) {
                fields.insert("dev rows (their hash)".to_owned(), dev.clone());
            }
            // What changes with the rows is a hash, which says nothing to a reader by itself.
            if let Some(data) = fields.remove("data") {
                fields.insert("training rows (their hash)".to_owned(), data);
            }
        }
        value
    };
    let found: Vec<String> = differences(&value(old), &value(new)).iter().map(Difference::to_string).collect();
    if found.is_empty() { Ok(()) } else { Err(Error::PlanChanged { differences: found.join("; ") }) }
}

/// Whether the training rows differ between two plans of which one holds its evaluation rows out from the train split.
fn rows_depend_on_evaluation(old: &Value, new: &Value) -> bool {
    let fact = |plan: &Value, key: &str| plan.pointer(&format!("/facts/data/{key}")).cloned();
    let held_out = |plan: &Value| fact(plan, "eval_split").is_some_and(|split| split == "train");
    (held_out(old) || held_out(new)) && fact(old, "fingerprint") != fact(new, "fingerprint")
}

fn may_change(difference: &Difference, done: u64, steps_bind: bool) -> bool {
    let key = difference.key.as_str();
    if key == "steps" {
        let new = difference.new.as_ref().and_then(Value::as_u64);
        return !steps_bind && new.is_some_and(|steps| steps >= done);
    }
    CHANGEABLE.iter().any(|name| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_may_not_change_are_named_with_both_values() {
        let old = json!({"seed": 0, "steps": 10, "optimizer": {"sgd": {"lr": 1e-6}}, "threads": 2, "device": "auto"});
        let new = json!({"seed": 1, "steps": 20, "optimizer": {"sgd": {"lr": 1e-5}}, "threads": 1, "micro_batch": 4, "device": "cpu"});
        let text = check_plan(&old, &new, 5, false).unwrap_err().to_string();
        assert!(text.contains("`seed` was 0 and is now 1"), "{text}");
        assert!(text.contains("`optimizer.sgd.lr` was 1e-6 and is now 0.00001"), "{text}");
        assert!(
            !text.contains("threads")
                && !text.contains("device")
                && !text.contains("steps")
                && !text.contains("micro_batch"),
            "{text}"
        );
    }

    #[test]
    fn other_passes_are_told_of_on_a_gpu() {
        let plan = |kind: &str, micro: u64, points: u64| json!({"micro_batch": micro, "points_a_pass": points, "threads": micro, "facts": {"device": {"kind": kind}}});
        assert_eq!(other_passes(&plan("cpu", 4, 2), &plan("cpu", 2, 1)), None);
        assert_eq!(other_passes(&json!({"micro_batch": 4}), &json!({"micro_batch": 2})), None);
        assert_eq!(other_passes(&plan("cuda", 4, 2), &plan("cuda", 4, 2)), None);
        let said = other_passes(&plan("metal", 4, 2), &plan("metal", 2, 1)).unwrap();
        assert_eq!(said, "`micro_batch` was 4 and is now 2; `points_a_pass` was 2 and is now 1");
        assert!(check_plan(&plan("cuda", 4, 2), &plan("cuda", 2, 1), 1, false).is_ok());
    }

    #[test]
    fn steps_may_grow_unless_the_schedule_depends_on_them() {
        let (old, more, fewer) = (json!({"steps": 10}), json!({"steps": 20}), json!({"steps": 4}));
        assert!(check_plan(&old, &more, 10, false).is_ok());
        assert!(check_plan(&old, &more, 10, true).is_err());
        assert!(check_plan(&old, &fewer, 5, false).is_err());
        assert!(check_plan(&old, &fewer, 4, false).is_ok());
    }

    #[test]
    fn evaluation_may_change_unless_the_training_rows_do() {
        let plan = |limit: u64, split: &str, rows: &str| json!({"eval": {"limit": limit}, "facts": {"data": {"eval_split": split, "fingerprint": rows}}});
        assert!(check_plan(&plan(5, "train", "a"), &plan(9, "train", "a"), 1, false).is_ok());
        assert!(check_plan(&plan(5, "validation", "a"), &plan(9, "validation", "a"), 1, false).is_ok());
        for old in ["train", "validation"] {
            let text = check_plan(&plan(5, old, "a"), &plan(9, "train", "b"), 1, false).unwrap_err().to_string();
            assert!(text.contains("`eval.limit` was 5 and is now 9"), "{text}");
        }
    }

    #[test]
    fn other_dev_rows_are_refused_and_other_evaluation_rows_are_not() {
        let header = |settings: Value| -> Header {
            let digest = "0".repeat(64);
            let header = json!({
                "polder": "0.1.0", "base": digest, "model": {"path": "m"}, "data": "rows", "seed": 0, "steps": 10,
                "law": "gaussian", "directions": 1, "estimator": {"name": "two-point", "settings": {}},
                "optimizer": {"name": "sgd", "settings": {}}, "schedule": {}, "dtype": "f32", "rounding": "nearest",
                "arithmetic": "f32", "probe": "streamed", "trainable": ["all"], "trainable_elements": 1,
                "settings": settings,
            });
            serde_json::from_value(header).unwrap()
        };
        let old = header(json!({"dev": "a", "eval": "a"}));
        assert!(check_headers(&old, &header(json!({"dev": "a", "eval": "b"}))).is_ok());
        let said = check_headers(&old, &header(json!({"dev": "b", "eval": "a"}))).unwrap_err().to_string();
        assert!(said.contains("dev rows") && !said.contains("training rows"), "{said}");
        assert!(check_headers(&header(json!({})), &old).is_ok(), "a log of an earlier version");
        let elsewhere = header(json!({"dev": "a", "eval": "a", "device": "cuda"}));
        let said = check_headers(&old, &elsewhere).unwrap_err().to_string();
        assert!(said.contains("`device` was \"cpu\" and is now \"cuda\""), "{said}");
        assert!(check_headers(&elsewhere, &elsewhere).is_ok());
    }

    #[test]
    fn another_kind_of_device_is_refused_and_another_name_is_not() {
        let plan = |name: &str, kind: &str| json!({"device": name, "facts": {"device": {"kind": kind}}});
        for (old, new) in [
            (plan("auto", "cuda"), plan("cuda:1", "cuda")),
            (plan("cpu", "cpu"), plan("auto", "cpu")),
            (json!({"device": "auto"}), plan("cpu", "cpu")),
        ] {
            assert!(check_plan(&old, &new, 1, false).is_ok(), "{old} {new}");
        }
        for (old, new, named) in [
            (plan("auto", "cuda"), plan("auto", "cpu"), ["on cuda", "on cpu", "`device` to \"cuda\""]),
            (json!({"device": "cpu"}), plan("cuda:0", "cuda"), ["on cpu", "on cuda", "`device` to \"cpu\""]),
        ] {
            let said = check_plan(&old, &new, 1, false).unwrap_err().to_string();
            assert!(named.iter().all(|part| said.contains(part)) && said.contains("polder replay"), "{said}");
        }
    }

    #[test]
    fn a_sibling_variant_is_a_difference() {
        let old = json!({"estimator": {"two-point": {"eps": 1e-3}}});
        let new = json!({"estimator": {"zest": {"eps": 1e-3}}});
        let keys: Vec<String> = differences(&old, &new).into_iter().map(|d| d.key).collect();
        assert_eq!(keys, ["estimator.two-point", "estimator.zest"]);
        assert!(differences(&json!({"clip": null}), &json!({})).is_empty());
    }
}
