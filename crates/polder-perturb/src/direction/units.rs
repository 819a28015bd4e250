//! What becomes of a direction's numbers, and the walk over its aligned units.
#![allow(unsafe_code)]

use super::lanes::Lanes;

/// What becomes of a direction's elements.
#[derive(Clone, Copy)]
pub(super) enum Then<'a, const K: usize> {
    /// They are what is wanted.
    Fill,
    /// Each output becomes its coefficient times them, plus 0.
    Scale([f32; K]),
    /// Each output gets them added, times its coefficient.
    Add([f32; K]),
    /// Each output becomes this base plus its coefficient times them; as many elements as an output has.
    Shift(&'a [f32], [f32; K]),
}

/// What happens to a vector of a direction: a method and no closure, so that it can always be inlined.
pub(super) trait Finish<L: Lanes, const K: usize>: Copy {
    /// # Safety
    /// Each pointer is good for reading and writing `N` numbers, `base` for reading them where the finish has one.
    unsafe fn finish(self, s: L, u: L::Floats, base: *const f32, at: [*mut f32; K]);
}

#[derive(Clone, Copy)]
struct Filled;
#[derive(Clone, Copy)]
struct Scaled<const K: usize>([f32; K]);
#[derive(Clone, Copy)]
struct Added<const K: usize>([f32; K]);
#[derive(Clone, Copy)]
struct Shifted<const K: usize>([f32; K]);

impl<L: Lanes, const K: usize> Finish<L, K> for Filled {
    #[inline(always)]
    unsafe fn finish(self, s: L, u: L::Floats, _: *const f32, at: [*mut f32; K]) {
        for at in at {
            // SAFETY: the caller's promise.
            unsafe { s.store(at, u) };
        }
    }
}

impl<L: Lanes, const K: usize> Finish<L, K> for Scaled<K> {
    #[inline(always)]
    unsafe fn finish(self, s: L, u: L::Floats, _: *const f32, at: [*mut f32; K]) {
        for (at, coeff) in at.into_iter().zip(self.0) {
            // SAFETY: the caller's promise.
            unsafe { s.store(at, s.fma(s.float(coeff), u, s.float(0.0))) };
        }
    }
}

impl<L: Lanes, const K: usize> Finish<L, K> for Added<K> {
    #[inline(always)]
    unsafe fn finish(self, s: L, u: L::Floats, _: *const f32, at: [*mut f32; K]) {
        for (at, coeff) in at.into_iter().zip(self.0) {
            // SAFETY: the caller's promise.
            unsafe { s.store(at, s.fma(s.float(coeff), u, s.load(at))) };
        }
    }
}

impl<L: Lanes, const K: usize> Finish<L, K> for Shifted<K> {
    #[inline(always)]
    unsafe fn finish(self, s: L, u: L::Floats, base: *const f32, at: [*mut f32; K]) {
        // SAFETY: the caller's promise.
        unsafe {
            let base = s.load(base);
            for (at, coeff) in at.into_iter().zip(self.0) {
                s.store(at, s.fma(s.float(coeff), u, base));
            }
        }
    }
}

/// What makes one aligned unit of `U` elements.
pub(super) trait Unit<L: Lanes, const K: usize, const U: usize> {
    /// # Safety
    /// Each pointer is good for reading and writing `U` numbers, `base` for reading them where `finish` has one.
    unsafe fn whole<F: Finish<L, K>>(&mut self, s: L, unit: u64, finish: F, base: *const f32, at: [*mut f32; K]);
}

/// Makes every aligned unit of `U` elements, a part of a unit by way of a buffer.
#[inline(always)]
pub(super) fn units<L: Lanes, const K: usize, const U: usize>(
    s: L,
    start: u64,
    then: Then<'_, K>,
    outs: [&mut [f32]; K],
    work: impl Unit<L, K, U>,
) {
    match then {
        Then::Fill => each_unit(s, start, Filled, &[], outs, work),
        Then::Scale(coeffs) => each_unit(s, start, Scaled(coeffs), &[], outs, work),
        Then::Add(coeffs) => each_unit(s, start, Added(coeffs), &[], outs, work),
        Then::Shift(base, coeffs) => each_unit(s, start, Shifted(coeffs), base, outs, work),
    }
}

#[inline(always)]
fn each_unit<L: Lanes, const K: usize, const U: usize>(
    s: L,
    start: u64,
    finish: impl Finish<L, K>,
    base: &[f32],
    outs: [&mut [f32]; K],
    mut work: impl Unit<L, K, U>,
) {
    let len = outs[0].len();
    let (mut part, mut base_part) = ([[0f32; U]; K], [0f32; U]);
    let mut done = 0;
    while done < len {
        let at = start.wrapping_add(done as u64);
        let (unit, within) = (at / U as u64, (at % U as u64) as usize);
        let take = (U - within).min(len - done);
        let whole = take == U;
        let mut places = [std::ptr::null_mut(); K];
        for k in 0..K {
            places[k] = if whole {
                outs[k][done..done + U].as_mut_ptr()
            } else {
                part[k][within..within + take].copy_from_slice(&outs[k][done..done + take]);
                part[k].as_mut_ptr()
            };
        }
        let from = match (base.is_empty(), whole) {
            (true, _) => std::ptr::null(),
            (false, true) => base[done..done + U].as_ptr(),
            (false, false) => {
                base_part[within..within + take].copy_from_slice(&base[done..done + take]);
                base_part.as_ptr()
            }
        };
        // SAFETY: each place has U elements, and so has the base where there is one.
        unsafe { work.whole(s, unit, finish, from, places) };
        if !whole {
            for k in 0..K {
                outs[k][done..done + take].copy_from_slice(&part[k][within..within + take]);
            }
        }
        done += take;
    }
}
