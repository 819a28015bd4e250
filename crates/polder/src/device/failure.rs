//! How a device fails at its work, by what its driver says.

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Its memory is full.
    OutOfMemory,
    /// It can't be reached any more, or its state is broken.
    Lost,
}

impl Failure {
    /// In words.
    pub fn said(self) -> &'static str {
        match self {
            Self::OutOfMemory => "its memory is full",
            Self::Lost => "it does not answer any more, or its memory can't be trusted",
        }
    }

    /// What can be done.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::OutOfMemory => {
                "nothing that was logged is lost: go on by `--resume`, with less in a pass (`--set micro_batch=…`, `--set \
                 points_a_pass=1`), with the weights in the computer's memory (`--set offload=true`; not on Apple GPUs), or once \
                 nothing else uses the device"
            }
            Self::Lost => {
                "nothing that was logged is lost: look at the driver's log (such as `dmesg`), then go on by `--resume`, there \
                 or on another device of this kind"
            }
        }
    }
}

/// What CUDA, cuBLAS and Metal say where no memory is left.
const FULL: &[&str] = &[
    "CUDA_ERROR_OUT_OF_MEMORY",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "kIOGPUCommandBufferCallbackErrorOutOfMemory",
    "Insufficient Memory",
    "FailedToCreateResource",
];

/// What they say where the device or its context is gone.
const GONE: &[&str] = &[
    "CUDA_ERROR_DEVICE_UNAVAILABLE",
    "CUDA_ERROR_DEVICE_NOT_LICENSED",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "CUDA_ERROR_SYSTEM_NOT_READY",
    "CUDA_ERROR_NO_DEVICE",
    "CUDA_ERROR_UNKNOWN",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "kIOGPUCommandBufferCallbackError",
];

/// The failure that an error's text tells of; `None` where it is no device's. Memory that is full comes first: a later
/// failure often follows from it.
pub fn failure_of(text: &str) -> Option<Failure> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        () if says(FULL) => Some(Failure::OutOfMemory),
        () if says(GONE) => Some(Failure::Lost),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_known_by_what_drivers_say() {
        for (text, failure) in [
            (r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#, Some(Failure::OutOfMemory)),
            ("CublasError(CUBLAS_STATUS_ALLOC_FAILED)", Some(Failure::OutOfMemory)),
            // The name of one holds that of the other.
            ("kIOGPUCommandBufferCallbackErrorOutOfMemory", Some(Failure::OutOfMemory)),
            ("kIOGPUCommandBufferCallbackErrorTimeout", Some(Failure::Lost)),
            (r#"DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access")"#, Some(Failure::Lost)),
            ("cannot write `a`: No space left on device", None),
        ] {
            assert_eq!(failure_of(text), failure, "{text}");
        }
    }
}
