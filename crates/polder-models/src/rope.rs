//! The rotary embedding's tables of cosines and sines.

use std::f64::consts::PI;
use std::sync::{Arc, PoisonError, RwLock};

use polder_perturb::RopeTable;

use crate::config::{RopeConfig, RopeKind};

/// The frequencies of a model's rotary embedding, and a table of them that grows with the positions that are asked for.
#[derive(Debug)]
pub(crate) struct Rotary {
    /// The angle per position of each pair of elements, in radians; f32, as models were trained with.
    frequencies: Vec<f32>,
    /// The factor on cosines and sines.
    factor: f64,
    limit: usize,
    table: RwLock<Arc<RopeTable>>,
}

impl Rotary {
    /// The frequencies `θ^(−2i/d)`, stretched as the configuration says.
    pub(crate) fn new(config: &RopeConfig, head_dim: usize, limit: usize) -> Self {
        let factor = if let RopeKind::Yarn { attention, .. } = config.kind { attention } else { 1.0 };
        let half = head_dim / 2;
        let empty = RopeTable { cos: Vec::new(), sin: Vec::new(), half };
        Self { frequencies: frequencies(config, head_dim), factor, limit, table: RwLock::new(Arc::new(empty)) }
    }

    /// A table of at least the positions `0..len`; `len` is at most the model's limit.
    pub(crate) fn table(&self, len: usize) -> Arc<RopeTable> {
        let have = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        let half = self.frequencies.len();
        if have.cos.len() >= len * half {
            return have;
        }
        let mut place = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if place.cos.len() < len * half {
            let rows = len.max(128).next_power_of_two().min(self.limit.max(len));
            *place = Arc::new(self.make(rows));
        }
        Arc::clone(&place)
    }

    /// The first `rows` positions.
    fn make(&self, rows: usize) -> RopeTable {
        // The angle is rounded to f32 before its cosine is taken: so it was in training, and at large positions
        // another rounding would be another angle.
        let angles = (0..rows).flat_map(|p| self.frequencies.iter().map(move |f| f64::from(p as f32 * f)));
        let (sin, cos) = angles.map(|a| (a.sin() * self.factor, a.cos() * self.factor)).unzip();
        RopeTable { cos, sin, half: self.frequencies.len() }
    }
}

/// The angle per position of each pair of elements; computed in f64, rounded to f32 at the end.
fn frequencies(config: &RopeConfig, head_dim: usize) -> Vec<f32> {
    let half = head_dim / 2;
    let plain = |i: usize| config.theta.powf(-(2.0 * i as f64) / head_dim as f64);
    let stretched = |i: usize| match &config.kind {
        RopeKind::Default => plain(i),
        RopeKind::Linear { factor } => plain(i) / factor,
        RopeKind::Llama3 { factor, low, high, original } => llama3(plain(i), *factor, *low, *high, *original),
        RopeKind::Yarn { factor, original, beta_fast, beta_slow, truncate, .. } => {
            let index = |rotations| yarn_index(rotations, head_dim, config.theta, *original);
            let (from, to) = (index(*beta_fast), index(*beta_slow));
            let (from, to) = if *truncate { (from.floor(), to.ceil()) } else { (from, to) };
            let (from, to) = (from.max(0.0), to.min(head_dim as f64 - 1.0));
            // Equal ends would divide by zero; the published code moves the upper one by this much.
            let to = if from == to { to + 0.001 } else { to };
            let ramp = ((i as f64 - from) / (to - from)).clamp(0.0, 1.0);
            plain(i) / factor * ramp + plain(i) * (1.0 - ramp)
        }
    };
    (0..half).map(|i| stretched(i) as f32).collect()
}

/// LLaMA 3.1's stretching of one frequency: by wavelength, smooth between the bands.
fn llama3(plain: f64, factor: f64, low: f64, high: f64, original: f64) -> f64 {
    let wavelength = 2.0 * PI / plain;
    if wavelength < original / high {
        return plain;
    }
    if wavelength > original / low {
        return plain / factor;
    }
    let smooth = (original / wavelength - low) / (high - low);
    (1.0 - smooth) * plain / factor + smooth * plain
}

/// The index of the frequency that turns `rotations` times in the original context (YaRN, equation 20).
fn yarn_index(rotations: f64, head_dim: usize, theta: f64, original: f64) -> f64 {
    head_dim as f64 * (original / (rotations * 2.0 * PI)).ln() / (2.0 * theta.ln())
}
