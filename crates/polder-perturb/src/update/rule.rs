//! Elementwise rules: what becomes of a weight and its change.

use crate::param::Param;

/// `(x, state) ← rule(x, g, state)`, elementwise.
///
/// `state` has the numbers that are kept for the same elements, one slice a slot; none for a rule without state. The
/// result of an element must depend on nothing but that element's x, g and state. Operations are rounded one by one, in
/// the order that a rule's formula shows; none is fused.
pub trait Rule: Sync {
    /// Changes `x`, the elements of `param` from `start` on, by `g`; all slices have the same length.
    fn apply(&self, param: &Param, start: usize, x: &mut [f32], g: &[f32], state: &mut [&mut [f32]]);

    /// The same for weights and state of f64.
    fn apply64(&self, param: &Param, start: usize, x: &mut [f64], g: &[f32], state: &mut [&mut [f64]]);

    /// The rule as kernels of GPUs know it, with the decay that this parameter feels; none where they don't.
    fn formula(&self, _param: &Param) -> Option<Formula> {
        None
    }

    /// Whether the rule leaves this parameter and its state alone where every g is 0, so that it need not be visited.
    fn rests(&self, _param: &Param) -> bool {
        false
    }
}

/// A rule for one parameter, in the words of kernels; see the rules themselves for what becomes of a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Formula {
    /// [`Sgd`] with a decay.
    Sgd {
        /// The part of a weight that a step takes away.
        decay: f32,
    },
    /// [`Add`].
    Add,
    /// [`Momentum`].
    Momentum {
        /// The learning rate.
        lr: f32,
        /// The part of the momentum that a step keeps.
        beta: f32,
        /// The part of a weight that a step takes away.
        decay: f32,
    },
    /// [`Adam`], its decay being that of the parameter.
    Adam(Adam),
    /// [`Sign`].
    Sign {
        /// The learning rate.
        lr: f32,
        /// The part of a weight that a step takes away.
        decay: f32,
    },
}

impl Formula {
    /// How many numbers it keeps for a weight.
    pub fn slots(&self) -> usize {
        match self {
            Self::Sgd { .. } | Self::Add | Self::Sign { .. } => 0,
            Self::Momentum { .. } => 1,
            Self::Adam(_) => 2,
        }
    }
}

/// The decay that a parameter feels.
fn decay_of(param: &Param, decay: f32) -> f32 {
    if param.decay { decay } else { 0.0 }
}

/// Stochastic gradient descent with decoupled decay: `x ← x + (g − decay·x)`.
///
/// `g` already holds −(learning rate)·coefficient and `decay` is learning rate times weight decay. Parameters without
/// decay ([`Param::decay`]), and all where it is 0, get `x ← x + g`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// The part of a weight that a step takes away.
    pub decay: f32,
}

impl Rule for Sgd {
    fn apply(&self, param: &Param, start: usize, x: &mut [f32], g: &[f32], state: &mut [&mut [f32]]) {
        if self.rests(param) {
            return Add.apply(param, start, x, g, state);
        }
        for (x, g) in x.iter_mut().zip(g) {
            *x += g - self.decay * *x;
        }
    }

    fn apply64(&self, param: &Param, start: usize, x: &mut [f64], g: &[f32], state: &mut [&mut [f64]]) {
        if self.rests(param) {
            return Add.apply64(param, start, x, g, state);
        }
        for (x, g) in x.iter_mut().zip(g) {
            *x += f64::from(*g) - f64::from(self.decay) * *x;
        }
    }

    fn rests(&self, param: &Param) -> bool {
        decay_of(param, self.decay) == 0.0
    }

    fn formula(&self, param: &Param) -> Option<Formula> {
        Some(if self.rests(param) { Formula::Add } else { Formula::Sgd { decay: self.decay } })
    }
}

/// Polyak's heavy ball: `m ← β·m + g`, `x ← x + (−lr·m − decay·x)`; `m` is the one slot.
///
/// `g` is the gradient estimate itself. Not an average: `m` grows to `g/(1 − β)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// The learning rate.
    pub lr: f32,
    /// The part β of `m` that a step keeps.
    pub beta: f32,
    /// The part of a weight that a step takes away.
    pub decay: f32,
}

impl Rule for Momentum {
    fn apply(&self, param: &Param, _start: usize, x: &mut [f32], g: &[f32], state: &mut [&mut [f32]]) {
        let [m] = state else { return };
        let decay = decay_of(param, self.decay);
        for ((x, g), m) in x.iter_mut().zip(g).zip(m.iter_mut()) {
            *m = self.beta * *m + g;
            *x += -self.lr * *m - decay * *x;
        }
    }

    fn apply64(&self, param: &Param, _start: usize, x: &mut [f64], g: &[f32], state: &mut [&mut [f64]]) {
        let [m] = state else { return };
        let [lr, beta, decay] = [self.lr, self.beta, decay_of(param, self.decay)].map(f64::from);
        for ((x, g), m) in x.iter_mut().zip(g).zip(m.iter_mut()) {
            *m = beta * *m + f64::from(*g);
            *x += -lr * *m - decay * *x;
        }
    }

    fn formula(&self, param: &Param) -> Option<Formula> {
        Some(Formula::Momentum { lr: self.lr, beta: self.beta, decay: decay_of(param, self.decay) })
    }
}

/// Adam: `m ← β₁·m + (1−β₁)·g`, `v ← β₂·v + (1−β₂)·(g·g)`, `x ← x + (−(lr·m)/(√(v·scale) + ε) − decay·x)`.
///
/// The slots are `m` and `v`. The bias corrections are in `lr` (divided by 1 − β₁ᵗ) and `scale` (1/(1 − β₂ᵗ)). Source:
/// Kingma and Ba, "Adam: A Method for Stochastic Optimization", arXiv 1412.6980, Algorithm 1; decay as in AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// The learning rate over `1 − β₁ᵗ`.
    pub lr: f32,
    /// `1/(1 − β₂ᵗ)`.
    pub scale: f32,
    /// The part β₁ of `m` that a step keeps.
    pub beta1: f32,
    /// The part β₂ of `v` that a step keeps.
    pub beta2: f32,
    /// ε, which keeps the quotient finite.
    pub eps: f32,
    /// The part of a weight that a step takes away.
    pub decay: f32,
}

impl Rule for Adam {
    fn apply(&self, param: &Param, _start: usize, x: &mut [f32], g: &[f32], state: &mut [&mut [f32]]) {
        let [m, v] = state else { return };
        let (decay, rest1, rest2) = (decay_of(param, self.decay), 1.0 - self.beta1, 1.0 - self.beta2);
        for (((x, g), m), v) in x.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
            *m = self.beta1 * *m + rest1 * g;
            *v = self.beta2 * *v + rest2 * (g * g);
            *x += -(self.lr * *m) / ((*v * self.scale).sqrt() + self.eps) - decay * *x;
        }
    }

    fn apply64(&self, param: &Param, _start: usize, x: &mut [f64], g: &[f32], state: &mut [&mut [f64]]) {
        let [m, v] = state else { return };
        let [lr, scale, beta1, beta2, eps, decay] =
            [self.lr, self.scale, self.beta1, self.beta2, self.eps, decay_of(param, self.decay)].map(f64::from);
        for (((x, g), m), v) in x.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
            let g = f64::from(*g);
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * (g * g);
            *x += -(lr * *m) / ((*v * scale).sqrt() + eps) - decay * *x;
        }
    }

    fn formula(&self, param: &Param) -> Option<Formula> {
        Some(Formula::Adam(Self { decay: decay_of(param, self.decay), ..*self }))
    }
}

/// The sign of the estimate: `x ← x + (−lr·sign(g) − decay·x)`, where the sign of 0 is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// The learning rate: how far every weight moves.
    pub lr: f32,
    /// The part of a weight that a step takes away.
    pub decay: f32,
}

impl Rule for Sign {
    fn apply(&self, param: &Param, _start: usize, x: &mut [f32], g: &[f32], _state: &mut [&mut [f32]]) {
        let decay = decay_of(param, self.decay);
        for (x, g) in x.iter_mut().zip(g) {
            let sign = if *g == 0.0 { 0.0 } else { 1f32.copysign(*g) };
            *x += -self.lr * sign - decay * *x;
        }
    }

    fn apply64(&self, param: &Param, _start: usize, x: &mut [f64], g: &[f32], _state: &mut [&mut [f64]]) {
        let [lr, decay] = [self.lr, decay_of(param, self.decay)].map(f64::from);
        for (x, g) in x.iter_mut().zip(g) {
            let sign = if *g == 0.0 { 0.0 } else { 1f64.copysign(f64::from(*g)) };
            *x += -lr * sign - decay * *x;
        }
    }

    fn rests(&self, param: &Param) -> bool {
        decay_of(param, self.decay) == 0.0
    }

    fn formula(&self, param: &Param) -> Option<Formula> {
        Some(Formula::Sign { lr: self.lr, decay: decay_of(param, self.decay) })
    }
}

/// The bare sum `x ← x + g`: the probe in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add;

impl Rule for Add {
    fn apply(&self, _param: &Param, _start: usize, x: &mut [f32], g: &[f32], _state: &mut [&mut [f32]]) {
        for (x, g) in x.iter_mut().zip(g) {
            *x += g;
        }
    }

    fn apply64(&self, _param: &Param, _start: usize, x: &mut [f64], g: &[f32], _state: &mut [&mut [f64]]) {
        for (x, g) in x.iter_mut().zip(g) {
            *x += f64::from(*g);
        }
    }

    fn rests(&self, _param: &Param) -> bool {
        true
    }

    fn formula(&self, _param: &Param) -> Option<Formula> {
        Some(Formula::Add)
    }
}
