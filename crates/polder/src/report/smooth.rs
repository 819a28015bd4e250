//! Noisy curves made readable.

/// About so many points a smoothed curve has.
const POINTS: usize = 240;
/// The share of a curve that a mean is taken over, as one in so many.
const SHARE: usize = 40;
/// Below so many points nothing is smoothed.
const FEWEST: usize = 12;

/// A mean over the steps near by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mean {
    pub(super) x: f64,
    pub(super) mean: f64,
    /// Half of the mean's 95 % interval, 1.96 s / √n.
    pub(super) half: f64,
}

/// Means in windows that move over the curve; points that are not finite are left out of them.
pub(super) fn means(points: &[(f64, f64)]) -> Vec<Mean> {
    let points: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    if points.len() < FEWEST {
        return Vec::new();
    }
    let half = (points.len() / SHARE / 2).max(2);
    let stride = points.len().div_ceil(POINTS);
    let window = |at: usize| {
        // As wide on both sides, or the ends of a falling curve would be drawn towards its middle.
        let half = half.min(at).min(points.len() - 1 - at);
        mean(points[at].0, &points[at - half..=at + half])
    };
    (1..points.len() - 1).step_by(stride).map(window).collect()
}

fn mean(x: f64, window: &[(f64, f64)]) -> Mean {
    let n = window.len() as f64;
    let mean = window.iter().map(|p| p.1).sum::<f64>() / n;
    let square = window.iter().map(|p| (p.1 - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Mean { x, mean, half: 1.96 * (square / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_stays_itself_and_gaps_are_left_out() {
        let line = |i: u32| (f64::from(i), if i == 50 { f64::NAN } else { 3.0 - f64::from(i) / 100.0 });
        let points: Vec<(f64, f64)> = (0..1000).map(line).collect();
        let found = means(&points);
        assert!((200..=POINTS).contains(&found.len()), "{}", found.len());
        assert!(found.iter().all(|m| (m.mean - (3.0 - m.x / 100.0)).abs() < 0.01), "{found:?}");
        assert!(means(&points[..5]).is_empty());
    }

    #[test]
    fn the_band_is_the_interval_of_the_mean() {
        // Alternates between −1 and 1: s² = n / (n − 1), nearly 1.
        let points: Vec<(f64, f64)> = (0..4000u32).map(|i| (f64::from(i), f64::from(i % 2) * 2.0 - 1.0)).collect();
        let middle = means(&points)[120];
        assert!((middle.half - 1.96 / 101f64.sqrt()).abs() < 0.01, "{middle:?}");
        assert!(middle.mean.abs() < 0.02);
    }
}
