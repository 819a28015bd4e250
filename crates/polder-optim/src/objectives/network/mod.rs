//! Small networks with squared loss.

mod affine;
mod examples;
mod layer;
mod sweep;

use polder_perturb::Seed;

use affine::Affine;
pub use examples::Examples;
use layer::Layer;
use sweep::{Right, Sweep};

use super::draws::normal;
use super::smooth::{Scratch, Smooth};
use super::wide::wide;
use crate::error::Result;
use crate::estimator::setting;

/// A network with the squared loss `f(x) = (1/2N) Σᵢ ‖out(inputᵢ; x) − yᵢ‖²`, y one-hot.
///
/// x holds, layer after layer, the weights `[outputs, inputs]` row-major, then the biases. Eight examples are computed
/// side by side; the bits of an example's loss don't depend on the others. Source of the loss and of the convolutional
/// architecture (there 4 layers of width 32): Song et al., arXiv 2604.14669, Figures 1 and 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<Layer>,
    examples: Examples,
    dimension: usize,
}

impl Network {
    /// A network of dense layers with tanh between them: from the inputs over `hidden` units to one output a class.
    ///
    /// # Errors
    /// A hidden layer without units.
    pub fn mlp(examples: Examples, hidden: &[usize]) -> Result<Self> {
        if hidden.contains(&0) {
            return Err(setting("hidden", 0, "a layer needs at least one unit"));
        }
        let mut network = Self { layers: Vec::new(), dimension: 0, examples };
        let mut width = network.examples.width();
        for &units in hidden {
            let affine = network.affine(width, units);
            network.layers.extend([Layer::Dense(affine), Layer::Tanh(units)]);
            width = units;
        }
        let out = network.affine(width, network.examples.classes());
        network.layers.push(Layer::Dense(out));
        Ok(network)
    }

    /// A network of `depth` 3×3 convolutions of `width` channels with GELU, average pooling and a linear read-out.
    ///
    /// After each second convolution the image is averaged over windows of 2×2 while its side is even, at the end over all
    /// of it.
    ///
    /// # Errors
    /// Inputs that are no square images of three channels; no convolution or channel.
    pub fn convolutional(examples: Examples, width: usize, depth: usize) -> Result<Self> {
        let mut channels = Examples::CHANNELS;
        let mut side = (examples.width() / channels).isqrt();
        if side * side * channels != examples.width() {
            return Err(setting("width", examples.width(), "inputs must be square images of three channels"));
        }
        if width == 0 || depth == 0 {
            return Err(setting("depth", depth.min(width), "there must be at least one convolution and one channel"));
        }
        let mut network = Self { layers: Vec::new(), dimension: 0, examples };
        for layer in 1..=depth {
            let affine = network.affine(9 * channels, width);
            channels = width;
            network.layers.extend([Layer::Convolution { side, affine }, Layer::Gelu(side * side * channels)]);
            if layer == depth {
                network.layers.push(Layer::Pool { side, channels, window: side });
            } else if layer % 2 == 0 && side.is_multiple_of(2) {
                network.layers.push(Layer::Pool { side, channels, window: 2 });
                side /= 2;
            }
        }
        let out = network.affine(channels, network.examples.classes());
        network.layers.push(Layer::Dense(out));
        Ok(network)
    }

    /// Room for another affine map's numbers.
    fn affine(&mut self, inputs: usize, outputs: usize) -> Affine {
        let affine = Affine { at: self.dimension, inputs, outputs };
        self.dimension += affine.len();
        affine
    }

    /// The examples.
    pub fn data(&self) -> &Examples {
        &self.examples
    }

    /// A start: weights N(0, 1/inputs), biases 0.
    pub fn start(&self, seed: Seed) -> Vec<f64> {
        let mut x = normal(seed, "network.start", self.dimension);
        for affine in self.layers.iter().filter_map(Layer::affine) {
            let (weights, biases) = x[affine.at..affine.at + affine.len()].split_at_mut(affine.inputs * affine.outputs);
            let scale = 1.0 / (affine.inputs as f64).sqrt();
            weights.iter_mut().for_each(|w| *w *= scale);
            biases.fill(0.0);
        }
        x
    }
}

impl Smooth for Network {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn examples(&self) -> usize {
        self.examples.count()
    }

    fn value(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch) -> f64 {
        wide(Sweep { network: self, x, rows, scratch, gradient: None })
    }

    fn gradient(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        wide(Sweep { network: self, x, rows, scratch, gradient: Some(out) })
    }

    /// The share of examples whose largest output is their class's (the first of equal ones).
    fn accuracy(&self, x: &[f64]) -> Option<f64> {
        let right = wide(Right { network: self, x, scratch: &mut Scratch::new() });
        Some(right as f64 / self.examples.count() as f64)
    }
}
