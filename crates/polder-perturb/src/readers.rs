//! Which reader computes where.

use candle_core::Device;

use crate::cpu::CpuReader;
use crate::error::{Error, Result};
use crate::gpu::GpuReader;
use crate::param::ParamSet;
use crate::points::Points;
use crate::reader::{Arithmetic, Reader};

/// A reader of `params` at `points` on the device where they are to be computed with ([`ParamSet::device`]).
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Tensor};

    #[test]
    fn the_cpu_reads_what_it_has_arithmetic_for() {
        let mut params = ParamSet::new();
        params.insert("w", Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap()).unwrap();
        let points = Points::plain();
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
            assert!(reader(&params, &points, arithmetic).unwrap().device().is_cpu());
        }
        let refused = reader(&params, &points, Arithmetic::Tf32).err().unwrap().to_string();
        assert!(refused.contains("TF32") && refused.contains("cpu") && refused.contains("hint: "), "{refused}");
    }
}
