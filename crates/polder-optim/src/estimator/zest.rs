//! ZEST: exponentially tilted estimates.

use polder_perturb::{Seed, Shift, Term};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::two_point::two_sided_name;
use super::{
    Estimate, Estimator, Scaling, StepContext, Tilt, checked_clip, checked_directions, checked_eps, checked_seeds,
    finite_means, setting,
};
use crate::error::Result;
use crate::objective::Losses;

/// Which points of a direction are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sides {
    /// θ + εu and θ − εu.
    #[default]
    Two,
    /// θ + εu alone. For a small tilt this is noise that grows like 1/t.
    One,
}

/// How the bias of a ratio of means is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Correction {
    /// Not at all: bounded coefficients.
    #[default]
    None,
    /// By the second order of the ratio's expansion (delta method).
    Delta,
    /// By leaving out each direction in turn: the strongest correction, with the most variance.
    Jackknife,
}

/// The tilt over a run of n steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ramp {
    /// t throughout.
    #[default]
    Constant,
    /// `t·step/n`: from 0 on.
    Up,
    /// `t·(1 − step/n)`: towards 0.
    Down,
}

/// The exponentially tilted estimator (ZEST), the gradient of `f_t(θ) = (1/t) log E exp(t·f(θ + εu))` from losses alone:
/// `ĝ = Σᵢ cᵢuᵢ` with, for k directions, `Fᵢ± = ℓ(θ ± εuᵢ)` and the largest of them m,
///
/// ```text
/// eᵢ± = exp(t(Fᵢ± − m))    Dᵢ = (eᵢ+ + eᵢ−)/2    Z = Σ Dⱼ    wᵢ = Dᵢ/Z    aᵢ = wᵢ·tanh(t(Fᵢ+ − Fᵢ−)/2)
/// none:       cᵢ = aᵢ/(tε)
/// delta:      cᵢ = aᵢ/(tε) · [1 − S/k + qᵢ/(k − 1)],   qᵢ = k·wᵢ − 1,   S = Σ qⱼ²/(k − 1)
/// jackknife:  cᵢ = aᵢ/(tε) · [k − ((k − 1)/k)·Z·Σ_{j≠i} 1/(Z − Dⱼ)]
/// one side:   wᵢ with Dᵢ = eᵢ+, and aᵢ = wᵢ
/// ```
///
/// t → 0 gives the average of the two-point estimator over the same directions, and t = 0 its very bits; one direction
/// gives its slope, softly clipped at 1/(tε). A constant added to the loss changes nothing. All of it holds for any t:
/// the largest loss is subtracted before an exponential is taken. Source: Gong and Li, "Zeroth-Order Sharpness-Aware
/// Learning with Exponential Tilting", arXiv 2510.16157, Theorem 3.1 and Algorithm 1; the corrections are the textbook ones
/// for ratios of means, since the paper's own are not known to us.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Zest {
    /// The scale ε of the perturbation, in multiples of the direction; positive.
    pub eps: f64,
    /// The tilt t, in 1/nats, at least 0.
    pub t: f64,
    /// The number k of directions a step, at least 1.
    pub directions: usize,
    /// Which points of a direction are read.
    pub sides: Sides,
    /// How the bias of the ratio is corrected; the corrections ask for two directions at least.
    pub correction: Correction,
    /// The tilt over the run.
    pub ramp: Ramp,
    /// Each two-point slope is clipped to `|g| ≤ clip`, in nats, before it is tilted; absent: not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Directions as they are drawn, or on the sphere of radius √d.
    #[serde(skip_serializing_if = "Scaling::is_plain")]
    pub scaling: Scaling,
}

impl Default for Zest {
    fn default() -> Self {
        Self {
            eps: 1e-3,
            t: 1.0,
            directions: 4,
            sides: Sides::Two,
            correction: Correction::None,
            ramp: Ramp::Constant,
            clip: None,
            scaling: Scaling::Plain,
        }
    }
}

impl Zest {
    /// Checks the settings.
    ///
    /// # Errors
    /// An `eps` that is not positive and finite as an f32; a tilt that is negative, not finite, or on one side 0 or ramped; a `clip` that is
    /// not positive and finite, or on one side, where there is no slope; no or too many directions, or one to be
    /// corrected.
    pub fn checked(self) -> Result<Self> {
        checked_eps(self.eps)?;
        checked_directions(self.directions)?;
        checked_clip(self.clip)?;
        if !(self.t.is_finite() && self.t >= 0.0) {
            return Err(setting("t", self.t, "a finite number, 0 or above"));
        }
        if self.sides == Sides::One {
            if self.t == 0.0 {
                return Err(setting("t", self.t, "above 0 on one side: the estimate is divided by it"));
            }
            if self.ramp != Ramp::Constant {
                return Err(setting("ramp", "up or down", "\"constant\" on one side: the estimate is divided by t"));
            }
            if let Some(clip) = self.clip {
                return Err(setting("clip", clip, "absent on one side: no slope is taken there"));
            }
        }
        if self.correction != Correction::None && self.directions < 2 {
            return Err(setting("directions", self.directions, "2 or more with a correction"));
        }
        Ok(self)
    }

    /// The tilt at a step.
    fn tilt(&self, context: &StepContext<'_>) -> f64 {
        let done = context.step as f64 / context.total.max(1) as f64;
        match self.ramp {
            Ramp::Constant => self.t,
            Ramp::Up => self.t * done,
            Ramp::Down => self.t * (1.0 - done),
        }
    }
}

/// Weights of directions and what belongs to them.
struct Weights {
    /// `Dᵢ`, at most 1.
    parts: Vec<f64>,
    /// `Z = Σ Dᵢ`.
    sum: f64,
}

impl Weights {
    /// Of directions with these losses, `sides` each, at tilt t.
    fn new(losses: &[f64], sides: usize, t: f64) -> (Self, Tilt) {
        let most = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let part = |losses: &[f64]| losses.iter().map(|l| (t * (l - most)).exp()).sum::<f64>() / sides as f64;
        let parts: Vec<f64> = losses.chunks_exact(sides).map(part).collect();
        let sum: f64 = parts.iter().sum();
        let squares: f64 = parts.iter().map(|d| (d / sum).powi(2)).sum();
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        let loss = if t == 0.0 { mean } else { most + (sum / parts.len() as f64).ln() / t };
        (Self { parts, sum }, Tilt { t, effective: 1.0 / squares, loss })
    }

    /// How each direction counts, corrected: `k·wᵢ·[…]`, 1 for all of them at t = 0.
    fn counts(&self, correction: Correction) -> Vec<f64> {
        let n = self.parts.len() as f64;
        let plain = self.parts.iter().map(|d| d / (self.sum / n));
        match correction {
            Correction::None => plain.collect(),
            Correction::Delta => {
                let s = plain.clone().map(|w| (w - 1.0).powi(2)).sum::<f64>() / (n - 1.0);
                plain.map(|w| w * (1.0 - s / n + (w - 1.0) / (n - 1.0))).collect()
            }
            Correction::Jackknife => {
                // Sums over all but one are added up, not subtracted: one direction may hold nearly all of Z.
                let inverse: Vec<f64> = sums_without_each(&self.parts).into_iter().map(f64::recip).collect();
                let shares = self.parts.iter().zip(sums_without_each(&inverse));
                // Where others vanish beside one, their own part does too: 0/0 is no share.
                let share = |(d, inverse): (&f64, f64)| if *d == 0.0 { 0.0 } else { d * inverse };
                plain.zip(shares.map(share)).map(|(w, share)| n * w - (n - 1.0) * share).collect()
            }
        }
    }
}

/// For each number the sum of the others.
fn sums_without_each(x: &[f64]) -> Vec<f64> {
    let running = |sum: &mut f64, x: f64| {
        let before = *sum;
        *sum += x;
        Some(before)
    };
    let before: Vec<f64> = x.iter().copied().scan(0.0, running).collect();
    let mut after: Vec<f64> = x.iter().rev().copied().scan(0.0, running).collect();
    after.reverse();
    before.into_iter().zip(after).map(|(a, b)| a + b).collect()
}

/// `tanh(x)/x`, 1 at 0.
fn tanh_ratio(x: f64) -> f64 {
    // Below 1e-4 the next term, 2x⁴/15, is less than half an ulp of 1.
    if x.abs() < 1e-4 { 1.0 - x * x / 3.0 } else { x.tanh() / x }
}

impl Estimator for Zest {
    fn name(&self) -> &'static str {
        "zest"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn directions(&self) -> usize {
        self.directions
    }

    fn forwards(&self) -> u64 {
        let sides = if self.sides == Sides::Two { 2 } else { 1 };
        sides * self.directions as u64
    }

    fn needs_lengths(&self) -> bool {
        self.scaling == Scaling::Sphere
    }

    fn bound_to_total(&self) -> bool {
        self.ramp != Ramp::Constant
    }

    fn probes(&self, context: &StepContext<'_>, seeds: &[Seed]) -> Vec<Shift> {
        let steps = self.scaling.steps(context, seeds, self.eps);
        let signs: &[f64] = if self.sides == Sides::Two { &[1.0, -1.0] } else { &[1.0] };
        let along = |(seed, eps): (&Seed, f64)| signs.iter().map(move |sign| Shift::along(*seed, sign * eps)).collect();
        seeds.iter().zip(steps).flat_map(|pair| -> Vec<Shift> { along(pair) }).collect()
    }

    fn combine(&self, context: &StepContext<'_>, seeds: &[Seed], losses: &Losses) -> Result<Estimate> {
        checked_seeds(seeds, self.directions)?;
        let scales = self.scaling.scales(context, seeds)?;
        let steps = self.scaling.steps(context, seeds, self.eps);
        let sides = (self.forwards() / self.directions as u64) as usize;
        let name = |point: usize| match self.sides {
            Sides::Two => two_sided_name(point),
            Sides::One => format!("the weights + eps·u of direction {point}"),
        };
        let means = finite_means(context, losses, sides * seeds.len(), name)?;
        let t = self.tilt(context);
        let (weights, tilt) = Weights::new(&means, sides, t);
        let counts = weights.counts(self.correction);
        let k = self.directions as f64;
        let mut projected = Vec::with_capacity(seeds.len());
        let mut terms = Vec::with_capacity(seeds.len());
        let points = means.chunks_exact(sides).zip(seeds).zip(counts);
        for (((pair, seed), count), (scale, eps)) in points.zip(scales.into_iter().zip(steps)) {
            let slope = match pair {
                [plus, minus] => {
                    let slope = (plus - minus) / (2.0 * eps) * scale;
                    let slope = self.clip.map_or(slope, |c| slope.clamp(-c, c));
                    projected.push(slope);
                    slope * tanh_ratio(t * slope * eps / scale)
                }
                _ => {
                    projected.push(scale / (t * eps));
                    scale / (t * eps)
                }
            };
            // At t = 0 the corrections are 1 up to rounding; the bits of the two-point estimator are promised.
            let tilted = if t == 0.0 { slope } else { slope * count };
            terms.push(Term { seed: *seed, coeff: tilted * scale / k });
        }
        let loss = means.iter().sum::<f64>() / means.len() as f64;
        Ok(Estimate { terms, loss, projected, tilt: Some(tilt) })
    }
}
