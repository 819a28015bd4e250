//! `y = x·(W + Σ coeff·u)ᵀ + b` for every point, the shifted weight made block by block in cache.
//!
//! The input is packed once into panels of lanes, shared by all layers that read it. A job is a few dozen weight rows: it
//! makes them at every point in a scratch buffer that stays in cache, and multiplies each with that point's panels. The
//! direction and the stored weight are read once for all points.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::kernel::{Columns, DEPTH, GROUP, PANEL, STRIDE, Tiles, multiply};
use crate::cpu::level::{Level, level};
use crate::cpu::made::{Lines, Unwritten};
use crate::cpu::pack::{pack, unpack};
use crate::cpu::pairs;
use crate::cpu::round::{exchange_lanes, join_lanes, round_nearest, round_row};
use crate::cpu::shift::Shifted;
use crate::cpu::view::Shared;
use crate::reader::Arithmetic;

/// Weight rows of a job: four groups. Fixed, since the head's log-softmax is summed job by job.
pub(super) const JOB: usize = 4 * GROUP;
/// Elements of a job's tile of one panel.
const TILE: usize = JOB * PANEL;

/// How panels and weights are laid out for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// f32, column by column.
    Plain,
    /// Rounded to bf16 and held as f32, each two columns exchanged: the order in which pairs are summed.
    Exchanged,
    /// Rounded to bf16, two columns in a word.
    Pairs,
}

impl Layout {
    /// The layout of an arithmetic on this machine.
    pub(super) fn of(arithmetic: Arithmetic) -> Self {
        match arithmetic {
            // There is no TF32 here, and f32 is more exact.
            Arithmetic::F32 | Arithmetic::Tf32 => Self::Plain,
            Arithmetic::Bf16 if pairs::native() => Self::Pairs,
            Arithmetic::Bf16 => Self::Exchanged,
        }
    }

    /// Columns that are stored for `width` of them.
    fn columns(self, width: usize) -> usize {
        if self == Self::Pairs { width.div_ceil(2) } else { width }
    }
}

/// Activations in panels: `[points][panels][columns][PANEL]`.
pub(super) struct Panels {
    data: Lines,
    layout: Layout,
    /// Rows of a point.
    pub(super) rows: usize,
    pub(super) width: usize,
    pub(super) points: usize,
}

impl Panels {
    /// Packs `x [points·rows, width]`.
    pub(super) fn new(x: &[f32], points: usize, width: usize, layout: Layout) -> Self {
        let rows = x.len() / width / points;
        let per_point = rows.div_ceil(PANEL);
        let columns = layout.columns(width);
        let mut data = Lines::some(points * per_point * columns * PANEL);
        let level = level();
        data.par_chunks_mut(columns * PANEL).enumerate().for_each_init(Vec::new, |whole, (i, panel)| {
            let (p, first) = (i / per_point, i % per_point * PANEL);
            let (x, count) = (&x[(p * rows + first) * width..], (rows - first).min(PANEL));
            if layout == Layout::Pairs {
                whole.resize(width * PANEL, 0.0);
                pack(level, x, width, count, whole);
                round_nearest(level, whole);
                join_lanes(whole, panel);
            } else {
                pack(level, x, width, count, panel);
                if layout == Layout::Exchanged {
                    round_nearest(level, panel);
                    exchange_lanes(panel);
                }
            }
        });
        Self { data, layout, rows, width, points }
    }

    /// Panels of a point.
    pub(super) fn count(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    /// The rows of panel `i`.
    pub(super) fn rows_of(&self, i: usize) -> Range<usize> {
        i * PANEL..((i + 1) * PANEL).min(self.rows)
    }

    /// Columns `k` of all panels of a point.
    fn columns(&self, point: usize, k: Range<usize>) -> Columns<'_> {
        let (stride, count) = (self.layout.columns(self.width) * PANEL, self.count());
        let data = &self.data[point * count * stride..(point + 1) * count * stride];
        // Blocks begin at multiples of 64 columns.
        let (from, depth) = (self.layout.columns(k.start), self.layout.columns(k.len()));
        let last = self.rows - count.saturating_sub(1) * PANEL;
        Columns { data: &data[(from * PANEL).min(data.len())..], stride, count, depth, last }
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    weights: Vec<f32>,
    wide: Vec<f32>,
    random: Vec<u16>,
    rounded: Vec<u16>,
    /// `[points of a group][panels][JOB][PANEL]`.
    tiles: Vec<f32>,
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

/// Multiplies the weight rows `rows` (at most `JOB`) with all panels of all points.
///
/// `each(point, panel, tile)` gets every product, `[rows][PANEL]`, point by point and panel by panel.
pub(super) fn job(
    weight: &Shifted<'_>,
    rows: Range<usize>,
    x: &Panels,
    level: Level,
    scratch: &mut Scratch,
    mut each: impl FnMut(usize, usize, &mut [f32]),
) {
    let (width, panels, stride) = (x.width, x.count(), JOB * STRIDE);
    let (row_groups, blocks) = (rows.len().div_ceil(GROUP), width.div_ceil(DEPTH));
    // Blocks of nearly equal depth, multiples of 64 so that they begin where the generator's tiles do.
    let depth = width.div_ceil(blocks).next_multiple_of(64);
    let layout = x.layout;
    let Scratch { weights, wide, random, rounded, tiles } = scratch;
    for group in weight.groups() {
        weights.resize((group.variants * stride).max(weights.len()), 0.0);
        tiles.resize((group.points.len() * panels * TILE).max(tiles.len()), 0.0);
        for block in 0..blocks {
            let k = (block * depth).min(width)..((block + 1) * depth).min(width);
            for (i, row) in rows.clone().enumerate() {
                let start = row * width + k.start;
                if row + 1 < rows.end {
                    weight.prefetch(start + width..start + width + k.len());
                }
                weight.read(group, start, k.len(), &mut weights[i * STRIDE..], stride, wide);
                if x.layout != Layout::Plain {
                    let variants = (0..group.variants).map(|v| v * stride + i * STRIDE);
                    let random = weight.dither(group, start, k.len(), random);
                    for at in variants {
                        round_row(level, &mut weights[at..at + k.len()], random, rounded, x.layout);
                    }
                }
            }
            for (p, point) in group.points.clone().enumerate() {
                let weights = &weights[p % group.variants * stride..][..stride];
                let data = &mut tiles[p * panels * TILE..][..panels * TILE];
                let mut tiles = Tiles { data, stride: TILE };
                let (x, more) = (x.columns(point, k.clone()), block > 0);
                match layout {
                    Layout::Pairs => pairs::multiply(x, weights, row_groups, more, &mut tiles),
                    _ => multiply(level, x, weights, row_groups, more, &mut tiles),
                }
            }
        }
        for (p, point) in group.points.clone().enumerate() {
            for panel in 0..panels {
                each(point, panel, &mut tiles[(p * panels + panel) * TILE..][..rows.len() * PANEL]);
            }
        }
    }
}

/// All layers' outputs, `[points·rows, out]` each.
pub(super) fn linears(x: &Panels, layers: &[Layer<'_>]) -> Vec<Vec<f32>> {
    let len = |layer: &Layer<'_>| x.points * x.rows * layer.out;
    let mut outputs: Vec<Unwritten> = layers.iter().map(|layer| Unwritten::new(len(layer))).collect();
    let places: Vec<Shared> = outputs.iter_mut().map(Unwritten::place).collect();
    fill(x, layers, &places);
    // SAFETY: `fill` has written every element of every output.
    #[allow(unsafe_code)]
    let finish = |(output, layer): (Unwritten, _)| unsafe { output.finish(len(layer)) };
    outputs.into_iter().zip(layers).map(finish).collect()
}

/// Writes the layers' outputs to their places.
fn fill(x: &Panels, layers: &[Layer<'_>], places: &[Shared]) {
    let level = level();
    let jobs: Vec<(usize, usize)> =
        layers.iter().enumerate().flat_map(|(l, layer)| (0..layer.out).step_by(JOB).map(move |row| (l, row))).collect();
    jobs.par_iter().with_max_len(1).for_each(|&(l, first)| {
        let layer = &layers[l];
        let rows = first..(first + JOB).min(layer.out);
        with_scratch(|scratch| {
            job(&layer.weight, rows.clone(), x, level, scratch, |point, panel, tile| {
                let bias = layer.bias.as_ref().map(|b| &b[point][rows.clone()]);
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
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::cpu::view::View;
    use crate::direction::{Law, Seed};
    use crate::param::ParamSet;
    use crate::points::Points;

    #[test]
    fn both_layouts_of_bf16_give_the_same_bits_near_those_of_f32() {
        for (width, out) in [(64, 12), (1601, 50), (777, 49)] {
            let mut params = ParamSet::new();
            let numbers =
                |n: usize, phase: f32| (0..n).map(|i| (i as f32 * 0.37 + phase).sin() * 0.3).collect::<Vec<_>>();
            let weight = Tensor::from_vec(numbers(out * width, 0.0), (out, width), &Device::Cpu).unwrap();
            let site = params.insert("w", weight).unwrap();
            let param = params.get(site);
            let view = View::of(param).unwrap();
            for points in [Points::pair(Law::Gaussian, Seed(5), 1e-2), Points::plain()] {
                let x = numbers(points.count() * 19 * width, 1.0);
                let product = |layout| {
                    let weight = Shifted::new(param, &view, &points).unwrap();
                    let panels = Panels::new(&x, points.count(), width, layout);
                    linears(&panels, &[Layer { weight, bias: None, out }]).remove(0)
                };
                let [plain, exchanged, pairs] = [Layout::Plain, Layout::Exchanged, Layout::Pairs].map(product);
                let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
                assert!(bits(&exchanged) == bits(&pairs), "{width} {out}");
                assert!(bits(&exchanged) != bits(&plain));
                // Two roundings of at most 2⁻⁸ and 2⁻⁹ of each product, of random sign: some 2⁻⁸·√width·0.3².
                let allowed = 6.0 * 2f32.powi(-8) * (width as f32).sqrt() * 0.09;
                let apart = plain.iter().zip(&pairs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart < allowed, "{width}: {apart} of {allowed}");
            }
        }
    }
}
