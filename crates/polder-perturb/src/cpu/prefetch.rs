//! Asking for memory before it is read.

/// Asks the processor to bring these elements into its caches; changes nothing and waits for nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(x: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE: usize = 64;
        let bytes = x.as_ptr_range();
        let mut at = bytes.start.cast::<i8>();
        while at < bytes.end.cast() {
            // SAFETY: a prefetch reads nothing, and every x86-64 processor has it.
            #[allow(unsafe_code)]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(at);
            }
            at = at.wrapping_add(LINE);
        }
    }
    let _ = x;
}
