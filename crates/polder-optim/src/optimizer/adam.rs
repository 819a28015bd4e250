//! Adam.

use candle_core::{DType, Device, Tensor};
use polder_perturb::update::{self, Precision, State};
use polder_perturb::{ParamSet, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Applied, Optimizer, UpdateMode, changes, checked_beta, checked_rates, finite_f32, scalars, scaled_terms};
use crate::error::Result;
use crate::estimator::{Estimate, setting};

/// The names of the numbers that are kept for a weight.
const SLOTS: &[&str] = &["m", SQUARE];
/// The slot of the mean square.
const SQUARE: &str = "v";
/// The name of the number of steps.
const STEPS: &str = "adam.steps";

/// ZO-Adam with decoupled decay:
/// `m ← β₁m + (1−β₁)ĝ`, `v ← β₂v + (1−β₂)ĝ²`, `θ ← θ − lr·(m̂/(√v̂ + ε) + weight_decay·θ)`, `m̂ = m/(1−β₁ᵗ)`, `v̂ = v/(1−β₂ᵗ)`.
///
/// Two numbers of state for every trained weight, in f32 or bf16. It is stable in mean square about up to
/// `Tr(P⁻¹H) = 2/lr`, P its preconditioner, whatever β₁. Source: Kingma and Ba, arXiv 1412.6980, Algorithm 1; Song et al.,
/// "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, section 2 and Theorem 3.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// The learning rate, at least 0.
    pub lr: f64,
    /// The part β₁ of the mean that a step keeps, below 1.
    pub beta1: f64,
    /// The part β₂ of the mean square that a step keeps, below 1.
    pub beta2: f64,
    /// ε, in nats per unit of weight; positive.
    pub eps: f64,
    /// The weight decay, at least 0, in 1 per unit of learning rate.
    pub weight_decay: f64,
    /// How the state is held.
    #[serde(with = "super::momentum::precision")]
    pub state: Precision,
    #[serde(skip)]
    kept: Kept,
}

/// What was kept of the steps so far.
#[derive(Debug, Default)]
struct Kept {
    steps: u64,
    state: Option<State>,
}

impl Default for Adam {
    fn default() -> Self {
        let (state, kept) = (Precision::F32, Kept::default());
        Self { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, state, kept }
    }
}

impl Adam {
    /// Checks the settings.
    ///
    /// # Errors
    /// A learning rate or weight decay that is negative or not finite; a β outside of 0 to 1; an ε that is not positive.
    pub fn checked(self) -> Result<Self> {
        checked_rates(self.lr, self.weight_decay)?;
        checked_beta("beta1", self.beta1)?;
        checked_beta("beta2", self.beta2)?;
        let eps = self.eps as f32;
        if eps.is_normal() && eps > 0.0 { Ok(self) } else { Err(setting("eps", self.eps, "above 1e-37, and finite")) }
    }

    /// The diagonal of P, folded so that a step without decay is `θ ← θ − lr·P⁻¹m`: `(1 − β₁ᵗ)(√(v/(1 − β₂ᵗ)) + ε)`.
    ///
    /// Of the trained parameters of these names, one after another, from a state as [`Optimizer::state`] gives it. `None`
    /// where the state lacks one of them, and before the first step. Source: Song et al., arXiv 2604.14669, section 2.
    ///
    /// # Errors
    /// A tensor of another type than a state's.
    pub fn preconditioner<'n>(
        &self,
        state: &[(String, Tensor)],
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<Option<Vec<f64>>> {
        let find = |name: &str| state.iter().find(|(found, _)| found == name).map(|(_, tensor)| tensor);
        let plain = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let Some(steps) = find(STEPS) else { return Ok(None) };
        let steps = plain(steps).map_err(polder_perturb::Error::from)?.first().copied().unwrap_or_default();
        if steps == 0.0 {
            return Ok(None);
        }
        // As the steps have them: β is used as the nearest f32.
        let [mean, square] = [self.beta1, self.beta2].map(|beta| 1.0 - f64::from(beta as f32).powf(steps));
        let mut all = Vec::new();
        for name in names {
            let Some(v) = find(&format!("{name}.{SQUARE}")) else { return Ok(None) };
            let v = plain(v).map_err(polder_perturb::Error::from)?;
            all.extend(v.into_iter().map(|v| mean * ((v / square).sqrt() + self.eps)));
        }
        Ok(Some(all))
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn learning_rate(&self) -> f64 {
        self.lr
    }

    fn decide(&mut self, estimate: &Estimate, lr: f64, rounding_seed: Seed) -> Result<Applied> {
        // Powers are library functions that may differ from machine to machine: what they give is logged, not repeated.
        let steps = self.kept.steps as f64 + 1.0;
        let left = |beta: f64| 1.0 - f64::from(beta as f32).powf(steps);
        let rate = finite_f32(lr / left(self.beta1), || "learning rate".to_owned())?;
        let scale = finite_f32(1.0 / left(self.beta2), || "bias correction".to_owned())?;
        let decay = finite_f32(lr * self.weight_decay, || "weight decay".to_owned())?;
        Ok(Applied { terms: scaled_terms(estimate, 1.0)?, decay, rounding_seed, scalars: vec![rate, scale] })
    }

    fn apply(&mut self, params: &ParamSet, mode: &UpdateMode, applied: &Applied) -> Result<()> {
        self.apply_all(params, mode, std::slice::from_ref(applied))
    }

    fn apply_all(&mut self, params: &ParamSet, mode: &UpdateMode, all: &[Applied]) -> Result<()> {
        let [beta1, beta2, eps] = [self.beta1, self.beta2, self.eps].map(|x| x as f32);
        let rule = |applied: &Applied| {
            let [lr, scale] = scalars(applied)?;
            Ok(update::Adam { lr, scale, beta1, beta2, eps, decay: applied.decay })
        };
        let rules: Vec<update::Adam> = all.iter().map(rule).collect::<Result<_>>()?;
        let state = self.kept.state.get_or_insert_with(|| State::zeros(params, SLOTS, self.state));
        update::visit_with_state(params, mode.law, &changes(all, &rules), mode.rounding, state)?;
        self.kept.steps += all.len() as u64;
        Ok(())
    }

    fn state_bytes(&self, params: &ParamSet) -> u64 {
        State::bytes(params, SLOTS.len(), self.state)
    }

    fn state(&self, params: &ParamSet) -> Result<Vec<(String, Tensor)>> {
        let mut all = match &self.kept.state {
            Some(state) => state.tensors(params)?,
            None => State::zeros(params, SLOTS, self.state).tensors(params)?,
        };
        let steps = Tensor::new(&[self.kept.steps as i64], &Device::Cpu).map_err(polder_perturb::Error::from)?;
        all.push((STEPS.to_owned(), steps));
        Ok(all)
    }

    fn restore(&mut self, params: &ParamSet, find: &mut dyn FnMut(&str) -> Option<Tensor>) -> Result<()> {
        let steps = find(STEPS).and_then(|t| t.to_vec1::<i64>().ok()).and_then(|t| u64::try_from(*t.first()?).ok());
        let missing = || polder_perturb::Error::State { name: STEPS.to_owned(), why: "it is missing".to_owned() };
        let steps = steps.ok_or_else(missing)?;
        let state = State::load(params, SLOTS, self.state, find)?;
        self.kept = Kept { steps, state: Some(state) };
        Ok(())
    }
}
