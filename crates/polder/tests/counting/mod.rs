//! A device that holds nothing and counts what it would hold: tensors have their shapes and no numbers.
//!
//! Bytes of a tensor are counted from the moment when it is made until its last handle is dropped. A tensor of a variable
//! keeps the operation that made it, so what is counted hangs on that operation.

#![allow(unreachable_pub)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Tensor, Var};
use polder::config::Arithmetic;
use polder_models::{ModelConfig, expected_tensors};
use polder_perturb::{Activation, Attention, Linear, Norm, NormKind, ParamSet, Reader, Result, RopeTable, Site};

/// Bytes that are held now, and at the highest.
#[derive(Debug, Default)]
pub struct Memory {
    live: AtomicU64,
    peak: AtomicU64,
}

impl Memory {
    pub fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Makes tensors that are counted.
#[derive(Clone)]
pub struct Counter {
    memory: Arc<Memory>,
    source: Tensor,
}

/// The bytes of one tensor.
struct Held {
    memory: Arc<Memory>,
    bytes: u64,
    shape: Shape,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.live.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl CustomOp1 for Held {
    fn name(&self) -> &'static str {
        "held"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(Vec::new()), self.shape.clone()))
    }
}

impl Counter {
    pub fn new() -> Self {
        let source = Var::zeros(1, DType::F32, &Device::Cpu).unwrap().into_inner();
        Self { memory: Arc::default(), source }
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A tensor of that shape, each number of so many bytes.
    pub fn tensor(&self, shape: impl Into<Shape>, number: usize) -> Result<Tensor> {
        let shape = shape.into();
        let bytes = (shape.elem_count() * number) as u64;
        let live = self.memory.live.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.memory.peak.fetch_max(live, Ordering::Relaxed);
        let held = Held { memory: Arc::clone(&self.memory), bytes, shape };
        Ok(self.source.apply_op1(held)?)
    }

    /// The parameters of a configuration, each number of so many bytes.
    pub fn params(&self, config: &ModelConfig, number: usize) -> ParamSet {
        let mut params = ParamSet::new();
        for (name, shape) in expected_tensors(config) {
            params.insert(&name, self.tensor(shape, number).unwrap()).unwrap();
        }
        params
    }
}

/// Allocates what the GPU reader of `polder-perturb` allocates, operation by operation, and computes nothing.
pub struct CountingReader<'a> {
    pub params: &'a ParamSet,
    pub counter: Counter,
    pub points: usize,
    pub arithmetic: Arithmetic,
    /// Bytes of a number that is sent to be read; 0 where weights lie on the device.
    pub sent: usize,
    /// What is kept for all layers, as there.
    kept: std::cell::RefCell<Vec<Tensor>>,
}

const SMALL: usize = 1 << 20;
const SCRATCH: usize = 1 << 26;
const TOKENS: usize = 4096;

impl<'a> CountingReader<'a> {
    pub fn new(params: &'a ParamSet, counter: &Counter, points: usize, arithmetic: Arithmetic, sent: usize) -> Self {
        Self { params, counter: counter.clone(), points, arithmetic, sent, kept: Default::default() }
    }

    /// Stored numbers that are sent for as long as they are read.
    fn held(&self, numbers: usize) -> Result<Option<Tensor>> {
        if self.sent == 0 { Ok(None) } else { self.counter.tensor(numbers, self.sent).map(Some) }
    }

    fn activations(&self, rows: usize, width: usize) -> Result<Tensor> {
        self.counter.tensor((rows, width), 4)
    }

    fn vectors(&self, width: usize) -> Result<Tensor> {
        let _held = self.held(width)?;
        self.counter.tensor((self.points, width), 4)
    }

    /// `x` as a factor of products: a copy where they are in bf16.
    fn factor(&self, x: &Tensor) -> Result<Tensor> {
        if self.arithmetic == Arithmetic::Bf16 { self.counter.tensor(x.shape(), 2) } else { Ok(x.clone()) }
    }

    /// The products with a weight's rows `0..columns`: one scratch matrix after the other, both points of a pair in each.
    fn multiply(&self, weight: Site, columns: usize) -> Result<()> {
        let (out, width) = self.params.get(weight).tensor.dims2()?;
        let variants = self.points.min(2);
        let room = (out * width).clamp(SMALL, SCRATCH) / (variants * width);
        let block = if room >= 64 { room / 64 * 64 } else { room.max(1) };
        let number = if self.arithmetic == Arithmetic::Bf16 { 2 } else { 4 };
        let _held = self.held(columns * width)?;
        for _ in 0..self.points.div_ceil(2) {
            for first in (0..columns).step_by(block) {
                let len = block.min(columns - first);
                drop(self.counter.tensor((variants * len, width), number)?);
            }
        }
        Ok(())
    }

    fn affine(&self, rows: usize, layer: &Linear) -> Result<Tensor> {
        let columns = self.params.get(layer.weight).tensor.dims()[0];
        let out = self.activations(rows, columns)?;
        self.multiply(layer.weight, columns)?;
        if layer.bias.is_some() {
            drop(self.vectors(columns)?);
        }
        Ok(out)
    }

    /// Keeps words on the device for the reader's life, once.
    fn keep(&self, words: usize) -> Result<()> {
        let mut kept = self.kept.borrow_mut();
        if kept.iter().all(|tensor| tensor.elem_count() != words) {
            kept.push(self.counter.tensor(words, 4)?);
        }
        Ok(())
    }
}

impl Reader for CountingReader<'_> {
    fn points(&self) -> usize {
        self.points
    }

    fn dtype(&self) -> DType {
        DType::F32
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn embed(&self, table: Site, ids: &[u32]) -> Result<Tensor> {
        // Of an offloaded table rows alone are sent.
        let _ids = if self.sent > 0 { None } else { Some(self.counter.tensor(ids.len(), 4)?) };
        self.activations(self.points * ids.len(), self.params.get(table).tensor.dims()[1])
    }

    fn linears(&self, x: &Tensor, layers: &[Linear]) -> Result<Vec<Tensor>> {
        let rows = x.dims()[0];
        let _x = self.factor(x)?;
        layers.iter().map(|layer| self.affine(rows, layer)).collect()
    }

    fn norm(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let vectors = if norm.kind == NormKind::Layer { 2 } else { 1 };
        let _vectors: Vec<Tensor> = (0..vectors).map(|_| self.vectors(norm.width)).collect::<Result<_>>()?;
        self.activations(x.dims()[0], x.dims()[1])
    }

    fn add(&self, x: Tensor, _: &Tensor) -> Result<Tensor> {
        self.activations(x.dims()[0], x.dims()[1])
    }

    fn activate(&self, x: Tensor, _: Activation) -> Result<Tensor> {
        self.activations(x.dims()[0], x.dims()[1])
    }

    fn gate(&self, gate: Tensor, _: &Tensor, _: Activation) -> Result<Tensor> {
        self.activations(gate.dims()[0], gate.dims()[1])
    }

    fn rope(&self, x: Tensor, table: &RopeTable, positions: &[u32]) -> Result<Tensor> {
        // Cosines and sines.
        self.keep(2 * positions.len() * table.half)?;
        self.activations(x.dims()[0], x.dims()[1])
    }

    fn attention(&self, q: &Tensor, _: &Tensor, _: &Tensor, spec: &Attention<'_>) -> Result<Tensor> {
        let tiles: usize = spec.sequences.iter().map(|s| s.rows.len.div_ceil(16)).sum();
        self.keep(4 * tiles)?;
        self.keep(q.dims()[0] / self.points)?;
        self.activations(q.dims()[0], q.dims()[1])
    }

    fn select(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let _index = self.counter.tensor(self.points * rows.len(), 4)?;
        self.activations(self.points * rows.len(), x.dims()[1])
    }

    fn log_probs(&self, x: &Tensor, head: Linear, pairs: &[(u32, u32)]) -> Result<Tensor> {
        let (vocabulary, rows) = (self.params.get(head.weight).tensor.dims()[0], x.dims()[0]);
        let _pairs = self.counter.tensor(2 * pairs.len(), 4)?;
        let wanted = self.points * pairs.len();
        let _flat = self.counter.tensor(wanted + vocabulary.div_ceil(TOKENS) * 3 * rows, 4)?;
        let _x = self.factor(x)?;
        for first in (0..vocabulary).step_by(TOKENS) {
            let tokens = TOKENS.min(vocabulary - first);
            let _logits = self.activations(rows, tokens)?;
            self.multiply(head.weight, tokens)?;
        }
        Ok(Tensor::zeros(wanted, DType::F64, &Device::Cpu)?)
    }
}
