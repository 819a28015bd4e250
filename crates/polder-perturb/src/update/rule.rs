//! Elementwise rules: what becomes of a weight and its change.

use crate::param::Param;

/// `x ← rule(x, g)`, elementwise.
///
/// A rule is told where it is (parameter and element), so one that has state keeps a slice of it per parameter. The
/// result of an element must depend on nothing but that element's x, g and state.
pub trait Rule: Sync {
    /// Changes `x`, the elements of `param` from `start` on, by `g`; both have the same length.
    fn apply(&self, param: &Param, start: usize, x: &mut [f32], g: &[f32]);

    /// The same for weights stored in f64; by default in f32.
    fn apply64(&self, param: &Param, start: usize, x: &mut [f64], g: &[f32]) {
        let mut narrow: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        self.apply(param, start, &mut narrow, g);
        for (x, narrow) in x.iter_mut().zip(narrow) {
            *x = f64::from(narrow);
        }
    }

    /// Whether the rule leaves this parameter alone where every g is 0, so that it need not be visited.
    fn rests(&self, _param: &Param) -> bool {
        false
    }
}

/// Stochastic gradient descent with decoupled decay: `x ← x + (g − decay·x)`.
///
/// `g` already holds −(learning rate)·coefficient and `decay` is learning rate times weight decay. The product, the
/// difference and the sum are rounded one by one, none fused. Parameters without decay ([`Param::decay`]), and all where
/// it is 0, get `x ← x + g`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// The part of a weight that a step takes away.
    pub decay: f32,
}

impl Rule for Sgd {
    fn apply(&self, param: &Param, start: usize, x: &mut [f32], g: &[f32]) {
        if self.rests(param) {
            return Add.apply(param, start, x, g);
        }
        for (x, g) in x.iter_mut().zip(g) {
            *x += g - self.decay * *x;
        }
    }

    fn apply64(&self, param: &Param, start: usize, x: &mut [f64], g: &[f32]) {
        if self.rests(param) {
            return Add.apply64(param, start, x, g);
        }
        for (x, g) in x.iter_mut().zip(g) {
            *x += f64::from(*g) - f64::from(self.decay) * *x;
        }
    }

    fn rests(&self, param: &Param) -> bool {
        self.decay == 0.0 || !param.decay
    }
}

/// The bare sum `x ← x + g`: the probe in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add;

impl Rule for Add {
    fn apply(&self, _param: &Param, _start: usize, x: &mut [f32], g: &[f32]) {
        for (x, g) in x.iter_mut().zip(g) {
            *x += g;
        }
    }

    fn apply64(&self, _param: &Param, _start: usize, x: &mut [f64], g: &[f32]) {
        for (x, g) in x.iter_mut().zip(g) {
            *x += f64::from(*g);
        }
    }

    fn rests(&self, _param: &Param) -> bool {
        true
    }
}
