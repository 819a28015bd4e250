//! `polder sharpness`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use polder::config::Config;
use polder::figure::Figure;
use polder::model::{Model, find};
use polder::plan::Plan;
use polder::sharpness::{
    Eigenvalue, Request, Sharpness, SliceRequest, between, edge, eigenvalue, measure, scheme_of, slices,
};
use polder::trainer::set_threads;
use polder_optim::trajectory::Trajectory;
use polder_sharpness::Measured;
use polder_sharpness::stability::step_bounds;
use serde_json::json;

use super::Ended;
use super::args::SharpnessArgs;
use super::output::{print, tell};
use super::subject::plan_of;

pub(super) fn run(arguments: &SharpnessArgs) -> Result<Ended> {
    let is_run = arguments.subject.is_dir();
    if is_run && !arguments.subject.join("plan.json").exists() {
        bail!(
            "`{}` holds no run\nhint: give a run folder or a configuration; with a configuration, --model measures another \
             model on its task",
            arguments.subject.display()
        );
    }
    let mut config = match is_run {
        true => plan_of(&arguments.subject)?,
        false => Config::load(&arguments.subject, &arguments.sets).map_err(polder::Error::from)?,
    };
    config.device = arguments.device.unwrap_or(config.device);
    let lr = match is_run {
        true => rate_of_run(arguments)?,
        false => config.optimizer.lr.fixed(),
    };
    set_threads(arguments.threads.map(usize::from).or(config.threads));
    let plan = Plan::new(config)?;
    let path = arguments.model.clone().unwrap_or_else(|| match is_run {
        true => arguments.subject.clone(),
        false => plan.config.model.path.clone(),
    });
    let found = find(&path)?;
    if let Some(note) = &found.note {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let mut model = Model::load(&found.path, plan.config.model.dtype, plan.config.place()?)?;
    let request = Request {
        delta: arguments.delta,
        probes: arguments.probes,
        precision: arguments.precision,
        tilt: arguments.tilt,
        law: arguments.law,
        rows: arguments.rows as usize,
        seed: arguments.seed,
    };
    let parts: Vec<Vec<String>> = match arguments.weights.is_empty() {
        true => vec![plan.config.trainable.clone()],
        false => arguments.weights.iter().map(|pattern| vec![pattern.clone()]).collect(),
    };
    let mut all = Vec::new();
    for part in &parts {
        tell(arguments.quiet, format!("measuring along `{}`", part.join("`, `")));
        let found = measure(&mut model, part, &plan.data, &request)?;
        let spectrum = match arguments.eigenvalue {
            true => Some(eigenvalue(&mut model, part, &plan.data, &request)?),
            false => None,
        };
        let largest = spectrum.as_ref().map(|spectrum| spectrum.largest.value);
        let stands = lr.and_then(|lr| stand(&plan.config, &found, largest, lr));
        if arguments.json {
            all.push(json!({ "sharpness": found, "eigenvalue": spectrum, "lr": lr, "stands": stands.as_ref().map(|s| s.json()) }));
        } else {
            print(text(&found))?;
            if let Some(Eigenvalue { largest, trace }) = spectrum {
                print(format!(
                    "largest    eigenvalue {:.4e} (residual {:.1e}); trace {:.4e} ± {:.1e}; by {} gradients",
                    largest.value,
                    largest.residual,
                    trace.value,
                    trace.standard_error,
                    largest.gradients + trace.gradients
                ))?;
            }
            match stands {
                Some(stands) => print(stands.text())?,
                None if lr.is_some() && scheme_of(&plan.config, found.elements as usize).is_none() => print(format!(
                    "edge       none is known for steps of `{}` with `{}`: the trace does not decide it",
                    plan.config.optimizer.name, plan.config.estimator.name
                ))?,
                None => {}
            }
        }
    }
    if let Some(folder) = &arguments.slices {
        write_slices(arguments, folder, &mut model, &parts[0], &plan, &request)?;
    }
    if arguments.json {
        print(serde_json::to_string_pretty(&all)?)?;
    }
    Ok(Ended::Well)
}

/// Reads slices and writes their data and figures.
fn write_slices(
    arguments: &SharpnessArgs,
    folder: &Path,
    model: &mut Model,
    weights: &[String],
    plan: &Plan,
    request: &Request,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("can't create `{}`", folder.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("can't write `{}`", path.display()))
    };
    let save = |name: &str, json: Vec<u8>, figure: Figure| -> Result<()> {
        write(&format!("{name}.json"), &json)?;
        write(&format!("{name}.svg"), figure.svg().as_bytes())?;
        write(&format!("{name}.png"), &figure.png(1600)?)
    };
    let half = arguments.points;
    let cost = 2 * (2 * u64::from(half) + 1) + (2 * u64::from(half) + 1).pow(2);
    tell(arguments.quiet, format!("reading slices: {cost} forward passes over {} rows", request.rows));
    let found = slices(model, weights, &plan.data, request, SliceRequest { reach: arguments.reach, half })?;
    save("slices", serde_json::to_vec_pretty(&found)?, found.figure())?;
    if let Some(other) = &arguments.towards {
        let other = Model::load(&find(other)?.path, plan.config.model.dtype, plan.config.place()?)?;
        tell(arguments.quiet, "reading the line between the two models");
        let path = between(model, &other, &plan.data, request, half)?;
        save("between", serde_json::to_vec_pretty(&path)?, path.figure())?;
    }
    tell(arguments.quiet, format!("slices are in {}", folder.display()));
    Ok(())
}

/// The learning rate of a run, as its log has it.
fn rate_of_run(arguments: &SharpnessArgs) -> Result<Option<f64>> {
    let log = Trajectory::open(arguments.subject.join("trajectory")).map_err(polder::Error::from)?;
    Ok(log.header().optimizer.settings.get("lr").and_then(serde_json::Value::as_f64))
}

/// How far a loss in f32 may be off for its rounding, as a share of itself: what forward passes showed, an order of magnitude.
const F32_LOSS: f64 = 1e-6;

fn text(found: &Sharpness) -> String {
    let number = |m: &Measured| format!("{:.4e} ± {:.1e}", m.value, m.standard_error);
    let tilted = &found.tilted;
    // All directions share the rounding of the loss at the weights, so it is in no standard error.
    let shift = F32_LOSS * found.loss.abs() / (found.delta * found.delta);
    let rounding = match shift > found.trace.standard_error {
        true => format!("; rounding in f32 may shift it by some {shift:.0e}: take a larger --delta"),
        false => String::new(),
    };
    [
        format!("weights    {} of `{}`", found.elements, found.weights.join("`, `")),
        format!("loss       {:.5} nats, the mean of {} training rows", found.loss, found.rows),
        format!(
            "trace      {} of the Hessian, from {} directions{rounding}",
            number(&found.trace),
            found.trace.samples
        ),
        format!("gradient²  {}", number(&found.gradient_squared)),
        match found.trace.value > 0.0 && found.trace.is_clear_of_zero() {
            true => format!("decrease   {:.3e} nats a step of one direction, at the best rate", found.decrease),
            false => "decrease   unknown: the trace is not clear of zero".to_owned(),
        },
        format!("sharpness  {} nats expected at distance {:e}", number(&found.expected), found.delta as f32),
        format!(
            "tilted     {} nats at tilt {} ({:.1} effective directions)",
            number(&tilted.sharpness),
            tilted.tilt,
            tilted.effective_samples
        ),
        format!("cost       {} forward passes over these rows", found.forwards),
    ]
    .join("\n")
}

/// Where a rate stands against its edge.
struct Stand {
    lr: f64,
    edge: f64,
    share: f64,
    stable: f64,
    unstable: f64,
    /// The largest eigenvalue, where it was measured and lies within the trace.
    largest: Option<f64>,
}

/// Where a rate stands; nothing where the trace does not decide it, or is not positive.
fn stand(config: &Config, found: &Sharpness, largest: Option<f64>, lr: f64) -> Option<Stand> {
    let scheme = scheme_of(config, found.elements as usize)?;
    let trace = found.trace.value;
    let largest = largest.filter(|largest| (0.0..=trace).contains(largest));
    let bounds = step_bounds(trace, largest.unwrap_or(trace), &scheme).ok()?;
    let edge = edge(&scheme, lr)?;
    Some(Stand { lr, edge, share: trace / edge, stable: bounds.lower, unstable: bounds.upper, largest })
}

impl Stand {
    fn text(&self) -> String {
        let Self { lr, edge, share, stable, unstable, largest } = self;
        let known = largest.map_or("whatever the largest eigenvalue is".to_owned(), |largest| {
            format!("with a largest eigenvalue of {largest:.3e}")
        });
        let verdict = match share {
            share if *share > 1.0 => "beyond it: steps grow",
            share if *share > 0.8 => "close to it",
            _ => "inside",
        };
        format!(
            "edge       at the learning rate {lr:.3e} steps grow beyond a trace of {edge:.3e}; the trace is {:.1} % of that, \
             {verdict}\n           rates up to {stable:.3e} are stable {known}, beyond {unstable:.3e} none is",
            100.0 * share
        )
    }

    fn json(&self) -> serde_json::Value {
        let Self { lr, edge, share, stable, unstable, largest } = self;
        json!({ "lr": lr, "edge": edge, "share": share, "stable": stable, "unstable": unstable, "largest": largest })
    }
}
