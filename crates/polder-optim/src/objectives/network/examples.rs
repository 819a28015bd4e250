//! Examples that a network learns: made by the program, so that they need no download.

use polder_perturb::Seed;

use super::super::draws::{Words, normal};
use crate::error::{Error, Result};
use crate::estimator::setting;

/// Inputs of one width with a class each.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    pub(super) inputs: Vec<f64>,
    pub(super) width: usize,
    pub(super) labels: Vec<usize>,
    pub(super) classes: usize,
}

impl Examples {
    /// The channels of an image.
    pub const CHANNELS: usize = 3;
    /// The classes of images.
    pub const IMAGE_CLASSES: usize = 4;

    /// `inputs` `[N·width]`, row-major, with `labels` below `classes`.
    ///
    /// # Errors
    /// No example; inputs of another number; a label that is no class.
    pub fn new(inputs: Vec<f64>, labels: Vec<usize>, classes: usize) -> Result<Self> {
        let (found, expected) = (inputs.len(), labels.len());
        if labels.is_empty() || found == 0 || found % expected != 0 {
            return Err(Error::Size { what: "the inputs", found, expected });
        }
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return Err(setting("label", label, "it must be below the number of classes"));
        }
        Ok(Self { width: found / expected, inputs, labels, classes })
    }

    /// Standard normal inputs with labels drawn uniformly: nothing to learn but the examples themselves.
    ///
    /// # Errors
    /// A number that is 0.
    pub fn random(seed: Seed, count: usize, width: usize, classes: usize) -> Result<Self> {
        let mut words = Words::new(seed, 0);
        let labels = (0..count).map(|_| words.below(classes)).collect();
        Self::new(normal(seed, "examples.inputs", count * width), labels, classes)
    }

    /// Colour images of four classes in turn: horizontal stripes, vertical stripes, a disc, a chequerboard.
    ///
    /// Colours, place, period and pixel noise (standard deviation 0.1 of full scale) are random; each channel is
    /// standardised over all images. Inputs lie row by row of pixels, the channels of a pixel side by side.
    ///
    /// # Errors
    /// No image; sides below 4 or above 256 pixels.
    pub fn images(seed: Seed, count: usize, side: usize) -> Result<Self> {
        if !(4..=256).contains(&side) {
            return Err(setting("side", side, "it must be between 4 and 256"));
        }
        let noise = normal(seed, "examples.noise", count * side * side * Self::CHANNELS);
        let labels: Vec<usize> = (0..count).map(|i| i % Self::IMAGE_CLASSES).collect();
        let mut inputs = Vec::with_capacity(noise.len());
        for (i, label) in labels.iter().enumerate() {
            draw(&mut Words::new(seed, 1 + i as u64), *label, side, &mut inputs);
        }
        inputs.iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.1 * noise);
        standardise(&mut inputs, Self::CHANNELS);
        Self::new(inputs, labels, Self::IMAGE_CLASSES)
    }

    /// The number N of examples.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// The numbers of an input.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The class of each example.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The input of an example.
    ///
    /// # Panics
    /// An example that there is not.
    pub fn input(&self, example: usize) -> &[f64] {
        &self.inputs[example * self.width..(example + 1) * self.width]
    }
}

/// Appends an image without noise, between 0 and 1.
fn draw(words: &mut Words, label: usize, side: usize, pixels: &mut Vec<f64>) {
    let dark: [f64; 3] = std::array::from_fn(|_| 0.4 * words.unit());
    let light: [f64; 3] = std::array::from_fn(|_| 1.0 - 0.4 * words.unit());
    let (front, back) = if words.below(2) == 0 { (dark, light) } else { (light, dark) };
    let period = 1 + words.below(2);
    let shift = [words.below(4), words.below(4)];
    let centre = [0; 2].map(|_| side as f64 * (0.3 + 0.4 * words.unit()));
    let radius = side as f64 * (0.2 + 0.15 * words.unit());
    for row in 0..side {
        for column in 0..side {
            let [down, along] = [(row + shift[0]) / period, (column + shift[1]) / period];
            let away = [row as f64 + 0.5 - centre[0], column as f64 + 0.5 - centre[1]];
            let inside = match label {
                0 => down % 2 == 0,
                1 => along % 2 == 0,
                2 => away[0] * away[0] + away[1] * away[1] < radius * radius,
                _ => (down + along) % 2 == 0,
            };
            pixels.extend(if inside { front } else { back });
        }
    }
}

/// Brings each channel to mean 0 and variance 1.
fn standardise(pixels: &mut [f64], channels: usize) {
    for channel in 0..channels {
        let n = (pixels.len() / channels).max(1) as f64;
        let mean = pixels.iter().skip(channel).step_by(channels).sum::<f64>() / n;
        let square = pixels.iter().skip(channel).step_by(channels).map(|x| (x - mean) * (x - mean)).sum::<f64>();
        let deviation = (square / n).sqrt();
        pixels.iter_mut().skip(channel).step_by(channels).for_each(|x| *x = (*x - mean) / deviation);
    }
}
