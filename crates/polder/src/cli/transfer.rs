//! How far files and replays are, on a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use polder::hub::Progress;

/// A bar for what is fetched, sent and replayed: one after the other.
pub(super) struct Transfer {
    shown: bool,
    bar: Option<(String, ProgressBar)>,
}

impl Transfer {
    pub(super) fn new(quiet: bool) -> Self {
        Self { shown: !quiet && std::io::stderr().is_terminal(), bar: None }
    }

    /// Takes note of progress.
    pub(super) fn at(&mut self, p: &Progress<'_>) {
        if !self.shown {
            return;
        }
        let what = format!("{} {}", p.what, p.name);
        if self.bar.as_ref().is_none_or(|(shown, _)| *shown != what) {
            self.clear();
            let bar = ProgressBar::new(p.total).with_prefix(what.clone());
            let amounts =
                if p.what == "replaying" { "{pos}/{len} steps" } else { "{bytes}/{total_bytes}, {bytes_per_sec}" };
            let style = ProgressStyle::with_template(&format!("{{prefix}} {{bar:30}} {amounts}, {{eta}} left"));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some((what, bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_length(p.total);
            bar.set_position(p.done);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.clear();
    }
}
