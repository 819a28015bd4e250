//! What an experiment found.

use crate::figure::Figure;

/// What an experiment found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Our values against the paper's or an oracle's.
    pub checks: Vec<Check>,
    /// Where our setting or result differs from the paper's and why, in sentences.
    pub differs: Vec<String>,
    /// What was chosen, each with its value.
    pub settings: Vec<(String, String)>,
    /// How often a loss was evaluated on all examples (a gradient counts as two).
    pub evaluations: u64,
    /// The numbers.
    pub data: Vec<Table>,
    /// The pictures, each with its name.
    pub figures: Vec<(String, Figure)>,
}

impl Outcome {
    /// Whether every check passes.
    pub fn passes(&self) -> bool {
        self.checks.iter().all(Check::passes)
    }

    /// The points of two columns of a table, for a figure; none where there is no such table.
    pub fn points(&self, table: &str, x: &str, y: &str) -> Vec<(f64, f64)> {
        self.data.iter().find(|of| of.name == table).map_or_else(Vec::new, |table| table.points(x, y))
    }

    /// Notes a setting with its value.
    pub fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.settings.push((name.to_owned(), value.to_string()));
    }
}

/// One of our values against the paper's or an oracle's.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was measured.
    pub what: String,
    /// Our value.
    pub ours: f64,
    /// The paper's or the oracle's value, and where it stands.
    pub theirs: String,
    /// The least value that agrees.
    pub low: f64,
    /// The largest value that agrees.
    pub high: f64,
}

impl Check {
    /// A value that should lie between two others.
    pub fn between(what: impl Into<String>, ours: f64, theirs: impl Into<String>, low: f64, high: f64) -> Self {
        Self { what: what.into(), ours, theirs: theirs.into(), low, high }
    }

    /// A value that should lie within a distance of another.
    pub fn near(what: impl Into<String>, ours: f64, theirs: impl Into<String>, centre: f64, distance: f64) -> Self {
        Self::between(what, ours, theirs, centre - distance, centre + distance)
    }

    /// `low <= ours <= high`; not a number fails.
    pub fn passes(&self) -> bool {
        self.low <= self.ours && self.ours <= self.high
    }
}

/// A table of numbers, one file in CSV and one in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name, that of its files.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows, as long as there are columns; a value that is not a number is an empty cell.
    pub rows: Vec<Vec<f64>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: impl Into<String>, columns: &[&str]) -> Self {
        Self { name: name.into(), columns: columns.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// The values of a column; none where there is no such column.
    pub fn column(&self, name: &str) -> Vec<f64> {
        let Some(at) = self.columns.iter().position(|column| column == name) else { return Vec::new() };
        self.rows.iter().filter_map(|row| row.get(at).copied()).collect()
    }

    /// The points of two columns, for a figure.
    pub fn points(&self, x: &str, y: &str) -> Vec<(f64, f64)> {
        self.column(x).into_iter().zip(self.column(y)).collect()
    }

    /// The rows in which a column has that value, as a table of the same name.
    #[must_use]
    pub fn rows_where(&self, name: &str, value: f64) -> Self {
        let keep = self.column(name).into_iter().map(|found| found == value);
        let rows = self.rows.iter().zip(keep).filter(|(_, keep)| *keep).map(|(row, _)| row.clone()).collect();
        Self { rows, ..Self::clone(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_between_its_ends_only() {
        let check = |ours| Check::near("x", ours, "1 (nowhere)", 1.0, 0.5).passes();
        assert!(check(0.5) && check(1.5) && check(1.0));
        assert!(!check(0.4999) && !check(1.5001) && !check(f64::NAN) && !check(f64::INFINITY));
    }
}
