//! Whether directions are distributed as their law says and are independent of one another.
//!
//! Seeds are fixed, so no run differs from the next; the limits are what chance would pass all but about once in 10⁵
//! tries each (4.5 standard errors; for Kolmogorov and Smirnov the matching quantile).

use polder_perturb::direction::{Law, ParamKey, Seed, fill};

const LIMIT: f64 = 4.5;

fn draw(law: Law, seed: u64, name: &str, n: usize) -> Vec<f32> {
    let mut u = vec![0f32; n];
    fill(law, Seed(seed), ParamKey::of(name), 0, &mut u);
    u
}

/// Asserts that a mean of n terms with the given variance is `expected`.
fn near(what: &str, mean: f64, expected: f64, variance: f64, n: usize) {
    let error = (variance / n as f64).sqrt();
    assert!((mean - expected).abs() <= LIMIT * error, "{what}: {mean} ± {error}, expected {expected}");
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len();
    values.sum::<f64>() / n as f64
}

/// `P(|z| > k)` for k = 3, 4, 5 and a standard normal z.
const BEYOND: [(f32, f64); 3] =
    [(3.0, 2.699_796_063_260_19e-3), (4.0, 6.334_248_366_623_98e-5), (5.0, 5.733_031_437_583_9e-7)];

#[test]
fn gaussian_moments_and_tails() {
    let n = 20_000_000;
    let u = draw(Law::Gaussian, 1, "model.embed_tokens.weight", n);
    // The moments of order 1 to 4 and their variances: E z^2k = 1, 3, 15, 105.
    for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        near(&format!("moment {power}"), mean(u.iter().map(|&z| f64::from(z).powi(power))), expected, variance, n);
    }
    for (k, p) in BEYOND {
        let share = u.iter().filter(|z| z.abs() > k).count() as f64 / n as f64;
        near(&format!("share beyond {k}"), share, p, p * (1.0 - p), n);
    }
}

#[test]
fn gaussian_distribution_function() {
    // Φ by the trapezoidal rule on a fine grid, so that it shares nothing with the map; error below 1e-8.
    let (step, reach) = (1e-3, 8.0);
    let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let mut table = vec![0.0];
    let cells = (2.0 * reach / step) as usize;
    for i in 0..cells {
        let z = -reach + i as f64 * step;
        table.push(table[i] + step / 6.0 * (density(z) + 4.0 * density(z + step / 2.0) + density(z + step)));
    }
    let phi = |z: f64| {
        let at = (z + reach) / step;
        let (i, rest) = (at as usize, at.fract());
        table[i] + rest * (table[i + 1] - table[i])
    };
    for seed in [2, 3, 4] {
        let mut u = draw(Law::Gaussian, seed, "w", 2_000_000);
        u.sort_unstable_by(f32::total_cmp);
        let n = u.len() as f64;
        let distance = u.iter().enumerate().fold(0f64, |d, (i, &z)| {
            let p = phi(f64::from(z));
            d.max((p - i as f64 / n).abs()).max((p - (i + 1) as f64 / n).abs())
        });
        // P(√n·D > 2.47) = 2·exp(−2·2.47²) = 1e-5.
        assert!(n.sqrt() * distance < 2.47, "{distance}");
    }
}

#[test]
fn rademacher_signs_are_fair() {
    let n = 10_000_000;
    let u = draw(Law::Rademacher, 5, "w", n);
    assert!(u.iter().all(|x| x.abs() == 1.0));
    near("mean", mean(u.iter().map(|&x| f64::from(x))), 0.0, 1.0, n);
    for bit in 0..128 {
        let at = u.iter().skip(bit).step_by(128);
        near(&format!("bit {bit}"), mean(at.map(|&x| f64::from(x))), 0.0, 1.0, n / 128);
    }
}

/// Asserts that x and y, and their squares, are uncorrelated.
fn uncorrelated(what: &str, law: Law, x: &[f32], y: &[f32]) {
    let n = x.len();
    assert_eq!(n, y.len());
    let pairs = || x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    near(what, mean(pairs().map(|(x, y)| x * y)), 0.0, 1.0, n);
    if law == Law::Gaussian {
        near(&format!("squares, {what}"), mean(pairs().map(|(x, y)| (x * x - 1.0) * (y * y - 1.0))), 0.0, 4.0, n);
    }
}

#[test]
fn directions_of_other_seeds_parameters_and_elements_are_independent() {
    let n = 2_000_000;
    for law in Law::ALL {
        let base = draw(law, 0, "model.layers.0.mlp.up_proj.weight", n);
        for bit in [0, 1, 31, 32, 63] {
            let other = draw(law, 1 << bit, "model.layers.0.mlp.up_proj.weight", n);
            uncorrelated(&format!("{law}, seed bit {bit}"), law, &base, &other);
        }
        for name in ["model.layers.1.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weighs", "lm_head.weight"] {
            uncorrelated(&format!("{law}, {name}"), law, &base, &draw(law, 0, name, n));
        }
        for lag in [1, 2, 3, 15, 16, 17, 31, 32, 48, 63, 64, 65, 127, 128, 129, 1024, 2048, 4096] {
            uncorrelated(&format!("{law}, lag {lag}"), law, &base[..n - lag], &base[lag..]);
        }
    }
}

#[test]
fn derived_seeds_differ_and_their_directions_are_independent() {
    let run = Seed(42);
    let mut seeds: Vec<u64> = (0..300).flat_map(|step| (0..300).map(move |i| run.derive(step, i).0)).collect();
    let ones: u32 = seeds.iter().map(|s| s.count_ones()).sum();
    near("share of ones", f64::from(ones) / (64.0 * 90_000.0), 0.5, 0.25, 64 * 90_000);
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 90_000);
    let n = 1_000_000;
    let [a, b, c] = [(0, 0), (1, 0), (0, 1)].map(|(step, i)| draw(Law::Gaussian, run.derive(step, i).0, "w", n));
    uncorrelated("next step", Law::Gaussian, &a, &b);
    uncorrelated("next direction", Law::Gaussian, &a, &c);
}

#[test]
fn any_part_equals_the_slice_of_the_whole() {
    for law in Law::ALL {
        let whole = draw(law, 8, "w", 20_000);
        let mut state = 12_345_u64;
        for _ in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let start = (state >> 33) as usize % whole.len();
            let len = (state >> 20) as usize % 3000 % (whole.len() - start);
            let mut part = vec![0f32; len];
            fill(law, Seed(8), ParamKey::of("w"), start as u64, &mut part);
            assert!(part == whole[start..start + len], "{law} {start} {len}");
        }
    }
}
