//! Polyak's momentum, with a buffer or rebuilt from past seeds.

use std::collections::VecDeque;

use candle_core::{Device, Tensor};
use polder_perturb::update::{self, Precision, State};
use polder_perturb::{ParamSet, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Applied, Optimizer, UpdateMode, changes, checked_beta, checked_rates, finite_f32, scalars, scaled_terms};
use crate::error::Result;
use crate::estimator::{Estimate, setting};

/// The name of the number that is kept for a weight.
const SLOTS: &[&str] = &["m"];
/// The names of the tensors that hold a window: terms of each step, seeds (their bits), coefficients.
const WINDOW: [&str; 3] = ["momentum.counts", "momentum.seeds", "momentum.coefficients"];
/// The longest window.
const LONGEST: usize = 4096;

/// ZO-SGD with Polyak's momentum (ZO-GDM): `m ← βm + ĝ`, `θ ← θ − lr·(m + weight_decay·θ)`.
///
/// Not an average: in the long run a step is `1/(1−β)` times that of SGD, and the largest stable lr is about `(1−β)` times
/// that of SGD. One number of state for every trained weight, in f32 or bf16.
///
/// With a `window` of W there is no buffer: `m = Σ_{j<W} βʲ·ĝ_{t−j}` is made anew at each step from the seeds and
/// coefficients of the last W steps, at W times the cost of making a step's directions; what is cut off is `βᵂ` of it.
/// Coefficients are `f32(−lr·(βʲ·g))`, each product rounded to f32, with βʲ multiplied up from 1. Source: Song et al.,
/// "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, section 2 and Theorem 2.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Momentum {
    /// The learning rate, at least 0.
    pub lr: f64,
    /// The part β of the momentum that a step keeps, below 1.
    pub beta: f64,
    /// The weight decay, at least 0, in 1 per unit of learning rate.
    pub weight_decay: f64,
    /// How the state is held.
    #[serde(with = "precision")]
    pub state: Precision,
    /// The number of steps from which momentum is rebuilt; absent: kept in a buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    #[serde(skip)]
    kept: Kept,
}

/// What was kept of the steps so far.
#[derive(Debug, Default)]
struct Kept {
    state: Option<State>,
    /// The terms of the last steps, the newest first.
    window: VecDeque<Vec<(Seed, f32)>>,
}

impl Default for Momentum {
    fn default() -> Self {
        let (state, kept) = (Precision::F32, Kept::default());
        Self { lr: 1e-7, beta: 0.9, weight_decay: 0.0, state, window: None, kept }
    }
}

impl Momentum {
    /// Checks the settings.
    ///
    /// # Errors
    /// A learning rate or weight decay that is negative or not finite; a β outside of 0 to 1; an empty or huge window.
    pub fn checked(self) -> Result<Self> {
        checked_rates(self.lr, self.weight_decay)?;
        checked_beta("beta", self.beta)?;
        match self.window {
            Some(window) if !(1..=LONGEST).contains(&window) => Err(setting("window", window, "1 to 4096 steps")),
            _ => Ok(self),
        }
    }

    /// Takes a step into the window of `length` and gives the terms of its change, the newest first.
    fn push(&mut self, length: usize, terms: &[(Seed, f32)], lr: f32) -> Vec<(Seed, f32)> {
        self.kept.window.push_front(terms.to_vec());
        self.kept.window.truncate(length);
        let mut power = 1f32;
        let mut change = Vec::new();
        for step in &self.kept.window {
            change.extend(step.iter().map(|(seed, g)| (*seed, -lr * (power * g))));
            power *= self.beta as f32;
        }
        change
    }
}

impl Optimizer for Momentum {
    fn name(&self) -> &'static str {
        "momentum"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> Result<Applied> {
        let decay = finite_f32(lr * self.weight_decay, || "weight decay".to_owned())?;
        let scalars = vec![finite_f32(lr, || "learning rate".to_owned())?];
        Ok(Applied { terms: scaled_terms(estimate, 1.0)?, decay, rounding_seed, scalars })
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()> {
        self.apply_all(params, mode, std::slice::from_ref(applied))
    }

    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        let rates = all.iter().map(|a| scalars(a).map(|[lr]| lr)).collect::<Result<Vec<f32>>>()?;
        if let Some(length) = self.window {
            let whole = |(a, lr): (&Applied, &f32)| Applied { terms: self.push(length, &a.terms, *lr), ..a.clone() };
            let all: Vec<Applied> = all.iter().zip(&rates).map(whole).collect();
            let rules: Vec<update::Sgd> = all.iter().map(|a| update::Sgd { decay: a.decay }).collect();
            update::visit_each(params, mode.law, &changes(&all, &rules), mode.rounding)?;
            return Ok(());
        }
        let beta = self.beta as f32;
        let rule = |(a, lr): (&Applied, &f32)| update::Momentum { lr: *lr, beta, decay: a.decay };
        let rules: Vec<update::Momentum> = all.iter().zip(&rates).map(rule).collect();
        let state = self.kept.state.get_or_insert_with(|| State::zeros(params, SLOTS, self.state));
        update::visit_with_state(params, mode.law, &changes(all, &rules), mode.rounding, state)?;
        Ok(())
    }

    fn state_bytes(&self, params: &ParamSet) -> u64 {
        if self.window.is_some() { 0 } else { State::bytes(params, SLOTS.len(), self.state) }
    }

    fn state(&self, params: &ParamSet) -> Result<Vec<(String, Tensor)>> {
        if self.window.is_some() {
            return Ok(window_tensors(&self.kept.window).map_err(polder_perturb::Error::from)?);
        }
        Ok(match &self.kept.state {
            Some(state) => state.tensors(params)?,
            None => State::zeros(params, SLOTS, self.state).tensors(params)?,
        })
    }

    fn restore(&mut self, params: &ParamSet, find: &mut dyn FnMut(&str) -> Option<Tensor>) -> Result<()> {
        if self.window.is_some() {
            let missing = || polder_perturb::Error::State {
                name: WINDOW[0].to_owned(),
                why: "the last steps are missing or cut short".to_owned(),
            };
            self.kept.window = window_of(find).ok_or_else(missing)?;
        } else {
            self.kept.state = Some(State::load(params, SLOTS, self.state, find)?);
        }
        Ok(())
    }
}

/// A window as tensors.
fn window_tensors(window: &VecDeque<Vec<(Seed, f32)>>) -> candle_core::Result<Vec<(String, Tensor)>> {
    let terms = || window.iter().flatten();
    let counts: Vec<i64> = window.iter().map(|step| step.len() as i64).collect();
    // The same bits: safetensors as candle reads them have no unsigned numbers of 64 bits.
    let seeds: Vec<i64> = terms().map(|(seed, _)| seed.0 as i64).collect();
    let coefficients: Vec<f32> = terms().map(|(_, g)| *g).collect();
    let on = &Device::Cpu;
    let tensors = [Tensor::new(counts, on)?, Tensor::new(seeds, on)?, Tensor::new(coefficients, on)?];
    Ok(WINDOW.iter().map(|name| (*name).to_owned()).zip(tensors).collect())
}

/// The window of tensors, if they are one.
fn window_of(find: &mut dyn FnMut(&str) -> Option<Tensor>) -> Option<VecDeque<Vec<(Seed, f32)>>> {
    let counts = find(WINDOW[0])?.to_vec1::<i64>().ok()?;
    let seeds = find(WINDOW[1])?.to_vec1::<i64>().ok()?;
    let coefficients = find(WINDOW[2])?.to_vec1::<f32>().ok()?;
    let mut terms = seeds.iter().map(|seed| Seed(*seed as u64)).zip(coefficients);
    let step = |count: i64| -> Option<Vec<(Seed, f32)>> {
        let count = usize::try_from(count).ok()?;
        let step: Vec<_> = terms.by_ref().take(count).collect();
        (step.len() == count).then_some(step)
    };
    counts.into_iter().map(step).collect()
}

/// A precision, by its name.
pub(super) mod precision {
    use polder_perturb::update::Precision;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &Precision, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Precision, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
