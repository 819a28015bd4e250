//! The largest eigenvalue of a small model's Hessian, from gradients.

use std::path::Path;

use candle_core::{D, DType, Device, Tensor, Var};
use polder_optim::{Adam, Batch};
use polder_perturb::{Param, ParamSet, PlainReader, Points, Seed};
use polder_sharpness::ProbeSeeds;
use polder_sharpness::curvature::{ByGradients, Commutator, GradientHessian, GradientTrace, Lanczos, TopEigenvalue};
use serde::Serialize;
use serde_json::Value;

use super::{Request, loss_of};
use crate::device::{DeviceError, Kind};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::packing::Packed;
use crate::run::State;
use crate::trainer::{TaskData, set_trainable};

/// The most weights of which Lanczos' vectors, one an iteration, are held in memory.
const MOST: usize = 2_000_000;

/// The Hessian of a small model's loss, by gradients.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Eigenvalue {
    /// The largest eigenvalue, in nats a unit of weight squared.
    pub largest: TopEigenvalue,
    /// The trace by Hutchinson's estimator, in the same unit.
    pub trace: ByGradients,
    /// The same of `P⁻¹H`, where Adam's preconditioner was given.
    pub preconditioned: Option<Preconditioned>,
}

/// What decides Adam's stability: the spectrum of `P⁻¹H` at the present preconditioner P.
///
/// Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, Theorem 3.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preconditioned {
    /// Its largest eigenvalue, in 1 per unit of learning rate.
    pub largest: TopEigenvalue,
    /// Its trace by Hutchinson's estimator, in the same unit.
    pub trace: ByGradients,
    /// `‖PH − HP‖_F/‖PH‖_F`, without unit: the theory is exact where it is 0.
    pub commutator: ByGradients,
}

/// Adam's preconditioner beside saved weights, for those of their trained weights whose names fit; `None` where none was saved.
///
/// Source: arXiv 2604.14669, section 2; see [`Adam::preconditioner`].
///
/// # Errors
/// A state that can't be read or is not the one that was saved; settings that are not Adam's.
pub fn preconditioner(model: &mut Model, weights: &[String], folder: &Path, adam: &Value) -> Result<Option<Vec<f64>>> {
    let Some(state) = State::read(folder) else { return Ok(None) };
    let tensors = state.optimizer(folder)?;
    let settings = |error: serde_json::Error| polder_optim::Error::Settings {
        what: "optimiser",
        name: "adam".to_owned(),
        why: error.to_string(),
    };
    let adam: Adam = serde_json::from_value(adam.clone()).map_err(settings)?;
    set_trainable(model, weights)?;
    let names = model.loaded.params.iter().filter(|param| param.trainable).map(|param| param.name.as_str());
    Ok(adam.checked()?.preconditioner(&tensors, names)?)
}

/// The largest eigenvalue and the trace of the Hessian of the training rows' loss, in f64, by candle's autograd.
///
/// With the diagonal of Adam's P, as many numbers as those weights, also of `P⁻¹H`. Gradients take the memory of training by
/// back-propagation, so this is for models of at most two million weights.
///
/// # Errors
/// More weights; weights on a GPU; no weight of such a name; a gradient that can't be computed.
pub fn eigenvalue(
    model: &mut Model,
    weights: &[String],
    data: &TaskData,
    request: &Request,
    preconditioner: Option<&[f64]>,
) -> Result<Eigenvalue> {
    let kind = Kind::of(&model.loaded.params.device());
    if kind != Kind::Cpu {
        return Err(DeviceError::CpuOnly { what: "the largest eigenvalue", kind }.into());
    }
    set_trainable(model, weights)?;
    let elements = model.loaded.params.trainable_elements();
    if elements > MOST {
        return Err(Error::TooManyForGradients { elements, most: MOST });
    }
    let loss = Differentiable { model, data, rows: loss_of(&model.engine(), data, request).rows(Batch(0)) };
    let point = loss.point()?;
    let gradient = |x: &[f64]| loss.gradient(x);
    let seeds = ProbeSeeds::new(Seed(request.seed), 0);
    let mut hessian = GradientHessian::new(&gradient, &point)?;
    let lanczos = Lanczos { iterations: 40, tolerance: 1e-3 };
    let hutchinson = GradientTrace { probes: request.probes, ..GradientTrace::default() };
    let largest = lanczos.run(&mut hessian, seeds)?;
    let trace = hutchinson.run(&mut hessian, seeds)?;
    let preconditioned = preconditioner.map(|p| -> Result<Preconditioned> {
        let commutator = Commutator { probes: request.probes }.run(&mut hessian, p, seeds)?;
        let mut hessian = GradientHessian::new(&gradient, &point)?.preconditioned(p)?;
        let largest = lanczos.run(&mut hessian, seeds)?;
        Ok(Preconditioned { largest, trace: hutchinson.run(&mut hessian, seeds)?, commutator })
    });
    Ok(Eigenvalue { largest, trace, preconditioned: preconditioned.transpose()? })
}

/// A task's loss on some training rows, with its gradient.
struct Differentiable<'a> {
    model: &'a Model,
    data: &'a TaskData,
    rows: Vec<usize>,
}

impl Differentiable<'_> {
    /// The trained weights in f64, parameter after parameter.
    fn point(&self) -> Result<Vec<f64>> {
        let mut all = Vec::new();
        for param in self.model.loaded.params.iter().filter(|p| p.trainable) {
            all.extend(param.joined()?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?);
        }
        Ok(all)
    }

    /// The gradient at other weights.
    fn gradient(&self, x: &[f64]) -> Result<Vec<f64>> {
        let mut rest = x;
        let params = self.model.loaded.params.with_tensors(|param: &Param| {
            if !param.trainable {
                return Ok(param.joined()?.to_dtype(DType::F64)?);
            }
            let (mine, after) = rest.split_at(param.tensor.elem_count());
            rest = after;
            let tensor = Tensor::from_slice(mine, param.tensor.shape(), &Device::Cpu)?;
            Ok(Var::from_tensor(&tensor)?.into_inner())
        })?;
        let grads = self.loss(&params)?.backward()?;
        let mut all = Vec::with_capacity(x.len());
        for param in params.iter().filter(|p| p.trainable) {
            match grads.get(&param.tensor) {
                Some(gradient) => all.extend(gradient.flatten_all()?.to_vec1::<f64>()?),
                // A weight that no row reaches, such as an unused position's.
                None => all.extend(std::iter::repeat_n(0.0, param.tensor.elem_count())),
            }
        }
        Ok(all)
    }

    /// The loss at some weights, with its graph: that of [`crate::objective::PromptLoss`], example by example.
    fn loss(&self, params: &ParamSet) -> Result<Tensor> {
        let examples: Vec<_> = self.rows.iter().filter_map(|row| self.data.train.get(*row)).collect();
        let options: Vec<_> =
            examples.iter().map(|e| crate::objective::options_of(self.data.kind, e)).collect::<Result<_>>()?;
        let mut packed = Packed::default();
        for options in &options {
            packed.push(options)?;
        }
        let points = Points::plain();
        let reader = PlainReader::new(params, &points, DType::F64);
        let log_probs = self.model.net.log_probs(&reader, &packed.tokens)?;
        let mut sum = Tensor::zeros((), DType::F64, &Device::Cpu)?;
        let mut weights = 0.0;
        for (example, spans) in examples.iter().zip(&packed.spans) {
            let mean = |span: &std::ops::Range<usize>| log_probs.narrow(0, span.start, span.len())?.mean_all();
            let scores = Tensor::stack(&spans.iter().map(mean).collect::<candle_core::Result<Vec<_>>>()?, 0)?;
            let (value, weight) = match self.data.kind {
                polder_tasks::LossKind::Target => (scores.get(0)?.neg()?, spans[0].len() as f64),
                polder_tasks::LossKind::Options => {
                    let gold = example.gold.ok_or(Error::NoGold)?;
                    ((scores.log_sum_exp(D::Minus1)? - scores.get(gold)?)?, 1.0)
                }
                kind => return Err(Error::NoGradient { kind }),
            };
            sum = (sum + (value * weight)?)?;
            weights += weight;
        }
        Ok((sum / weights)?)
    }
}
