//! A model with its weights, asked for log-probabilities at points.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::DType;
use polder_models::{Cache, Description, LanguageModel, Stem, Tokens};
use polder_perturb::{Arithmetic, Next, ParamSet, Points, Reader, materialise};
use serde::Serialize;

use crate::error::Result;
use crate::packing::Packed;
use crate::timed::{Clock, Timed};

/// What forward passes cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Sequences that were run, once for each point; an example with all its options is one.
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

/// What makes an engine's readers. [`polder_perturb::reader`] goes by the device that computes; another one may watch or
/// stand in for it.
pub type MakeReader = for<'r> fn(&'r ParamSet, &'r Points, Arithmetic) -> polder_perturb::Result<Box<dyn Reader + 'r>>;

/// A model and its weights.
#[derive(Debug)]
pub struct Engine<'a> {
    model: &'a dyn LanguageModel,
    params: &'a ParamSet,
    sequences: AtomicU64,
    tokens: AtomicU64,
    passes: AtomicU64,
    clock: Option<&'a Clock>,
    arithmetic: Arithmetic,
    readers: MakeReader,
}

impl<'a> Engine<'a> {
    /// The model, reading these weights.
    pub fn new(model: &'a dyn LanguageModel, params: &'a ParamSet) -> Self {
        Self {
            model,
            params,
            sequences: 0.into(),
            tokens: 0.into(),
            passes: 0.into(),
            clock: None,
            arithmetic: Arithmetic::F32,
            readers: polder_perturb::reader,
        }
    }

    /// Reads by these readers from now on.
    pub fn reading_by(mut self, readers: MakeReader) -> Self {
        self.readers = readers;
        self
    }

    /// Times the parts of every pass from now on.
    pub fn timed_by(mut self, clock: &'a Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Multiplies in that arithmetic from now on.
    pub fn in_arithmetic(mut self, arithmetic: Arithmetic) -> Self {
        self.arithmetic = arithmetic;
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
        let whole = tokens.sequences.iter().filter(|s| s.prefix.len == 0).count();
        self.wanted(points, None, tokens, whole)
    }

    /// The same of packed examples, after the stem that they follow, which was made at the same points.
    ///
    /// # Errors
    /// As [`Engine::log_probs`]; another stem than the tokens follow.
    pub fn log_probs_of(&self, points: &Points, stem: Option<&Stem>, packed: &Packed) -> Result<Vec<f64>> {
        self.wanted(points, stem, &packed.tokens, packed.spans.len())
    }

    fn wanted(&self, points: &Points, stem: Option<&Stem>, tokens: &Tokens, sequences: usize) -> Result<Vec<f64>> {
        self.count(points, sequences, tokens.rows());
        let log_probs = self.read(points, |reader| self.model.log_probs_after(reader, stem, tokens))?;
        // Not rounded to f32: that alone would move a projected gradient at λ = 1e-3 by some 1e-4.
        Ok(log_probs.to_dtype(DType::F64)?.to_vec1()?)
    }

    /// Runs what many sequences begin with, for passes over what follows.
    ///
    /// # Errors
    /// As [`Engine::log_probs`].
    pub fn stem(&self, points: &Points, ids: &[u32]) -> Result<Stem> {
        self.count(points, 1, ids.len());
        self.read(points, |reader| self.model.stem(reader, ids))
    }

    /// Room for sequences that grow, at one point: see [`Cache::new`].
    ///
    /// # Errors
    /// Several points; as [`Cache::new`].
    pub fn cache(&self, points: &Points, common: usize, places: usize, each: usize) -> Result<Cache> {
        self.read(points, |reader| Cache::new(&self.model.describe(), reader, common, places, each))
    }

    /// Runs what all sequences of a cache begin with.
    ///
    /// # Errors
    /// As [`Cache::begin`].
    pub fn begin(&self, points: &Points, cache: &mut Cache, ids: &[u32]) -> Result<()> {
        self.count(points, 1, ids.len());
        self.read(points, |reader| cache.begin(self.model, reader, ids))
    }

    /// Appends tokens to sequences of a cache, and says what may follow each.
    ///
    /// # Errors
    /// As [`Cache::extend`].
    pub fn extend(
        &self,
        points: &Points,
        cache: &mut Cache,
        parts: &[(usize, &[u32])],
        whole: bool,
    ) -> Result<Vec<Next>> {
        let begun = parts.iter().filter(|(place, _)| cache.is_fresh(*place)).count();
        self.count(points, begun, parts.iter().map(|(_, ids)| ids.len()).sum());
        self.read(points, |reader| cache.extend(self.model, reader, parts, whole))
    }

    /// The model's shape.
    pub fn describe(&self) -> Description {
        self.model.describe()
    }

    /// The largest number of tokens of a sequence.
    pub fn positions(&self) -> usize {
        self.model.max_positions()
    }

    /// The arithmetic that it multiplies in.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// Runs `f` with an engine and points that read the weights of a single point: the same bits, whether they are made
    /// whole once (`whole`) or read at the point anew in every pass. What it runs is counted here.
    ///
    /// # Errors
    /// Several points where they are to be made whole; what `f` fails with.
    pub fn at_point<T>(
        &self,
        points: &Points,
        whole: bool,
        f: impl FnOnce(&Engine<'_>, &Points) -> Result<T>,
    ) -> Result<T> {
        if !whole {
            return f(self, points);
        }
        let params = materialise(self.params, points)?;
        let Self { clock, arithmetic, readers, .. } = *self;
        let inner = Engine { clock, arithmetic, readers, ..Engine::new(self.model, &params) };
        let out = f(&inner, &Points::plain());
        let Counts { sequences, tokens, passes } = inner.counts();
        self.sequences.fetch_add(sequences, Ordering::Relaxed);
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
        self.passes.fetch_add(passes, Ordering::Relaxed);
        out
    }

    fn count(&self, points: &Points, sequences: usize, rows: usize) {
        let count = points.count() as u64;
        self.sequences.fetch_add(count * sequences as u64, Ordering::Relaxed);
        self.tokens.fetch_add(count * rows as u64, Ordering::Relaxed);
        self.passes.fetch_add(1, Ordering::Relaxed);
    }

    fn read<T>(&self, points: &Points, f: impl FnOnce(&dyn Reader) -> polder_models::Result<T>) -> Result<T> {
        let reader = (self.readers)(self.params, points, self.arithmetic)?;
        Ok(match self.clock {
            None => f(reader.as_ref())?,
            Some(clock) => f(&Timed::new(reader.as_ref(), clock))?,
        })
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
