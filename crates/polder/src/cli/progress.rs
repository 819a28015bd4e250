//! What a person sees of a run: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use polder::event::{Event, Observer, Silent};
use polder::memory::resident;

/// The observer that fits stderr: a bar on a terminal, else lines.
pub(super) fn observer(quiet: bool) -> Box<dyn Observer> {
    if quiet {
        Box::new(Silent)
    } else if std::io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines { shown: None, run: Pace::default() })
    }
}

/// Loss and speed of the steps so far.
#[derive(Debug, Default)]
struct Pace {
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

    fn step(&mut self, loss: f64, seconds: f64, forwards: u64) {
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
    fn left(&self, step: u64, total: u64) -> f64 {
        if self.steps == 0 { f64::NAN } else { total.saturating_sub(step) as f64 * self.seconds / self.steps as f64 }
    }

    fn line(&self) -> String {
        let memory = resident().map(|m| format!(", {:.0} MB (peak {:.0})", m.now as f64 / 1e6, m.peak as f64 / 1e6));
        let rate = self.rate();
        let rate = if rate >= 1.0 { format!("{rate:.2} steps/s") } else { format!("{:.2} s/step", 1.0 / rate.max(1e-9)) };
        format!("loss {:.4}, {rate}, {} forwards{}", self.loss(), self.forwards, memory.unwrap_or_default())
    }
}

/// A sentence about an event that is worth one.
fn sentence(event: &Event) -> Option<String> {
    match event {
        Event::Started { done: 0, .. } => None,
        Event::Started { done, total, .. } => Some(format!("going on after step {done} of {total}")),
        Event::Evaluated { step, split, metric, score, interval, majority, loss, n, seconds, best, .. } => {
            let mut text = format!("step {step}: {split} ({n} rows, {seconds:.1} s) ");
            if metric != "loss" {
                text += &format!("{metric} {:.2} %", 100.0 * score);
                if let Some((low, high)) = interval {
                    text += &format!(" (95 %: {:.2} to {:.2})", 100.0 * low, 100.0 * high);
                }
                if let Some(majority) = majority {
                    text += &format!(", majority {:.2} %", 100.0 * majority);
                }
                text += ", ";
            }
            text += &format!("loss {loss:.4}{}", if *best { ", best so far" } else { "" });
            Some(text)
        }
        Event::Saved { step, what, path } if what != "checkpoint" => {
            Some(format!("step {step}: {what} weights saved in {}", path.display()))
        }
        Event::Note { text } => Some(format!("note: {text}")),
        Event::Finished { step, seconds, forwards, .. } => {
            Some(format!("{step} steps done, {forwards} forward passes; {} in this process", time(*seconds)))
        }
        _ => None,
    }
}

/// Plain lines: events, and a step now and then.
struct Lines {
    shown: Option<Instant>,
    run: Pace,
}

/// Plain lines about steps are at least so far apart.
const INTERVAL: Duration = Duration::from_secs(10);

impl Observer for Lines {
    fn event(&mut self, event: &Event) {
        if let Event::Step { step, total, loss, forwards, seconds, .. } = event {
            self.run.step(*loss, *seconds, *forwards);
            if *step == *total || self.shown.is_none_or(|at| at.elapsed() >= INTERVAL) {
                self.shown = Some(Instant::now());
                let left = time(self.run.left(*step, *total));
                self.say(&format!("step {step} of {total}: {}, {left} left", self.run.line()));
            }
        } else if let Some(text) = sentence(event) {
            self.say(&text);
        }
    }
}

impl Lines {
    fn say(&self, text: &str) {
        // A closed stderr must not end a run.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// A bar with the numbers behind it.
struct Bar {
    bar: ProgressBar,
    run: Pace,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, run: Pace::default() }
    }
}

impl Observer for Bar {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { done, total, .. } => {
                self.bar.set_length(*total);
                self.bar.set_position(*done);
            }
            Event::Step { step, total, loss, forwards, seconds, .. } => {
                self.run.step(*loss, *seconds, *forwards);
                self.bar.set_position(*step);
                let left = time(self.run.left(*step, *total));
                self.bar.set_message(format!("{}, {left} left", self.run.line()));
            }
            Event::Evaluating { split, examples, .. } => {
                self.bar.set_message(format!("evaluating {examples} rows ({split})"));
            }
            _ => {}
        }
        if let Some(text) = sentence(event) {
            self.bar.println(text);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A counter for work without events, on a terminal only.
pub(super) struct Counter {
    bar: Option<ProgressBar>,
}

impl Counter {
    pub(super) fn new(what: &str, unit: &str, quiet: bool) -> Self {
        if quiet || !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::new(0).with_prefix(what.to_owned()).with_message(unit.to_owned());
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar: Some(bar) }
    }

    pub(super) fn at(&mut self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.clear();
    }
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
