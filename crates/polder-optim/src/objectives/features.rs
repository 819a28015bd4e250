//! Random features of sparse data, in all their dimensions or reduced to the few that matter.

use polder_perturb::Seed;

use super::data_error::DataError;
use super::draws::normal;
use super::libsvm::SparseData;
use super::orthogonal::triangularise;
use super::standardise::{Dense, MAX_NUMBERS, Scale, Standardised, fits};
use super::wide::{Simd, Work, add_scaled, dot, wide};

/// Rows of dense features with their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// `[rows·columns]`, row-major.
    numbers: Vec<f64>,
    columns: usize,
    positive: Vec<bool>,
    /// `‖φᵢ‖²` of each row.
    squares: Vec<f64>,
}

impl Features {
    fn new(numbers: Vec<f64>, columns: usize, positive: Vec<bool>) -> Self {
        let squares = numbers.chunks_exact(columns).map(|row| dot(row, row)).collect();
        Self { numbers, columns, positive, squares }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.positive.len()
    }

    /// The number of features D.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The features φ of a row.
    ///
    /// # Panics
    /// A row that there is not.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.numbers[row * self.columns..(row + 1) * self.columns]
    }

    /// Whether each row is of the positive class.
    pub fn positive(&self) -> &[bool] {
        &self.positive
    }

    /// The squared length `‖φ‖²` of each row.
    pub fn squares(&self) -> &[f64] {
        &self.squares
    }

    /// The share of the larger class: what a constant answer scores.
    pub fn majority(&self) -> f64 {
        let positive = self.positive.iter().filter(|p| **p).count();
        positive.max(self.rows() - positive) as f64 / self.rows() as f64
    }
}

/// Features of all data sets in the same coordinates, with the starting weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifted {
    /// The training rows.
    pub train: Features,
    /// The rows of the other data sets, in their order.
    pub others: Vec<Features>,
    /// The starting weights, in the features' coordinates: `0.1·N(0, I)` in those of the paper.
    pub start: Vec<f64>,
}

/// The paper's features: standardise on the training rows, multiply by a random `W` (d × m, N(0, 1)), standardise on the
/// training rows, and put a 1 in front: `φ = (1; (Wᵀx̃ − μ)/σ)`, D = m + 1 numbers.
///
/// A column that does not vary in training is not scaled. Source: arXiv 2506.05454, Figures 2 and 5 (m = 10,000).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomFeatures {
    /// The number m of random features, at least d.
    pub width: usize,
    /// The seed of W and of the starting weights.
    pub seed: Seed,
}

impl RandomFeatures {
    /// The most numbers that a dense matrix may have: 1 GiB.
    pub const MAX_NUMBERS: usize = MAX_NUMBERS;

    /// The features in d + 1 numbers, exactly: `ψ = R·(x̃; 1)` with `φ = A·(x̃; 1)`, `A = QR`, and the start `Qᵀw₀`.
    ///
    /// All logits, lengths and gradients' lengths are those of the full features, and since `Qᵀu` is standard normal for a
    /// standard normal u, so is the law of every run with Gaussian directions; runs of gradient methods without
    /// elementwise scaling are the same.
    ///
    /// # Errors
    /// Fewer random features than features; too much memory: see [`DataError`].
    pub fn reduced(&self, train: &SparseData, others: &[&SparseData]) -> Result<Lifted, DataError> {
        let scaled = self.standardised(train, others)?;
        let d = scaled.columns;
        let mut map = self.affine_map(&scaled);
        let mut start = [self.full_start()];
        triangularise(&mut map, &mut start);
        let reduce = |data: &Dense| {
            let mut psi = vec![0.0; data.rows() * (d + 1)];
            wide(Reduction { map: &map, rows: &data.numbers, psi: &mut psi });
            Features::new(psi, d + 1, data.positive.clone())
        };
        let [mut start] = start;
        start.truncate(d + 1);
        Ok(Lifted { train: reduce(&scaled.train), others: scaled.others.iter().map(reduce).collect(), start })
    }

    /// The features in all their m + 1 numbers, step by step as the paper makes them.
    ///
    /// # Errors
    /// As [`reduced`](Self::reduced).
    pub fn full(&self, train: &SparseData, others: &[&SparseData]) -> Result<Lifted, DataError> {
        let scaled = self.standardised(train, others)?;
        let matrix = self.matrix(scaled.columns);
        let lift = |data: &Dense| -> Result<Vec<f64>, DataError> {
            fits("the random features", data.rows(), self.width + 1)?;
            let mut numbers = Vec::with_capacity(data.rows() * self.width);
            for x in data.numbers.chunks_exact(scaled.columns) {
                numbers.extend(matrix.chunks_exact(scaled.columns).map(|w| dot(w, x)));
            }
            Ok(numbers)
        };
        let train = lift(&scaled.train)?;
        let scale = Scale::of(&train, self.width);
        let finish = |mut numbers: Vec<f64>, data: &Dense| {
            scale.apply(&mut numbers);
            let with_one = |row: &[f64]| std::iter::once(1.0).chain(row.iter().copied()).collect::<Vec<_>>();
            let numbers = numbers.chunks_exact(self.width).flat_map(with_one).collect();
            Features::new(numbers, self.width + 1, data.positive.clone())
        };
        let others =
            scaled.others.iter().map(|data| Ok(finish(lift(data)?, data))).collect::<Result<_, DataError>>()?;
        Ok(Lifted { train: finish(train, &scaled.train), others, start: self.full_start() })
    }

    /// The data, standardised, if the random features can hold them.
    fn standardised(&self, train: &SparseData, others: &[&SparseData]) -> Result<Standardised, DataError> {
        let scaled = Standardised::of(train, others)?;
        let (width, features) = (self.width, scaled.columns);
        if width < features {
            return Err(DataError::TooNarrow { width, features });
        }
        fits("the matrix of random features", width.saturating_add(1), features + 1)?;
        Ok(scaled)
    }

    /// W, `[m·d]`, the d numbers of one random feature after the other.
    fn matrix(&self, features: usize) -> Vec<f64> {
        normal(self.seed, "features.matrix", self.width * features)
    }

    /// The paper's starting weights, 0.1·N(0, I).
    fn full_start(&self) -> Vec<f64> {
        normal(self.seed, "features.start", self.width + 1).into_iter().map(|w| 0.1 * w).collect()
    }

    /// The columns of A in `φ = A·(x̃; 1)`: both standardisations are affine.
    ///
    /// Random feature j has mean `wⱼᵀm` and variance `wⱼᵀCwⱼ`, with the mean m and the covariance C of the training rows.
    fn affine_map(&self, scaled: &Standardised) -> Vec<Vec<f64>> {
        let d = scaled.columns;
        let (mean, covariance) = scaled.train.moments(d);
        let mut columns = vec![vec![0.0; self.width + 1]; d + 1];
        columns[d][0] = 1.0;
        for (j, w) in self.matrix(d).chunks_exact(d).enumerate() {
            let variance: f64 = covariance.chunks_exact(d).zip(w).map(|(row, w_i)| w_i * dot(row, w)).sum();
            let scale = if variance > 0.0 { variance.sqrt() } else { 1.0 };
            columns.iter_mut().zip(w).for_each(|(column, w)| column[j + 1] = w / scale);
            columns[d][j + 1] = -dot(w, &mean) / scale;
        }
        columns
    }
}

/// `ψ ← ψ + R·(x̃; 1)` for every row, the columns of R being upper triangular.
struct Reduction<'a> {
    map: &'a [Vec<f64>],
    rows: &'a [f64],
    psi: &'a mut [f64],
}

impl Work for Reduction<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let d = self.map.len() - 1;
        for (x, psi) in self.rows.chunks_exact(d).zip(self.psi.chunks_exact_mut(d + 1)) {
            for (j, column) in self.map.iter().enumerate() {
                let value = x.get(j).copied().unwrap_or(1.0);
                add_scaled(value, &column[..=j], &mut psi[..=j]);
            }
        }
    }
}
