//! `polder plan`.

use std::fmt::Write as _;

use anyhow::Result;
use polder::config::{self, Config};
use polder::device::{self, Kind};
use polder::plan::{Agreement, Measured, Parts, Plan, agreement, measure};
use serde_json::json;

use super::Ended;
use super::args::PlanArgs;
use super::output::print;
use super::progress::Counter;
use super::train::fetch;

pub(super) fn run(arguments: &PlanArgs) -> Result<Ended> {
    if arguments.sizes || arguments.roofline {
        return tables(arguments);
    }
    let Some(path) = arguments.config.as_ref().filter(|_| !arguments.keys) else {
        print(keys())?;
        return Ok(Ended::Well);
    };
    let mut config = Config::load(path, &arguments.sets).map_err(polder::Error::from)?;
    fetch(&mut config, arguments.json)?;
    let plan = Plan::new(config)?;
    let measured = if arguments.measure { Some(measure(&plan)?) } else { None };
    let agreed = match arguments.agreement {
        Some(steps) => {
            let mut bar = Counter::new("agreement", "steps", arguments.json);
            Some(agreement(&plan, u64::from(steps), &mut |done| bar.at(done, u64::from(steps)))?)
        }
        None => None,
    };
    if arguments.json {
        let mut json = plan.to_json();
        if let Some(map) = json.as_object_mut() {
            map.extend(measured.map(|measured| ("measured".to_owned(), json!(measured))));
            map.extend(agreed.map(|agreed| ("agreement".to_owned(), json!(agreed))));
        }
        print(serde_json::to_string_pretty(&json)?)?;
    } else {
        print(plan.to_string().trim_end())?;
        if let Some(measured) = measured {
            print(times(&measured))?;
            if plan.facts.device.kind == Kind::Cpu {
                print(parts(&measured.parts))?;
            } else {
                print("           what it goes into is not known here: a GPU's work is queued, not waited for")?;
            }
            if measured.probe != plan.config.probe {
                print("note       steps with the read probe were timed; in-place probes take longer")?;
            }
        }
        if let Some(Agreement { arithmetic, directions, correlation, error, difference, slope }) = agreed {
            print(format!(
                "agreement  projected gradients of {directions} directions in {} and in f32: correlation {correlation:.5} ± {error:.5}, \
                 differences {:.2} % of them, slope {slope:.4}",
                arithmetic.name(),
                100.0 * difference
            ))?;
        }
    }
    Ok(Ended::Well)
}

/// What is said of GPUs without a configuration.
fn tables(arguments: &PlanArgs) -> Result<Ended> {
    let (batch, length) = (arguments.batch as usize, arguments.length as usize);
    if arguments.json {
        let mut json = serde_json::Map::new();
        if arguments.sizes {
            json.insert("sizes".to_owned(), json!(device::model_sizes(batch, length)?));
        }
        if arguments.roofline {
            json.insert("cards".to_owned(), json!(device::CARDS));
            json.insert("roofline".to_owned(), json!(device::bounds(batch as u64, length as u64)?));
        }
        print(serde_json::to_string_pretty(&json)?)?;
        return Ok(Ended::Well);
    }
    let mut parts = Vec::new();
    if arguments.sizes {
        parts.push(device::sizes(batch, length)?);
    }
    if arguments.roofline {
        parts.push(device::roofline(batch as u64, length as u64)?);
    }
    print(parts.join("\n\n"))?;
    Ok(Ended::Well)
}

fn times(measured: &Measured) -> String {
    let Measured { load, step, example, run, .. } = measured;
    format!(
        "time       about {} for the run: loading {load:.1} s, {step:.3} s a step, {:.1} ms an evaluated example",
        super::pace::time(*run),
        1000.0 * example
    )
}

fn parts(parts: &Parts) -> String {
    let Parts { linear, head, directions, update, attention, elementwise, other } = parts;
    let named = [
        ("products of linear layers", linear),
        ("head", head),
        ("directions", directions),
        ("update", update),
        ("attention", attention),
        ("norms and activations", elementwise),
        ("other", other),
    ];
    let shares: Vec<String> = named.iter().map(|(name, share)| format!("{name} {:.0} %", 100.0 * *share)).collect();
    format!("           of a step: {}", shares.join(", "))
}

fn keys() -> String {
    let width = config::keys().iter().map(|k| k.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for key in config::keys() {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{:width$}  {}", key.name, key.about);
    }
    text.trim_end().to_owned()
}
