//! Eigenvalue, trace and commutator against dense matrices of known spectra.

use polder_perturb::Seed;

use super::*;
use crate::{Error, Precision, ProbeSeeds};

/// A dense symmetric matrix `Q diag(λ) Qᵀ`, Q a product of two Householder reflections.
struct Dense {
    d: usize,
    rows: Vec<f64>,
}

impl Dense {
    fn with_spectrum(eigenvalues: &[f64]) -> Self {
        let d = eigenvalues.len();
        let mut matrix = Self { d, rows: vec![0.0; d * d] };
        (0..d).for_each(|i| matrix.rows[i * d + i] = eigenvalues[i]);
        for turn in [1.0, 2.0] {
            let v: Vec<f64> = (0..d).map(|i| (turn * (i as f64 + 1.0)).sin() + 0.3).collect();
            matrix.reflect(&v);
        }
        matrix
    }

    /// `M ← RMR` with `R = I − 2vvᵀ/‖v‖²`.
    fn reflect(&mut self, v: &[f64]) {
        let square: f64 = v.iter().map(|x| x * x).sum();
        for _ in 0..2 {
            let mut next = vec![0.0; self.d * self.d];
            for (i, row) in self.rows.chunks_exact(self.d).enumerate() {
                let along: f64 = row.iter().zip(v).map(|(m, v)| m * v).sum::<f64>() * 2.0 / square;
                // Row i of MR becomes column i: twice gives RMR for a symmetric M.
                (0..self.d).for_each(|j| next[j * self.d + i] = row[j] - along * v[j]);
            }
            self.rows = next;
        }
    }

    fn times(&self, x: &[f64]) -> Vec<f64> {
        self.rows.chunks_exact(self.d).map(|row| row.iter().zip(x).map(|(m, x)| m * x).sum()).collect()
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.rows[i * self.d + j]
    }

    fn squares(&self) -> (f64, f64) {
        (self.rows.iter().map(|m| m * m).sum(), self.rows.iter().step_by(self.d + 1).map(|m| m * m).sum())
    }
}

type Never = std::convert::Infallible;

/// The gradient `Mx + b` of a quadratic.
fn gradient(matrix: &Dense) -> impl Fn(&[f64]) -> Result<Vec<f64>, Error> + '_ {
    |x| Ok(matrix.times(x).into_iter().enumerate().map(|(i, g)| g + 0.1 * i as f64).collect())
}

fn seeds() -> ProbeSeeds {
    ProbeSeeds::new(Seed(5), 0)
}

fn point(d: usize) -> Vec<f64> {
    (0..d).map(|i| (i as f64).cos()).collect()
}

/// Harmonic and beyond zero, d = 40: 3, 3/2, …, and the last one −2.
fn spectrum() -> Vec<f64> {
    (1..40).map(|i| 3.0 / f64::from(i)).chain([-2.0]).collect()
}

#[test]
fn products_are_those_of_the_matrix() {
    let matrix = Dense::with_spectrum(&spectrum());
    let gradient = gradient(&matrix);
    let x = point(40);
    let mut hessian = GradientHessian::new(&gradient, &x).unwrap();
    for scale in [1e-6, 1.0, 1e6] {
        let v: Vec<f64> = (0..40).map(|i| scale * f64::from(i * i).sin()).collect();
        let (found, exact) = (hessian.times(&v).unwrap(), matrix.times(&v));
        let off = found.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Rounding of a gradient of size 10 over twice the distance 4e-5, a unit vector each: 1e-15·10/1e-5.
        assert!(off < 1e-9 * scale * 10.0, "{scale}: {off}");
    }
    assert_eq!(hessian.gradients(), 6);
    assert_eq!(hessian.times(&[0.0; 40]).unwrap(), vec![0.0; 40]);
    assert_eq!(hessian.gradients(), 6);
}

#[test]
fn a_curved_gradient_is_off_by_the_square_of_the_distance() {
    // ∇f = x⁴ in one dimension: f″ = 4x³ = 32, and the central difference at r is 4x³ + 4xr².
    let quartic = |x: &[f64]| Ok::<_, Never>(vec![x[0].powi(4)]);
    let at = |r: f64| {
        let mut hessian = GradientHessian::new(&quartic, &[2.0]).unwrap().with_distance(r).unwrap();
        hessian.times(&[1.0]).unwrap()[0]
    };
    assert!((at(0.1) - 32.08).abs() < 1e-12 && (at(0.01) - 32.0008).abs() < 1e-11);
    let near = GradientHessian::new(&quartic, &[2.0]).unwrap().times(&[1.0]).unwrap()[0];
    // The distance is about 2e-5: 8·(2e-5)² + rounding 2⁻⁵²·16/2e-5.
    assert!((near - 32.0).abs() < 1e-8, "{near}");
}

#[test]
fn lanczos_finds_the_top_eigenvalue_and_how_far_off_it_is() {
    let matrix = Dense::with_spectrum(&spectrum());
    let gradient = gradient(&matrix);
    for tolerance in [1e-2, 1e-4, 1e-7] {
        let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap();
        let top = Lanczos { iterations: 40, tolerance }.run(&mut hessian, seeds()).unwrap();
        assert!(top.converged && top.residual <= tolerance * top.value, "{top:?}");
        // Within the residual, and within residual²/gap up to the products' rounding; the gap to 3/2 is 1.5.
        let off = (top.value - 3.0).abs();
        assert!(off <= top.residual && off <= top.residual.powi(2) / 1.5 + 1e-9, "{top:?}");
        assert_eq!(top.gradients, 2 * u64::from(top.iterations));
    }
}

#[test]
fn lanczos_takes_the_largest_not_the_largest_in_size() {
    let matrix = Dense::with_spectrum(&[-10.0, -1.0, 0.5, -3.0, 0.25, 0.0]);
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(6)).unwrap();
    let top = Lanczos { iterations: 60, tolerance: 1e-8 }.run(&mut hessian, seeds()).unwrap();
    assert!((top.value - 0.5).abs() < 1e-8 && top.iterations <= 6, "{top:?}");
    // All negative, then one repeated eigenvalue, then nothing at all.
    for (eigenvalues, expected) in [([-4.0, -2.0, -3.0], -2.0), ([7.0; 3], 7.0), ([0.0; 3], 0.0)] {
        let matrix = Dense::with_spectrum(&eigenvalues);
        let gradient = |x: &[f64]| Ok::<_, Never>(matrix.times(x));
        let mut hessian = GradientHessian::new(&gradient, &point(3)).unwrap();
        let top = Lanczos::default().run(&mut hessian, seeds()).unwrap();
        assert!((top.value - expected).abs() < 1e-8, "{top:?}");
    }
}

#[test]
fn too_few_iterations_say_so() {
    let matrix = Dense::with_spectrum(&spectrum());
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap();
    let top = Lanczos { iterations: 3, tolerance: 1e-10 }.run(&mut hessian, seeds()).unwrap();
    assert!(!top.converged && top.iterations == 3, "{top:?}");
    // Never above, and an eigenvalue within the residual: 3 is the nearest from here.
    assert!(top.value < 3.0 && 3.0 - top.value <= top.residual, "{top:?}");
}

#[test]
fn the_trace_has_the_standard_error_of_hutchinson() {
    let matrix = Dense::with_spectrum(&spectrum());
    let (squares, diagonal) = matrix.squares();
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap();
    let probe = GradientTrace { probes: 2000, precision: None };
    let measured = probe.run(&mut hessian, seeds()).unwrap();
    let exact: f64 = spectrum().iter().sum();
    assert!((measured.value - exact).abs() < 4.0 * measured.standard_error, "{measured} {exact}");
    // 2,000 samples of kurtosis below 10 know their standard deviation to 3.4 %.
    let error = (2.0 * (squares - diagonal) / 2000.0).sqrt();
    assert!((measured.standard_error / error - 1.0).abs() < 0.1, "{measured} {error}");
    assert_eq!((measured.samples, measured.gradients), (2000, 4000));
    let early = GradientTrace { precision: Some(Precision::Relative(0.1)), ..probe };
    let early = early.run(&mut hessian, seeds()).unwrap();
    assert!(early.samples < 2000 && early.standard_error <= 0.1 * early.value, "{early}");
}

#[test]
fn preconditioned_they_are_those_of_p_inverse_h() {
    let matrix = Dense::with_spectrum(&spectrum());
    let p: Vec<f64> = (0..40).map(|i| 0.5 + f64::from(i % 7)).collect();
    // P^{-1/2} H P^{-1/2}, dense; its top eigenvalue by many multiplications, shifted so that the top is the largest.
    let half = Dense { d: 40, rows: (0..1600).map(|k| matrix.rows[k] / (p[k / 40] * p[k % 40]).sqrt()).collect() };
    let (mut v, mut length) = (vec![1.0; 40], 0.0);
    for _ in 0..5000 {
        let next: Vec<f64> = half.times(&v).iter().zip(&v).map(|(h, v)| h + 4.0 * v).collect();
        length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        v = next.into_iter().map(|x| x / length).collect();
    }
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap().preconditioned(&p).unwrap();
    let top = Lanczos { iterations: 40, tolerance: 1e-6 }.run(&mut hessian, seeds()).unwrap();
    assert!((top.value - (length - 4.0)).abs() < 1e-8, "{top:?} {}", length - 4.0);
    let exact: f64 = (0..40).map(|i| matrix.at(i, i) / p[i]).sum();
    let trace = GradientTrace { probes: 2000, precision: None }.run(&mut hessian, seeds()).unwrap();
    assert!((trace.value - exact).abs() < 4.0 * trace.standard_error, "{trace} {exact}");
    assert!(trace.standard_error < 0.05 * exact, "{trace}");
}

#[test]
fn the_commutator_is_the_dense_one() {
    let matrix = Dense::with_spectrum(&spectrum());
    let p: Vec<f64> = (0..40).map(|i| 0.5 + f64::from(i % 7)).collect();
    let (mut apart, mut whole) = (0.0, 0.0);
    for i in 0..40 {
        for j in 0..40 {
            apart += ((p[i] - p[j]) * matrix.at(i, j)).powi(2);
            whole += (p[i] * matrix.at(i, j)).powi(2);
        }
    }
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap();
    let runs: Vec<_> = (0..100)
        .map(|at| Commutator { probes: 50 }.run(&mut hessian, &p, ProbeSeeds::new(Seed(6), at)).unwrap())
        .collect();
    let mean = runs.iter().map(|m| m.value).sum::<f64>() / 100.0;
    let spread = (runs.iter().map(|m| (m.value - mean).powi(2)).sum::<f64>() / 99.0).sqrt();
    let claimed = (runs.iter().map(|m| m.standard_error.powi(2)).sum::<f64>() / 100.0).sqrt();
    // The bias of a root of a quotient is of the order se²; 100 runs know their spread to 7 %.
    assert!((mean - (apart / whole).sqrt()).abs() < 4.0 * spread / 10.0 + spread * spread, "{mean} {}", apart / whole);
    assert!((claimed / spread - 1.0).abs() < 0.3, "{claimed} {spread}");
    assert_eq!((runs[0].samples, runs[0].gradients), (50, 200));
}

#[test]
fn what_commutes_has_no_commutator() {
    let matrix = Dense::with_spectrum(&spectrum());
    let gradient = gradient(&matrix);
    let mut hessian = GradientHessian::new(&gradient, &point(40)).unwrap();
    let same = Commutator { probes: 10 }.run(&mut hessian, &[2.0; 40], seeds()).unwrap();
    assert!(same.value < 1e-9, "{same}");
    let flat = |x: &[f64]| Ok::<_, Never>(vec![1.0; x.len()]);
    let mut hessian = GradientHessian::new(&flat, &point(4)).unwrap();
    let why = Commutator { probes: 10 }.run(&mut hessian, &[1.0; 4], seeds()).unwrap_err().to_string();
    assert!(why.contains("each of 10 probes is zero") && why.contains("\nhint: "), "{why}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let fine = |x: &[f64]| Ok::<_, Never>(x.to_vec());
    let text = |e: Error| e.to_string();
    assert!(text(GradientHessian::new(&fine, &[]).err().unwrap()).contains("the point has 0 numbers"));
    assert!(
        text(GradientHessian::new(&fine, &[1.0, f64::NAN]).err().unwrap()).contains("number 1 of the point is NaN")
    );
    let new = || GradientHessian::new(&fine, &[1.0, 2.0]).unwrap();
    assert!(text(new().with_distance(0.0).err().unwrap()).contains("`distance` = 0"));
    assert!(text(new().preconditioned(&[1.0, -1.0]).err().unwrap()).contains("number 1 of the preconditioner is -1"));
    assert!(text(new().times(&[1.0]).unwrap_err()).contains("the vector has 1 numbers, 2 were expected"));
    let mut scaled = new().preconditioned(&[1.0, 2.0]).unwrap();
    assert!(text(scaled.times(&[1.0; 3]).unwrap_err()).contains("the vector has 3 numbers"));
    let lanczos = |iterations, tolerance| Lanczos { iterations, tolerance }.run(&mut new(), seeds()).unwrap_err();
    assert!(text(lanczos(0, 0.1)).contains("`iterations` = 0") && text(lanczos(3, 0.0)).contains("`tolerance`"));
    let trace = GradientTrace { probes: 1, precision: None };
    assert!(text(trace.run(&mut new(), seeds()).unwrap_err()).contains("`probes` = 1"));
    let short = |_: &[f64]| Ok::<_, Never>(vec![1.0]);
    let mut hessian = GradientHessian::new(&short, &[1.0, 2.0]).unwrap();
    assert!(text(hessian.times(&[1.0, 1.0]).unwrap_err()).contains("the gradient has 1 numbers"));
    let infinite = |x: &[f64]| Ok::<_, Never>(vec![f64::INFINITY; x.len()]);
    let mut hessian = GradientHessian::new(&infinite, &[1.0]).unwrap();
    assert!(text(hessian.times(&[1.0]).unwrap_err()).contains("number 0 of the gradient is inf"));
    let broken = |_: &[f64]| Err::<Vec<f64>, _>("no gradient today");
    let mut hessian = GradientHessian::new(&broken, &[1.0]).unwrap();
    assert_eq!(text(hessian.times(&[1.0]).unwrap_err()), "the gradient could not be computed: no gradient today");
}
