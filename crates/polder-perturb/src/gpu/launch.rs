//! A kernel's launch, the same on every device: what it writes, what it reads, its arguments.
#![cfg_attr(
    not(any(test, feature = "cuda", all(feature = "metal", target_vendor = "apple"))),
    allow(dead_code, reason = "a build without a device has nothing to launch")
)]

use candle_core::{CpuStorage, CudaStorage, InplaceOp1, Layout, MetalStorage, Tensor};

use crate::error::Result;

/// How many threads a launch has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Threads that share out so many pieces of work.
    Threads(u64),
    /// Groups of so many lanes, a piece of work each.
    Groups(u64, u32),
}

/// Threads of a block that shares out work.
pub(super) const BLOCK: u32 = 256;
/// The most blocks of a launch whose threads share out work: enough to fill any card.
const MOST_BLOCKS: u64 = 1 << 16;

impl Shape {
    /// Blocks, and threads of a block.
    pub(super) fn grid(self) -> candle_core::Result<(u32, u32)> {
        match self {
            Self::Threads(work) => Ok((work.div_ceil(u64::from(BLOCK)).clamp(1, MOST_BLOCKS) as u32, BLOCK)),
            Self::Groups(groups, lanes) => match i32::try_from(groups) {
                Ok(groups) => Ok((groups.cast_unsigned(), lanes)),
                Err(_) => candle_core::bail!("{groups} groups are too many for one launch"),
            },
        }
    }

    fn is_empty(self) -> bool {
        matches!(self, Self::Threads(0) | Self::Groups(0, _))
    }
}

/// A kernel with all that it is called with. Its first buffer is the tensor that it is applied to.
///
/// `A` is the kernel's struct of arguments, field by field, its larger fields first so that both sides lay it out alike.
pub(super) struct Launch<'a, A> {
    /// The kernel's name in the text.
    pub(super) kernel: &'static str,
    /// How many threads.
    pub(super) shape: Shape,
    /// The other buffers, contiguous: all but an update's state and carried bytes are only read.
    pub(super) others: &'a [&'a Tensor],
    /// What is no buffer.
    pub(super) args: A,
}

impl<A: Copy> Launch<'_, A> {
    /// Queues the kernel, which writes `out` or changes it; does not wait for it.
    ///
    /// # Errors
    /// Tensors that are not contiguous, or lie on another device than `out`; what the driver refuses.
    pub(super) fn onto(&self, out: &Tensor) -> Result<()> {
        if self.shape.is_empty() {
            return Ok(());
        }
        for tensor in self.others.iter().chain([&out]) {
            if !tensor.is_contiguous() || !tensor.device().same_device(out.device()) {
                return Err(
                    candle_core::Error::msg(format!("`{}`: a buffer is in pieces or elsewhere", self.kernel)).into()
                );
            }
        }
        Ok(out.inplace_op1(self)?)
    }
}

impl<A: Copy> InplaceOp1 for Launch<'_, A> {
    fn name(&self) -> &'static str {
        self.kernel
    }

    #[cfg(test)]
    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        super::tests::host::run(self, storage, layout)
    }

    #[cfg(not(test))]
    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        candle_core::bail!("`{}` is a kernel for a GPU", self.kernel)
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
        super::cuda::launch(self, storage, layout)
    }

    #[cfg(not(feature = "cuda"))]
    fn cuda_fwd(&self, _: &mut CudaStorage, _: &Layout) -> candle_core::Result<()> {
        candle_core::bail!("this program was built without CUDA")
    }

    #[cfg(all(feature = "metal", target_vendor = "apple"))]
    fn metal_fwd(&self, storage: &mut MetalStorage, layout: &Layout) -> candle_core::Result<()> {
        super::metal::launch(self, storage, layout)
    }

    #[cfg(not(all(feature = "metal", target_vendor = "apple")))]
    fn metal_fwd(&self, _: &mut MetalStorage, _: &Layout) -> candle_core::Result<()> {
        candle_core::bail!("this program was built without Metal")
    }
}
