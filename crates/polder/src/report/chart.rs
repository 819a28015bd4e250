//! Curves as SVG.

use std::fmt::Write as _;

/// One curve.
pub(crate) struct Series {
    /// What it is.
    pub(crate) name: String,
    /// Finite points, in the order of x.
    pub(crate) points: Vec<(f64, f64)>,
    /// A line, or dots.
    pub(crate) line: bool,
}

/// Curves over steps, or over something else.
pub(crate) struct Chart {
    /// What y is.
    pub(crate) title: String,
    /// The curves.
    pub(crate) series: Vec<Series>,
}

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
/// Room for half of a label under the last tick.
const RIGHT: f64 = 28.0;
const BOTTOM: f64 = 30.0;
const COLOURS: [&str; 5] = ["#1f5fa8", "#d9822b", "#2f8f5b", "#a83279", "#666666"];

impl Chart {
    /// Whether there is nothing to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.series.iter().all(|s| s.points.is_empty())
    }

    /// The chart as an SVG element.
    pub(crate) fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|s| &s.points);
        let (x, y) = (Axis::over(all().map(|p| p.0)), Axis::over(all().map(|p| p.1)));
        let at_x = |value: f64| LEFT + x.share(value) * (WIDTH - LEFT - RIGHT);
        let at_y = |value: f64| HEIGHT - BOTTOM - y.share(value) * (HEIGHT - TOP - BOTTOM);
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" role=\"img\" font-size=\"12\" fill=\"#333\">\n\
             <text x=\"{LEFT}\" y=\"16\" font-weight=\"bold\">{}</text>\n",
            super::escape(&self.title)
        );
        // Writing to a string can't fail.
        for tick in y.ticks() {
            let at = at_y(tick);
            let _ = writeln!(out, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - RIGHT);
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                at + 4.0,
                label(tick)
            );
        }
        for tick in x.ticks() {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                at_x(tick),
                HEIGHT - 10.0,
                label(tick)
            );
        }
        // Dots first, so that lines lie over them.
        let mut order: Vec<(usize, &Series)> = self.series.iter().enumerate().collect();
        order.sort_by_key(|(_, s)| s.line);
        for (number, series) in order {
            let colour = COLOURS[number % COLOURS.len()];
            let places = series.points.iter().map(|p| (at_x(p.0), at_y(p.1)));
            if series.line {
                let text: Vec<String> = places.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let _ = writeln!(
                    out,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                    text.join(" ")
                );
            }
            if !series.line || series.points.len() < 40 {
                let radius = if series.line { 3.0 } else { 1.2 };
                for (x, y) in places {
                    let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{colour}\"/>");
                }
            }
        }
        let mut right = WIDTH - RIGHT;
        for (number, series) in self.series.iter().enumerate().filter(|(_, s)| !s.points.is_empty()) {
            let colour = COLOURS[number % COLOURS.len()];
            let _ = writeln!(
                out,
                "<text x=\"{right}\" y=\"16\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
                super::escape(&series.name)
            );
            right -= 7.5 * series.name.chars().count() as f64 + 20.0;
        }
        out + "</svg>\n"
    }
}

/// A range with round ticks.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low < high { (low, high) } else { (low - 0.5, low + 0.5) };
        // A step of 1, 2 or 5 times a power of ten, so that there are four to ten of them.
        let rough = (high - low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(rough);
        Self { low, high, step }
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<f64> {
        let first = (self.low / self.step).ceil();
        (0..12).map(|i| (first + f64::from(i)) * self.step).take_while(|t| *t <= self.high).collect()
    }
}

fn label(value: f64) -> String {
    // Sums of steps carry rounding: 0.30000000000000004.
    let rounded = format!("{value:.6}");
    if value.abs() >= 1e7 || (value != 0.0 && value.abs() < 1e-4) {
        return format!("{value:.1e}");
    }
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::over([0.13, 0.91].into_iter());
        assert_eq!(axis.ticks().iter().map(|t| label(*t)).collect::<Vec<_>>(), ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(Axis::over([7.0, 7.0].into_iter()).share(7.0), 0.5);
        assert_eq!(label(0.1 + 0.2), "0.3");
        assert_eq!(label(0.0), "0");
    }
}
