//! The devices of this machine, asked without letting a missing library end the process.

use candle_core::Device;
use polder_models::without_panic;

use super::{Drivers, Kind};

/// What this program was built for, and what this machine's drivers say.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisMachine;

impl Drivers for ThisMachine {
    fn built(&self, kind: Kind) -> bool {
        match kind {
            Kind::Cpu => true,
            Kind::Cuda => cfg!(feature = "cuda"),
            Kind::Metal => cfg!(all(feature = "metal", target_vendor = "apple")),
        }
    }

    fn count(&self, kind: Kind) -> Result<usize, String> {
        match kind {
            Kind::Cpu => Ok(1),
            Kind::Cuda => cards(),
            // Metal's library counts no devices for us, but opens one after the other.
            Kind::Metal => Ok((0..MOST).take_while(|index| open(kind, *index).is_ok()).count()),
        }
    }
}

/// Apple GPUs are looked for up to this number.
const MOST: usize = 8;

#[cfg(feature = "cuda")]
fn cards() -> Result<usize, String> {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    let count = without_panic(|| CudaContext::device_count().map_err(|error| format!("{error:?}")))??;
    usize::try_from(count).map_err(|_| format!("the driver counts {count} cards"))
}

#[cfg(not(feature = "cuda"))]
fn cards() -> Result<usize, String> {
    Err("this program was built without CUDA".to_owned())
}

/// Opens a device.
///
/// # Errors
/// What the driver, or a library that is not there, answers.
pub(super) fn open(kind: Kind, index: usize) -> Result<Device, String> {
    let said = |error: candle_core::Error| error.to_string();
    match kind {
        Kind::Cpu => Ok(Device::Cpu),
        Kind::Cuda => without_panic(|| Device::new_cuda(index).map_err(said))?,
        Kind::Metal => without_panic(|| Device::new_metal(index).map_err(said))?,
    }
}

/// Bytes of a device that are free, and all it has, where it tells.
pub(crate) fn room(device: &Device) -> Option<(u64, u64)> {
    match device {
        Device::Cpu => crate::memory::available().map(|free| (free, free)),
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => {
            let (free, all) = card.cuda_stream().context().mem_get_info().ok()?;
            Some((free as u64, all as u64))
        }
        #[cfg(all(feature = "metal", target_vendor = "apple"))]
        Device::Metal(gpu) => {
            let all = gpu.metal_device().recommended_max_working_set_size() as u64;
            Some((all.saturating_sub(gpu.metal_device().current_allocated_size() as u64), all))
        }
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// What the maker calls a device, where it tells.
pub(crate) fn title(device: &Device) -> String {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => card.cuda_stream().context().name().unwrap_or_else(|_| "an NVIDIA card".to_owned()),
        Device::Cpu => processor().unwrap_or_else(|| "a processor".to_owned()),
        device => Kind::of(device).to_string(),
    }
}

/// The processor's name as Linux tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_there_and_what_was_not_built_is_not() {
        assert!(matches!(open(Kind::Cpu, 0), Ok(Device::Cpu)));
        assert!(!title(&Device::Cpu).is_empty());
        if !ThisMachine.built(Kind::Cuda) {
            assert!(open(Kind::Cuda, 0).is_err() && ThisMachine.count(Kind::Cuda).is_err());
        }
        if !ThisMachine.built(Kind::Metal) {
            assert!(open(Kind::Metal, 0).is_err());
            assert_eq!(ThisMachine.count(Kind::Metal), Ok(0));
        }
    }
}
