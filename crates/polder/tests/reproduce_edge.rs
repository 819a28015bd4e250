//! The edge of stability through the real binary, mostly in short forms: reports, and what the tables hold.

mod fixture;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use fixture::{str, succeed, text};

/// A table's columns by their names; an empty cell is not a number.
type Columns = HashMap<String, Vec<f64>>;

/// Runs an experiment's short form, checks its report and gives its tables by their names.
fn tables(name: &str) -> HashMap<String, Columns> {
    tables_of(name, &["--short"])
}

/// Runs an experiment, checks its report and gives its tables by their names.
fn tables_of(name: &str, form: &[&str]) -> HashMap<String, Columns> {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join(name);
    let report = text(&succeed(&[&["reproduce", name, "--quiet", "--out", str(&out)], form].concat()).stdout);
    assert!(report.starts_with(&format!("# {name}\n")), "{report}");
    assert!(report.contains("values lie inside") && !report.contains("**outside**"), "{report}");
    for ending in ["svg", "png"] {
        let figure = fs::read(out.join(format!("figure-{name}.{ending}"))).unwrap();
        assert!(figure.len() > 1000, "{ending}");
    }
    let files = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let csv = files.filter(|path| path.extension().is_some_and(|ending| ending == "csv"));
    csv.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), columns(&path))).collect()
}

fn columns(path: &Path) -> Columns {
    let all = fs::read_to_string(path).unwrap();
    let mut lines = all.lines();
    let names: Vec<String> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    let number = |cell: &str| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() };
    let rows: Vec<Vec<f64>> = lines.map(|line| line.split(',').map(number).collect()).collect();
    let column = |at: usize| rows.iter().map(|row| row[at]).collect();
    names.iter().enumerate().map(|(at, name)| (name.clone(), column(at))).collect()
}

/// What holds for every table of a zeroth-order run: the ratio is trace over edge, errors and eigenvalues are small.
fn consistent(name: &str, table: &Columns) {
    for (row, _) in table["step"].iter().enumerate() {
        let at = |column: &str| table[column][row];
        assert!((at("ratio") - at("trace") / at("edge")).abs() < 1e-12, "{name}, row {row}");
        // Fifty signs: at the start of the convolutional network, whose eigenvalues cancel, a quarter of the trace.
        assert!(at("standard_error") > 0.0 && at("standard_error") < 0.3 * at("trace"), "{name}, row {row}");
        assert!(0.0 < at("largest") && at("largest") < at("trace") && at("trace") < at("band"), "{name}, row {row}");
        assert!(at("loss") > 0.0 && (row == 0 || at("peak") >= 0.9 * at("loss")), "{name}, row {row}");
    }
}

#[test]
fn edge() {
    let tables = tables("edge");
    for (name, table) in tables.iter().filter(|(name, _)| name.starts_with("zo-")) {
        consistent(name, table);
    }
    assert_eq!(tables["zo-gd-eta-0.02"]["step"], [0.0], "it diverges before its first reading");
    let gradient = &tables["gd-eta-0.3"];
    let (largest, ratio) = (&gradient["largest"], &gradient["ratio"]);
    assert!(largest.iter().zip(ratio).all(|(largest, ratio)| (ratio - largest * 0.3 / 2.0).abs() < 1e-12));
}

/// The oracle of the paper's main figure, at full length: two minutes.
#[test]
fn the_trace_settles_at_its_edge() {
    let tables = tables_of("edge", &[]);
    for (lr, settled) in [("0.004", 100_000.0), ("0.005", 60_000.0), ("0.006", 40_000.0)] {
        let table = &tables[&format!("zo-gd-eta-{lr}")];
        let readings = table["step"].iter().zip(&table["trace"]).filter(|(step, _)| **step > settled);
        let ratios: Vec<f64> = readings.map(|(_, trace)| trace * lr.parse::<f64>().unwrap() / 2.0).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        assert!(ratios.len() >= 29 && (0.95..=1.03).contains(&mean), "η = {lr}: {mean} of {}", ratios.len());
        assert!(table["trace"][0] * lr.parse::<f64>().unwrap() / 2.0 < 0.7, "it begins far below");
    }
}

#[test]
fn momentum() {
    let tables = tables("edge-momentum");
    assert_eq!(tables.len(), 4);
    tables.iter().for_each(|(name, table)| consistent(name, table));
    let edge = |name: &str| tables[name]["edge"][0];
    assert!((edge("zo-gdm-beta-0.9-eta-0.0006-sharp-start") - 0.2 / 0.0006).abs() < 1e-6);
    assert!((edge("zo-gdm-beta-0.5-eta-0.0015-sharp-start") - 1.0 / 0.0015).abs() < 1e-6);
}

#[test]
fn adam() {
    let tables = tables("edge-adam");
    for (name, table) in &tables {
        let commutator = &table["commutator"];
        assert_eq!(table["step"][..4], [1.0, 10.0, 100.0, 300.0], "{name}");
        assert!(commutator.windows(2).all(|pair| pair[1] < pair[0]), "{name}: {commutator:?}");
    }
}

#[test]
fn queries() {
    let tables = tables("edge-queries");
    assert_eq!(tables.len(), 2);
    tables.iter().for_each(|(name, table)| consistent(name, table));
}

#[test]
fn smoothing() {
    let tables = tables("edge-smoothing");
    tables.iter().for_each(|(name, table)| consistent(name, table));
    let last = |name: &str| *tables[name]["trace"].last().unwrap();
    assert!(last("zo-gd-eta-0.006-mu-0.03") < last("zo-gd-eta-0.006"));
}

#[test]
fn minibatch() {
    let tables = tables("edge-minibatch");
    let steps = |name: &str| *tables[name]["step"].last().unwrap();
    assert_eq!((steps("zo-gd-eta-0.005"), steps("zo-gd-eta-0.005-minibatch-20")), (5000.0, 0.0));
}

#[test]
fn catapult() {
    let tables = tables("catapult");
    let (name, table) = tables.iter().next().unwrap();
    consistent(name, table);
    let changed = table["edge"].windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!((changed, table["edge"][0].round()), (1, 500.0));
}

#[test]
fn convolution() {
    let tables = tables("edge-cnn");
    tables.iter().for_each(|(name, table)| consistent(name, table));
}
