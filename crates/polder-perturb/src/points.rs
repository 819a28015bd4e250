//! Points of weight space, as coefficients over seeds.

use crate::direction::{Law, Seed};

/// One term `coeff · u(seed)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// The direction's seed.
    pub seed: Seed,
    /// Its coefficient; read and applied as the nearest f32.
    pub coeff: f64,
}

/// A point `θ + Σ coeff·u(seed)`, relative to the weights θ. No terms: θ itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shift {
    /// The terms; they are added in ascending order of their seeds.
    pub terms: Vec<Term>,
}

impl Shift {
    /// The weights themselves.
    pub fn none() -> Self {
        Self::default()
    }

    /// The point `θ + coeff·u(seed)`.
    pub fn along(seed: Seed, coeff: f64) -> Self {
        Self { terms: vec![Term { seed, coeff }] }
    }
}

/// Points that one forward pass reads together: a matrix of coefficients, points × seeds.
///
/// Point `p` is `θ + Σ_s coeff[p][s]·u(seed[s])`, formed in f32 by fused multiply-adds in the order of the seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    law: Law,
    seeds: Vec<Seed>,
    coeffs: Vec<Vec<f32>>,
}

impl Points {
    /// One point: the weights themselves.
    pub fn plain() -> Self {
        Self { law: Law::Gaussian, seeds: Vec::new(), coeffs: vec![Vec::new()] }
    }

    /// The points `θ + λu` and `θ − λu`.
    pub fn pair(law: Law, seed: Seed, lambda: f64) -> Self {
        Self { law, seeds: vec![seed], coeffs: vec![vec![lambda as f32], vec![-(lambda as f32)]] }
    }

    /// The points of `shifts`, each seed once, in ascending order: a point is the same one in whatever company.
    ///
    /// An empty list is read as one plain point.
    pub fn new(law: Law, shifts: &[Shift]) -> Self {
        let mut seeds: Vec<Seed> = Vec::new();
        for term in shifts.iter().flat_map(|s| &s.terms) {
            if !seeds.contains(&term.seed) {
                seeds.push(term.seed);
            }
        }
        seeds.sort_unstable();
        let mut coeffs = vec![vec![0f32; seeds.len()]; shifts.len().max(1)];
        for (row, shift) in coeffs.iter_mut().zip(shifts) {
            for term in &shift.terms {
                if let Some(at) = seeds.iter().position(|s| *s == term.seed) {
                    row[at] += term.coeff as f32;
                }
            }
        }
        Self { law, seeds, coeffs }
    }

    /// How many points.
    pub fn count(&self) -> usize {
        self.coeffs.len()
    }

    /// The law of every direction here.
    pub fn law(&self) -> Law {
        self.law
    }

    /// The seeds, in the order in which their directions are added.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// The coefficients of point `p`, one a seed.
    pub fn coeffs(&self, p: usize) -> &[f32] {
        &self.coeffs[p]
    }
}
