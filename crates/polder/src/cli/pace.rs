//! How a run is going: smoothed loss, speed, time left.

use polder::memory::resident;

/// Loss and speed of the steps so far.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The loss, smoothed over about 50 steps; the start counts less, as its bias is divided out.
    average: f64,
    weight: f64,
    /// Steps and seconds of this process.
    steps: u64,
    seconds: f64,
    forwards: u64,
}

impl Pace {
    const KEEP: f64 = 0.98;

    pub(super) fn step(&mut self, loss: f64, seconds: f64, forwards: u64) {
        self.average = Self::KEEP * self.average + (1.0 - Self::KEEP) * loss;
        self.weight = Self::KEEP * self.weight + (1.0 - Self::KEEP);
        self.steps += 1;
        self.seconds += seconds;
        self.forwards = forwards;
    }

    fn loss(&self) -> f64 {
        self.average / self.weight
    }

    fn rate(&self) -> f64 {
        if self.seconds > 0.0 { self.steps as f64 / self.seconds } else { 0.0 }
    }

    /// Seconds that the rest of the steps will take.
    pub(super) fn left(&self, step: u64, total: u64) -> f64 {
        if self.steps == 0 { f64::NAN } else { total.saturating_sub(step) as f64 * self.seconds / self.steps as f64 }
    }

    pub(super) fn line(&self) -> String {
        let memory = resident().map(|m| format!(", {:.0} MB (peak {:.0})", m.now as f64 / 1e6, m.peak as f64 / 1e6));
        let rate = self.rate();
        let rate =
            if rate >= 1.0 { format!("{rate:.2} steps/s") } else { format!("{:.2} s/step", 1.0 / rate.max(1e-9)) };
        format!("loss {}, {rate}, {} forwards{}", number(self.loss()), self.forwards, memory.unwrap_or_default())
    }
}

/// A loss for people: large ones, of a run that goes astray, in scientific notation.
pub(super) fn number(loss: f64) -> String {
    if loss.abs() >= 1e6 { format!("{loss:.3e}") } else { format!("{loss:.4}") }
}

/// Seconds for people.
pub(super) fn time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown time".to_owned();
    }
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{seconds:.1} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(time(0.26), "0.3 s");
        assert_eq!(time(75.0), "1 min 15 s");
        assert_eq!(time(7260.0), "2 h 1 min");
        assert_eq!(time(f64::NAN), "unknown time");
    }

    #[test]
    fn losses_stay_short() {
        assert_eq!(number(0.512_34), "0.5123");
        assert_eq!(number(999_999.0), "999999.0000");
        assert_eq!(number(1.25e18), "1.250e18");
        assert_eq!(number(f64::NAN), "NaN");
    }

    #[test]
    fn the_smoothed_loss_starts_at_the_first_and_follows() {
        let mut pace = Pace::default();
        pace.step(2.0, 0.5, 2);
        assert!((pace.loss() - 2.0).abs() < 1e-12);
        for _ in 0..1000 {
            pace.step(1.0, 0.5, 4);
        }
        assert!((pace.loss() - 1.0).abs() < 1e-6);
        assert!((pace.rate() - 2.0).abs() < 1e-9 && (pace.left(10, 20) - 5.0).abs() < 1e-9);
    }
}
