//! How far files and replays are, on a terminal.

use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use polder::hub::Progress;

/// A bar for each of what is fetched, sent and replayed at the moment.
pub(super) struct Transfer {
    shown: bool,
    all: MultiProgress,
    under_way: Vec<(String, ProgressBar)>,
}

impl Transfer {
    pub(super) fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        Self { shown, all: MultiProgress::new(), under_way: Vec::new() }
    }

    /// Takes note of progress.
    pub(super) fn at(&mut self, p: &Progress<'_>) {
        if !self.shown {
            return;
        }
        let what = format!("{} {}", p.what, p.name);
        let found = self.under_way.iter().position(|(known, _)| *known == what);
        let at = found.unwrap_or_else(|| {
            self.under_way.push((what.clone(), self.all.add(bar(p, what))));
            self.under_way.len() - 1
        });
        let (_, bar) = &self.under_way[at];
        bar.set_length(p.total);
        bar.set_position(p.done);
        if p.done == p.total {
            bar.finish_and_clear();
            self.under_way.remove(at);
        }
    }

    pub(super) fn clear(&mut self) {
        for (_, bar) in self.under_way.drain(..) {
            bar.finish_and_clear();
        }
    }
}

fn bar(p: &Progress<'_>, what: String) -> ProgressBar {
    let amounts = if p.what == "replaying" { "{pos}/{len} steps" } else { "{bytes}/{total_bytes}, {bytes_per_sec}" };
    let style = ProgressStyle::with_template(&format!("{{prefix}} {{bar:30}} {amounts}, {{eta}} left"));
    ProgressBar::new(p.total).with_prefix(what).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.clear();
    }
}
