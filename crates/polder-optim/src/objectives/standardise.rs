//! Dense rows, standardised on the training rows.

use super::data_error::DataError;
use super::libsvm::SparseData;
use super::wide::{Simd, Work, add_scaled, wide};

/// The most numbers that a dense matrix may have: 1 GiB.
pub(super) const MAX_NUMBERS: usize = 1 << 27;

/// Dense rows.
pub(super) struct Dense {
    pub(super) numbers: Vec<f64>,
    pub(super) positive: Vec<bool>,
}

impl Dense {
    fn of(data: &SparseData, columns: usize) -> Result<Self, DataError> {
        fits("the dense features", data.rows(), columns + 1)?;
        let mut numbers = vec![0.0; data.rows() * columns];
        for (row, dense) in numbers.chunks_exact_mut(columns).enumerate() {
            data.row(row).for_each(|(feature, value)| dense[feature] = value);
        }
        Ok(Self { numbers, positive: data.positive().to_vec() })
    }

    pub(super) fn rows(&self) -> usize {
        self.positive.len()
    }

    /// Mean `[d]` and covariance `[d·d]` of the rows, divided by their number.
    pub(super) fn moments(&self, columns: usize) -> (Vec<f64>, Vec<f64>) {
        let n = self.rows() as f64;
        let mean = means(&self.numbers, columns);
        let mut covariance = vec![0.0; columns * columns];
        wide(Squares { rows: &self.numbers, mean: &mean, sums: &mut covariance });
        covariance.iter_mut().for_each(|c| *c /= n);
        (mean, covariance)
    }
}

/// Adds up `(x − m)(x − m)ᵀ` over the rows.
struct Squares<'a> {
    rows: &'a [f64],
    mean: &'a [f64],
    sums: &'a mut [f64],
}

impl Work for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let columns = self.mean.len();
        let mut away = vec![0.0; columns];
        for row in self.rows.chunks_exact(columns) {
            for (away, (x, mean)) in away.iter_mut().zip(row.iter().zip(self.mean)) {
                *away = x - mean;
            }
            for (i, sums) in self.sums.chunks_exact_mut(columns).enumerate() {
                add_scaled(away[i], &away, sums);
            }
        }
    }
}

/// Every data set, standardised on the first.
pub(super) struct Standardised {
    pub(super) train: Dense,
    pub(super) others: Vec<Dense>,
    pub(super) columns: usize,
}

impl Standardised {
    pub(super) fn of(train: &SparseData, others: &[&SparseData]) -> Result<Self, DataError> {
        let columns = others.iter().map(|data| data.features()).fold(train.features(), usize::max).max(1);
        let mut train = Dense::of(train, columns)?;
        let mut others = others.iter().map(|data| Dense::of(data, columns)).collect::<Result<Vec<_>, _>>()?;
        let scale = Scale::of(&train.numbers, columns);
        std::iter::once(&mut train).chain(&mut others).for_each(|data| scale.apply(&mut data.numbers));
        Ok(Self { train, others, columns })
    }
}

/// An affine map of every column, to mean 0 and variance 1 on the rows that it was made from.
pub(super) struct Scale {
    means: Vec<f64>,
    deviations: Vec<f64>,
}

impl Scale {
    pub(super) fn of(numbers: &[f64], columns: usize) -> Self {
        let means = means(numbers, columns);
        let rows = (numbers.len() / columns) as f64;
        let mut squares = vec![0.0; columns];
        for row in numbers.chunks_exact(columns) {
            squares.iter_mut().zip(row.iter().zip(&means)).for_each(|(s, (x, m))| *s += (x - m) * (x - m));
        }
        let deviation = |(square, mean): (f64, &f64)| {
            let variance: f64 = square / rows;
            // What rounding leaves of a constant column.
            let rounding = rows * mean * f64::EPSILON;
            if variance > rounding * rounding { variance.sqrt() } else { 1.0 }
        };
        let deviations = squares.into_iter().zip(&means).map(deviation).collect();
        Self { means, deviations }
    }

    pub(super) fn apply(&self, numbers: &mut [f64]) {
        for row in numbers.chunks_exact_mut(self.means.len()) {
            let scales = self.means.iter().zip(&self.deviations);
            row.iter_mut().zip(scales).for_each(|(x, (mean, deviation))| *x = (*x - mean) / deviation);
        }
    }
}

/// The mean of each column.
fn means(numbers: &[f64], columns: usize) -> Vec<f64> {
    let rows = (numbers.len() / columns) as f64;
    let mut sums = vec![0.0; columns];
    numbers.chunks_exact(columns).for_each(|row| add_scaled(1.0, row, &mut sums));
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// Refuses a matrix that is too large, before it is made.
pub(super) fn fits(what: &'static str, rows: usize, columns: usize) -> Result<(), DataError> {
    let most = MAX_NUMBERS;
    match rows.checked_mul(columns) {
        Some(count) if count <= most => Ok(()),
        _ => Err(DataError::TooLarge { what, rows, columns, most }),
    }
}
