//! Two-point steps of one setting, timed.

use std::time::Instant;

use candle_core::Device;
use polder_models::{StorageType, Tokens};
use polder_optim::rounding_seed;
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, Points, Seed, Shift, update};
use serde::{Deserialize, Serialize};

use super::Shape;
use crate::device::{Place, held_by, room};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::memory;
use crate::objective::groups;

/// What is timed: a two-point step with SGD over random tokens, the last token of each sequence scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// The model.
    pub shape: Shape,
    /// How its weights are held.
    pub storage: StorageType,
    /// Sequences of a batch.
    pub sequences: usize,
    /// Tokens of a sequence.
    pub length: usize,
    /// Directions a step.
    pub directions: usize,
    /// Points that a pass reads together.
    pub points_a_pass: usize,
    /// Threads.
    pub threads: usize,
    /// Timed steps, after one that is not.
    pub steps: usize,
}

/// What it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stepped {
    /// The shape's name.
    pub shape: String,
    /// How weights are held.
    pub storage: StorageType,
    /// Parameters.
    pub parameters: usize,
    /// Tokens of a batch at one point.
    pub tokens: usize,
    /// Directions a step.
    pub directions: usize,
    /// Points that a pass reads together.
    pub points_a_pass: usize,
    /// Threads.
    pub threads: usize,
    /// Seconds of every timed step.
    pub seconds: Vec<f64>,
    /// Seconds of the median step.
    pub median: f64,
    /// Bytes of the weights.
    pub weights: u64,
    /// Memory at its highest, in bytes, where the system tells it: the process's resident memory during the steps on the CPU,
    /// what a GPU had less free than before its weights were made elsewhere.
    pub peak: Option<u64>,
}

/// Takes steps with random weights.
///
/// # Errors
/// Weights that don't fit into memory; a failing pass.
pub fn step(setting: &Setting) -> Result<Stepped> {
    step_on(setting, &Device::Cpu)
}

/// Takes steps with random weights on a device.
///
/// # Errors
/// As [`step()`].
pub fn step_on(setting: &Setting, place: impl Into<Place>) -> Result<Stepped> {
    let place = place.into();
    let device = &place.device;
    let free = || room(device).filter(|_| !device.is_cpu()).map(|(free, _)| free);
    let (stepped, held) = held_by(&free, || take(setting, &place));
    stepped.map(|stepped| Stepped { peak: stepped.peak.or(held), ..stepped })
}

/// Takes the steps; of memory it knows the process's own.
fn take(setting: &Setting, place: &Place) -> Result<Stepped> {
    let device = &place.device;
    let Setting { shape, storage, sequences, length, directions, threads, steps, .. } = *setting;
    let [sequences, length, directions] = [sequences, length, directions].map(|n| n.max(1));
    let points_a_pass = setting.points_a_pass.clamp(1, 2 * directions);
    let parameters = shape.parameters()?;
    let needed = parameters as u64 * storage.bytes() as u64;
    if let Some((free, _)) = room(&place.lies()).filter(|(free, _)| needed > *free) {
        return Err(Error::TooLarge { shape: shape.name, needed, free });
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Threads { threads, reason: error.to_string() })?;
    pool.install(|| {
        let (model, params) = shape.random_on(storage, place.clone())?;
        let engine = Engine::new(model.as_ref(), &params);
        let fresh = memory::reset_peak();
        let mut seconds = Vec::with_capacity(steps);
        for number in 0..=steps {
            let start = Instant::now();
            let tokens = tokens(sequences, length, shape.vocabulary());
            let seed = |i: usize| Seed(7).derive(number as u64, i as u64);
            let shifts: Vec<Shift> =
                (0..directions).flat_map(|i| [1e-3, -1e-3].map(|c| Shift::along(seed(i), c))).collect();
            let mut losses = Vec::with_capacity(shifts.len());
            for group in groups(&shifts, points_a_pass) {
                let log_probs = engine.log_probs(&Points::new(Law::Gaussian, group), &tokens)?;
                losses.extend(log_probs.chunks(sequences).map(|point| -point.iter().sum::<f64>() / sequences as f64));
            }
            let rounding = rounding_seed(Seed(7), number as u64);
            let terms: Vec<(Seed, f32)> = losses
                .chunks(2)
                .enumerate()
                .map(|(i, pair)| (seed(i), (-1e-7 * (pair[0] - pair[1]) / 2e-3 / directions as f64) as f32))
                .collect();
            update::visit(&params, Law::Gaussian, &terms, &update::Sgd { decay: 0.0 }, Rounding::Stochastic, rounding)?;
            // On a GPU the update is only queued so far.
            device.synchronize()?;
            if number > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        Ok(Stepped {
            shape: shape.name.to_owned(),
            storage,
            parameters,
            tokens: sequences * length,
            directions,
            points_a_pass,
            threads,
            median: median(&seconds),
            seconds,
            weights: needed,
            peak: memory::resident().filter(|_| fresh && device.is_cpu()).map(|resident| resident.peak),
        })
    })
}

/// The middle one, or the mean of the two in the middle.
fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Random sequences, the last token of each wanted.
pub(super) fn tokens(sequences: usize, length: usize, vocabulary: usize) -> Tokens {
    let mut tokens = Tokens::new();
    for s in 0..sequences {
        let word = |i: usize| (Seed(3).derive(s as u64, i as u64).0 % vocabulary as u64) as u32;
        let rows = tokens.push(&(0..length).map(word).collect::<Vec<_>>());
        tokens.want(rows.start + length - 1, word(length));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[3.0, 1.0, 2.0, 9.0])), (2.0, 2.5));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_tiny_model_steps_in_every_storage() {
        for storage in StorageType::ALL {
            let shape = *Shape::named("tiny").unwrap();
            let setting = Setting {
                shape,
                storage,
                sequences: 3,
                length: 5,
                directions: 2,
                points_a_pass: 4,
                threads: 2,
                steps: 2,
            };
            let done = step(&setting).unwrap();
            assert_eq!((done.seconds.len(), done.tokens, done.parameters), (2, 15, shape.parameters().unwrap()));
            assert!(done.median > 0.0 && done.peak.is_none_or(|peak| peak > done.weights));
        }
    }
}
