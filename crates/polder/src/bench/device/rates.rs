//! Bytes a second that reading at points and updating reach.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Points, Seed, Shift, materialise, update};
use serde::Serialize;

use crate::error::Result;

/// How often each is timed; the fastest counts.
const TIMES: usize = 5;

/// What one kind of kernel reaches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// `read at a point` or `update`.
    pub name: &'static str,
    /// Bytes that it has to move: weights in bf16 read and f32 written, or bf16 read and written.
    pub bytes: u64,
    /// Seconds of the fastest of a few.
    pub seconds: f64,
    /// Bytes a second.
    pub reached: f64,
    /// As a share of what the memory is said to give.
    pub share: Option<f64>,
}

/// Times both over so many weights.
///
/// # Errors
/// Too little memory; an operation that fails.
pub(super) fn measure(device: &Device, weights: usize, bandwidth: Option<f64>) -> Result<Vec<Rate>> {
    let mut params = ParamSet::new();
    params.insert("model.layers.0.mlp.up_proj.weight", Tensor::zeros(weights, DType::BF16, device)?)?;
    let point = Points::new(Law::Gaussian, &[Shift::along(Seed(1), 1e-3)]);
    let seconds = fastest(device, &mut |_| materialise(&params, &point).map(drop).map_err(Into::into))?;
    let read = rate("read at a point", 6 * weights as u64, seconds, bandwidth);
    let rule = update::Sgd { decay: 0.0 };
    let seconds = fastest(device, &mut |time| {
        let terms = [(Seed(time), 1e-6)];
        Ok(update::visit(&params, Law::Gaussian, &terms, &rule, Rounding::Stochastic, Seed(time))?)
    })?;
    Ok(vec![read, rate("update", 4 * weights as u64, seconds, bandwidth)])
}

fn rate(name: &'static str, bytes: u64, seconds: f64, bandwidth: Option<f64>) -> Rate {
    let reached = bytes as f64 / seconds;
    Rate { name, bytes, seconds, reached, share: bandwidth.map(|most| reached / most) }
}

/// Seconds of the fastest call, after one that is not timed; what is queued is waited for.
fn fastest(device: &Device, call: &mut dyn FnMut(u64) -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for time in 0..=TIMES {
        let start = Instant::now();
        call(time as u64)?;
        device.synchronize()?;
        if time > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}
