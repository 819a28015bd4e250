//! What can go wrong with a device.

use super::{Failure, Kind, NAMES};
use crate::plan::size;

/// A device that can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// A name that no device has.
    #[error("`{name}` is no device\nhint: {NAMES}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A kind that this program was not built for.
    #[error("`{device}` is asked for, but this program was built without {kind}\nhint: {}", build_hint(*kind))]
    NotBuilt {
        /// The device.
        device: String,
        /// Its kind.
        kind: Kind,
    },
    /// No driver, or one that does not answer.
    #[error("`{device}` is asked for, but there is no driver for {kind}: {reason}\nhint: {}", driver_hint(*kind))]
    NoDriver {
        /// The device.
        device: String,
        /// Its kind.
        kind: Kind,
        /// What the driver answered, or why it can't.
        reason: String,
    },
    /// A number that no device has.
    #[error("`{device}` is asked for, but {}\nhint: {}", there_are(*kind, *count), number_hint(*kind, *count))]
    NoSuch {
        /// The device.
        device: String,
        /// Its kind.
        kind: Kind,
        /// How many devices of that kind there are.
        count: usize,
    },
    /// A device that is there and can't be opened.
    #[error(
        "`{device}` can't be opened: {reason}\n\
         hint: is another program holding it, or are CUDA's libraries not the driver's? device = \"cpu\" works without it"
    )]
    Open {
        /// The device.
        device: String,
        /// What the driver answered.
        reason: String,
    },
    /// An arithmetic that the device does not have.
    #[error("`arithmetic` is \"{arithmetic}\", which there is not on {kind}\nhint: {}", arithmetic_hint(*kind))]
    Arithmetic {
        /// The kind of device.
        kind: Kind,
        /// The arithmetic.
        arithmetic: &'static str,
    },
    /// Weights to be left in the computer's memory, of a device that computes in that memory.
    #[error(
        "`offload` is true, and {kind} computes in the computer's own memory: nothing would be spared\nhint: offload = false"
    )]
    Shared {
        /// The kind of device.
        kind: Kind,
    },
    /// Something that only the CPU does.
    #[error("{what} is computed on the CPU only, and the weights are on {kind}\nhint: device = \"cpu\"")]
    CpuOnly {
        /// What was asked for.
        what: &'static str,
        /// Where the weights are.
        kind: Kind,
    },
    /// A GPU without room for the weights.
    #[error(
        "{device} has {} of {} free, and the weights take {}\n\
         hint: hold them in bf16 (`dtype`), end what else uses the device, leave them in the computer's memory (`offload`), or \
         take device = \"cpu\"; `polder plan --sizes` says what fits where",
        size(*free), size(*all), size(*weights)
    )]
    TooSmall {
        /// What its maker calls the device.
        device: String,
        /// Bytes of the weights.
        weights: u64,
        /// Bytes that are free.
        free: u64,
        /// Bytes that it has in all.
        all: u64,
    },
    /// A device that failed at its work.
    #[error("the device failed: {} ({reason})\nhint: {}", failure.said(), failure.remedy())]
    Failed {
        /// In which way.
        failure: Failure,
        /// What was said of it.
        reason: String,
    },
    /// A run that was computed on another kind of device.
    #[error(
        "the run was computed on {old}, and here it would go on on {new}, whose libraries add in another order: its losses \
         would be others\n\
         hint: set `device` to \"{old}\"; `polder replay` rebuilds its weights on any machine, and a new run can start from them"
    )]
    Changed {
        /// The kind of device that the run was computed on.
        old: String,
        /// The kind here.
        new: String,
    },
}

fn build_hint(kind: Kind) -> String {
    match kind {
        Kind::Metal if cfg!(not(target_vendor = "apple")) => {
            "Metal is there on Apple's machines only; take device = \"cpu\" or \"auto\" here".to_owned()
        }
        kind => format!(
            "build it with `cargo build --release -p polder --features {kind}` (crates/polder/DEVICES.md says what that \
             needs), or take device = \"cpu\" or \"auto\""
        ),
    }
}

fn driver_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Metal => "`system_profiler SPDisplaysDataType` should name a GPU; or take device = \"cpu\"",
        _ => "install NVIDIA's driver (`nvidia-smi` should list the card), or take device = \"cpu\"",
    }
}

fn there_are(kind: Kind, count: usize) -> String {
    match count {
        0 => format!("the driver knows no {kind} device"),
        1 => format!("there is one {kind} device"),
        count => format!("there are {count} {kind} devices"),
    }
}

fn number_hint(kind: Kind, count: usize) -> String {
    match count {
        0 if kind == Kind::Cuda => {
            "`nvidia-smi` lists the cards, and CUDA_VISIBLE_DEVICES may hide them; or take device = \"cpu\"".to_owned()
        }
        0 => "take device = \"cpu\"".to_owned(),
        1 => format!("take device = \"{kind}:0\"; numbers start at 0"),
        count => format!("take \"{kind}:0\" to \"{kind}:{}\"; numbers start at 0", count - 1),
    }
}

fn arithmetic_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Cpu => "\"tf32\" is for NVIDIA cards; take \"f32\" or \"bf16\"",
        _ => "take \"f32\"",
    }
}
