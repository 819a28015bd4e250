//! The moments of a two-point estimate on a random cubic: flat minima, oracle 1.

use polder_optim::objectives::{Scratch, Smooth, SmoothObjective};
use polder_optim::{Batch, Estimator, Objective, StepContext, TwoPoint, step_seeds};
use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};

const D: usize = 4;

/// `f(x) = aᵀx + ½xᵀHx + (1/6) Σ Tᵢⱼₖxᵢxⱼxₖ` with symmetric H and T.
#[derive(Debug)]
struct Cubic {
    a: [f64; D],
    h: [[f64; D]; D],
    t: [[[f64; D]; D]; D],
}

impl Cubic {
    /// Symmetric functions of the indices, of no particular form.
    fn new() -> Self {
        let wave = |i: usize, s: f64| (1.7 * i as f64 + s).sin();
        Self {
            a: std::array::from_fn(|i| wave(i, 0.3)),
            h: std::array::from_fn(|i| std::array::from_fn(|j| wave(i + j, 0.1) + wave(i * j, 0.9))),
            t: std::array::from_fn(|i| {
                std::array::from_fn(|j| std::array::from_fn(|k| wave(i + j + k, 0.5) + wave(i * j * k, 0.2)))
            }),
        }
    }

    /// `Σ Tᵢⱼₖuᵢuⱼuₖ`.
    fn third(&self, u: &[f64]) -> f64 {
        let mut sum = 0.0;
        for i in 0..D {
            for j in 0..D {
                for k in 0..D {
                    sum += self.t[i][j][k] * u[i] * u[j] * u[k];
                }
            }
        }
        sum
    }
}

impl Smooth for Cubic {
    fn dimension(&self) -> usize {
        D
    }

    fn examples(&self) -> usize {
        1
    }

    fn value(&self, x: &[f64], _: Option<&[usize]>, _: &mut Scratch) -> f64 {
        let square = |i: usize| (0..D).map(|j| self.h[i][j] * x[i] * x[j]).sum::<f64>();
        (0..D).map(|i| self.a[i] * x[i] + 0.5 * square(i)).sum::<f64>() + self.third(x) / 6.0
    }

    fn gradient(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) -> f64 {
        for (i, out) in out.iter_mut().enumerate() {
            let square = |j: usize| (0..D).map(|k| self.t[i][j][k] * x[j] * x[k]).sum::<f64>();
            *out = self.a[i] + (0..D).map(|j| self.h[i][j] * x[j] + 0.5 * square(j)).sum::<f64>();
        }
        self.value(x, rows, scratch)
    }

    /// `Σᵢ Hᵢᵢ + Σᵢₖ Tᵢᵢₖxₖ`.
    fn trace(&self, x: &[f64]) -> Option<f64> {
        Some((0..D).map(|i| self.h[i][i] + (0..D).map(|k| self.t[i][i][k] * x[k]).sum::<f64>()).sum())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

const X: [f64; D] = [0.4, -0.7, 0.2, 1.1];

/// On a cubic the two-point slope is `u·∇f + (λ²/6)·∇³f[u,u,u]`, for every λ.
#[test]
fn slopes_on_a_cubic_have_two_parts() {
    let cubic = Cubic::new();
    let params = SmoothObjective::parameter(&X).unwrap();
    let mut objective = SmoothObjective::new(&cubic, &params, Law::Gaussian).unwrap();
    let mut gradient = [0.0; D];
    cubic.gradient(&X, None, &mut Scratch::new(), &mut gradient);
    for step in 0..1000 {
        let eps = [0.01, 0.5, 2.0][step as usize % 3];
        let two = TwoPoint { eps, ..TwoPoint::default() };
        let context = StepContext { step, total: 1000, batch: Batch(step), elements: D, lengths: &[] };
        let seeds = step_seeds(Seed(1), step, 1);
        let losses = objective.losses(context.batch, &two.probes(&context, &seeds)).unwrap();
        let slope = two.combine(&context, &seeds, &losses).unwrap().projected[0];
        let mut u = [0f32; D];
        fill(Law::Gaussian, seeds[0], ParamKey::of(SmoothObjective::NAME), 0, &mut u);
        let u = u.map(f64::from);
        let eps = f64::from(eps as f32);
        let expected = dot(&u, &gradient) + eps * eps / 6.0 * cubic.third(&u);
        let size = losses.means().iter().fold(1.0f64, |most, loss| most.max(loss.abs()));
        assert!((slope - expected).abs() < 1e-14 * size / eps, "{step}: {slope} {expected}");
    }
}

/// With G = (u·∇f)u, H₀ = ∇³f[u,u,u]·u and t = ∇Tr∇²f: `E‖G‖² = (d+2)‖∇f‖²`, `E H₀ = 3t`, `E G·H₀ = 3(d+4) ∇f·t`,
/// `E‖H₀‖² = 9(d+6)‖t‖² + 6(d+6) Σ(∂³f)²`, each within 1 % at 4·10⁶ samples.
#[test]
fn moments_are_those_of_the_paper() {
    const SAMPLES: usize = 4_000_000;
    let cubic = Cubic::new();
    let (mut gradient, mut sums, mut mean) = ([0.0; D], [0.0; 3], [0.0; D]);
    cubic.gradient(&X, None, &mut Scratch::new(), &mut gradient);
    let mut draws = vec![0f32; D * SAMPLES];
    fill(Law::Gaussian, Seed(2), ParamKey::of("samples"), 0, &mut draws);
    for u in draws.as_chunks::<D>().0 {
        let u = u.map(f64::from);
        let (slope, third, square) = (dot(&u, &gradient), cubic.third(&u), dot(&u, &u));
        sums[0] += slope * slope * square;
        sums[1] += slope * third * square;
        sums[2] += third * third * square;
        mean.iter_mut().zip(u).for_each(|(mean, u)| *mean += third * u);
    }
    let t: [f64; D] = std::array::from_fn(|k| (0..D).map(|i| cubic.t[i][i][k]).sum());
    let squares: f64 = cubic.t.as_flattened().as_flattened().iter().map(|t| t * t).sum();
    let d = D as f64;
    let expected = [
        (d + 2.0) * dot(&gradient, &gradient),
        3.0 * (d + 4.0) * dot(&gradient, &t),
        9.0 * (d + 6.0) * dot(&t, &t) + 6.0 * (d + 6.0) * squares,
    ];
    for (sum, expected) in sums.iter().zip(expected) {
        let found = sum / SAMPLES as f64;
        assert!((found / expected - 1.0).abs() < 0.01, "{found}, {expected}");
    }
    let away: Vec<f64> = mean.iter().zip(t).map(|(mean, t)| mean / SAMPLES as f64 - 3.0 * t).collect();
    assert!(dot(&away, &away).sqrt() < 0.01 * 3.0 * dot(&t, &t).sqrt(), "{away:?}");
}
