//! Which seeds a step uses: a pure function of the run's seed and the step.

use polder_perturb::Seed;

/// The index, within a step, of the seed for the random bits of rounding; no direction has it.
const ROUNDING: u64 = u32::MAX as u64;

/// The seeds of a step's directions: `derive(run, step, i)` for `i` in `0..directions`.
pub fn step_seeds(run: Seed, step: u64, directions: usize) -> Vec<Seed> {
    (0..directions as u64).map(|i| run.derive(step, i)).collect()
}

/// The seed of a step's stochastic rounding.
pub fn rounding_seed(run: Seed, step: u64) -> Seed {
    run.derive(step, ROUNDING)
}
