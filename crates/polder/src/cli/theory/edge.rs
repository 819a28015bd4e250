//! `polder theory edge`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use polder_sharpness::stability::{
    Directions, Method, Scheme, Spectrum, critical_step, first_order_step, step_bounds, step_for_any_spectrum,
};
use serde::Serialize;

use crate::cli::args::EdgeArgs;
use crate::cli::output::print;

/// What is known of the step at which a method loses stability, in units of weight squared a nat.
#[derive(Debug, Serialize)]
struct Edge {
    /// The trace of the Hessian, of P⁻¹H for Adam.
    trace: f64,
    /// The largest eigenvalue, where it is known.
    largest: Option<f64>,
    /// The critical step, where the spectrum is known.
    critical: Option<f64>,
    /// Every smaller step is stable.
    stable: f64,
    /// Every larger step is unstable.
    unstable: f64,
    /// The step at which the method with exact gradients becomes unstable, where the largest eigenvalue is known.
    first_order: Option<f64>,
}

pub(super) fn run(arguments: &EdgeArgs) -> Result<()> {
    let scheme = scheme(arguments);
    let edge = match arguments.trace {
        Some(trace) => of_trace(trace, arguments.largest, &scheme)?,
        None => of_spectrum(&spectrum(arguments)?, &scheme)?,
    };
    if let Some(lr) = arguments.lr {
        ensure!(lr.is_finite() && lr > 0.0, "`--lr {lr}` is not above 0");
    }
    if arguments.json {
        let mut object = serde_json::to_value(&edge)?;
        if let (Some(fields), Some(lr)) = (object.as_object_mut(), arguments.lr) {
            fields.insert("lr".to_owned(), lr.into());
            fields.insert("lr_is".to_owned(), edge.verdict(lr).into());
        }
        return Ok(print(serde_json::to_string_pretty(&object)?)?);
    }
    Ok(print(edge.text(arguments))?)
}

fn scheme(arguments: &EdgeArgs) -> Scheme {
    let method = match (arguments.momentum, arguments.adam) {
        (Some(beta), _) => Method::Polyak { beta },
        (None, Some(beta1)) => Method::FrozenAdam { beta1 },
        (None, None) => Method::Sgd,
    };
    let directions = arguments.sphere.map_or(Directions::Gaussian, |dimension| Directions::Sphere { dimension });
    Scheme { method, queries: arguments.directions, directions }
}

fn spectrum(arguments: &EdgeArgs) -> Result<Spectrum> {
    let eigenvalues = match &arguments.spectrum_file {
        Some(path) => eigenvalues(path)?,
        None => arguments.spectrum.clone(),
    };
    Ok(Spectrum::new(eigenvalues).map_err(polder::Error::from)?)
}

/// The numbers of a file.
fn eigenvalues(path: &Path) -> Result<Vec<f64>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read `{}`", path.display()))?;
    let words = text.lines().zip(1..).flat_map(|(line, number)| {
        line.split(|c: char| c == ',' || c.is_whitespace())
            .filter(|word| !word.is_empty())
            .map(move |word| (word, number))
    });
    words
        .map(|(word, line)| {
            let wrong = || format!("line {line} of `{}`: `{word}` is no number", path.display());
            word.parse().with_context(wrong)
        })
        .collect()
}

fn of_spectrum(spectrum: &Spectrum, scheme: &Scheme) -> Result<Edge> {
    let (trace, largest) = (spectrum.trace(), spectrum.largest());
    let critical = critical_step(spectrum, scheme).map_err(polder::Error::from)?;
    let edge = of_trace(trace, Some(largest), scheme)?;
    Ok(Edge { critical: Some(critical), ..edge })
}

fn of_trace(trace: f64, largest: Option<f64>, scheme: &Scheme) -> Result<Edge> {
    let bounds = step_bounds(trace, largest.unwrap_or(trace), scheme).map_err(polder::Error::from)?;
    let stable = match largest {
        Some(_) => bounds.lower,
        None => step_for_any_spectrum(trace, scheme).map_err(polder::Error::from)?,
    };
    let one = |largest| Spectrum::new(vec![largest]).and_then(|s| first_order_step(&s, scheme.method));
    let first_order = largest.map(one).transpose().map_err(polder::Error::from)?;
    Ok(Edge { trace, largest, critical: None, stable, unstable: bounds.upper, first_order })
}

impl Edge {
    fn text(&self, arguments: &EdgeArgs) -> String {
        let Self { trace, largest, critical, stable, unstable, first_order } = self;
        let of = if arguments.adam.is_some() { "P⁻¹H" } else { "the Hessian" };
        let mut lines = vec![format!("trace      {trace:.4e} of {of}")];
        lines.extend(largest.map(|largest| format!("largest    {largest:.4e}, its largest eigenvalue")));
        lines.extend(
            critical.map(|step| {
                format!("critical   {step:.6e}: smaller steps are stable in mean square, larger ones grow")
            }),
        );
        let known = if largest.is_some() { "" } else { ", whatever the largest eigenvalue is" };
        lines.push(format!("bounds     stable up to {stable:.4e}{known}; unstable beyond {unstable:.4e}"));
        lines.extend(first_order.map(|step| format!("gradients  the same method with exact gradients: {step:.4e}")));
        lines.extend(arguments.lr.map(|lr| format!("lr         {lr:.4e} is {}", self.verdict(lr))));
        lines.join("\n")
    }

    /// Where a learning rate stands.
    fn verdict(&self, lr: f64) -> String {
        match (self.critical, lr) {
            (Some(critical), lr) => {
                let side = if lr < critical { "stable" } else { "not stable" };
                format!("{side}: {:.1} % of the critical step", 100.0 * lr / critical)
            }
            (None, lr) if lr <= self.stable => "stable".to_owned(),
            (None, lr) if lr > self.unstable => "not stable".to_owned(),
            (None, _) => "between the bounds: the spectrum decides".to_owned(),
        }
    }
}
