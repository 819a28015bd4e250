//! Numbers that an optimiser keeps for every trainable weight.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device, Tensor};
use half::bf16;

use super::BLOCK;
use super::store::Narrow;
use crate::direction::{ParamKey, UnknownName};
use crate::error::{Error, Result};
use crate::param::{Param, ParamSet};

/// The most numbers that a rule may keep for a weight.
const MOST: usize = 2;

/// How the state of a weight that is not f64 is held; that of an f64 weight is f64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 4 bytes a number.
    #[default]
    F32,
    /// 2 bytes a number, rounded stochastically: a plainly rounded average over a thousand steps would stand still.
    Bf16,
}

impl Precision {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::F32, Self::Bf16];

    /// The name in configurations and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| UnknownName {
            what: "precision of an optimiser's state",
            found: name.to_owned(),
            choices: "`f32`, `bf16`",
        })
    }
}

/// The numbers of one slot of one parameter.
#[derive(Debug)]
pub(super) enum Buffer {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    /// On a GPU; a tensor from the first step on.
    Device {
        tensor: Option<Tensor>,
        device: Device,
        dtype: DType,
        len: usize,
    },
}

/// A block's part of a [`Buffer`].
pub(super) enum Part<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    F64(&'a mut [f64]),
}

impl Buffer {
    fn zeros(dtype: DType, len: usize, device: &Device) -> Self {
        if !device.is_cpu() {
            return Self::Device { tensor: None, device: device.clone(), dtype, len };
        }
        match dtype {
            DType::F64 => Self::F64(vec![0.0; len]),
            DType::BF16 => Self::Bf16(vec![bf16::ZERO; len]),
            _ => Self::F32(vec![0.0; len]),
        }
    }

    fn of(tensor: &Tensor, device: &Device) -> candle_core::Result<Self> {
        let flat = tensor.flatten_all()?;
        if !device.is_cpu() {
            let (dtype, len, device) = (flat.dtype(), flat.elem_count(), device.clone());
            return Ok(Self::Device { tensor: Some(flat.to_device(&device)?), device, dtype, len });
        }
        Ok(match flat.dtype() {
            DType::F64 => Self::F64(flat.to_vec1()?),
            DType::BF16 => Self::Bf16(flat.to_vec1()?),
            _ => Self::F32(flat.to_vec1()?),
        })
    }

    pub(super) fn tensor(&self) -> candle_core::Result<Tensor> {
        match self {
            Self::F32(x) => Tensor::new(&x[..], &Device::Cpu),
            Self::Bf16(x) => Tensor::new(&x[..], &Device::Cpu),
            Self::F64(x) => Tensor::new(&x[..], &Device::Cpu),
            Self::Device { tensor: Some(tensor), .. } => tensor.to_device(&Device::Cpu),
            Self::Device { tensor: None, dtype, len, .. } => Tensor::zeros(*len, *dtype, &Device::Cpu),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
            Self::F64(x) => x.len(),
            Self::Device { len, .. } => *len,
        }
    }

    /// Its tensor on a GPU, made of zeros at the first call; none of a buffer on the CPU.
    pub(super) fn on_device(&mut self) -> candle_core::Result<Option<&Tensor>> {
        let Self::Device { tensor, device, dtype, len } = self else { return Ok(None) };
        if tensor.is_none() {
            *tensor = Some(Tensor::zeros(*len, *dtype, device)?);
        }
        Ok(tensor.as_ref())
    }

    /// Its parts of `size` elements.
    pub(super) fn parts(&mut self, size: usize) -> Box<dyn Iterator<Item = Part<'_>> + '_> {
        match self {
            Self::F32(x) => Box::new(x.chunks_mut(size).map(Part::F32)),
            Self::Bf16(x) => Box::new(x.chunks_mut(size).map(Part::Bf16)),
            Self::F64(x) => Box::new(x.chunks_mut(size).map(Part::F64)),
            Self::Device { .. } => Box::new(std::iter::empty()),
        }
    }
}

/// A block's parts of the state, one a slot.
#[derive(Default)]
pub(super) struct Slots<'a>([Option<Part<'a>>; MOST]);

impl<'a> Slots<'a> {
    pub(super) fn push(&mut self, part: Part<'a>) {
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(part);
        }
    }

    /// Calls `apply` with the slots as f32, and stores those of 16 bits again, rounded with bits from `random(slot, bits)`.
    pub(super) fn wide(&mut self, apply: impl FnOnce(&mut [&mut [f32]]), random: impl Fn(usize, &mut [u16])) {
        if self.0[0].is_none() {
            return apply(&mut []);
        }
        let mut buffers = [[0f32; BLOCK]; MOST];
        let mut slots: Vec<&mut [f32]> = Vec::with_capacity(MOST);
        for (part, wide) in self.0.iter_mut().zip(&mut buffers) {
            match part {
                Some(Part::F32(x)) => slots.push(x),
                Some(Part::Bf16(x)) => {
                    let wide = &mut wide[..x.len()];
                    bf16::widen(x, wide);
                    slots.push(wide);
                }
                Some(Part::F64(_)) | None => {}
            }
        }
        apply(&mut slots);
        let mut bits = [0u16; BLOCK];
        for (slot, (part, wide)) in self.0.iter_mut().zip(&buffers).enumerate() {
            if let Some(Part::Bf16(x)) = part {
                let bits = &mut bits[..x.len()];
                random(slot, bits);
                bf16::stochastic(&wide[..x.len()], bits, x);
            }
        }
    }

    /// Calls `apply` with the slots of f64 weights.
    pub(super) fn double(&mut self, apply: impl FnOnce(&mut [&mut [f64]])) {
        let slots = self.0.iter_mut().flatten();
        let mut slots: Vec<&mut [f64]> =
            slots.filter_map(|part| if let Part::F64(x) = part { Some(&mut **x) } else { None }).collect();
        apply(&mut slots);
    }
}

/// The key under which random bits for a slot of a parameter are drawn: apart from those of its weights.
pub(crate) fn key(param: ParamKey, slot: usize) -> ParamKey {
    // The odd constant of Weyl sequences, ⌊2⁶⁴/φ⌋: multiples of it differ in all bits.
    ParamKey(param.0 ^ (slot as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The state of an optimiser: some numbers for every trainable weight, zero at first.
#[derive(Debug)]
pub struct State {
    slots: Vec<&'static str>,
    /// In the order of the parameters; none of a frozen one.
    buffers: Vec<Vec<Buffer>>,
}

impl State {
    /// Zeros for every trainable weight, on the device of the weight; `slots` names the numbers of a weight, at most two.
    pub fn zeros(params: &ParamSet, slots: &[&'static str], precision: Precision) -> Self {
        let zeros =
            |param: &Param| Buffer::zeros(dtype(param, precision), param.tensor.elem_count(), param.tensor.device());
        let of = |param: &Param| match param.trainable {
            true => slots.iter().map(|_| zeros(param)).collect(),
            false => Vec::new(),
        };
        Self { slots: slots.iter().take(MOST).copied().collect(), buffers: params.iter().map(of).collect() }
    }

    /// The bytes that the state of these parameters takes, with so many slots.
    pub fn bytes(params: &ParamSet, slots: usize, precision: Precision) -> u64 {
        let of = |param: &Param| param.tensor.elem_count() * dtype(param, precision).size_in_bytes() * slots;
        params.iter().filter(|p| p.trainable).map(of).sum::<usize>() as u64
    }

    /// The state as tensors, one a slot of a parameter, named `NAME.SLOT` after the two.
    ///
    /// # Errors
    /// Not enough memory for the copy.
    pub fn tensors(&self, params: &ParamSet) -> Result<Vec<(String, Tensor)>> {
        let mut all = Vec::new();
        for (param, buffers) in params.iter().zip(&self.buffers) {
            for (slot, buffer) in self.slots.iter().zip(buffers) {
                all.push((format!("{}.{slot}", param.name), buffer.tensor()?));
            }
        }
        Ok(all)
    }

    /// Takes the state from tensors as [`State::tensors`] names them; `find` gives a tensor by its name.
    ///
    /// # Errors
    /// A tensor that is not there, or has another size or type (nothing is changed then).
    pub fn load(
        params: &ParamSet,
        slots: &[&'static str],
        precision: Precision,
        mut find: impl FnMut(&str) -> Option<Tensor>,
    ) -> Result<Self> {
        let mut state = Self { slots: slots.to_vec(), buffers: Vec::new() };
        for param in params.iter() {
            let mut buffers = Vec::new();
            for slot in slots.iter().filter(|_| param.trainable) {
                let name = format!("{}.{slot}", param.name);
                let tensor = find(&name).ok_or_else(|| misfit(&name, "it is missing".to_owned()))?;
                let (len, dtype) = (param.tensor.elem_count(), dtype(param, precision));
                if tensor.elem_count() != len || tensor.dtype() != dtype {
                    let (found, other) = (tensor.elem_count(), tensor.dtype());
                    let why = format!("it has {found} numbers of type {other:?} for {len} of type {dtype:?}");
                    return Err(misfit(&name, why));
                }
                buffers.push(Buffer::of(&tensor, param.tensor.device())?);
            }
            state.buffers.push(buffers);
        }
        Ok(state)
    }

    /// Whether the state is that of these parameters.
    pub(super) fn check(&self, params: &ParamSet) -> Result<()> {
        let fits = |(param, buffers): (&Param, &Vec<Buffer>)| {
            let expected = if param.trainable { self.slots.len() } else { 0 };
            buffers.len() == expected && buffers.iter().all(|b| b.len() == param.tensor.elem_count())
        };
        if self.buffers.len() != params.iter().len() {
            return Err(misfit("the state", format!("it is that of {} parameters", self.buffers.len())));
        }
        match params.iter().zip(&self.buffers).find(|pair| !fits(*pair)) {
            Some((param, _)) => Err(misfit(&param.name, "it has another size, or is trainable now".to_owned())),
            None => Ok(()),
        }
    }

    /// The buffers of every parameter, in order.
    pub(super) fn buffers(&mut self) -> Vec<&mut [Buffer]> {
        self.buffers.iter_mut().map(|buffers| &mut buffers[..]).collect()
    }
}

fn dtype(param: &Param, precision: Precision) -> DType {
    if param.tensor.dtype() == DType::F64 { DType::F64 } else { precision.dtype() }
}

fn misfit(name: &str, why: String) -> Error {
    Error::State { name: name.to_owned(), why }
}
