//! A run's curves, or those of several runs over one another.

use super::lines::{Run, Score, Step, Trace};
use super::smooth::means;
use crate::figure::{Panel, Series};

/// Between colours of a run that stands alone.
const DEV: usize = 1;
const HELD_OUT: usize = 2;
const MAJORITY: usize = 6;

/// What the charts have in common.
pub(super) struct Charts<'a> {
    runs: &'a [Run],
    /// Against forward passes; against steps where a file does not count them.
    forwards: bool,
}

impl<'a> Charts<'a> {
    pub(super) fn of(runs: &'a [Run]) -> Self {
        Self { runs, forwards: runs.iter().all(Run::counts_forwards) }
    }

    /// Every chart that has something to show; the first two in any case.
    pub(super) fn panels(&self) -> Vec<Panel> {
        let always = [self.losses(), self.scores()];
        let others = [
            self.of_steps("Projected gradient", "rms (nats a unit of λ)", |s| s.projected, true).log_y(),
            self.directions(),
            self.of_steps("Tilt", "t (1/nats)", |s| s.tilt, false),
            self.traces(),
            self.of_steps("Learning rate", "learning rate", |s| s.lr, false),
            self.of_steps("Time of a step", "seconds", |s| s.seconds, true),
            self.of_steps("Speed", "thousand tokens a second", |s| s.tokens / s.seconds / 1e3, true),
            self.of_steps("Memory", "MiB", |s| s.memory / f64::from(1 << 20), false),
        ];
        always.into_iter().chain(others.into_iter().filter(|panel| !panel.is_empty())).collect()
    }

    fn alone(&self) -> bool {
        self.runs.len() == 1
    }

    fn panel(&self, title: &str, y: &str) -> Panel {
        Panel::new(title).axes(if self.forwards { "forward passes of a batch" } else { "steps" }, y)
    }

    fn x(&self, step: f64, forwards: f64) -> f64 {
        if self.forwards { forwards } else { step }
    }

    fn points(&self, run: &Run, value: impl Fn(&Step) -> f64) -> Vec<(f64, f64)> {
        run.steps.iter().map(|line| (self.x(line.step, line.forwards), value(line))).collect()
    }

    fn losses(&self) -> Panel {
        let mut panel = self.panel("Training loss", "loss (nats)");
        for (number, run) in self.runs.iter().enumerate() {
            let points = self.points(run, |line| line.loss);
            let tilted = self.points(run, |line| line.tilted_loss);
            panel = panel.with_all(self.noisy(run, number, &points));
            if self.alone() {
                let dev: Vec<(f64, f64)> = self.scored(run, "dev").map(|(x, score)| (x, score.loss)).collect();
                panel = panel.with_all(named("tilted loss, mean", &smooth(&tilted), 3, Series::dashed));
                panel = panel.with_all(named("dev rows", &dev, DEV, Series::line));
            }
        }
        let levels: Vec<f64> = self.runs.iter().flat_map(|run| run.steps.iter().map(|line| line.loss)).collect();
        if spreads(&levels, 100.0) { panel.log_y() } else { panel }
    }

    /// Steps as dots, their mean as a line in its interval; of several runs, the means.
    fn noisy(&self, run: &Run, number: usize, points: &[(f64, f64)]) -> Vec<Series> {
        let means = means(points);
        let curve: Vec<(f64, f64)> = means.iter().map(|m| (m.x, m.mean)).collect();
        if !self.alone() {
            let curve = if curve.is_empty() { points.to_vec() } else { curve };
            return vec![Series::line(&run.name, curve).colour(number)];
        }
        let mut series = vec![Series::dots("step", points.iter().copied()).colour(number).faint()];
        if !curve.is_empty() {
            let band = means.iter().map(|m| (m.x, m.mean - m.half, m.mean + m.half));
            series.push(Series::band("", band).colour(number));
            series.push(Series::line("mean of steps near by, 95 % interval", curve).colour(number));
        }
        series
    }

    fn scored<'r>(&'r self, run: &'r Run, split: &'r str) -> impl Iterator<Item = (f64, &'r Score)> + 'r {
        let scores = run.scores.iter().filter(move |score| score.split == split);
        scores.map(|score| (self.x(score.step, score.forwards), score))
    }

    fn scores(&self) -> Panel {
        let metric = self.runs.iter().find_map(Run::result).map_or("score", |score| score.metric.as_str());
        let (unit, label) = scale(metric);
        let mut panel = self.panel("Task score", &label);
        for (number, run) in self.runs.iter().enumerate() {
            let held_out = |score: &&Score| score.split != "dev";
            let others = run.scores.iter().filter(held_out).map(|score| (self.x(score.step, score.forwards), score));
            // Points of their own, each with its interval: the first and the last score.
            let bars: Vec<(f64, f64, f64)> =
                others.clone().flat_map(|(x, s)| [(x, s.low * unit, s.high * unit), (f64::NAN, 0.0, 0.0)]).collect();
            let dots: Vec<(f64, f64)> = others.map(|(x, s)| (x, s.score * unit)).collect();
            let dev: Vec<(f64, f64)> = self.scored(run, "dev").map(|(x, s)| (x, s.score * unit)).collect();
            let (dev_colour, colour) = if self.alone() { (DEV, HELD_OUT) } else { (number, number) };
            if self.alone() {
                let band = self.scored(run, "dev").map(|(x, s)| (x, s.low * unit, s.high * unit));
                panel = panel.with(Series::band("", band).colour(dev_colour));
            }
            let name = if self.alone() { "dev rows, 95 % interval" } else { run.name.as_str() };
            panel = panel.with_all(named(name, &dev, dev_colour, Series::line));
            panel = panel.with(Series::band("", bars).colour(colour));
            let name = match (self.alone(), dev.is_empty()) {
                (true, _) => "evaluation rows, 95 % interval",
                (false, true) => run.name.as_str(),
                (false, false) => "",
            };
            panel = panel.with_all(named(name, &dots, colour, Series::dots));
        }
        let majority = self.runs.iter().find_map(Run::result).map(|score| score.majority * unit);
        match majority.filter(|level| level.is_finite() && unit != 1.0) {
            Some(level) => panel.with(Series::level(format!("majority {level:.1} %"), level).colour(MAJORITY)),
            None => panel,
        }
    }

    fn of_steps(&self, title: &str, unit: &str, value: fn(&Step) -> f64, noisy: bool) -> Panel {
        let mut panel = self.panel(title, unit);
        for (number, run) in self.runs.iter().enumerate() {
            let points = self.points(run, value);
            panel = if noisy {
                panel.with_all(self.noisy(run, number, &points))
            } else {
                panel.with_all(named(if self.alone() { "" } else { &run.name }, &points, number, Series::line))
            };
        }
        panel
    }

    fn directions(&self) -> Panel {
        let panel = self.of_steps("Effective number of directions", "1 / Σ w²", |s| s.effective, true);
        let most = self.runs.iter().flat_map(|run| &run.steps).map(|line| line.directions).max().unwrap_or(0);
        if panel.is_empty() || most == 0 {
            return panel;
        }
        panel.with(Series::level(format!("all {most}"), most as f64).colour(MAJORITY))
    }

    fn traces(&self) -> Panel {
        let title =
            if self.alone() { "Trace of the Hessian" } else { "Trace of the Hessian; dashed: edge of stability" };
        let mut panel = self.panel(title, "trace");
        for (number, run) in self.runs.iter().enumerate() {
            let at = |line: &Trace| self.x(line.step, line.forwards);
            let found: Vec<(f64, f64)> = run.traces.iter().map(|line| (at(line), line.trace)).collect();
            let edge: Vec<(f64, f64)> = run.traces.iter().map(|line| (at(line), line.edge)).collect();
            let band = run.traces.iter().map(|line| (at(line), line.trace - line.error, line.trace + line.error));
            let (name, edge_name, other) = match self.alone() {
                true => ("estimate ± standard error", "edge of stability", 1),
                false => (run.name.as_str(), "", number),
            };
            panel = panel.with(Series::band("", band).colour(number));
            panel = panel.with_all(named(name, &found, number, Series::line));
            panel = panel.with_all(named(edge_name, &edge, other, Series::dashed));
        }
        let lines = || self.runs.iter().flat_map(|run| &run.traces);
        let levels: Vec<f64> = lines().flat_map(|line| [line.trace, line.edge]).collect();
        if spreads(&levels, 10.0) { panel.log_y() } else { panel }
    }
}

/// A series, where it has a point.
fn named(
    name: &str,
    points: &[(f64, f64)],
    colour: usize,
    shape: fn(String, Vec<(f64, f64)>) -> Series,
) -> Option<Series> {
    let any = points.iter().any(|(x, y)| x.is_finite() && y.is_finite());
    any.then(|| shape(name.to_owned(), points.to_vec()).colour(colour))
}

fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    means(points).iter().map(|m| (m.x, m.mean)).collect()
}

/// What a score is multiplied by to be shown, and the label: shares become per cent, losses stay.
pub(super) fn scale(metric: &str) -> (f64, String) {
    if metric == "loss" { (1.0, "loss (nats)".to_owned()) } else { (100.0, format!("{metric} (%)")) }
}

/// Whether values are all above 0 and the largest is so many times the smallest.
fn spreads(values: &[f64], times: f64) -> bool {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    low > 0.0 && high > times * low
}
