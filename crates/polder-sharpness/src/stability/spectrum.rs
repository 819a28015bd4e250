//! The eigenvalues of a Hessian at a minimum.

use crate::error::{Error, Result};

/// The eigenvalues `λᵢ ≥ 0` of a Hessian at a minimum, at least one positive.
///
/// Zero eigenvalues may be given or left out: they change no critical step. The order is kept, so that a
/// preconditioner or moments can be given beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    eigenvalues: Vec<f64>,
    largest: f64,
    trace: f64,
}

impl Spectrum {
    /// Takes the eigenvalues, in nats per squared unit of weight, in any order.
    ///
    /// # Errors
    /// No eigenvalue; one that is negative, infinite or not a number; all of them zero; a trace that is not finite.
    pub fn new(eigenvalues: Vec<f64>) -> Result<Self> {
        if eigenvalues.is_empty() {
            return Err(Error::EmptySpectrum);
        }
        if let Some(index) = eigenvalues.iter().position(|l| !(l.is_finite() && *l >= 0.0)) {
            return Err(Error::Eigenvalue { index, value: eigenvalues[index] });
        }
        let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
        if !largest.is_normal() {
            return Err(Error::FlatSpectrum { count: eigenvalues.len() });
        }
        let trace = sum(eigenvalues.iter().copied());
        match trace.is_finite() {
            true => Ok(Self { eigenvalues, largest, trace }),
            false => Err(Error::HugeSpectrum),
        }
    }

    /// The spectrum of `P⁻¹H` for a P that is diagonal in the eigenbasis of H: `λ̃ᵢ = λᵢ/pᵢ`.
    ///
    /// Source: Song et al., "Zeroth-Order Optimization at the Edge of Stability", arXiv 2604.14669, Theorem 3.
    ///
    /// # Errors
    /// Another number of `pᵢ` than eigenvalues; one that is not positive and finite; a quotient that is not finite.
    pub fn preconditioned(&self, p: &[f64]) -> Result<Self> {
        check_preconditioner(p, self.eigenvalues.len())?;
        Self::new(self.eigenvalues.iter().zip(p).map(|(l, p)| l / p).collect())
    }

    /// The eigenvalues, in the order given.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// The trace `Σ λᵢ`.
    pub fn trace(&self) -> f64 {
        self.trace
    }

    /// The largest eigenvalue.
    pub fn largest(&self) -> f64 {
        self.largest
    }
}

/// Checks a diagonal preconditioner of that many numbers.
pub(crate) fn check_preconditioner(p: &[f64], expected: usize) -> Result<()> {
    if p.len() != expected {
        return Err(Error::Size { what: "the preconditioner", found: p.len(), expected });
    }
    match p.iter().position(|p| !(p.is_finite() && *p > 0.0)) {
        Some(index) => Err(Error::Preconditioner { index, value: p[index] }),
        None => Ok(()),
    }
}

/// The sum of numbers of one sign, with Neumaier's compensation: exact to about one rounding however many they are.
pub(super) fn sum(numbers: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0f64, 0.0f64);
    for number in numbers {
        let next = total + number;
        lost += if total.abs() >= number.abs() { (total - next) + number } else { (number - next) + total };
        total = next;
    }
    // Past the largest f64 the compensation is not a number.
    if lost.is_finite() { total + lost } else { total }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(eigenvalues: &[f64]) -> String {
        Spectrum::new(eigenvalues.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_spectrum_of_a_minimum_is_refused_by_name_and_with_a_remedy() {
        let cases: [(&[f64], &str); 7] = [
            (&[], "no eigenvalue"),
            (&[1.0, -1e-9], "eigenvalue 1 of the spectrum is -0.000000001"),
            (&[f64::NAN], "eigenvalue 0 of the spectrum is NaN"),
            (&[0.0, 1.0, f64::INFINITY], "eigenvalue 2 of the spectrum is inf"),
            (&[0.0, 0.0], "all 2 eigenvalues of the spectrum are zero"),
            (&[f64::MIN_POSITIVE / 4.0], "all 1 eigenvalues"),
            (&[f64::MAX, f64::MAX], "trace of the spectrum is not finite"),
        ];
        for (eigenvalues, says) in cases {
            let why = refusal(eigenvalues);
            assert!(why.contains(says) && why.contains("\nhint: "), "{why}");
        }
    }

    #[test]
    fn zeros_beside_positive_eigenvalues_are_welcome() {
        let spectrum = Spectrum::new(vec![0.0, 2.0, 0.0, 1.0]).unwrap();
        assert_eq!((spectrum.trace(), spectrum.largest()), (3.0, 2.0));
        assert_eq!(spectrum.eigenvalues(), [0.0, 2.0, 0.0, 1.0]);
    }

    #[test]
    fn a_preconditioner_divides_and_is_checked() {
        let spectrum = Spectrum::new(vec![1.0, 3.0]).unwrap();
        assert_eq!(spectrum.preconditioned(&[2.0, 0.5]).unwrap().eigenvalues(), [0.5, 6.0]);
        let why = |p: &[f64]| spectrum.preconditioned(p).unwrap_err().to_string();
        assert_eq!(why(&[1.0]), "the preconditioner has 1 numbers, 2 were expected");
        assert!(why(&[1.0, 0.0]).starts_with("number 1 of the preconditioner is 0\nhint: "));
        assert!(why(&[f64::NAN, 1.0]).starts_with("number 0 of the preconditioner is NaN"));
    }

    #[test]
    fn the_sum_keeps_what_plain_addition_loses() {
        assert_eq!(sum([1.0, 1e16, 1.0].into_iter()), 1e16 + 2.0);
        assert_eq!(sum([f64::MAX, f64::MAX].into_iter()), f64::INFINITY);
    }
}
