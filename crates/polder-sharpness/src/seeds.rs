//! Which seeds a probe uses: a pure function of the run's seed, the purpose and the probing's number.

use polder_perturb::Seed;

/// The high word of a probe's index: "prob" in ASCII.
///
/// Training derives its seeds with indices below 2³² (directions from 0, rounding at 2³² − 1), so their high word is
/// zero. A probe's is this number plus its purpose: no probe shares a counter of the generator with training.
const DOMAIN: u64 = 0x7072_6f62;

/// What a probe's directions are for; each purpose has directions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The Hessian trace.
    Trace = 0,
    /// The losses around the weights: expected and tilted sharpness.
    Neighbourhood = 1,
    /// The axes of a slice.
    Slice = 2,
    /// The start vector of an eigenvalue's search.
    Eigenvalue = 3,
    /// The trace from gradients.
    GradientTrace = 4,
    /// The commutator of a preconditioner with the Hessian.
    Commutator = 5,
}

/// Names the directions of one probing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeSeeds {
    /// The seed of the run.
    pub run: Seed,
    /// Which probing of the run it is, such as the step at which it is made; another number, other directions.
    pub round: u64,
}

impl ProbeSeeds {
    /// The directions of a probing of a run.
    pub fn new(run: Seed, round: u64) -> Self {
        Self { run, round }
    }

    /// The seed of direction `index`: `derive(run, round, (DOMAIN + purpose)·2³² + index)`, with DOMAIN = 0x70726f62.
    #[must_use]
    pub fn seed(self, purpose: Purpose, index: u32) -> Seed {
        self.run.derive(self.round, (DOMAIN + purpose as u64) << 32 | u64::from(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const PURPOSES: [Purpose; 6] = [
        Purpose::Trace,
        Purpose::Neighbourhood,
        Purpose::Slice,
        Purpose::Eigenvalue,
        Purpose::GradientTrace,
        Purpose::Commutator,
    ];

    #[test]
    fn probes_share_no_seed_with_training_or_with_one_another() {
        let run = Seed(17);
        let mut seen = HashSet::new();
        for step in 0..100 {
            assert!(polder_optim::step_seeds(run, step, 20).into_iter().all(|s| seen.insert(s)));
            assert!(seen.insert(polder_optim::rounding_seed(run, step)));
            for purpose in PURPOSES {
                assert!((0..20).all(|i| seen.insert(ProbeSeeds::new(run, step).seed(purpose, i))));
            }
        }
        assert_eq!(seen.len(), 100 * (20 + 1 + 6 * 20));
    }

    #[test]
    fn seeds_are_a_pure_function() {
        let seeds = ProbeSeeds::new(Seed(3), 5);
        assert_eq!(seeds.seed(Purpose::Trace, 7), Seed(3).derive(5, 0x7072_6f62_0000_0007));
        assert_eq!(seeds.seed(Purpose::Eigenvalue, 7), Seed(3).derive(5, 0x7072_6f65_0000_0007));
    }
}
