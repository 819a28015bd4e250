//! Launches on NVIDIA cards: the text compiled by NVRTC, products by cuBLAS.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::sync::OnceLock;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cublas::{result::gemm_ex, sys as blas};
use candle_core::cuda_backend::cudarc::driver::{
    CudaStream, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice, WrapErr};
use candle_core::{CudaStorage, DType, Layout, Result, Storage, bail};

use super::launch::Launch;
use super::product::Product;
use super::text;

/// The oldest cards: of compute capability 7.5. Newer ones run what is compiled for them.
const OLDEST: (i32, i32) = (7, 5);

/// The kernels in PTX, compiled once: for a virtual machine that every card from [`OLDEST`] on runs.
fn ptx(device: &CudaDevice) -> Result<&'static str> {
    static PTX: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let capability = device.cuda_stream().context().compute_capability().w()?;
    if capability < OLDEST {
        let (major, minor) = capability;
        bail!(
            "this card has compute capability {major}.{minor}, and polder's kernels need 7.5\nhint: device = \"cpu\""
        );
    }
    let options = || {
        let options = text::NVRTC_OPTIONS.map(str::to_owned).to_vec();
        CompileOptions { options, ..CompileOptions::default() }
    };
    let compile = || compile_ptx_with_opts(text::CUDA, options()).map(|ptx| ptx.to_src()).map_err(|e| format!("{e:?}"));
    match PTX.get_or_init(compile) {
        Ok(ptx) => Ok(ptx),
        Err(why) => bail!("NVRTC does not compile the kernels: {why}"),
    }
}

/// A kernel's struct of arguments, as it lies in memory.
struct Plain<A>(A);

// SAFETY: `A` is a `repr(C)` struct of integers and floats, laid out as the kernel's own struct.
unsafe impl<A: Copy> DeviceRepr for Plain<A> {}

/// Where a tensor's numbers lie in the device's memory; the guard is dropped when the use is queued.
fn address<'a>(storage: &'a CudaStorage, layout: &Layout, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
    let (at, guard) = match &storage.slice {
        CudaStorageSlice::U8(x) => x.device_ptr(stream),
        CudaStorageSlice::U32(x) => x.device_ptr(stream),
        CudaStorageSlice::BF16(x) => x.device_ptr(stream),
        CudaStorageSlice::F16(x) => x.device_ptr(stream),
        CudaStorageSlice::F32(x) => x.device_ptr(stream),
        _ => bail!("a kernel does not take a buffer of this type"),
    };
    Ok((at + (layout.start_offset() * storage.dtype().size_in_bytes()) as u64, guard))
}

/// The same for numbers that will be written.
fn target<'a>(storage: &'a mut CudaStorage, layout: &Layout, stream: &'a CudaStream) -> Result<(u64, SyncOnDrop<'a>)> {
    let size = storage.dtype().size_in_bytes();
    let (at, guard) = match &mut storage.slice {
        CudaStorageSlice::BF16(x) => x.device_ptr_mut(stream),
        CudaStorageSlice::F16(x) => x.device_ptr_mut(stream),
        CudaStorageSlice::F32(x) => x.device_ptr_mut(stream),
        _ => bail!("a kernel does not write a buffer of this type"),
    };
    Ok((at + (layout.start_offset() * size) as u64, guard))
}

/// Queues a kernel, `storage` being its first buffer.
pub(super) fn launch<A: Copy>(launch: &Launch<'_, A>, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
    let device = storage.device.clone();
    let stream = device.cuda_stream();
    let function = device.get_or_load_custom_func(launch.kernel, "polder", ptx(&device)?)?;
    let held: Vec<_> = launch.others.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let mut buffers = vec![target(storage, layout, &stream)?];
    for (storage, layout) in &held {
        let Storage::Cuda(storage) = &**storage else { bail!("a buffer of `{}` is not on the card", launch.kernel) };
        buffers.push(address(storage, layout, &stream)?);
    }
    let (addresses, _guards): (Vec<u64>, Vec<SyncOnDrop<'_>>) = buffers.into_iter().unzip();
    let (blocks, threads) = launch.shape.grid()?;
    let args = Plain(launch.args);
    let mut builder = function.builder();
    for address in &addresses {
        builder.arg(address);
    }
    builder.arg(&args);
    let config = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the buffers and the arguments are those of this kernel, in its order; their owners made them large enough for
    // the work that the arguments name. All work of a thread is queued on one stream; an update's state is written by the
    // one thread that holds it.
    unsafe { builder.launch(config) }.w()?;
    Ok(())
}

/// Queues a product by cuBLAS, `storage` being that of the result.
pub(super) fn product(product: &Product<'_>, storage: &mut CudaStorage, layout: &Layout) -> Result<()> {
    let device = storage.device.clone();
    let stream = device.cuda_stream();
    let (rows, width) = product.x.dims2()?;
    let columns = product.w.dim(0)?;
    let (x, w) = (product.x.storage_and_layout(), product.w.storage_and_layout());
    let (x_at, _x) = operand(&x, &stream)?;
    let (w_at, _w) = operand(&w, &stream)?;
    let (out_at, _out) = target(storage, layout, &stream)?;
    let out_at = out_at + (product.first * size_of::<f32>()) as u64;
    let (kind, compute) = match (product.x.dtype(), product.w.dtype()) {
        (DType::BF16, DType::BF16) => (blas::cudaDataType::CUDA_R_16BF, blas::cublasComputeType_t::CUBLAS_COMPUTE_32F),
        (DType::F32, DType::F32) if product.tf32 => {
            (blas::cudaDataType::CUDA_R_32F, blas::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32)
        }
        (DType::F32, DType::F32) => (blas::cudaDataType::CUDA_R_32F, blas::cublasComputeType_t::CUBLAS_COMPUTE_32F),
        (x, w) => bail!("a product of {x:?} with {w:?}"),
    };
    let [rows, width, columns, stride] = [rows, width, columns, product.stride].map(i32::try_from);
    let (rows, width, columns, stride) = (rows?, width?, columns?, stride?);
    let (one, zero) = (1f32, 0f32);
    let blas_handle = device.cublas_handle();
    // cuBLAS has columns where these matrices have rows: it is given w and x, and writes the result's transpose.
    // SAFETY: the operands are contiguous matrices of these shapes and the result has room, as `Product` says; all work is
    // queued on the one stream of the device.
    unsafe {
        gemm_ex(
            *blas_handle.handle(),
            blas::cublasOperation_t::CUBLAS_OP_T,
            blas::cublasOperation_t::CUBLAS_OP_N,
            columns,
            rows,
            width,
            (&raw const one).cast::<c_void>(),
            w_at as *const c_void,
            kind,
            width,
            x_at as *const c_void,
            kind,
            width,
            (&raw const zero).cast::<c_void>(),
            out_at as *mut c_void,
            blas::cudaDataType::CUDA_R_32F,
            stride,
            compute,
            blas::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .w()
}

/// Where an operand lies.
fn operand<'a>(
    held: &'a (impl std::ops::Deref<Target = Storage>, &Layout),
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    let Storage::Cuda(storage) = &*held.0 else { bail!("an operand is not on the card") };
    address(storage, held.1, stream)
}
