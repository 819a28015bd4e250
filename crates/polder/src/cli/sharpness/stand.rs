//! Where a learning rate stands against its edge of stability.

use polder::config::Config;
use polder::sharpness::{Eigenvalue, Sharpness, adam_scheme, edge, scheme_of};
use polder_sharpness::stability::{Scheme, step_bounds};
use serde_json::json;

/// Where a rate stands against its edge.
pub(super) struct Stand {
    lr: f64,
    /// What the trace is that of, where it is not the Hessian.
    of: &'static str,
    edge: f64,
    /// What a trace says that is clearly positive.
    known: Option<Known>,
}

/// Where the trace stands, and up to where rates are stable.
struct Known {
    share: f64,
    stable: f64,
    unstable: f64,
    /// The largest eigenvalue, where it was measured and lies within the trace.
    largest: Option<f64>,
}

/// Where a rate stands, or why that is not known.
pub(super) fn stand(
    config: &Config,
    found: &Sharpness,
    spectrum: Option<&Eigenvalue>,
    lr: f64,
) -> Result<Stand, String> {
    let elements = found.elements as usize;
    let preconditioned = spectrum.and_then(|spectrum| spectrum.preconditioned.as_ref());
    if let (Some(of), Some(scheme)) = (preconditioned, adam_scheme(config, elements)) {
        let trace = (of.trace.value, of.trace.standard_error);
        return stand_of(" of P⁻¹H", scheme, trace, Some(of.largest.value), lr);
    }
    let scheme = scheme_of(config, elements).ok_or_else(|| no_edge(config, spectrum.is_some()))?;
    let trace = (found.trace.value, found.trace.standard_error);
    stand_of("", scheme, trace, spectrum.map(|spectrum| spectrum.largest.value), lr)
}

/// Where a rate stands with a trace and its standard error, and the largest eigenvalue where it is known.
fn stand_of(
    of: &'static str,
    scheme: Scheme,
    (trace, error): (f64, f64),
    largest: Option<f64>,
    lr: f64,
) -> Result<Stand, String> {
    let edge = edge(&scheme, lr).ok_or_else(|| "edge       none at this learning rate".to_owned())?;
    let largest = largest.filter(|largest| (0.0..=trace).contains(largest));
    // Two standard errors, as of the step size that is advised.
    let bounds = Some(trace).filter(|trace| *trace > 2.0 * error);
    let bounds = bounds.and_then(|trace| step_bounds(trace, largest.unwrap_or(trace), &scheme).ok());
    let known =
        bounds.map(|bounds| Known { share: trace / edge, stable: bounds.lower, unstable: bounds.upper, largest });
    Ok(Stand { lr, of, edge, known })
}

/// Why a run has no edge.
fn no_edge(config: &Config, by_gradients: bool) -> String {
    let (optimizer, estimator) = (&config.optimizer.name, &config.estimator.name);
    let why = match (optimizer.as_str(), by_gradients) {
        ("adam", false) => "the spectrum of P⁻¹H decides it; --eigenvalue measures that of a small model",
        ("adam", true) => {
            "the spectrum of P⁻¹H decides it, and no P of these weights is saved beside them: it is in RUN/final (--model), for the \
             weights that were trained"
        }
        _ => "the trace does not decide it",
    };
    format!("edge       none is known for steps of `{optimizer}` with `{estimator}`: {why}")
}

impl Stand {
    pub(super) fn text(&self) -> String {
        let Self { lr, of, edge, known } = self;
        let begin = format!("edge       at the learning rate {lr:.3e} steps grow beyond a trace{of} of {edge:.3e}");
        let Some(Known { share, stable, unstable, largest }) = known else {
            return format!(
                "{begin}; where the trace stands is not known, for it is not clearly positive: take more --probes"
            );
        };
        let known = largest.map_or("whatever the largest eigenvalue is".to_owned(), |largest| {
            format!("with a largest eigenvalue of {largest:.3e}")
        });
        let verdict = match share {
            share if *share > 1.0 => "beyond it: steps grow",
            share if *share > 0.8 => "close to it",
            _ => "inside",
        };
        format!(
            "{begin}; the trace is {:.1} % of that, {verdict}\n           rates up to {stable:.3e} are stable {known}, beyond \
             {unstable:.3e} none is",
            100.0 * share
        )
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let Self { lr, of, edge, known } = self;
        let of = if of.is_empty() { "H" } else { "P⁻¹H" };
        let number = |of: fn(&Known) -> f64| known.as_ref().map(of);
        json!({
            "lr": lr, "of": of, "edge": edge, "share": number(|k| k.share), "stable": number(|k| k.stable),
            "unstable": number(|k| k.unstable), "largest": known.as_ref().and_then(|k| k.largest),
        })
    }
}
