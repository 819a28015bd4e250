//! A network's sweep over its examples, eight at a time.

use super::super::smooth::Scratch;
use super::super::wide::{LANES, Simd, Work, times};
use super::Network;
use super::affine::Row;
use super::layer::Pass;

/// The mean loss over examples, and its gradient where there is room for it.
pub(super) struct Sweep<'a> {
    pub(super) network: &'a Network,
    pub(super) x: &'a [f64],
    pub(super) rows: Option<&'a [usize]>,
    pub(super) scratch: &'a mut Scratch,
    pub(super) gradient: Option<&'a mut [f64]>,
}

impl Work for Sweep<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { network, x, rows, scratch, mut gradient } = self;
        assert_eq!(x.len(), network.dimension, "the network's weights");
        let count = rows.map_or(network.examples.count(), <[usize]>::len);
        let (mut block, mut sum) = (Block::new(network, scratch), 0.0);
        if let Some(gradient) = &mut gradient {
            gradient.fill(0.0);
        }
        for first in (0..count).step_by(LANES) {
            let mut chosen = [0; LANES];
            let chosen = &mut chosen[..LANES.min(count - first)];
            for (i, chosen) in chosen.iter_mut().enumerate() {
                *chosen = rows.map_or(first + i, |rows| rows[first + i]);
            }
            block.load(chosen);
            block.forward(simd, x);
            let losses = block.losses(chosen);
            for loss in &losses[..chosen.len()] {
                sum += loss;
            }
            if let Some(gradient) = &mut gradient {
                block.silence(chosen.len());
                block.backward(x, gradient);
            }
        }
        for g in gradient.into_iter().flatten() {
            *g /= count as f64;
        }
        sum / count as f64
    }
}

/// The number of examples whose largest output is their class's.
pub(super) struct Right<'a> {
    pub(super) network: &'a Network,
    pub(super) x: &'a [f64],
    pub(super) scratch: &'a mut Scratch,
}

impl Work for Right<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Self { network, x, scratch } = self;
        let all: Vec<usize> = (0..network.examples.count()).collect();
        let (mut block, mut right) = (Block::new(network, scratch), 0);
        for chosen in all.chunks(LANES) {
            block.load(chosen);
            block.forward(simd, x);
            let outputs = &block.kept[block.kept.len() - network.examples.classes()..];
            for (l, example) in chosen.iter().enumerate() {
                let best = (0..outputs.len()).rev().max_by(|a, b| outputs[*a][l].total_cmp(&outputs[*b][l]));
                right += usize::from(best == Some(network.examples.labels()[*example]));
            }
        }
        right
    }
}

/// The buffers of eight examples' pass.
struct Block<'a> {
    network: &'a Network,
    /// The inputs and every layer's outputs.
    kept: &'a mut [Row],
    /// Room for the patches of a convolution.
    patch: &'a mut [Row],
    /// Room for two layers' gradients.
    slopes: &'a mut [Row],
}

impl<'a> Block<'a> {
    #[inline(always)]
    fn new(network: &'a Network, scratch: &'a mut Scratch) -> Self {
        let (mut kept, mut widest, mut patch) = (network.examples.width(), network.examples.width(), 0);
        for layer in &network.layers {
            kept += layer.outputs();
            widest = widest.max(layer.outputs());
            patch = patch.max(2 * layer.patch());
        }
        let (all, _) = scratch.take((kept + patch + 2 * widest) * LANES).as_chunks_mut::<LANES>();
        let (kept, rest) = all.split_at_mut(kept);
        let (patch, slopes) = rest.split_at_mut(patch);
        Self { network, kept, patch, slopes }
    }

    /// Writes the inputs of some examples over the first rows, 0 in the lanes that are left.
    #[inline(always)]
    fn load(&mut self, chosen: &[usize]) {
        let inputs = &mut self.kept[..self.network.examples.width()];
        if chosen.len() < LANES {
            inputs.fill([0.0; LANES]);
        }
        for (l, example) in chosen.iter().enumerate() {
            for (row, input) in inputs.iter_mut().zip(self.network.examples.input(*example)) {
                row[l] = *input;
            }
        }
    }

    /// Fills in the outputs of all layers, one after the other behind the inputs.
    #[inline(always)]
    fn forward<S: Simd>(&mut self, simd: S, x: &[f64]) {
        let (mut from, mut to) = (0, self.network.examples.width());
        for layer in &self.network.layers {
            let (before, after) = self.kept.split_at_mut(to);
            let outputs = layer.outputs();
            layer.forward(simd, x, &before[from..], &mut after[..outputs], &mut self.patch[..layer.patch()]);
            (from, to) = (to, to + outputs);
        }
    }

    /// `½‖out − y‖²` of each lane; the differences `out − y` go over the first rows of `slopes`.
    #[inline(always)]
    fn losses(&mut self, chosen: &[usize]) -> Row {
        let examples = &self.network.examples;
        let away = &mut self.slopes[..examples.classes()];
        away.copy_from_slice(&self.kept[self.kept.len() - examples.classes()..]);
        for (l, example) in chosen.iter().enumerate() {
            away[examples.labels()[*example]][l] -= 1.0;
        }
        let mut sums = [0.0; LANES];
        for row in &*away {
            for l in 0..LANES {
                sums[l] += row[l] * row[l];
            }
        }
        times(&sums, &[0.5; LANES])
    }

    /// Takes the lanes that hold no example out of the gradient by the outputs.
    #[inline(always)]
    fn silence(&mut self, from: usize) {
        for row in &mut self.slopes[..self.network.examples.classes()] {
            row[from..].fill(0.0);
        }
    }

    /// Adds these examples' part of the gradient; that by the outputs stands in the first rows of `slopes`.
    #[inline(always)]
    fn backward(&mut self, x: &[f64], gradient: &mut [f64]) {
        let Self { network, kept, patch, slopes } = self;
        let (mut slope, mut down) = slopes.split_at_mut(slopes.len() / 2);
        let mut to = kept.len();
        for (i, layer) in network.layers.iter().enumerate().rev() {
            let inputs = if i == 0 { network.examples.width() } else { network.layers[i - 1].outputs() };
            let from = to - layer.outputs();
            let (input, out) = (&kept[from - inputs..from], &kept[from..to]);
            let pass = Pass { input, out, slope: &slope[..layer.outputs()] };
            layer.backward(x, pass, gradient, &mut down[..inputs], &mut patch[..2 * layer.patch()]);
            (slope, down, to) = (down, slope, from);
        }
    }
}
