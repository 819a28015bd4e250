//! The one seam through which losses come.

use polder_perturb::Shift;

/// Names a minibatch: the same number means the same rows, everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Batch(pub u64);

/// The losses of one batch at several points, in nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Losses {
    /// `points[p][i]`: the loss of example `i` at point `p`.
    pub points: Vec<Vec<f64>>,
    /// One weight an example (1 for a plain mean; the token count where the mean is over tokens).
    pub weights: Vec<f64>,
}

impl Losses {
    /// The weighted mean at a point, `Σ w·l / Σ w`, summed in f64 in the order of the examples.
    ///
    /// Not a number where there is no such point, or no weight.
    pub fn mean(&self, point: usize) -> f64 {
        let Some(losses) = self.points.get(point) else { return f64::NAN };
        let mut sum = 0.0;
        let mut weight = 0.0;
        for (loss, w) in losses.iter().zip(&self.weights) {
            sum += w * loss;
            weight += w;
        }
        sum / weight
    }

    /// The mean at every point.
    pub fn means(&self) -> Vec<f64> {
        (0..self.points.len()).map(|p| self.mean(p)).collect()
    }
}

/// Losses at points of weight space.
///
/// How the points are visited (one by one, in pairs in one pass, spread over ranks, by changing weights in place and
/// back) is the objective's own affair; the bits of its answer don't depend on it.
pub trait Objective {
    /// The loss of each example of the batch at each point `θ + Σ coeff·u(seed)`, in the order of `points`.
    ///
    /// Neighbouring points that share their seeds (the + and − of a direction) come one after the other, so that they
    /// can be read in one pass. A loss that is not finite is reported as it is; the estimator refuses it.
    ///
    /// # Errors
    /// Whatever keeps the objective from giving losses.
    fn losses(&mut self, batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError>;

    /// What asking for that many points costs, in forward passes of a whole batch: one a point.
    fn forwards(&self, points: usize) -> u64 {
        points as u64
    }
}

/// Whatever kept an objective from giving losses.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ObjectiveError(pub Box<dyn std::error::Error + Send + Sync>);

impl ObjectiveError {
    /// Wraps an error, or a message.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_is_weighted_and_in_example_order() {
        let losses = Losses { points: vec![vec![1.0, 3.0], vec![1e16, -1e16]], weights: vec![3.0, 1.0] };
        assert_eq!(losses.means(), vec![1.5, 0.5e16]);
        let ordered = Losses { points: vec![vec![1e16, 1.0, -1e16]], weights: vec![1.0; 3] };
        // Left to right, the 1 is lost: 1e16 + 1 = 1e16.
        assert_eq!(ordered.mean(0), 0.0);
        assert!(ordered.mean(1).is_nan(), "no such point");
        assert!(Losses::default().mean(0).is_nan());
    }
}
