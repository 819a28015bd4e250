//! A sweep for people: a table with its lines, a chart.

use std::fmt::Write as _;

use super::{Fit, Growth, Stepped};
use crate::figure::{Figure, Panel, Series};

const MIB: f64 = (1 << 20) as f64;

impl Growth {
    /// The measurements as a Markdown table, and the lines fitted to them.
    pub fn table(&self) -> String {
        let axis = self.sweep.axis();
        let mut out = format!("| {axis} | seconds a step | range | MiB at the highest | of them weights |\n");
        out += "| --- | --- | --- | --- | --- |\n";
        for s in &self.steps {
            let (low, high) = s.range();
            let peak = s.peak.map_or_else(String::new, |peak| format!("{:.0}", peak as f64 / MIB));
            // Writing to a string can't fail.
            let _ = writeln!(
                out,
                "| {} | {:.3} | {low:.3}–{high:.3} | {peak} | {:.0} |",
                number(self.sweep.of(s)),
                s.median,
                s.weights as f64 / MIB
            );
        }
        for (what, unit, fit) in [("time", "s", self.seconds), ("memory", "MiB", self.memory)] {
            if let Some(Fit { at_zero, slope, r2 }) = fit {
                let _ = writeln!(out, "\n{what} ≈ {at_zero:.4} {unit} + {slope:.6} {unit} · {axis} (R² {r2:.3})");
            }
        }
        out
    }

    /// Seconds a step, measured and by the line, as an SVG file.
    pub fn svg(&self) -> String {
        let points: Vec<(f64, f64)> = self.steps.iter().map(|s| (self.sweep.of(s), s.median)).collect();
        let ranges = self.steps.iter().map(|s| (self.sweep.of(s), s.range().0, s.range().1));
        let ends = [points.first(), points.last()].into_iter().flatten();
        let line: Option<Vec<(f64, f64)>> =
            self.seconds.map(|fit| ends.map(|(x, _)| (*x, fit.at_zero + fit.slope * x)).collect());
        let axis = self.sweep.axis();
        let panel = Panel::new(format!("Seconds a step over {axis}"))
            .axes(axis, "time of a step (s)")
            .with(Series::dashed("line of least squares", line.unwrap_or_default()).colour(1))
            .with(Series::band("", ranges).colour(0))
            .with(Series::line("median, with the fastest and the slowest", points).colour(0));
        Figure::of(panel).svg()
    }
}

impl Stepped {
    /// The fastest and the slowest step, in seconds.
    pub fn range(&self) -> (f64, f64) {
        self.seconds.iter().fold((f64::INFINITY, 0.0), |(low, high), s| (low.min(*s), high.max(*s)))
    }
}

impl std::fmt::Display for Stepped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.range();
        let mib = |bytes: u64| bytes as f64 / MIB;
        write!(
            f,
            "{} in {}: {:.1} M parameters, {} tokens a point, {} direction(s), {} point(s) a pass, {} thread(s): \
             {:.3} s a step ({low:.3} to {high:.3}), ",
            self.shape,
            self.storage,
            self.parameters as f64 / 1e6,
            self.tokens,
            self.directions,
            self.points_a_pass,
            self.threads,
            self.median,
        )?;
        if let Some(peak) = self.peak {
            write!(f, "{:.0} MiB at the highest, ", mib(peak))?;
        }
        write!(f, "weights {:.0} MiB", mib(self.weights))
    }
}

/// Whole numbers as such, others with one digit.
fn number(x: f64) -> String {
    if x.fract() == 0.0 { format!("{x:.0}") } else { format!("{x:.1}") }
}

#[cfg(test)]
mod tests {
    use super::super::{Setting, Shape, Sweep, grow, step};
    use polder_models::StorageType;

    #[test]
    fn a_sweep_is_shown_with_its_line() {
        let setting = Setting {
            shape: *Shape::named("tiny").unwrap(),
            storage: StorageType::Bf16,
            sequences: 2,
            length: 4,
            directions: 1,
            points_a_pass: 2,
            threads: 2,
            steps: 1,
        };
        let mut heard = 0;
        let measure = &mut |setting: &Setting| {
            heard += 1;
            step(setting).map(Some)
        };
        let growth = grow(Sweep::Together, &setting, measure).unwrap();
        assert_eq!((heard, growth.steps.last().unwrap().points_a_pass), (4, 16));
        let table = growth.table();
        assert!(
            table.starts_with("| directions, all points in a pass | seconds a step |") && table.contains("\n| 8 | ")
        );
        assert!(table.contains("time ≈ "), "{table}");
        let svg = growth.svg();
        assert!(svg.starts_with("<svg xmlns=") && svg.contains("line of least squares"), "{svg}");
    }
}
