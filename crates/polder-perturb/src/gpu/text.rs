//! The kernels' text, as it goes to a compiler.

/// The kernels, in the words of one language's prelude.
macro_rules! text {
    ($prelude:literal) => {
        concat!(
            include_str!($prelude),
            include_str!("kernels/direction.h"),
            include_str!("kernels/storage.h"),
            include_str!("kernels/weights.h"),
            include_str!("kernels/rowwise.h"),
            include_str!("kernels/head.h"),
            include_str!("kernels/attention.h")
        )
    };
}

/// For NVRTC.
#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "no CUDA in this build"))]
pub(super) const CUDA: &str = text!("kernels/cuda.h");

/// What NVRTC is told: a virtual machine that every card of compute capability 7.5 and newer runs, and no fast mathematics
/// of any kind, as bits are promised.
#[cfg_attr(not(any(test, feature = "cuda")), expect(dead_code, reason = "no CUDA in this build"))]
pub(super) const NVRTC_OPTIONS: [&str; 5] =
    ["--gpu-architecture=compute_75", "--ftz=false", "--prec-sqrt=true", "--prec-div=true", "--fmad=false"];

/// For Metal.
#[cfg_attr(not(any(test, all(feature = "metal", target_vendor = "apple"))), expect(dead_code, reason = "no Metal"))]
pub(super) const METAL: &str = text!("kernels/metal.h");

/// Lanes of a group in norms and in the head's sums; LANES in the text.
pub(super) const LANES: u32 = 256;
/// Lanes of a group in attention; ATTENTION_LANES in the text.
pub(super) const ATTENTION_LANES: u32 = 128;
/// Queries that such a group takes; QUERIES in the text.
pub(super) const QUERIES: usize = 16;
/// The widest head of attention; MOST_DIMS in the text.
pub(super) const MOST_DIMS: usize = 256;
