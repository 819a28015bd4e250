//! The weights before training.

use anyhow::Result;
use candle_core::{Device, Tensor, Var};
use polder_models::{ModelConfig, expected_tensors, tied_aliases};
use polder_perturb::ParamSet;

use crate::random::Stream;

/// The standard deviation of matrices and embeddings.
const STD: f64 = 0.04;

/// A model's parameters, and the variables behind them that an optimiser may change.
#[derive(Debug)]
pub(super) struct Trainable {
    /// The parameters as a model reads them.
    pub(super) params: ParamSet,
    /// The same tensors.
    pub(super) vars: Vec<Var>,
}

/// Fresh parameters in f32: normal with standard deviation 0.04; norms 1; biases 0.
///
/// # Errors
/// A configuration whose tensors can't be made.
pub(super) fn fresh(config: &ModelConfig, stream: &mut Stream) -> Result<Trainable> {
    let mut params = ParamSet::new();
    let mut vars = Vec::new();
    for (name, shape) in expected_tensors(config) {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = match (name.ends_with(".bias"), name.contains("layer_norm")) {
            (true, _) => vec![0.0; count],
            (false, true) => vec![1.0; count],
            (false, false) => (0..count).map(|_| (STD * stream.normal()) as f32).collect(),
        };
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?;
        params.insert(&name, var.as_tensor().clone())?;
        vars.push(var);
    }
    for (alias, name) in tied_aliases(config) {
        params.tie(&alias, &name)?;
    }
    Ok(Trainable { params, vars })
}
