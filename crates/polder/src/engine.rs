//! A model with its weights, asked for log-probabilities at points.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::DType;
use polder_models::{LanguageModel, Tokens};
use polder_perturb::{CpuReader, ParamSet, Points};
use serde::Serialize;

use crate::error::Result;
use crate::timed::{Clock, Timed};

/// What forward passes cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Sequences that were run, once for each point; a shared prompt and its branches are one.
    pub sequences: u64,
    /// Token rows that were run, once for each point.
    pub tokens: u64,
    /// Calls of the model.
    pub passes: u64,
}

impl Counts {
    /// What was added since an earlier count.
    pub fn since(self, before: Self) -> Self {
        Self {
            sequences: self.sequences - before.sequences,
            tokens: self.tokens - before.tokens,
            passes: self.passes - before.passes,
        }
    }
}

/// A model and its weights.
#[derive(Debug)]
pub struct Engine<'a> {
    model: &'a dyn LanguageModel,
    params: &'a ParamSet,
    sequences: AtomicU64,
    tokens: AtomicU64,
    passes: AtomicU64,
    clock: Option<&'a Clock>,
}

impl<'a> Engine<'a> {
    /// The model, reading these weights.
    pub fn new(model: &'a dyn LanguageModel, params: &'a ParamSet) -> Self {
        Self { model, params, sequences: 0.into(), tokens: 0.into(), passes: 0.into(), clock: None }
    }

    /// Times the parts of every pass from now on.
    pub fn timed_by(mut self, clock: &'a Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The weights.
    pub fn params(&self) -> &'a ParamSet {
        self.params
    }

    /// The wanted log-probabilities at every point, in nats: those of point 0, then those of point 1, and so on.
    ///
    /// # Errors
    /// A token or position outside of the model's tables; a failing tensor operation.
    pub fn log_probs(&self, points: &Points, tokens: &Tokens) -> Result<Vec<f64>> {
        let count = points.count() as u64;
        let whole = tokens.sequences.iter().filter(|s| s.prefix.len == 0).count() as u64;
        self.sequences.fetch_add(count * whole, Ordering::Relaxed);
        self.tokens.fetch_add(count * tokens.rows() as u64, Ordering::Relaxed);
        self.passes.fetch_add(1, Ordering::Relaxed);
        let reader = CpuReader::new(self.params, points);
        let log_probs = match self.clock {
            None => self.model.log_probs(&reader, tokens)?,
            Some(clock) => self.model.log_probs(&Timed::new(&reader, clock), tokens)?,
        };
        // Not rounded to f32: that alone would move a projected gradient at λ = 1e-3 by some 1e-4.
        Ok(log_probs.to_dtype(DType::F64)?.to_vec1()?)
    }

    /// What was run since the engine was made.
    pub fn counts(&self) -> Counts {
        Counts {
            sequences: self.sequences.load(Ordering::Relaxed),
            tokens: self.tokens.load(Ordering::Relaxed),
            passes: self.passes.load(Ordering::Relaxed),
        }
    }
}
