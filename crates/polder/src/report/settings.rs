//! What was asked for, and where it differs: from the defaults, between runs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::lines::Run;
use super::tables::table;
use super::write::UNKNOWN;
use crate::config::{Config, flatten, keys};
use crate::figure::text::escape;

/// Keys that every run gives in its own way.
const GIVEN: [&str; 5] = ["model.path", "task.name", "task.file", "task.data", "task.prompt"];

/// Values by dotted key.
type Flat = BTreeMap<String, Value>;

/// The effective configuration, by dotted key.
pub(super) fn effective(run: &Run) -> Flat {
    let mut plan = run.plan.clone();
    if let Some(map) = plan.as_object_mut() {
        map.remove("facts");
    }
    let mut flat = Flat::new();
    flatten(String::new(), plan, &mut flat);
    // A plan that is no table has no key.
    flat.remove("");
    flat
}

/// The configuration that names no more than model, task, steps, estimator, optimiser and schedule of a plan.
fn defaults(plan: &Value) -> Flat {
    let name = |table: &str| plan.get(table).and_then(Value::as_object).and_then(|map| map.keys().next()).cloned();
    let mut text = String::new();
    for table in ["estimator", "optimizer", "schedule"] {
        if let Some(name) = name(table) {
            text += &format!("[{table}.\"{}\"]\n", name.escape_default());
        }
    }
    let task = "[model]\npath = \"model\"\n[task]\nname = \"task\"\n";
    let parsed = |head: &str| Config::parse(&format!("{head}{text}{task}"), "defaults", Path::new("."), &[]);
    let steps = plan.get("steps").and_then(Value::as_u64);
    let steps = steps.map_or_else(String::new, |steps| format!("steps = {steps}\n"));
    // What depends on the number of steps follows the plan's; that number itself has a default too.
    let (Ok(of_plan), Ok(plain)) = (parsed(&steps), parsed("")) else { return Flat::new() };
    let mut flat = of_plan.flat();
    flat.extend(plain.flat().remove_entry("steps"));
    flat.retain(|key, _| !GIVEN.contains(&key.as_str()));
    flat
}

/// Every key with its value, its default and what it means; those that differ stand out.
pub(super) fn settings(run: &Run) -> String {
    let (flat, defaults) = (effective(run), defaults(&run.plan));
    if flat.is_empty() {
        return String::new();
    }
    let about: BTreeMap<&str, &str> = keys().iter().map(|key| (key.name, key.about)).collect();
    let (mut rows, mut others) = (Vec::new(), Vec::new());
    for key in ordered(flat.keys()) {
        let (value, default) = (&flat[key], defaults.get(key));
        let given = GIVEN.contains(&key.as_str());
        let other = !given && !defaults.is_empty() && default != Some(value);
        others.push(other);
        let shown_default = match default {
            Some(_) if !other => "same".to_owned(),
            Some(default) => escape(&shown(default)),
            None if given => UNKNOWN.to_owned(),
            None => "none".to_owned(),
        };
        rows.push(vec![
            code(key),
            escape(&shown(value)),
            format!("<span class=\"soft\">{shown_default}</span>"),
            format!("<span class=\"soft\">{}</span>", escape(about.get(key.as_str()).copied().unwrap_or_default())),
        ]);
    }
    let mark = |at: usize| if others[at] { " class=\"other\"" } else { "" };
    let table = table(&["key", "~value", "default", "what it is"], &rows, mark);
    format!("<h2>Configuration</h2>\n<p class=\"about\">Marked keys differ from their default.</p>\n{table}")
}

/// The keys whose values are not the same in all runs, with each run's value.
pub(super) fn differences(runs: &[Run]) -> Vec<(String, Vec<String>)> {
    let flats: Vec<Flat> = runs.iter().map(effective).collect();
    let all: std::collections::BTreeSet<&String> = flats.iter().flat_map(Flat::keys).collect();
    let other = |key: &&String| flats.iter().any(|flat| flat.get(*key) != flats[0].get(*key));
    let row = |key: &String| {
        let value = |flat: &Flat| flat.get(key).map_or_else(|| UNKNOWN.to_owned(), shown);
        (key.clone(), flats.iter().map(value).collect())
    };
    ordered(all.into_iter()).into_iter().filter(other).map(row).collect()
}

/// Keys in the order of the documentation, unknown ones last.
fn ordered<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut names: Vec<&String> = names.collect();
    names.sort_by_key(|name| keys().iter().position(|key| key.name == **name).unwrap_or(usize::MAX));
    names
}

fn code(key: &str) -> String {
    format!("<code>{}</code>", escape(key))
}

/// A value as a reader would write it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(x) if x != 0.0 && x.abs() <= 1e-3 => format!("{x:e}"),
            _ => number.to_string(),
        },
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
