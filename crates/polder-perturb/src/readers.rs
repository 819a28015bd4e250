//! Which reader reads weights where they lie.

use candle_core::Device;

use crate::cpu::CpuReader;
use crate::error::{Error, Result};
use crate::gpu::GpuReader;
use crate::param::ParamSet;
use crate::points::Points;
use crate::reader::{Arithmetic, Reader};

/// A reader of `params` at `points` on the device of the parameters.
///
/// # Errors
/// A device, or an arithmetic on that device, for which there is no reader.
pub fn reader<'a>(params: &'a ParamSet, points: &'a Points, arithmetic: Arithmetic) -> Result<Box<dyn Reader + 'a>> {
    match params.device() {
        Device::Cpu if arithmetic == Arithmetic::Tf32 => {
            let what = "arithmetic in TF32".to_owned();
            Err(Error::Device { what, device: "cpu", hint: "arithmetic = \"f32\"" })
        }
        Device::Cpu => Ok(Box::new(CpuReader::in_arithmetic(params, points, arithmetic))),
        Device::Cuda(_) | Device::Metal(_) => Ok(Box::new(GpuReader::new(params, points, arithmetic)?)),
    }
}
