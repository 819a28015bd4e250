//! Where to compute: how a device is named, which ones this program and this machine have, how one is opened.
//!
//! A name is read on every build; whether there is such a device is asked when a plan is made or a model loaded. What the
//! drivers say comes through [`Drivers`], so that every answer of theirs can be tried without a card.

mod cards;
mod error;
mod failure;
mod machine;
mod memory;
mod roofline;
mod sizes;
#[cfg(test)]
mod tests;
mod watch;
mod work;

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use polder_perturb::ParamSet;
use serde::{Deserialize, Serialize};

pub use cards::{CARDS, Card};
pub use error::DeviceError;
pub use failure::{Failure, failure_of};
pub use machine::ThisMachine;
pub(crate) use machine::{room, title};
pub use memory::{ALLOWANCE, Architecture, DeviceMemory, Moment, Pass};
pub use roofline::{Bound, bounds, roofline};
pub(crate) use sizes::of as size_of;
pub use sizes::{SIZES, Size, model_sizes, sizes, smallest};
pub(crate) use watch::held_by;
pub use work::{DIRECTION, Work};

use crate::config::Arithmetic;
use crate::error::Result;

/// A kind of device: what decides which bits a forward pass gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// This machine's processor.
    Cpu,
    /// An NVIDIA card.
    Cuda,
    /// An Apple GPU.
    Metal,
}

impl Kind {
    /// The name in configurations, plans and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        }
    }

    /// The kind of an open device.
    pub fn of(device: &candle_core::Device) -> Self {
        match device {
            candle_core::Device::Cpu => Self::Cpu,
            candle_core::Device::Cuda(_) => Self::Cuda,
            candle_core::Device::Metal(_) => Self::Metal,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A device as it is asked for: `auto`, `cpu`, `cuda`, `cuda:N`, `metal`, `metal:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Wanted {
    /// The best that is there: an NVIDIA card, then an Apple GPU, then the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA card of that number, from 0.
    Cuda(usize),
    /// The Apple GPU of that number, from 0.
    Metal(usize),
}

/// What a device may be called.
pub const NAMES: &str = "\"auto\", \"cpu\", \"cuda\", \"cuda:N\", \"metal\" or \"metal:N\"";

impl FromStr for Wanted {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown { name: name.to_owned() };
        let (kind, number) = name.split_once(':').map_or((name, None), |(kind, number)| (kind, Some(number)));
        // A sign or a blank is no part of a number here.
        let digits = |n: &&str| !n.is_empty() && n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit());
        let index = match number {
            None => 0,
            Some(number) => Some(number).filter(digits).and_then(|n| n.parse().ok()).ok_or_else(unknown)?,
        };
        match kind {
            "auto" if number.is_none() => Ok(Self::Auto),
            "cpu" if number.is_none() => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(index)),
            "metal" => Ok(Self::Metal(index)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Metal(index) => write!(f, "metal:{index}"),
        }
    }
}

impl TryFrom<String> for Wanted {
    type Error = DeviceError;

    fn try_from(name: String) -> Result<Self, DeviceError> {
        name.parse()
    }
}

impl From<Wanted> for String {
    fn from(wanted: Wanted) -> Self {
        wanted.to_string()
    }
}

/// What devices there are.
pub trait Drivers {
    /// Whether this program was built for devices of that kind.
    fn built(&self, kind: Kind) -> bool;

    /// How many devices of that kind there are.
    ///
    /// # Errors
    /// Why the driver does not answer.
    fn count(&self, kind: Kind) -> Result<usize, String>;
}

/// A device that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// Its kind.
    pub kind: Kind,
    /// Its number among those of its kind, from 0.
    pub index: usize,
    /// Why it was chosen, in words.
    pub why: String,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Cpu => write!(f, "cpu, {}", self.why),
            kind => write!(f, "{kind}:{}, {}", self.index, self.why),
        }
    }
}

/// The device that is meant by a name.
///
/// # Errors
/// A kind that this program was not built for; no driver; no device of that number. `auto` and `cpu` never fail.
pub fn choose(wanted: Wanted, drivers: &dyn Drivers) -> Result<Chosen, DeviceError> {
    let asked = "as asked for".to_owned();
    match wanted {
        Wanted::Auto => Ok(best(drivers)),
        Wanted::Cpu => Ok(Chosen { kind: Kind::Cpu, index: 0, why: asked }),
        Wanted::Cuda(index) | Wanted::Metal(index) => {
            let kind = if matches!(wanted, Wanted::Cuda(_)) { Kind::Cuda } else { Kind::Metal };
            match missing(kind, index, drivers) {
                Some(error) => Err(error),
                None => Ok(Chosen { kind, index, why: asked }),
            }
        }
    }
}

/// Why there is no device of that kind and number, where there is none.
fn missing(kind: Kind, index: usize, drivers: &dyn Drivers) -> Option<DeviceError> {
    let device = format!("{kind}:{index}");
    if !drivers.built(kind) {
        return Some(DeviceError::NotBuilt { device, kind });
    }
    match drivers.count(kind) {
        Err(reason) => Some(DeviceError::NoDriver { device, kind, reason }),
        Ok(count) if index >= count => Some(DeviceError::NoSuch { device, kind, count }),
        Ok(_) => None,
    }
}

/// An NVIDIA card, then an Apple GPU, then the CPU, and why.
fn best(drivers: &dyn Drivers) -> Chosen {
    let mut passed = Vec::new();
    for kind in [Kind::Cuda, Kind::Metal] {
        match missing(kind, 0, drivers) {
            None => return Chosen { kind, index: 0, why: "the first that `auto` found".to_owned() },
            Some(DeviceError::NotBuilt { .. }) => passed.push(format!("this program was built without {kind}")),
            Some(DeviceError::NoDriver { reason, .. }) => passed.push(format!("no driver for {kind} ({reason})")),
            Some(_) => passed.push(format!("there is no {kind} device")),
        }
    }
    Chosen { kind: Kind::Cpu, index: 0, why: format!("which `auto` falls back to: {}", passed.join("; ")) }
}

/// Checks that a device multiplies in an arithmetic.
///
/// # Errors
/// TF32 anywhere but on NVIDIA cards; bf16 on Apple GPUs.
pub fn check_arithmetic(kind: Kind, arithmetic: Arithmetic) -> Result<(), DeviceError> {
    match (kind, arithmetic) {
        (Kind::Cpu, Arithmetic::Tf32) | (Kind::Metal, Arithmetic::Tf32 | Arithmetic::Bf16) => {
            Err(DeviceError::Arithmetic { kind, arithmetic: arithmetic.name() })
        }
        _ => Ok(()),
    }
}

/// Checks that leaving the weights in the computer's memory spares a device's.
///
/// # Errors
/// Apple GPUs, which share the computer's memory; their driver also keeps what was sent until a pass ends.
pub fn check_offload(kind: Kind, offload: bool) -> Result<(), DeviceError> {
    if offload && kind == Kind::Metal { Err(DeviceError::Shared { kind }) } else { Ok(()) }
}

/// Opens a device that was chosen; the same one each time, since tensors of two can't meet.
///
/// # Errors
/// What the driver answers.
pub fn open(chosen: &Chosen) -> Result<candle_core::Device> {
    static OPEN: Mutex<Vec<(Kind, usize, candle_core::Device)>> = Mutex::new(Vec::new());
    let mut all = OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((.., device)) = all.iter().find(|(kind, index, _)| (*kind, *index) == (chosen.kind, chosen.index)) {
        return Ok(device.clone());
    }
    let opened = machine::open(chosen.kind, chosen.index);
    let device =
        opened.map_err(|reason| DeviceError::Open { device: format!("{}:{}", chosen.kind, chosen.index), reason })?;
    all.push((chosen.kind, chosen.index, device.clone()));
    Ok(device)
}

/// Refuses weights that a GPU has no room for: `room` is what it has free and in all, where it tells.
///
/// # Errors
/// [`DeviceError::TooSmall`].
pub fn check_room(device: &str, room: Option<(u64, u64)>, weights: u64) -> Result<(), DeviceError> {
    match room {
        Some((free, all)) if weights > free => {
            Err(DeviceError::TooSmall { device: device.to_owned(), weights, free, all })
        }
        _ => Ok(()),
    }
}

/// As [`check_room`], of an open device; the CPU may swap.
///
/// # Errors
/// As there.
pub fn check_weights(device: &candle_core::Device, weights: u64) -> Result<(), DeviceError> {
    match Kind::of(device) {
        Kind::Cpu => Ok(()),
        _ => check_room(&title(device), room(device), weights),
    }
}

/// Where a model is read, and where its weights lie.
#[derive(Debug, Clone)]
pub struct Place {
    /// The device that computes.
    pub device: candle_core::Device,
    /// Whether the weights stay in the computer's memory and are sent to a GPU matrix by matrix.
    offload: bool,
}

impl Place {
    /// A device, to which weights are offloaded or on which they lie; on the CPU that is the same.
    ///
    /// # Errors
    /// As [`check_offload`].
    pub fn new(device: candle_core::Device, offload: bool) -> Result<Self, DeviceError> {
        check_offload(Kind::of(&device), offload)?;
        Ok(Self { offload: offload && !device.is_cpu(), device })
    }

    /// Whether weights are offloaded.
    pub fn offloads(&self) -> bool {
        self.offload
    }

    /// The device on which the weights lie.
    pub fn lies(&self) -> candle_core::Device {
        if self.offload { candle_core::Device::Cpu } else { self.device.clone() }
    }

    /// Leaves loaded weights where they are, if they are to be offloaded, and lets them be read on the device.
    ///
    /// # Errors
    /// Weights that lie elsewhere than [`Place::lies`].
    pub fn settle(&self, params: &mut ParamSet) -> Result<()> {
        if self.offload {
            params.offload(&self.device)?;
        }
        Ok(())
    }
}

impl From<&candle_core::Device> for Place {
    fn from(device: &candle_core::Device) -> Self {
        Self { device: device.clone(), offload: false }
    }
}

impl Wanted {
    /// Chooses and opens the device on this machine.
    ///
    /// # Errors
    /// As [`choose`] and [`open()`].
    pub fn open(self) -> Result<candle_core::Device> {
        open(&choose(self, &ThisMachine)?)
    }
}
