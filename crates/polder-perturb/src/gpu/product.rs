//! Products of activations with weights, each by the device's own library.

use candle_core::{CpuStorage, CudaStorage, DType, InplaceOp1, Layout, Tensor};

use crate::error::Result;

/// `out[r·stride + first + c] = Σ_k x[r, k]·w[c, k]`, summed in f32.
pub(super) struct Product<'a> {
    /// Rows of f32 or bf16, contiguous.
    pub(super) x: &'a Tensor,
    /// Rows of the same type and width, contiguous.
    pub(super) w: &'a Tensor,
    /// Where the first number goes.
    pub(super) first: usize,
    /// From one row of the result to the next.
    pub(super) stride: usize,
    /// Whether factors of f32 may be rounded to ten bits of mantissa.
    pub(super) tf32: bool,
}

impl Product<'_> {
    /// Queues the product into `out`, a contiguous matrix of f32 with `stride` columns.
    ///
    /// # Errors
    /// What the library refuses.
    pub(super) fn onto(&self, out: &Tensor) -> Result<()> {
        if self.x.elem_count() == 0 || self.w.elem_count() == 0 {
            return Ok(());
        }
        if out.device().is_cuda() {
            return Ok(out.inplace_op1(self)?);
        }
        // Elsewhere the product is made apart and copied to its place.
        let wide = |x: &Tensor| x.to_dtype(DType::F32);
        let y = wide(self.x)?.matmul(&wide(self.w)?.t()?)?;
        let (row, column) = (self.first / self.stride, self.first % self.stride);
        out.narrow(0, row, y.dim(0)?)?.slice_set(&y, 1, column)?;
        Ok(())
    }
}

impl InplaceOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, _: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        candle_core::bail!("this product is made on a GPU")
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &mut CudaStorage, layout: &Layout) -> candle_core::Result<()> {
        super::cuda::product(self, storage, layout)
    }

    #[cfg(not(feature = "cuda"))]
    fn cuda_fwd(&self, _: &mut CudaStorage, _: &Layout) -> candle_core::Result<()> {
        let Self { tf32, .. } = self;
        candle_core::bail!("this program was built without CUDA (tf32: {tf32})")
    }
}
