//! `y = x·(W + Σ coeff·u)ᵀ + b` for every point, the shifted weight made block by block in cache.
//!
//! The input is packed once into panels of lanes, shared by all layers that read it. A job is a few dozen weight rows: it
//! makes them at every point in a scratch buffer that stays in cache, and multiplies each with that point's panels. The
//! direction and the stored weight are read once for all points.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::kernel::{DEPTH, GROUP, PANEL, STRIDE, multiply};
use crate::cpu::level::{Level, level};
use crate::cpu::pack::{pack, unpack};
use crate::cpu::shift::Shifted;
use crate::cpu::view::Shared;

/// Weight rows of a job: four groups. Fixed, since the head's log-softmax is summed job by job.
pub(super) const JOB: usize = 4 * GROUP;

/// Activations in panels: `[points][panels][width][PANEL]`.
pub(super) struct Panels {
    data: Vec<f32>,
    /// Rows of a point.
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) points: usize,
}

impl Panels {
    /// Packs `x [points·rows, width]`.
    pub(super) fn new(x: &[f32], points: usize, width: usize) -> Self {
        let rows = x.len() / width / points;
        let per_point = rows.div_ceil(PANEL);
        let mut data = vec![0f32; points * per_point * width * PANEL];
        let level = level();
        data.par_chunks_mut(width * PANEL).enumerate().for_each(|(i, panel)| {
            let (p, first) = (i / per_point, i % per_point * PANEL);
            let count = (rows - first).min(PANEL);
            pack(level, &x[(p * rows + first) * width..], width, count, panel);
        });
        Self { data, rows, width, points }
    }

    /// Panels of a point.
    pub(super) fn count(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    /// The rows of panel `i`.
    pub(super) fn rows_of(&self, i: usize) -> Range<usize> {
        i * PANEL..((i + 1) * PANEL).min(self.rows)
    }

    fn columns(&self, point: usize, i: usize, k: Range<usize>) -> &[f32] {
        let at = (point * self.count() + i) * self.width;
        &self.data[(at + k.start) * PANEL..(at + k.end) * PANEL]
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    weights: Vec<f32>,
    direction: Vec<f32>,
    /// `[points][panels][JOB][PANEL]`.
    pub(super) tiles: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Runs `f` with this thread's buffers.
pub(super) fn with_scratch<T>(f: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => f(&mut scratch),
        // A job that another job's parallel loop steals on this thread: it brings its own buffers.
        Err(_) => f(&mut Scratch::default()),
    })
}

/// One layer's weight, shape `[out, width]`, and where its output goes.
pub(super) struct Layer<'a> {
    pub(super) weight: Shifted<'a>,
    pub(super) bias: Option<Vec<Vec<f32>>>,
    pub(super) out: usize,
}

/// Products of the weight rows `rows` (at most `JOB`) with all panels of all points, in `scratch.tiles`.
pub(super) fn job(weight: &Shifted<'_>, rows: Range<usize>, x: &Panels, level: Level, scratch: &mut Scratch) {
    let (variants, panels) = (weight.variants(), x.count());
    let groups = rows.len().div_ceil(GROUP);
    let stride = JOB * STRIDE;
    scratch.weights.resize((variants * stride).max(scratch.weights.len()), 0.0);
    scratch.direction.resize(STRIDE, 0.0);
    let tiles = x.points * panels * JOB * PANEL;
    scratch.tiles.resize(tiles.max(scratch.tiles.len()), 0.0);
    let blocks = x.width.div_ceil(DEPTH);
    for block in 0..blocks {
        // Blocks of nearly equal depth, multiples of 64 so that they begin where the generator's tiles do.
        let depth = x.width.div_ceil(blocks).next_multiple_of(64);
        let k = (block * depth).min(x.width)..((block + 1) * depth).min(x.width);
        for (i, row) in rows.clone().enumerate() {
            let into = &mut scratch.weights[i * STRIDE..];
            weight.read(row * x.width + k.start, k.len(), into, stride, &mut scratch.direction);
        }
        for point in 0..x.points {
            let weights = &scratch.weights[point % variants * stride..][..stride];
            for panel in 0..panels {
                let columns = x.columns(point, panel, k.clone());
                let half = x.rows_of(panel).len() <= PANEL / 2;
                for group in 0..groups {
                    let at = ((point * panels + panel) * JOB + group * GROUP) * PANEL;
                    let tile = &mut scratch.tiles[at..at + GROUP * PANEL];
                    multiply(level, columns, &weights[group * GROUP * STRIDE..], k.len(), half, block > 0, tile);
                }
            }
        }
    }
}

/// All layers' outputs, `[points·rows, out]` each.
pub(super) fn linears(x: &Panels, layers: &[Layer<'_>]) -> Vec<Vec<f32>> {
    let level = level();
    let mut outputs: Vec<Vec<f32>> = layers.iter().map(|l| vec![0f32; x.points * x.rows * l.out]).collect();
    let places: Vec<Shared> = outputs.iter_mut().map(|o| Shared::new(o)).collect();
    let jobs: Vec<(usize, usize)> =
        layers.iter().enumerate().flat_map(|(l, layer)| (0..layer.out).step_by(JOB).map(move |row| (l, row))).collect();
    jobs.par_iter().with_max_len(1).for_each(|&(l, first)| {
        let layer = &layers[l];
        let rows = first..(first + JOB).min(layer.out);
        with_scratch(|scratch| {
            job(&layer.weight, rows.clone(), x, level, scratch);
            for point in 0..x.points {
                let bias = layer.bias.as_ref().map(|b| &b[point][rows.clone()]);
                for panel in 0..x.count() {
                    let tile = &mut scratch.tiles[(point * x.count() + panel) * JOB * PANEL..][..JOB * PANEL];
                    for (lanes, b) in tile.chunks_exact_mut(PANEL).zip(bias.into_iter().flatten()) {
                        lanes.iter_mut().for_each(|y| *y += b);
                    }
                    let x_rows = x.rows_of(panel);
                    let at = (point * x.rows + x_rows.start) * layer.out + first;
                    // SAFETY: this job alone writes columns `rows` of this layer's output.
                    #[allow(unsafe_code)]
                    unsafe {
                        unpack(level, tile, rows.len(), x_rows.len(), places[l], at, layer.out);
                    }
                }
            }
        });
    });
    outputs
}
