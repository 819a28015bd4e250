//! Where along the valley's floor the tilted penalty is least: what tilted updates should end at.

use polder_optim::objectives::Smooth;
use polder_perturb::direction::{ParamKey, fill};
use polder_perturb::{Law, Seed};
use polder_sharpness::theory::gaussian_tilt;

use super::valley::Valley;

/// Samples of the directions of one step; they place the least to about 0.003.
const REPEATS: u64 = 200_000;

/// The sharpness σ at which the penalty R_t of infinitely many directions is least, by the closed form (exact across the
/// floor, and for a floor whose curvatures do not change over the scale s).
pub(super) fn least(valley: &Valley, scale: f64, tilt: f64) -> f64 {
    let penalty = |sharpness: f64| {
        let curvatures = valley.curvatures(valley.place(sharpness));
        gaussian_tilt(&curvatures, &vec![0.0; curvatures.len()], scale, tilt).unwrap_or(f64::INFINITY)
    };
    least_of(penalty)
}

/// The same of what k two-sided directions make of it, whose mean tilted update descends
///
/// ```text
/// F_k(x) = E (1/t) log (1/2k) Σⱼ (exp t·f(x + szⱼ) + exp t·f(x − szⱼ)),
/// ```
///
/// from samples, at y = 0: k = 1 comes near the plain average, large k to R_t.
pub(super) fn least_of_directions(valley: &Valley, scale: f64, tilt: f64, k: usize, seed: u64) -> f64 {
    let wide = valley.dimension();
    let mut z = vec![0f32; k * wide];
    let mut samples: Vec<[f32; 3]> = Vec::with_capacity(REPEATS as usize * k);
    for repeat in 0..REPEATS {
        fill(Law::Gaussian, Seed(seed ^ (repeat << 20)), ParamKey::of("floor"), 0, &mut z);
        samples.extend(z.chunks_exact(wide).map(|z| [z[0], z[1] * z[1], z[2..].iter().map(|z| z * z).sum()]));
    }
    let half = 0.5 * tilt * scale * scale;
    least_of(|sharpness| {
        let x = valley.place(sharpness);
        let tilted = |side: f64, [along, first, others]: &[f32; 3]| {
            let sharp = valley.sharpness(x + side * scale * f64::from(*along));
            let each = (1.0 - sharp) * valley.broad / valley.others as f64;
            (half * (sharp * f64::from(*first) + each * f64::from(*others))).exp()
        };
        let step = |some: &[[f32; 3]]| some.iter().map(|z| tilted(1.0, z) + tilted(-1.0, z)).sum::<f64>().ln();
        samples.chunks_exact(k).map(step).sum::<f64>()
    })
}

/// The sharpness at which a function with one minimum is least, by the golden section.
fn least_of(f: impl Fn(f64) -> f64) -> f64 {
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (0.02, 0.98);
    let inner = |low: f64, high: f64| [high - golden * (high - low), low + golden * (high - low)];
    let [mut left, mut right] = inner(low, high);
    let (mut at_left, mut at_right) = (f(left), f(right));
    while high - low > 1e-3 {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = inner(low, high)[0];
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = inner(low, high)[1];
            at_right = f(right);
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closed_form_is_least_where_its_slope_is_zero() {
        let valley = Valley { others: 16, broad: 1.3, width: 2.0 };
        // At ts² = 1: 1/(1 − σ) = b / (1 − (1 − σ)b/n).
        let expected = 1.0 - 1.0 / (1.3 * (1.0 + 1.0 / 16.0));
        let found = least(&valley, 0.5, 4.0);
        assert!((found - expected).abs() < 1e-3, "{found} and {expected}");
        // Without a tilt the trace is least at the sharp end.
        assert!(least(&valley, 0.5, 0.0) > 0.97);
    }
}
