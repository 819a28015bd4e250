//! Where a condition stops holding.

/// The point of `[low, high]` up to which `below` holds, by bisection until no f64 lies between.
///
/// `below` must be true, then false. Halving at most doubles the bits known, so it ends after some 60 rounds for
/// ends of like size.
pub(crate) fn root(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = low + 0.5 * (high - low);
        if !(middle > low && middle < high) {
            return middle;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn the_answer_is_one_of_the_two_neighbouring_numbers() {
        let found = root(1.0, 2.0, |x| x * x < 2.0);
        assert!((found - 2f64.sqrt()).abs() <= f64::EPSILON, "{found}");
        // A root at an end, and ends that coincide.
        assert!((root(3.0, 4.0, |x| x < 3.0) - 3.0).abs() <= 2.0 * f64::EPSILON);
        assert_eq!(root(5.0, 5.0, |_| true), 5.0);
    }
}
