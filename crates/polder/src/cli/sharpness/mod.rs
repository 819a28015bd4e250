//! `polder sharpness`.

mod stand;

use std::path::Path;

use anyhow::{Context, Result, bail};
use polder::config::Config;
use polder::figure::Figure;
use polder::model::{Model, find};
use polder::plan::Plan;
use polder::run::State;
use polder::sharpness::{
    Eigenvalue, Preconditioned, Request, Sharpness, SliceRequest, between, eigenvalue, measure, preconditioner, slices,
};
use polder::trainer::{logged_rate, set_threads};
use polder_optim::trajectory::Trajectory;
use polder_sharpness::Measured;
use polder_sharpness::curvature::{ByGradients, TopEigenvalue};
use serde_json::json;

use super::Ended;
use super::args::SharpnessArgs;
use super::output::{print, tell};
use super::subject::plan_of;
use stand::stand;

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
    let given = config.optimizer.lr.fixed();
    set_threads(arguments.threads.map(usize::from).or(config.threads));
    let plan = Plan::new(config)?;
    arguments.slices.as_deref().map(writable).transpose()?;
    let path = arguments.model.clone().unwrap_or_else(|| match is_run {
        true => arguments.subject.clone(),
        false => plan.config.model.path.clone(),
    });
    let found = find(&path)?;
    if let Some(note) = &found.note {
        tell(arguments.quiet, format!("note: {note}"));
    }
    let lr = match is_run {
        true => rate_of_run(arguments, &found.path)?,
        false => given,
    };
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
        let measured = measure(&mut model, part, &plan.data, &request)?;
        let spectrum = match arguments.eigenvalue {
            true => {
                let p = preconditioner_of(&plan.config, &mut model, part, &found.path)?;
                Some(eigenvalue(&mut model, part, &plan.data, &request, p.as_deref())?)
            }
            false => None,
        };
        let stands = lr.map(|lr| stand(&plan.config, &measured, spectrum.as_ref(), lr));
        if arguments.json {
            all.push(json!({ "sharpness": measured, "eigenvalue": spectrum, "lr": lr, "stands": stands.and_then(Result::ok).map(|s| s.json()) }));
        } else {
            print(text(&measured))?;
            if let Some(spectrum) = &spectrum {
                print(spectrum_text(spectrum))?;
            }
            if let Some(stands) = stands {
                print(stands.map_or_else(|why| why, |stands| stands.text()))?;
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

/// Makes a folder and sees whether it takes a file, before minutes of work.
fn writable(folder: &Path) -> Result<()> {
    let probe = folder.join(".writable");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .with_context(|| format!("can't write into `{}`", folder.display()))
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

/// The learning rate of a run, as its log has it where these weights were made; of weights that it did not save, at its end.
fn rate_of_run(arguments: &SharpnessArgs, weights: &Path) -> Result<Option<f64>> {
    let log = Trajectory::open(arguments.subject.join("trajectory")).map_err(polder::Error::from)?;
    let own = State::read(weights).filter(|state| state.belongs_to(&log));
    Ok(logged_rate(&log, own.map(|state| state.step)))
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

/// Adam's preconditioner beside the weights that are looked at, where the steps are Adam's and it was saved.
fn preconditioner_of(
    config: &Config,
    model: &mut Model,
    weights: &[String],
    folder: &Path,
) -> Result<Option<Vec<f64>>> {
    if config.optimizer.name != "adam" {
        return Ok(None);
    }
    Ok(preconditioner(model, weights, folder, &serde_json::Value::Object(config.optimizer.settings.clone()))?)
}

/// Eigenvalue and trace by gradients, of the Hessian and of `P⁻¹H`.
fn spectrum_text(spectrum: &Eigenvalue) -> String {
    let line = |largest: &TopEigenvalue, trace: &ByGradients| {
        format!(
            "eigenvalue {:.4e} (residual {:.1e}); trace {:.4e} ± {:.1e}; by {} gradients",
            largest.value,
            largest.residual,
            trace.value,
            trace.standard_error,
            largest.gradients + trace.gradients
        )
    };
    let mut lines = vec![format!("largest    {}", line(&spectrum.largest, &spectrum.trace))];
    if let Some(Preconditioned { largest, trace, commutator }) = &spectrum.preconditioned {
        lines.push(format!("P⁻¹H       {}", line(largest, trace)));
        lines.push(format!(
            "commutator {:.3} ± {:.1e}, ‖PH − HP‖ over ‖PH‖: where it is 0 the edge is exact",
            commutator.value, commutator.standard_error
        ));
    }
    lines.join("\n")
}
