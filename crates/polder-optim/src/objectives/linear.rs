//! Logistic regression and the squared-hinge support vector machine.

use std::sync::Arc;

use super::features::Features;
use super::smooth::{Scratch, Smooth};
use super::wide::{Simd, Work, add_scaled, dot, dots, wide};

/// The loss of a linear model's logit `z = φᵀw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinearLoss {
    /// Cross-entropy in nats, labels y of 0 and 1: `log(1 + e^z) − yz`.
    Logistic,
    /// Squared hinge, labels y of −1 and 1: `max(0, 1 − yz)²`.
    SquaredHinge,
}

impl LinearLoss {
    #[inline(always)]
    fn value(self, z: f64, positive: bool) -> f64 {
        match self {
            Self::Logistic => z.max(0.0) + (-z.abs()).exp().ln_1p() - if positive { z } else { 0.0 },
            Self::SquaredHinge => {
                let margin = slack(z, positive);
                margin * margin
            }
        }
    }

    /// The derivative by z.
    #[inline(always)]
    fn slope(self, z: f64, positive: bool) -> f64 {
        match self {
            Self::Logistic => {
                let e = (-z.abs()).exp();
                let p = if z >= 0.0 { 1.0 } else { e } / (1.0 + e);
                p - if positive { 1.0 } else { 0.0 }
            }
            Self::SquaredHinge => {
                let margin = slack(z, positive);
                if positive { -2.0 * margin } else { 2.0 * margin }
            }
        }
    }

    /// The second derivative by z.
    fn curvature(self, z: f64, positive: bool) -> f64 {
        match self {
            Self::Logistic => {
                let e = (-z.abs()).exp();
                e / ((1.0 + e) * (1.0 + e))
            }
            Self::SquaredHinge => {
                if slack(z, positive) > 0.0 {
                    2.0
                } else {
                    0.0
                }
            }
        }
    }
}

/// `max(0, 1 − yz)`; not a number where z is none.
#[inline(always)]
fn slack(z: f64, positive: bool) -> f64 {
    let margin = if positive { 1.0 - z } else { 1.0 + z };
    if margin < 0.0 { 0.0 } else { margin }
}

/// A linear model's mean loss over features: `f(w) = (1/N) Σ loss(φᵢᵀw, yᵢ)`.
///
/// Training and test rows are two models over the same coordinates. Source: Zhang et al., arXiv 2506.05454, Figures 2
/// and 5.
#[derive(Debug, Clone)]
pub struct LinearModel {
    features: Arc<Features>,
    loss: LinearLoss,
}

impl LinearModel {
    /// The mean of that loss over these rows.
    pub fn new(features: impl Into<Arc<Features>>, loss: LinearLoss) -> Self {
        Self { features: features.into(), loss }
    }

    /// The rows.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The logit `φᵢᵀw` of every row.
    pub fn logits(&self, w: &[f64]) -> Vec<f64> {
        assert_eq!(w.len(), self.dimension(), "the model's weights");
        (0..self.examples()).map(|row| dot(self.features.row(row), w)).collect()
    }

    fn count(&self, rows: Option<&[usize]>) -> usize {
        rows.map_or(self.examples(), <[usize]>::len)
    }
}

/// The mean losses at P points; the features are read once.
struct Means<'a, const P: usize> {
    model: &'a LinearModel,
    points: [&'a [f64]; P],
    rows: Option<&'a [usize]>,
}

impl<const P: usize> Work for Means<'_, P> {
    type Output = [f64; P];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; P] {
        let Self { model, points, rows } = self;
        let (count, mut sums) = (model.count(rows), [0.0; P]);
        for i in 0..count {
            let row = rows.map_or(i, |rows| rows[i]);
            let z = dots(simd, model.features.row(row), points);
            let positive = model.features.positive()[row];
            for p in 0..P {
                sums[p] += model.loss.value(z[p], positive);
            }
        }
        sums.map(|sum| sum / count as f64)
    }
}

/// Writes the gradient over `out`, which is 0 before, and gives the mean loss.
struct Slopes<'a> {
    model: &'a LinearModel,
    x: &'a [f64],
    rows: Option<&'a [usize]>,
    out: &'a mut [f64],
}

impl Work for Slopes<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { model, x, rows, out } = self;
        let (count, mut sum) = (model.count(rows), 0.0);
        for i in 0..count {
            let row = rows.map_or(i, |rows| rows[i]);
            let (features, positive) = (model.features.row(row), model.features.positive()[row]);
            let [z] = dots(simd, features, [x]);
            sum += model.loss.value(z, positive);
            add_scaled(model.loss.slope(z, positive), features, out);
        }
        out.iter_mut().for_each(|g| *g /= count as f64);
        sum / count as f64
    }
}

impl Smooth for LinearModel {
    fn dimension(&self) -> usize {
        self.features.columns()
    }

    fn examples(&self) -> usize {
        self.features.rows()
    }

    fn value(&self, x: &[f64], rows: Option<&[usize]>, _scratch: &mut Scratch) -> f64 {
        assert_eq!(x.len(), self.dimension(), "the model's weights");
        wide(Means { model: self, points: [x], rows })[0]
    }

    fn values(&self, points: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) {
        let d = self.dimension();
        for (points, out) in points.chunks(2 * d).zip(out.chunks_mut(2)) {
            match out {
                [first, second] => {
                    let (a, b) = points.split_at(d);
                    [*first, *second] = wide(Means { model: self, points: [a, b], rows });
                }
                _ => out[0] = self.value(points, rows, scratch),
            }
        }
    }

    /// `(1/N) Σ loss′(zᵢ)·φᵢ`.
    fn gradient(&self, x: &[f64], rows: Option<&[usize]>, _scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        assert_eq!(x.len(), self.dimension(), "the model's weights");
        out.fill(0.0);
        wide(Slopes { model: self, x, rows, out })
    }

    /// `(1/N) Σ loss″(zᵢ)·‖φᵢ‖²`; for the squared hinge that of the side where the slack is 0, on the edge.
    fn trace(&self, x: &[f64]) -> Option<f64> {
        let rows = self.features.positive().iter().zip(self.features.squares());
        let terms = self.logits(x).into_iter().zip(rows).map(|(z, (p, square))| self.loss.curvature(z, *p) * square);
        Some(terms.sum::<f64>() / self.examples() as f64)
    }

    /// The share of rows whose logit is positive just where their class is.
    fn accuracy(&self, x: &[f64]) -> Option<f64> {
        let right = self.logits(x).into_iter().zip(self.features.positive()).filter(|(z, p)| (*z > 0.0) == **p);
        Some(right.count() as f64 / self.examples() as f64)
    }
}
