//! How the cost of a step grows with its parts: one of them is changed at a time, and a line is fitted.

use serde::Serialize;

use super::{Setting, Shape, Stepped};

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sweep {
    /// Tokens of a batch at one point.
    Tokens,
    /// Parameters, by the shape of the model.
    Parameters,
    /// Directions, both points of each in a pass.
    Directions,
    /// Directions, all points in one pass.
    Together,
    /// Threads.
    Threads,
}

impl Sweep {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tokens, Self::Parameters, Self::Directions, Self::Together, Self::Threads];

    /// What stands on the horizontal axis.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Tokens => "tokens of a batch",
            Self::Parameters => "millions of parameters",
            Self::Directions => "directions, two points a pass",
            Self::Together => "directions, all points in a pass",
            Self::Threads => "threads",
        }
    }

    /// The name of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Parameters => "parameters",
            Self::Directions => "directions",
            Self::Together => "directions-together",
            Self::Threads => "threads",
        }
    }

    /// Where a measurement stands on that axis.
    pub fn of(self, stepped: &Stepped) -> f64 {
        match self {
            Self::Tokens => stepped.tokens as f64,
            Self::Parameters => stepped.parameters as f64 / 1e6,
            Self::Directions | Self::Together => stepped.directions as f64,
            Self::Threads => stepped.threads as f64,
        }
    }

    /// The settings of a sweep around `base`.
    fn settings(self, base: &Setting) -> Vec<Setting> {
        match self {
            Self::Tokens => [4, 8, 16, 32, 64].map(|length| Setting { length, ..*base }).to_vec(),
            Self::Parameters => ["tiny", "30m", "135m", "360m", "1.1b"]
                .iter()
                .filter_map(|name| Shape::named(name))
                .map(|shape| Setting { shape: *shape, ..*base })
                .collect(),
            Self::Directions => [1, 2, 4, 8].map(|directions| Setting { directions, ..*base }).to_vec(),
            Self::Together => {
                [1, 2, 4, 8].map(|directions| Setting { directions, points_a_pass: 2 * directions, ..*base }).to_vec()
            }
            Self::Threads => (1..=base.threads).map(|threads| Setting { threads, ..*base }).collect(),
        }
    }
}

/// The line `at_zero + slope·x` of least squares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Where it meets x = 0.
    pub at_zero: f64,
    /// By how much it rises for 1.
    pub slope: f64,
    /// The share of the variance that it explains.
    pub r2: f64,
}

impl Fit {
    /// The line through points; `None` where they have fewer than two different x.
    pub fn of(points: &[(f64, f64)]) -> Option<Self> {
        let n = points.len() as f64;
        let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
        let sum = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|p| f(p.0 - mx, p.1 - my)).sum::<f64>();
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if points.len() < 2 || xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        Some(Self { at_zero: my - slope * mx, slope, r2: if yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 } })
    }
}

/// A sweep's measurements and their lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Growth {
    /// What was changed.
    pub sweep: Sweep,
    /// What was measured, in order.
    pub steps: Vec<Stepped>,
    /// Seconds a step over [`Sweep::of`].
    pub seconds: Option<Fit>,
    /// Memory at its highest, in MiB, over the same.
    pub memory: Option<Fit>,
}

/// Measures a sweep around a setting.
///
/// `measure` takes the steps of a setting: [`step`](super::step()), or better a process of its own that calls it, since
/// memory that an earlier setting has given back may still count as this process's. Where it is the shape that changes,
/// `measure` may leave one out.
///
/// # Errors
/// What `measure` fails with.
pub fn grow<E>(
    sweep: Sweep,
    base: &Setting,
    measure: &mut dyn FnMut(&Setting) -> Result<Option<Stepped>, E>,
) -> Result<Growth, E> {
    let mut steps = Vec::new();
    for setting in sweep.settings(base) {
        steps.extend(measure(&setting)?);
    }
    let over = |y: &dyn Fn(&Stepped) -> Option<f64>| {
        Fit::of(&steps.iter().filter_map(|s| Some((sweep.of(s), y(s)?))).collect::<Vec<_>>())
    };
    // The time falls with the threads like a + b/threads, which is no line.
    let seconds = if sweep == Sweep::Threads { None } else { over(&|s| Some(s.median)) };
    let memory =
        if sweep == Sweep::Threads { None } else { over(&|s| s.peak.map(|peak| peak as f64 / f64::from(1 << 20))) };
    Ok(Growth { sweep, steps, seconds, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found() {
        let fit = Fit::of(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]).unwrap();
        assert!((fit.slope - 2.0).abs() < 1e-12 && (fit.at_zero - 3.0).abs() < 1e-12 && (fit.r2 - 1.0).abs() < 1e-12);
        assert_eq!(Fit::of(&[(1.0, 5.0)]), None);
        assert_eq!(Fit::of(&[(1.0, 5.0), (1.0, 6.0)]), None);
    }
}
