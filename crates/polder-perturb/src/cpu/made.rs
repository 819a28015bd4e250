//! Buffers made on all threads, left for others to write, or used again.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use rayon::prelude::*;

use crate::cpu::view::Shared;

/// `len` numbers, made stretch by stretch on all threads: `make(i, stretch)` gets stretch `i` of at most `chunk`, zeros.
///
/// Zeroing a large vector before it is written would take one thread through memory while the others wait.
pub(super) fn made(len: usize, chunk: usize, make: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let mut out = Vec::with_capacity(len);
    out.spare_capacity_mut()[..len].par_chunks_mut(chunk).enumerate().for_each(|(i, stretch)| {
        stretch.iter_mut().for_each(|x| {
            x.write(0.0);
        });
        // SAFETY: all of these have just been written.
        make(i, unsafe { &mut *(std::ptr::from_mut::<[MaybeUninit<f32>]>(stretch) as *mut [f32]) });
    });
    // SAFETY: every stretch has been written.
    unsafe { out.set_len(len) };
    out
}

/// A vector whose numbers are still to be written, by whatever threads.
pub(super) struct Unwritten(Vec<f32>);

impl Unwritten {
    /// Room for `len` numbers.
    pub(super) fn new(len: usize) -> Self {
        Self(Vec::with_capacity(len))
    }

    /// Where they go.
    pub(super) fn place(&mut self) -> Shared {
        Shared::unwritten(self.0.spare_capacity_mut())
    }

    /// The vector of the `len` numbers that there was room asked for.
    ///
    /// # Safety
    /// All of them have been written.
    pub(super) unsafe fn finish(mut self, len: usize) -> Vec<f32> {
        assert!(len <= self.0.capacity());
        // SAFETY: the caller's promise.
        unsafe { self.0.set_len(len) };
        self.0
    }
}

/// A cache line of numbers.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Numbers that begin at a cache line. The memory goes back to this thread for the next one.
pub(super) struct Lines {
    lines: Vec<Line>,
    len: usize,
}

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

impl Lines {
    /// `len` numbers of any value.
    pub(super) fn some(len: usize) -> Self {
        let mut lines = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
        let wanted = len.div_ceil(16);
        if lines.len() < wanted {
            lines.resize(wanted, Line([0.0; 16]));
        }
        Self { lines, len }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // A thread that ends has nothing to keep.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().push(lines));
    }
}

impl Deref for Lines {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a line is 16 numbers without padding, and there are lines for `len` numbers.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_is_made_once_from_zeros() {
        let out = made(1000, 64, |i, stretch| {
            assert!(stretch.len() == if i == 15 { 40 } else { 64 });
            stretch.iter_mut().enumerate().for_each(|(j, x)| *x += (i * 64 + j) as f32);
        });
        assert_eq!(out, (0..1000).map(|i| i as f32).collect::<Vec<_>>());
        assert!(made(0, 8, |_, _| unreachable!()).is_empty());
    }

    #[test]
    fn lines_begin_where_cache_lines_do() {
        for len in [0, 1, 16, 33, 5] {
            let mut lines = Lines::some(len);
            assert_eq!((lines.len(), lines.as_ptr() as usize % 64), (len, 0));
            lines.fill(1.0);
        }
    }
}
