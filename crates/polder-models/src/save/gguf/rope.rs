//! The rotary embedding's settings in a GGUF file.

use std::f64::consts::PI;

use super::entries::Entries;
use crate::config::{LlamaConfig, RopeKind};
use crate::error::{Error, Result};

/// The constants of YaRN as llama.cpp has them.
const YARN: (f64, f64) = (32.0, 1.0);

/// Puts in the settings; gives the factors of frequencies where they are stretched one by one.
///
/// # Errors
/// A YaRN that llama.cpp would compute otherwise.
pub(super) fn settings(c: &LlamaConfig, arch: &str, entries: &mut Entries) -> Result<Option<Vec<f32>>> {
    let key = |name: &str| format!("{arch}.rope.{name}");
    entries.u32(&key("dimension_count"), c.head_dim as u32);
    entries.f32(&key("freq_base"), c.rope.theta);
    match c.rope.kind {
        RopeKind::Default => {}
        RopeKind::Linear { factor } => {
            entries.text(&key("scaling.type"), "linear");
            entries.f32(&key("scaling.factor"), factor);
        }
        RopeKind::Llama3 { factor, low, high, original } => {
            let inverse = |i: usize| c.rope.theta.powf(2.0 * i as f64 / c.head_dim as f64);
            let all = (0..c.head_dim / 2).map(|i| llama3(inverse(i), factor, low, high, original) as f32);
            return Ok(Some(all.collect()));
        }
        RopeKind::Yarn { factor, original, beta_fast, beta_slow, attention, truncate } => {
            let usual = 0.1 * factor.ln() + 1.0;
            if (beta_fast, beta_slow) != YARN || (attention - usual).abs() > 1e-6 * usual || !truncate {
                return Err(Error::NoGguf {
                    what: "llama.cpp computes YaRN with its usual ramp and attention factor only".to_owned(),
                    hint: "export it as safetensors",
                });
            }
            entries.text(&key("scaling.type"), "yarn");
            entries.f32(&key("scaling.factor"), factor);
            entries.u32(&key("scaling.original_context_length"), original as u32);
        }
    }
    Ok(None)
}

/// By how much the frequency `1/inverse` is divided (LLaMA 3.1, arXiv 2407.21783).
fn llama3(inverse: f64, factor: f64, low: f64, high: f64, original: f64) -> f64 {
    let wavelength = 2.0 * PI * inverse;
    if wavelength < original / high {
        1.0
    } else if wavelength > original / low {
        factor
    } else {
        let smooth = (original / wavelength - low) / (high - low);
        1.0 / ((1.0 - smooth) / factor + smooth)
    }
}
