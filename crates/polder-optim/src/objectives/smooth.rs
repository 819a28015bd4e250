//! The contract of a small smooth function.

/// A smooth function of d numbers, the mean of N examples' losses: `f(x) = (1/N) Σᵢ fᵢ(x)`, in f64.
///
/// Everything is a pure function of its arguments, and the bits of an example's loss depend on `x` alone, not on what
/// else is asked for at the same time. Losses are summed in the order of the rows. A point where the function is
/// not finite gives a value that is not finite.
///
/// # Panics
/// Every method panics at slices that are not d long and at rows that there are none.
pub trait Smooth: std::fmt::Debug + Sync {
    /// The number d of arguments.
    fn dimension(&self) -> usize;

    /// The number N of examples, at least 1.
    fn examples(&self) -> usize;

    /// The mean loss `f(x)` over all examples, or over those of `rows` (each as often as it is named).
    fn value(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch) -> f64;

    /// The mean losses at several points, `points` being `[P·d]`; `out[p]` has the bits of
    /// [`value`](Self::value) at point p.
    ///
    /// A function that is bound by reading its examples reads them once for several points.
    fn values(&self, points: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) {
        for (out, x) in out.iter_mut().zip(points.chunks_exact(self.dimension())) {
            *out = self.value(x, rows, scratch);
        }
    }

    /// Writes the gradient `∇f(x)` of the mean loss over `out`, `[d]`, and gives the mean loss.
    fn gradient(&self, x: &[f64], rows: Option<&[usize]>, scratch: &mut Scratch, out: &mut [f64]) -> f64;

    /// The exact trace `Tr ∇²f(x)` over all examples, where it has a closed form.
    fn trace(&self, _x: &[f64]) -> Option<f64> {
        None
    }

    /// The share of the examples that are classified rightly at x, where they have classes.
    fn accuracy(&self, _x: &[f64]) -> Option<f64> {
        None
    }
}

/// Numbers of a cache line.
const LINE: usize = 8;

/// Working space of a [`Smooth`]: grows to what was asked for once, so that repeated calls allocate nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    numbers: Vec<f64>,
}

impl Scratch {
    /// Without space yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// That many numbers, their values unspecified; the first one begins a cache line.
    pub fn take(&mut self, count: usize) -> &mut [f64] {
        if self.numbers.len() < count + LINE {
            self.numbers.resize(count + LINE, 0.0);
        }
        let skip = self.numbers.as_ptr().align_offset(LINE * size_of::<f64>()).min(LINE);
        &mut self.numbers[skip..skip + count]
    }
}
