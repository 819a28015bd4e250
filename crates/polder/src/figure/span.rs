//! The range of an axis.

/// How an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Scale {
    #[default]
    Linear,
    Log,
}

/// Beyond this, differences of two values could overflow.
const LARGEST: f64 = 1e300;

impl Scale {
    /// Where a value lies on the axis's own ruler; `None` for one that can't be shown.
    pub(super) fn place(self, value: f64) -> Option<f64> {
        match self {
            Self::Linear => (value.abs() <= LARGEST).then_some(value),
            Self::Log => (value > 0.0 && value <= LARGEST).then(|| value.log10()),
        }
    }
}

/// The ends of an axis, on its own ruler: values, or their log10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) scale: Scale,
}

impl Span {
    /// The span of values, with a share of its length as room at both ends; `None` where none can be shown.
    pub(super) fn over(values: impl IntoIterator<Item = f64>, scale: Scale, pad: f64) -> Option<Self> {
        let (low, high) = values
            .into_iter()
            .filter_map(|value| scale.place(value))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        if low > high {
            return None;
        }
        let span = Self { low, high, scale }.opened();
        let room = pad * (span.high - span.low);
        Some(Self { low: span.low - room, high: span.high + room, scale })
    }

    /// The span between two values, whichever is the lower; `None` where one can't be shown.
    pub(super) fn between(a: f64, b: f64, scale: Scale) -> Option<Self> {
        let (a, b) = (scale.place(a)?, scale.place(b)?);
        Some(Self { low: a.min(b), high: a.max(b), scale }.opened())
    }

    /// Where a value lies, 0 at the low end and 1 at the high one; `None` for one that can't be shown.
    ///
    /// What lies far outside is brought nearer, so that it can still be written.
    pub(super) fn share(&self, value: f64) -> Option<f64> {
        let share = (self.scale.place(value)? - self.low) / (self.high - self.low);
        Some(share.clamp(-9.0, 10.0))
    }

    /// A span of some length also where all values are the same, or nearly.
    fn opened(self) -> Self {
        let size = self.low.abs().max(self.high.abs());
        if self.high - self.low > 1e-9 * size.max(f64::MIN_POSITIVE) {
            return self;
        }
        let room = match self.scale {
            Scale::Log => 0.5,
            Scale::Linear if size < 1e-290 => 1.0,
            Scale::Linear => 0.1 * size,
        };
        Self { low: self.low - room, high: self.high + room, ..self }
    }
}
