//! Launches on Apple GPUs: the text compiled by the driver, with safe mathematics.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use candle_core::metal_backend::DeviceId;
use candle_core::{Layout, MetalDevice, MetalStorage, Result, Storage, bail};
use candle_metal_kernels::metal::{ComputePipeline, Library};
use objc2_metal::{MTLCompileOptions, MTLMathMode, MTLSize};

use super::launch::{Launch, Shape};
use super::text;

/// What was compiled for a device.
struct Compiled {
    library: Library,
    pipelines: HashMap<&'static str, ComputePipeline>,
}

/// A kernel's pipeline; the first asks the driver to compile the text.
fn pipeline(device: &MetalDevice, kernel: &'static str) -> Result<ComputePipeline> {
    static COMPILED: Mutex<Option<HashMap<DeviceId, Compiled>>> = Mutex::new(None);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled = compiled.get_or_insert_with(HashMap::new);
    let of_device = match compiled.entry(device.id()) {
        Entry::Occupied(of_device) => of_device.into_mut(),
        Entry::Vacant(place) => place.insert(Compiled { library: library(device)?, pipelines: HashMap::new() }),
    };
    if let Some(pipeline) = of_device.pipelines.get(kernel) {
        return Ok(pipeline.clone());
    }
    let function = of_device.library.get_function(kernel, None).map_err(candle_core::Error::wrap)?;
    let pipeline = device.metal_device().new_compute_pipeline_state_with_function(&function);
    let pipeline = pipeline.map_err(candle_core::Error::wrap)?;
    of_device.pipelines.insert(kernel, pipeline.clone());
    Ok(pipeline)
}

/// The text, compiled without fast mathematics, which is the driver's default and would change bits.
fn library(device: &MetalDevice) -> Result<Library> {
    let options = MTLCompileOptions::new();
    if objc2::available!(macos = 15.0, ios = 18.0) {
        options.setMathMode(MTLMathMode::Safe);
    } else {
        #[allow(deprecated, reason = "older systems have nothing else")]
        options.setFastMathEnabled(false);
    }
    device.metal_device().new_library_with_source(text::METAL, Some(&options)).map_err(candle_core::Error::wrap)
}

/// Queues a kernel, `storage` being its first buffer.
pub(super) fn launch<A: Copy>(launch: &Launch<'_, A>, storage: &mut MetalStorage, layout: &Layout) -> Result<()> {
    use candle_core::backend::BackendStorage;
    let device = storage.device().clone();
    let pipeline = pipeline(&device, launch.kernel)?;
    let held: Vec<_> = launch.others.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let encoder = device.command_encoder()?;
    let encoder: &candle_metal_kernels::metal::ComputeCommandEncoder = encoder.as_ref();
    encoder.set_compute_pipeline_state(&pipeline);
    let bytes = |storage: &MetalStorage, layout: &Layout| layout.start_offset() * storage.dtype().size_in_bytes();
    encoder.set_output_buffer(0, Some(storage.buffer()), bytes(storage, layout));
    for (i, (other, layout)) in held.iter().enumerate() {
        let Storage::Metal(other) = &**other else { bail!("a buffer of `{}` is not on the GPU", launch.kernel) };
        // An update writes its state too: whoever comes next waits for all of them.
        if launch.kernel.starts_with("update") {
            encoder.set_output_buffer(i + 1, Some(other.buffer()), bytes(other, layout));
        } else {
            encoder.set_input_buffer(i + 1, Some(other.buffer()), bytes(other, layout));
        }
    }
    encoder.set_bytes(held.len() + 1, &launch.args);
    let (blocks, mut threads) = launch.shape.grid()?;
    // A kernel of many registers may have fewer threads in a group; threads that share out work can do with that.
    let most = u32::try_from(pipeline.max_total_threads_per_threadgroup()).unwrap_or(u32::MAX);
    match launch.shape {
        Shape::Threads(_) => threads = threads.min(most),
        Shape::Groups(_, lanes) if lanes > most => {
            bail!("this GPU runs `{}` with {most} lanes at most, and it needs {lanes}", launch.kernel)
        }
        Shape::Groups(..) => {}
    }
    let size = |width: u32| MTLSize { width: width as usize, height: 1, depth: 1 };
    encoder.dispatch_thread_groups(size(blocks), size(threads));
    Ok(())
}
