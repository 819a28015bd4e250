//! The parameters of a model, by name.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::cpu::view::View;
use crate::direction::{self, Law, ParamKey, Seed};
use crate::error::{Error, Result};
use crate::gpu;
use crate::points::Points;

/// A handle to one parameter of a [`ParamSet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site(pub(crate) u32);

/// One parameter: a contiguous tensor under its canonical Hugging Face name.
#[derive(Debug)]
pub struct Param {
    /// The canonical Hugging Face name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// The key of its directions: a stable hash of the name.
    pub key: ParamKey,
    /// The weights, contiguous, row-major in the Hugging Face shape.
    pub tensor: Tensor,
    /// Eight more bits of each weight beside a bf16 `tensor`: bytes of the same shape; see [`crate::carried`].
    pub carried: Option<Tensor>,
    /// Whether directions and updates reach it; a frozen parameter is read as it is at every point.
    pub trainable: bool,
    /// Whether weight decay applies (norms and biases are exempt).
    pub decay: bool,
}

impl Param {
    /// The bytes that its weights take.
    pub fn bytes(&self) -> usize {
        self.tensor.elem_count() * self.bytes_a_weight()
    }

    fn bytes_a_weight(&self) -> usize {
        self.tensor.dtype().size_in_bytes() + usize::from(self.carried.is_some())
    }

    /// The name of its storage: candle's name of the type, or `bf16+8`.
    pub fn storage(&self) -> &'static str {
        if self.carried.is_some() { "bf16+8" } else { self.tensor.dtype().as_str() }
    }

    /// The weights in f32 where they carry bits, else the tensor as it is; a copy of a whole parameter.
    ///
    /// # Errors
    /// Weights that can't be read from their device.
    pub fn joined(&self) -> Result<Tensor> {
        if self.carried.is_none() {
            return Ok(self.tensor.clone());
        }
        if !self.tensor.device().is_cpu() {
            return gpu::whole(self, &Points::plain());
        }
        let view = View::of(self)?;
        let mut weights = vec![0f32; self.tensor.elem_count()];
        view.stored()?.read(0, &mut weights);
        Ok(Tensor::from_vec(weights, self.tensor.shape(), self.tensor.device())?)
    }
}

/// All parameters of a model, each once; tied weights share one entry under two names.
#[derive(Debug, Default)]
pub struct ParamSet {
    params: Vec<Param>,
    names: HashMap<String, Site>,
    /// Where readers compute, if it is not where the weights lie.
    computes: Option<Device>,
}

impl ParamSet {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a parameter under its canonical name; trainable, with decay unless it is a vector.
    ///
    /// # Errors
    /// A name given twice; a key that another name already has; a tensor that can't be made contiguous.
    pub fn insert(&mut self, name: &str, tensor: Tensor) -> Result<Site> {
        self.add(name, tensor, None)
    }

    /// Adds a parameter whose bf16 weights carry eight more bits each; see [`crate::carried`].
    ///
    /// # Errors
    /// As [`ParamSet::insert`]; a tensor that is not bf16; bytes of another shape or type, or on another device.
    pub fn insert_carried(&mut self, name: &str, tensor: Tensor, carried: Tensor) -> Result<Site> {
        if tensor.dtype() != DType::BF16 || carried.dtype() != DType::U8 {
            let dtype = if tensor.dtype() == DType::BF16 { carried.dtype() } else { tensor.dtype() };
            return Err(Error::DType { what: name.to_owned(), dtype, path: "storage in bf16+8" });
        }
        if tensor.dims() != carried.dims() || !tensor.device().same_device(carried.device()) {
            return Err(Error::Shape {
                what: format!("{name}, carried bits"),
                found: carried.dims().to_vec(),
                expected: format!("{:?}, on the device of the weights", tensor.dims()),
            });
        }
        self.add(name, tensor, Some(carried.contiguous()?))
    }

    fn add(&mut self, name: &str, tensor: Tensor, carried: Option<Tensor>) -> Result<Site> {
        if self.names.contains_key(name) {
            return Err(Error::DuplicateParameter { name: name.to_owned() });
        }
        let key = ParamKey::of(name);
        if let Some(first) = self.params.iter().find(|p| p.key == key) {
            return Err(Error::KeyCollision { first: first.name.clone(), second: name.to_owned() });
        }
        let decay = tensor.rank() > 1;
        let tensor = tensor.contiguous()?;
        let site = Site(u32::try_from(self.params.len()).unwrap_or(u32::MAX));
        self.params.push(Param { name: name.to_owned(), key, tensor, carried, trainable: true, decay });
        self.names.insert(name.to_owned(), site);
        Ok(site)
    }

    /// Lets `alias` name the parameter `name` too (tied weights).
    ///
    /// # Errors
    /// No such parameter; the alias is taken.
    pub fn tie(&mut self, alias: &str, name: &str) -> Result<Site> {
        let site = self.site(name)?;
        if self.names.contains_key(alias) {
            return Err(Error::DuplicateParameter { name: alias.to_owned() });
        }
        self.names.insert(alias.to_owned(), site);
        Ok(site)
    }

    /// The handle of the parameter of that name.
    ///
    /// # Errors
    /// No such parameter.
    pub fn site(&self, name: &str) -> Result<Site> {
        self.names.get(name).copied().ok_or_else(|| Error::NoSuchParameter { name: name.to_owned() })
    }

    /// Whether the name, or an alias of that name, is there.
    pub fn contains(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The parameter behind a handle of this set.
    pub fn get(&self, site: Site) -> &Param {
        &self.params[site.0 as usize]
    }

    /// All parameters, in the order of insertion.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Param> {
        self.params.iter()
    }

    /// Freezes every parameter whose name the predicate refuses.
    pub fn set_trainable(&mut self, mut trainable: impl FnMut(&str) -> bool) {
        for param in &mut self.params {
            param.trainable = trainable(&param.name);
        }
    }

    /// The number of weights, tied ones once.
    pub fn elements(&self) -> usize {
        self.params.iter().map(|p| p.tensor.elem_count()).sum()
    }

    /// The number of weights that a run may change.
    pub fn trainable_elements(&self) -> usize {
        self.params.iter().filter(|p| p.trainable).map(|p| p.tensor.elem_count()).sum()
    }

    /// Other weights of the same names: `a + share·(b − a)`, in f32, of this set's a and another's b.
    ///
    /// At share 0 these weights, at 1 the other ones; nothing is changed. Frozen and tied parameters are as here.
    ///
    /// # Errors
    /// A parameter that the other set lacks or holds in another shape.
    pub fn between(&self, other: &Self, share: f64) -> Result<Self> {
        self.with_tensors(|param| {
            let (a, b) = (param.joined()?.to_dtype(DType::F32)?, other.get(other.site(&param.name)?).joined()?);
            if a.dims() != b.dims() {
                let (what, found) = (param.name.clone(), b.dims().to_vec());
                return Err(Error::Shape { what, found, expected: format!("{:?}", a.dims()) });
            }
            let step = ((b.to_dtype(DType::F32)? - &a)? * share)?;
            Ok((a + step)?)
        })
    }

    /// The same parameters with other tensors; trainable, decaying and tied as here, nothing carried.
    ///
    /// # Errors
    /// What making a tensor fails with.
    pub fn with_tensors(&self, mut make: impl FnMut(&Param) -> Result<Tensor>) -> Result<Self> {
        let one = |param: &Param| {
            let (name, tensor) = (param.name.clone(), make(param)?);
            Ok(Param { name, tensor, carried: None, ..*param })
        };
        Ok(Self {
            params: self.params.iter().map(one).collect::<Result<_>>()?,
            names: self.names.clone(),
            computes: self.computes.clone(),
        })
    }

    /// The length `‖u(law, seed)‖` of a direction over the trainable weights; `√d` for Rademacher directions.
    ///
    /// Squares are summed in f64, block by block in the order of the elements: the same bits for any number of threads.
    pub fn direction_length(&self, law: Law, seed: Seed) -> f64 {
        const BLOCK: usize = 4096;
        if law == Law::Rademacher {
            return (self.trainable_elements() as f64).sqrt();
        }
        let square = |param: &Param| {
            let len = param.tensor.elem_count();
            let block = |i: usize| {
                let mut u = [0f32; BLOCK];
                let u = &mut u[..BLOCK.min(len - i * BLOCK)];
                direction::fill(law, seed, param.key, (i * BLOCK) as u64, u);
                u.iter().map(|u| f64::from(*u).powi(2)).sum::<f64>()
            };
            let blocks: Vec<f64> = (0..len.div_ceil(BLOCK)).into_par_iter().map(block).collect();
            blocks.into_iter().sum::<f64>()
        };
        self.iter().filter(|p| p.trainable).map(square).sum::<f64>().sqrt()
    }

    /// The bytes that the weights take.
    pub fn bytes(&self) -> usize {
        self.params.iter().map(Param::bytes).sum()
    }

    /// Leaves the weights in the computer's memory, where updates change them, and lets readers compute on `device`: what
    /// is read is sent there matrix by matrix and kept no longer than its product takes. Nothing is ever sent back.
    ///
    /// # Errors
    /// Weights that lie elsewhere.
    pub fn offload(&mut self, device: &Device) -> Result<()> {
        if let Some(param) = self.params.iter().find(|p| !p.tensor.device().is_cpu()) {
            let what = format!("offloading of `{}`, which does not lie in the computer's memory,", param.name);
            return Err(Error::Device { what, device: "gpu", hint: "load the weights on the CPU" });
        }
        self.computes = Some(device.clone());
        Ok(())
    }

    /// Whether weights lie in the computer's memory and are sent to the device where readers compute.
    pub fn offloaded(&self) -> bool {
        self.computes.is_some()
    }

    /// The device where readers compute: that of the weights unless they are offloaded; the CPU where there are none.
    pub fn device(&self) -> Device {
        let lies = || self.params.first().map_or(Device::Cpu, |p| p.tensor.device().clone());
        self.computes.clone().unwrap_or_else(lies)
    }

    /// The largest parameter, which stands for all in what is said of their storage (norms may be kept wider).
    pub fn largest(&self) -> Option<&Param> {
        self.params.iter().max_by_key(|p| p.tensor.elem_count())
    }
}
