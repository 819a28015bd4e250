//! `metrics.jsonl`: one line a step and an evaluation.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::atomic::write_file;
use crate::error::{Error, Result};
use crate::event::{Event, Observer};

/// Appends lines to a metrics file.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// It can't be opened for appending.
    pub fn append_to(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one line, in one write.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn line(&mut self, value: &Value) -> Result<()> {
        let mut line = value.to_string();
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(Error::io("write", &self.path))
    }
}

impl Observer for MetricsLog {
    /// Writes steps, traces and evaluations. A line that can't be written is left out: the trajectory has its numbers.
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { .. } | Event::Trace { .. } | Event::Evaluated { .. })
            && let Ok(line) = serde_json::to_value(event)
        {
            let _ = self.line(&line);
        }
    }
}

/// What a metrics file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The last step that has a line.
    pub steps: u64,
    /// The last step that has a line of the trace.
    pub traces: u64,
    /// The scores that have a line: steps done, and what was evaluated.
    pub scores: HashSet<(u64, String)>,
}

/// Drops the lines that a resume will write again: those after step `done`, and a torn one at the end. Gives what stays.
///
/// `done` is the number of steps in the trajectory, which may lie behind this file after a crash of the machine.
///
/// # Errors
/// The file can't be read or rewritten; one that isn't there is fine.
pub fn cut_metrics(path: &Path, done: u64) -> Result<Written> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Written::default()),
        Err(source) => return Err(Error::Io { action: "read", path: path.to_owned(), source }),
    };
    let mut written = Written::default();
    let mut keep = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n")) {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { continue };
        let Some(step) = value.get("step").and_then(Value::as_u64).filter(|step| *step <= done) else { continue };
        match value.get("split").and_then(Value::as_str) {
            Some(split) => _ = written.scores.insert((step, split.to_owned())),
            None if value.get("kind").and_then(Value::as_str) == Some("trace") => {
                written.traces = written.traces.max(step);
            }
            None => written.steps = written.steps.max(step),
        }
        keep.extend_from_slice(line);
    }
    if keep.len() != bytes.len() {
        write_file(path, &keep)?;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_after_the_resumed_step_and_torn_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        cut_metrics(&path, 3).unwrap();
        let mut log = MetricsLog::append_to(&path).unwrap();
        for step in 1..=5u64 {
            log.line(&serde_json::json!({"step": step})).unwrap();
        }
        fs::write(&path, [fs::read(&path).unwrap(), b"{\"step\": 2".to_vec()].concat()).unwrap();
        assert_eq!(cut_metrics(&path, 3).unwrap(), Written { steps: 3, ..Written::default() });
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
        let mut log = MetricsLog::append_to(&path).unwrap();
        log.line(&serde_json::json!({"step": 3, "split": "dev"})).unwrap();
        assert_eq!(cut_metrics(&path, 3).unwrap().scores, HashSet::from([(3, "dev".to_owned())]));
    }
}
