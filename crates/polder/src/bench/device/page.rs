//! A device's report for people.

use std::fmt::Write as _;

use super::{DeviceReport, DeviceStep};
use crate::plan::size;

impl DeviceReport {
    /// The report in Markdown.
    pub fn page(&self) -> String {
        let mut out = format!("# polder on {}\n\n", self.device);
        // Writing to a string can't fail.
        let _ = writeln!(out, "{}, {}, polder {}", self.title, self.system, self.polder);
        if let Some(memory) = self.memory {
            let _ = writeln!(out, "memory: {}", size(memory));
        }
        if let (Some(rate), Some(source)) = (self.bandwidth, &self.bandwidth_source) {
            let _ = writeln!(out, "bandwidth: {:.1} GB/s ({source})", rate / 1e9);
        }
        out += "\n## Against the CPU\n\n| check | what | numbers | other bits | largest difference | allowed | |\n";
        out += "| --- | --- | --- | --- | --- | --- | --- |\n";
        for c in &self.checks {
            let verdict = if c.passed { "agrees" } else { "**DIFFERS**" };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {:.1e} | {} | {verdict} |",
                c.name, c.what, c.compared, c.different, c.largest, c.allowed
            );
        }
        out += "\n## Memory\n\n| kernel | moved | milliseconds | GB/s | of the bandwidth |\n";
        out += "| --- | --- | --- | --- | --- |\n";
        for r in &self.rates {
            let share = r.share.map_or_else(|| "unknown".to_owned(), |share| format!("{:.0} %", 100.0 * share));
            let (ms, rate) = (1e3 * r.seconds, r.reached / 1e9);
            let _ = writeln!(out, "| {} | {} | {ms:.3} | {rate:.1} | {share} |", r.name, size(r.bytes));
        }
        let _ = writeln!(
            out,
            "\n## Two-point steps\n\nRandom weights{}, batch {}, {} tokens a sequence, arithmetic in f32.\n",
            if self.offload { ", offloaded to the computer's memory" } else { "" },
            self.batch,
            self.length
        );
        out += "| model | weights | needs by formula | held at most | ms a step | range | by the roofline |\n";
        out += "| --- | --- | --- | --- | --- | --- | --- |\n";
        for step in &self.steps {
            out += &row(step);
        }
        out += if self.device == "cpu" {
            "\nHeld: resident memory of the whole process.\n"
        } else {
            "\nHeld: by how much less the device had free than before the weights were made, looked at every 2 ms.\n"
        };
        let _ = writeln!(
            out,
            "\n## Beside PyTorch\n\nWith a Python that has torch and transformers, a model and data (SPEED.md says which):\n\n\
             ```sh\npython crates/polder/benches/pytorch/side_by_side.py --polder target/release/polder \\\n    \
             --model HF_FOLDER --data FOLDER --out side-by-side --device {}\n```",
            self.device
        );
        out
    }
}

/// A line of the table of steps.
fn row(step: &DeviceStep) -> String {
    let needs = step.needs.map_or_else(|| "unknown".to_owned(), size);
    let Some(took) = &step.took else {
        let why = step.skipped.as_deref().unwrap_or("not timed").lines().next().unwrap_or_default();
        return format!("| {} | | {needs} | | {why} | | |\n", step.shape);
    };
    let (low, high) = took.range();
    let expected = step.expected.map_or_else(|| "unknown".to_owned(), |s| format!("{:.1}", 1e3 * s));
    let (storage, median) = (took.storage, 1e3 * took.median);
    let held = took.peak.map_or_else(|| "unknown".to_owned(), size);
    format!(
        "| {} | {storage}, {} | {needs} | {held} | {median:.2} | {:.2}–{:.2} | {expected} |\n",
        step.shape,
        size(took.weights),
        1e3 * low,
        1e3 * high
    )
}
