//! A valley whose floor is sharp in one direction at one end and a little curved in many at the other.

use polder_optim::objectives::{Scratch, Smooth};

/// `f(x, y) = ½ Σ cᵢ(x)·yᵢ²` with `σ = 1/(1 + e^{−x/w})`, `c₁ = σ`, and `cᵢ = (1 − σ)·b/n` for the n others.
///
/// Every (x, 0) is a minimum. There the eigenvalues of the Hessian are the cᵢ and 0: the trace is `σ + (1 − σ)·b`, smallest
/// at the sharp end (σ = 1) if b > 1, while the largest eigenvalue is smallest near the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Valley {
    /// The number n of directions that share the curvature at the broad end.
    pub(super) others: usize,
    /// The trace b at the broad end; that at the sharp end is 1.
    pub(super) broad: f64,
    /// The length w over which one end goes over into the other.
    pub(super) width: f64,
}

impl Valley {
    /// σ at a place along the floor.
    pub(super) fn sharpness(&self, x: f64) -> f64 {
        1.0 / (1.0 + (-x / self.width).exp())
    }

    /// The place where σ has that value.
    pub(super) fn place(&self, sharpness: f64) -> f64 {
        self.width * (sharpness / (1.0 - sharpness)).ln()
    }

    /// The curvatures across the floor, the sharp one first.
    pub(super) fn curvatures(&self, x: f64) -> Vec<f64> {
        let sharp = self.sharpness(x);
        let each = (1.0 - sharp) * self.broad / self.others as f64;
        std::iter::once(sharp).chain(std::iter::repeat_n(each, self.others)).collect()
    }

    /// `y₁²` and `Σ yᵢ²` of the others.
    fn squares(&self, x: &[f64]) -> (f64, f64) {
        assert_eq!(x.len(), self.dimension(), "the valley's argument");
        (x[1] * x[1], x[2..].iter().map(|y| y * y).sum())
    }
}

impl Smooth for Valley {
    fn dimension(&self) -> usize {
        2 + self.others
    }

    fn examples(&self) -> usize {
        1
    }

    fn value(&self, x: &[f64], _rows: Option<&[usize]>, _scratch: &mut Scratch) -> f64 {
        let (sharp, (first, others)) = (self.sharpness(x[0]), self.squares(x));
        0.5 * (sharp * first + (1.0 - sharp) * self.broad / self.others as f64 * others)
    }

    fn gradient(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        let (sharp, (first, others)) = (self.sharpness(x[0]), self.squares(x));
        let each = self.broad / self.others as f64;
        let slope = sharp * (1.0 - sharp) / self.width;
        out[0] = 0.5 * slope * (first - each * others);
        out[1] = sharp * x[1];
        out[2..].iter_mut().zip(&x[2..]).for_each(|(g, y)| *g = (1.0 - sharp) * each * y);
        self.value(x, rows, scratch)
    }

    /// The trace, of the floor's own direction as well.
    fn trace(&self, x: &[f64]) -> Option<f64> {
        let (sharp, (first, others)) = (self.sharpness(x[0]), self.squares(x));
        let bend = sharp * (1.0 - sharp) * (1.0 - 2.0 * sharp) / (self.width * self.width);
        let along = 0.5 * bend * (first - self.broad / self.others as f64 * others);
        Some(sharp + (1.0 - sharp) * self.broad + along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_and_trace_are_those_of_the_values() {
        let valley = Valley { others: 3, broad: 1.3, width: 2.0 };
        let x = [0.7, -0.4, 0.9, 0.2, -1.1];
        let (mut scratch, mut gradient) = (Scratch::new(), [0.0; 5]);
        let value = valley.gradient(&x, None, &mut scratch, &mut gradient);
        let mut at = |i: usize, h: f64| {
            let mut y = x;
            y[i] += h;
            valley.value(&y, None, &mut scratch)
        };
        let mut trace = 0.0;
        for (i, slope) in gradient.iter().enumerate() {
            let (plus, minus) = (at(i, 1e-4), at(i, -1e-4));
            assert!(((plus - minus) / 2e-4 - slope).abs() < 1e-8, "{i}");
            trace += (plus + minus - 2.0 * value) / 1e-8;
        }
        assert!((trace - valley.trace(&x).unwrap()).abs() < 1e-6);
        assert!((valley.sharpness(valley.place(0.7)) - 0.7).abs() < 1e-12);
        assert!(
            (valley.curvatures(0.3).iter().sum::<f64>() - valley.trace(&[0.3, 0.0, 0.0, 0.0, 0.0]).unwrap()).abs()
                < 1e-12
        );
    }
}
