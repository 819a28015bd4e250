//! The top eigenpair of a symmetric tridiagonal matrix.

use crate::bisection::root;

/// A symmetric tridiagonal matrix: k numbers on the diagonal, k − 1 beside it.
pub(super) struct Tridiagonal<'a> {
    pub(super) diagonal: &'a [f64],
    pub(super) beside: &'a [f64],
}

impl Tridiagonal<'_> {
    /// The largest eigenvalue and the size of its unit eigenvector's last element.
    ///
    /// The eigenvalue is where the pivots of `x − T` become all positive (Sturm), by bisection; the vector comes from
    /// two rounds of inverse iteration just above it, where `x − T` is positive definite and needs no pivoting.
    pub(super) fn top(&self) -> (f64, f64) {
        let k = self.diagonal.len();
        if k == 1 {
            return (self.diagonal[0], 1.0);
        }
        let radius = |i: usize| self.beside(i) + if i == 0 { 0.0 } else { self.beside(i - 1) };
        let low = self.diagonal.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let high = (0..k).map(|i| self.diagonal[i] + radius(i)).fold(low, f64::max);
        let scale = (0..k).map(|i| self.diagonal[i].abs() + radius(i)).fold(f64::MIN_POSITIVE, f64::max);
        let high = high + 4.0 * f64::EPSILON * scale;
        let top = root(low, high, |x| !self.pivots(x).all(|pivot| pivot > 0.0));

        let above = top + 8.0 * f64::EPSILON * scale;
        let mut vector = vec![1.0; k];
        for _ in 0..2 {
            self.solve(above, f64::EPSILON * scale, &mut vector);
            let largest = vector.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            vector.iter_mut().for_each(|x| *x /= largest);
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            vector.iter_mut().for_each(|x| *x /= length);
        }
        (top, vector[k - 1].abs())
    }

    /// The size of the number beside the diagonal, below row i. Signs change the eigenvector's signs alone; without
    /// them it is positive (Perron), so inverse iteration may start from all ones.
    fn beside(&self, i: usize) -> f64 {
        self.beside.get(i).map_or(0.0, |b| b.abs())
    }

    /// The pivots of `x − T`.
    fn pivots(&self, x: f64) -> impl Iterator<Item = f64> {
        let mut last = f64::INFINITY;
        (0..self.diagonal.len()).map(move |i| {
            let beside = if i == 0 { 0.0 } else { self.beside(i - 1) };
            last = x - self.diagonal[i] - beside * beside / last;
            last
        })
    }

    /// Solves `(x − T)y = b` in place; a pivot that rounding made smaller than `least` counts as that.
    fn solve(&self, x: f64, least: f64, b: &mut [f64]) {
        let mut pivots: Vec<f64> = Vec::with_capacity(b.len());
        for i in 0..b.len() {
            let mut pivot = x - self.diagonal[i];
            if i > 0 {
                let multiplier = self.beside(i - 1) / pivots[i - 1];
                pivot -= multiplier * self.beside(i - 1);
                b[i] += multiplier * b[i - 1];
            }
            pivots.push(pivot.max(least));
        }
        for i in (0..b.len()).rev() {
            if i + 1 < b.len() {
                b[i] += self.beside(i) * b[i + 1];
            }
            b[i] /= pivots[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn the_second_difference_matrix_has_its_known_top() {
        for k in [1usize, 2, 3, 10, 60] {
            let (diagonal, beside) = (vec![2.0; k], vec![-1.0; k - 1]);
            let (top, last) = Tridiagonal { diagonal: &diagonal, beside: &beside }.top();
            let n = (k + 1) as f64;
            // λ = 2 + 2 cos(π/(k+1)); the vector is √(2/(k+1))·sin(iπ/(k+1)), up to signs.
            assert!((top - (2.0 + 2.0 * (PI / n).cos())).abs() < 1e-14, "{k}: {top}");
            let exact = (2.0 / n).sqrt() * (PI * k as f64 / n).sin();
            // The gap to the next eigenvalue divides the rounding.
            assert!((last - exact).abs() < 1e-12, "{k}: {last} {exact}");
        }
    }

    #[test]
    fn a_vector_that_dies_out_keeps_its_small_last_element() {
        // T = diag(1, 0, 0) with 0.01 beside it: the last element is close to 0.01² = 1e-4.
        let (top, last) = Tridiagonal { diagonal: &[1.0, 0.0, 0.0], beside: &[0.01, 0.01] }.top();
        // λ(λ² − λ − 2e-4) + 1e-4 = 0 to f64.
        assert!((top.powi(3) - top * top - 2e-4 * top + 1e-4).abs() < 1e-15);
        // The rows of (T − λ)y = 0 from below: y₂ = 100λy₃, y₁ = 100λy₂ − y₃.
        let (y2, y1) = (100.0 * top, 1e4 * top * top - 1.0);
        assert!((last - 1.0 / (1.0 + y2 * y2 + y1 * y1).sqrt()).abs() < 1e-15);
        let zero = Tridiagonal { diagonal: &[0.0, 0.0], beside: &[0.0] }.top().0;
        assert!(zero.abs() < 1e-300);
    }
}
