//! Which vector instructions this machine has, asked once.
//!
//! Every kernel here gives the same bits at every level: products are accumulated one fused multiply-add after the other,
//! in one order, and lanes never mix. A level changes the speed and nothing else.

use std::sync::OnceLock;

/// The widest instructions that the kernels may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Plain Rust with `f32::mul_add`.
    Portable,
    /// 256-bit AVX2 with FMA.
    Avx2,
    /// 512-bit AVX-512F.
    Avx512,
}

/// The level of this machine.
pub(crate) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("fma") {
        Level::Avx512
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        Level::Avx2
    } else {
        Level::Portable
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Portable
}

/// Levels that this machine can run, for tests that hold them against each other.
#[cfg(test)]
pub(crate) fn available() -> Vec<Level> {
    [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(|l| *l <= level()).collect()
}

/// Compiles one body for each level, and calls the one for `$level`.
///
/// The body is plain Rust; the compiler vectorises it with the instructions of the level. Rust never reassociates
/// floating-point arithmetic, so all versions give the same bits.
macro_rules! at_each_level {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(level: $crate::cpu::level::Level, $($arg: $ty),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $ty),*) { body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $ty),*) { body($($arg),*) }
                match level {
                    // SAFETY: `level` is at most what `detect` found on this machine.
                    $crate::cpu::level::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::cpu::level::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::cpu::level::Level::Portable => {}
                }
            }
            let _ = level;
            body($($arg),*);
        }
    };
}
pub(crate) use at_each_level;
