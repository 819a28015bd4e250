//! The parameters of a model, by name.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use crate::direction::ParamKey;
use crate::error::{Error, Result};

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
    /// Whether directions and updates reach it; a frozen parameter is read as it is at every point.
    pub trainable: bool,
    /// Whether weight decay applies (norms and biases are exempt).
    pub decay: bool,
}

/// All parameters of a model, each once; tied weights share one entry under two names.
#[derive(Debug, Default)]
pub struct ParamSet {
    params: Vec<Param>,
    names: HashMap<String, Site>,
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
        self.params.push(Param { name: name.to_owned(), key, tensor, trainable: true, decay });
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

    /// The bytes that the weights take.
    pub fn bytes(&self) -> usize {
        self.params.iter().map(|p| p.tensor.elem_count() * p.tensor.dtype().size_in_bytes()).sum()
    }

    /// The device of the weights; the CPU where there are none.
    pub fn device(&self) -> Device {
        self.params.first().map_or(Device::Cpu, |p| p.tensor.device().clone())
    }

    /// The storage type of the largest parameter (norms may be kept wider).
    pub fn dtype(&self) -> DType {
        self.params.iter().max_by_key(|p| p.tensor.elem_count()).map_or(DType::F32, |p| p.tensor.dtype())
    }
}
