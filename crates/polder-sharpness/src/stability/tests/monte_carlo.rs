//! The moment map against simulated chains with polder's own directions.

use polder_perturb::direction::{Law, ParamKey, Seed, fill};

use super::*;
use crate::measured::Tally;

const CHAINS: usize = 100_000;
const D: usize = 10;
const STEPS: u64 = 15;

/// The directions of one step for all chains, `[CHAINS·D]`.
fn directions(scheme: &Scheme, seed: u64, step: u64, query: u32) -> Vec<f32> {
    let mut all = vec![0f32; CHAINS * D];
    let law = match scheme.directions {
        Directions::RademacherDiagonal => Law::Rademacher,
        Directions::Gaussian | Directions::Sphere { .. } => Law::Gaussian,
    };
    fill(law, Seed(seed).derive(step, u64::from(query)), ParamKey::of("chains"), 0, &mut all);
    if let Directions::Sphere { .. } = scheme.directions {
        for u in all.chunks_exact_mut(D) {
            let length = u.iter().map(|u| u * u).sum::<f32>().sqrt();
            u.iter_mut().for_each(|u| *u *= (D as f32).sqrt() / length);
        }
    }
    all
}

/// ‖x‖² of each chain after fifteen steps from (1, …, 1).
fn simulate(spectrum: &Spectrum, scheme: &Scheme, step: f64, seed: u64) -> Vec<f64> {
    let (beta, queries) = (scheme.method.beta(), scheme.queries);
    let mut x = vec![1.0f64; CHAINS * D];
    let mut m = vec![0.0f64; CHAINS * D];
    for t in 0..STEPS {
        m.iter_mut().for_each(|m| *m *= beta);
        for query in 0..queries {
            let all = directions(scheme, seed, t, query);
            for ((x, m), u) in x.chunks_exact(D).zip(m.chunks_exact_mut(D)).zip(all.chunks_exact(D)) {
                let slope: f64 =
                    spectrum.eigenvalues().iter().zip(x).zip(u).map(|((l, x), u)| l * x * f64::from(*u)).sum();
                m.iter_mut().zip(u).for_each(|(m, u)| *m += slope * f64::from(*u) / f64::from(queries));
            }
        }
        x.iter_mut().zip(&m).for_each(|(x, m)| *x -= step * m);
    }
    x.chunks_exact(D).map(|x| x.iter().map(|x| x * x).sum()).collect()
}

/// Compares `rounds` times [`CHAINS`] chains at 0.6 of the critical step with the map: within 0.5 %, and within four
/// standard errors.
///
/// The tails of ‖x‖² are heavy, most so for four queries with momentum, where one round knows its mean to 0.5 % only;
/// the rounds are chosen so that 0.5 % is three standard errors or more.
fn compare(scheme: Scheme, rounds: u64) {
    let spectrum = harmonic();
    let step = 0.6 * critical(&spectrum, scheme);
    let map = MomentMap::new(&spectrum, &scheme, step).unwrap();
    let mut moments = Moments::start(&[1.0; D]);
    for _ in 0..STEPS {
        moments = map.apply(&moments).unwrap();
    }
    let chains = Tally::of((0..rounds).flat_map(|seed| simulate(&spectrum, &scheme, step, seed)));
    let (exact, error) = (moments.distance(), chains.standard_error());
    let off = (chains.mean - exact).abs();
    assert!(3.0 * error < 0.005 * exact, "{scheme:?}: {error} is too much of {exact}");
    assert!(off < 0.005 * exact && off < 4.0 * error, "{scheme:?}: {} ± {error}, {exact}", chains.mean);
}

#[test]
fn chains_without_momentum() {
    compare(polyak(0.0), 3);
}

#[test]
fn chains_with_momentum() {
    compare(polyak(0.9), 3);
}

#[test]
fn chains_of_four_queries_with_momentum() {
    compare(polyak(0.5).with_queries(4), 12);
}

#[test]
fn chains_on_the_sphere() {
    compare(polyak(0.0).with_directions(sphere(10)), 3);
}

#[test]
fn chains_of_signs_with_momentum() {
    compare(polyak(0.5).with_directions(Directions::RademacherDiagonal), 3);
}
