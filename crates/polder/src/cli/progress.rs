//! What a person sees of a run: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use polder::event::{Event, Observer, Silent};

use super::pace::{Pace, number, time};

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
            text += &format!("loss {}{}", number(*loss), if *best { ", best so far" } else { "" });
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
