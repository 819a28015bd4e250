//! A number that was measured: what it is, how sure, and what it cost.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Result, setting};

/// A measured number with its standard error and its cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The estimate, in the unit of what was measured.
    pub value: f64,
    /// Its standard error over the random directions, in the same unit. Rounding and minibatches are not in it.
    pub standard_error: f64,
    /// How many independent samples it comes from.
    pub samples: u64,
    /// What it cost, in forward passes of a whole batch.
    pub forwards: u64,
}

/// A number is clear of zero where it exceeds so many standard errors.
pub(crate) const CLEAR: f64 = 2.0;

impl Measured {
    /// Whether the sign is known: the number lies more than two standard errors from zero.
    pub fn is_clear_of_zero(&self) -> bool {
        self.value.abs() > CLEAR * self.standard_error
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, standard_error, samples, forwards } = self;
        write!(f, "{value:.6} ± {standard_error:.6} ({samples} samples, {forwards} forward passes)")
    }
}

/// How small a standard error is small enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// The standard error over the size of the mean.
    Relative(f64),
    /// The standard error itself, in the unit of what is measured.
    Absolute(f64),
}

impl Precision {
    /// The fewest samples after which a standard error is believed.
    pub const LEAST_SAMPLES: u64 = 16;

    /// Checks the precision.
    ///
    /// # Errors
    /// A precision that is not positive and finite.
    pub fn checked(self) -> Result<Self> {
        let (Self::Relative(wanted) | Self::Absolute(wanted)) = self;
        match wanted.is_finite() && wanted > 0.0 {
            true => Ok(self),
            false => Err(setting("precision", wanted, "it must be positive; leave it out to take all samples")),
        }
    }

    /// Whether a tally is precise enough: never before [`LEAST_SAMPLES`](Self::LEAST_SAMPLES).
    pub(crate) fn reached(self, tally: &Tally) -> bool {
        let limit = match self {
            Self::Relative(share) => share * tally.mean.abs(),
            Self::Absolute(limit) => limit,
        };
        tally.samples >= Self::LEAST_SAMPLES && tally.standard_error() <= limit
    }
}

/// The mean and variance of samples, one by one (Welford).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) samples: u64,
    pub(crate) mean: f64,
    squares: f64,
}

impl Tally {
    pub(crate) fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut tally = Self::default();
        samples.into_iter().for_each(|sample| tally.add(sample));
        tally
    }

    pub(crate) fn add(&mut self, sample: f64) {
        self.samples += 1;
        let off = sample - self.mean;
        self.mean += off / self.samples as f64;
        self.squares += off * (sample - self.mean);
    }

    /// The unbiased variance; not a number below two samples.
    pub(crate) fn variance(&self) -> f64 {
        match self.samples {
            0 | 1 => f64::NAN,
            n => self.squares / (n - 1) as f64,
        }
    }

    /// `sd/√n`.
    pub(crate) fn standard_error(&self) -> f64 {
        (self.variance() / self.samples as f64).sqrt()
    }

    pub(crate) fn measured(&self, forwards: u64) -> Measured {
        Measured { value: self.mean, standard_error: self.standard_error(), samples: self.samples, forwards }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_has_the_mean_and_the_standard_error_of_its_samples() {
        let tally = Tally::of([1.0, 2.0, 4.0, 9.0]);
        assert_eq!((tally.samples, tally.mean), (4, 4.0));
        // ((-3)² + (-2)² + 0 + 5²)/3 = 38/3.
        assert!((tally.variance() - 38.0 / 3.0).abs() < 1e-14);
        assert!((tally.standard_error() - (38f64 / 12.0).sqrt()).abs() < 1e-15);
        assert!(Tally::of([1.0]).standard_error().is_nan());
    }

    #[test]
    fn precision_is_believed_only_after_enough_samples() {
        let same = |n: usize| Tally::of(std::iter::repeat_n(3.0, n));
        assert!(!Precision::Absolute(1.0).reached(&same(15)));
        assert!(Precision::Absolute(1.0).reached(&same(16)));
        let wide = Tally::of((0..100).map(f64::from));
        // Mean 49.5, standard error 2.9.
        assert!(Precision::Relative(0.06).reached(&wide) && !Precision::Relative(0.05).reached(&wide));
        assert!(Precision::Absolute(3.0).reached(&wide) && !Precision::Absolute(2.0).reached(&wide));
        for bad in [0.0, -1.0, f64::NAN] {
            let why = Precision::Relative(bad).checked().unwrap_err().to_string();
            assert!(why.contains("precision") && why.contains("hint:"), "{why}");
        }
    }

    #[test]
    fn a_measurement_is_readable_and_serialises() {
        let m = Measured { value: 2.5, standard_error: 0.25, samples: 10, forwards: 21 };
        assert_eq!(m.to_string(), "2.500000 ± 0.250000 (10 samples, 21 forward passes)");
        let json = serde_json::to_string(&m).unwrap();
        assert_eq!(json, r#"{"value":2.5,"standard_error":0.25,"samples":10,"forwards":21}"#);
        assert_eq!(serde_json::from_str::<Measured>(&json).unwrap(), m);
        assert_eq!(serde_json::to_string(&Precision::Relative(0.05)).unwrap(), r#"{"relative":0.05}"#);
    }
}
