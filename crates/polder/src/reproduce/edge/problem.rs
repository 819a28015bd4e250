//! The functions that the runs are made on.

use polder_optim::objectives::{Descent, Examples, FirstOrder, Network};
use polder_perturb::Seed;

use crate::error::Result;

/// A network with its data, and a start.
#[derive(Debug)]
pub(super) struct Problem {
    /// What it is, in words.
    pub(super) what: &'static str,
    pub(super) network: Network,
    pub(super) start: Vec<f64>,
}

impl Problem {
    /// The proxy: 200 random examples of 20 numbers in 10 classes; 20-32-32-10, tanh, squared loss; 2,058 weights.
    ///
    /// # Errors
    /// None with these sizes.
    pub(super) fn mlp(seed: u64) -> Result<Self> {
        let examples = Examples::random(Seed(seed).derive(0, 0), 200, 20, 10)?;
        Ok(Self::of("20-32-32-10 with tanh", Network::mlp(examples, &[32, 32])?, seed))
    }

    /// A small convolutional network: 64 generated images of 8×8 pixels in four classes, 4 convolutions of 8 channels.
    ///
    /// # Errors
    /// None with these sizes.
    pub(super) fn convolutional(seed: u64) -> Result<Self> {
        let images = Examples::images(Seed(seed).derive(0, 0), 64, 8)?;
        Ok(Self::of("four 3×3 convolutions of 8 channels with GELU", Network::convolutional(images, 8, 4)?, seed))
    }

    fn of(what: &'static str, network: Network, seed: u64) -> Self {
        let start = network.start(Seed(seed).derive(0, 1));
        Self { what, network, start }
    }

    /// A sharp start for short runs: where so many steps of the heavy ball (β = 0.9, η = 0.1) lead.
    ///
    /// It takes a second to the trace to which zeroth-order descent takes tens of thousands of steps.
    pub(super) fn sharp(&self, steps: u64) -> Result<Vec<f64>> {
        let method = FirstOrder::HeavyBall { lr: 0.1, beta: 0.9 };
        let mut descent = Descent::new(&self.network, method, self.start.clone())?;
        (0..steps).for_each(|_| {
            descent.step(None);
        });
        Ok(descent.x().to_vec())
    }
}
