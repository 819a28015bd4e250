//! Where the time of forward passes goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use polder_perturb::{Activation, Attention, Linear, Next, Norm, Reader, Result, RopeTable, Site};

/// What a forward pass is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Linear layers, with the making of their weights at the points.
    Linear,
    /// The head with its log-softmax, likewise.
    Head,
    /// Attention.
    Attention,
    /// Everything else: rows of tables, norms, activations, rotary embeddings, sums, selections.
    Elementwise,
}

/// Adds up the time that each part takes; any number of readers may share one.
#[derive(Debug, Default)]
pub struct Clock {
    nanos: [AtomicU64; 4],
}

impl Clock {
    /// The time that a part took so far.
    pub fn of(&self, part: Part) -> Duration {
        Duration::from_nanos(self.nanos[part as usize].load(Ordering::Relaxed))
    }

    fn time<T>(&self, part: Part, f: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let out = f();
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanos[part as usize].fetch_add(nanos, Ordering::Relaxed);
        out
    }
}

/// A reader that does what another one does, by the clock.
pub struct Timed<'a> {
    inner: &'a dyn Reader,
    clock: &'a Clock,
}

impl<'a> Timed<'a> {
    /// `inner`, timed by `clock`.
    pub fn new(inner: &'a dyn Reader, clock: &'a Clock) -> Self {
        Self { inner, clock }
    }
}

impl Reader for Timed<'_> {
    fn points(&self) -> usize {
        self.inner.points()
    }

    fn dtype(&self) -> DType {
        self.inner.dtype()
    }

    fn device(&self) -> Device {
        self.inner.device()
    }

    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.embed(table, ids))
    }

    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>> {
        self.clock.time(Part::Linear, || self.inner.linears(x, layers))
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.norm(x, norm))
    }

    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.add(x, y))
    }

    fn activate(&self, x: Tensor, activation: Activation) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.activate(x, activation))
    }

    fn gate(&self, gate: Tensor, up: &Tensor, activation: Activation) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.gate(gate, up, activation))
    }

    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.rope(x, table, positions))
    }

    fn attention(&self, q: &Tensor, k: &Tensor, v: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        self.clock.time(Part::Attention, || self.inner.attention(q, k, v, spec))
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        self.clock.time(Part::Elementwise, || self.inner.select(x, rows))
    }

    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        self.clock.time(Part::Head, || self.inner.log_probs(x, head, pairs))
    }

    fn next(&self, x: &Tensor, head: Linear, whole: bool) -> Result<Vec<Next>> {
        self.clock.time(Part::Head, || self.inner.next(x, head, whole))
    }
}
