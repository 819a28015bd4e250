//! Which reader reads weights where they lie.

use candle_core::DeviceLocation;

use crate::cpu::CpuReader;
use crate::error::{Error, Result};
use crate::param::ParamSet;
use crate::points::Points;
use crate::reader::{Arithmetic, Reader};

/// A reader of `params` at `points` on the device of the parameters.
///
/// # Errors
/// A device, or an arithmetic on that device, for which there is no reader.
pub fn reader<'a>(params: &'a ParamSet, points: &'a Points, arithmetic: Arithmetic) -> Result<Box<dyn Reader + 'a>> {
    let device = match params.device().location() {
        DeviceLocation::Cpu => return Ok(Box::new(CpuReader::in_arithmetic(params, points, arithmetic))),
        DeviceLocation::Cuda { .. } => "cuda",
        DeviceLocation::Metal { .. } => "metal",
    };
    Err(Error::Device { what: "a reader".to_owned(), device, hint: "load the weights on the CPU" })
}
