//! Every experiment's short form through the real binary: its files, its report, its refusals.

mod fixture;

use std::fs;
use std::path::Path;

use fixture::{fail, polder, str, succeed, text};
use polder::reproduce::EXPERIMENTS;
use serde_json::Value;

/// Runs an experiment's short form into a folder; gives the report.
fn short(name: &str, out: &Path, more: &[&str]) -> String {
    let arguments = ["reproduce", name, "--short", "--quiet", "--out", str(out)];
    let out = succeed(&[&arguments[..], more].concat());
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
    text(&out.stdout)
}

/// Every file of a folder is what its ending says, and there is one of each kind.
fn files_parse(folder: &Path) {
    let mut kinds = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let kind = path.extension().unwrap().to_str().unwrap().to_owned();
        match kind.as_str() {
            "csv" => table(&path, std::str::from_utf8(&bytes).unwrap()),
            "json" => drop(serde_json::from_slice::<Value>(&bytes).unwrap()),
            "svg" => {
                let said = std::str::from_utf8(&bytes).unwrap();
                assert!(said.starts_with("<svg xmlns=") && said.trim_end().ends_with("</svg>"), "{}", path.display());
                assert!(!said.contains("NaN"), "{}", path.display());
                resvg::usvg::Tree::from_data(&bytes, &resvg::usvg::Options::default()).unwrap();
            }
            "png" => assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 1000, "{}", path.display()),
            "md" => assert!(bytes.starts_with(b"# ")),
            other => panic!("a file that is no result: {other}"),
        }
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let all: Vec<&str> = kinds.keys().map(String::as_str).collect();
    assert_eq!(all, ["csv", "json", "md", "png", "svg"], "{kinds:?}");
    assert_eq!((kinds["csv"], kinds["svg"], kinds["md"]), (kinds["json"], kinds["png"], 1));
}

/// A CSV file has a header, rows as long as it, numbers or nothing in them, and the same in the JSON file beside it.
fn table(path: &Path, csv: &str) {
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<Vec<String>> = lines.collect();
    assert!(!rows.is_empty() && names.iter().all(|name| name.parse::<f64>().is_err()), "{}", path.display());
    let json: Value = serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap()).unwrap();
    assert_eq!(json["columns"].as_array().unwrap().len(), names.len());
    assert_eq!(json["rows"].as_array().unwrap().len(), rows.len());
    for (row, written) in rows.iter().zip(json["rows"].as_array().unwrap()) {
        assert_eq!(row.len(), names.len(), "{}", path.display());
        for (cell, written) in row.iter().zip(written.as_array().unwrap()) {
            match written.as_f64() {
                Some(number) => assert_eq!(cell.parse::<f64>().unwrap(), number),
                None => assert!(cell.is_empty() || cell.parse::<f64>().unwrap().is_infinite(), "{cell}"),
            }
        }
    }
}

/// One experiment, whole: called by a test of its own each, so that they run beside one another.
fn runs(name: &str) {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("deep").join(name);
    let report = short(name, &out, &[]);
    files_parse(&out);
    assert_eq!(fs::read_to_string(out.join("report.md")).unwrap().trim_end(), report.trim_end());
    assert!(report.starts_with(&format!("# {name}\n")), "{report}");
    for part in ["## Values", "## Where it differs\n\n- ", "## Settings", "- form: short", "## Cost"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(report.contains("values lie inside") && !report.contains("**outside**"), "{report}");
}

#[test]
fn toy() {
    runs("toy");
}

#[test]
fn svm() {
    runs("svm");
}

#[test]
fn logistic() {
    runs("logistic");
}

#[test]
fn tilt() {
    runs("tilt");
}

#[test]
fn communication() {
    runs("communication");
}

#[test]
fn few_shot() {
    runs("few-shot");
}

#[test]
fn the_table_is_what_help_list_and_documentation_name() {
    let list = text(&succeed(&["reproduce", "--list"]).stdout);
    // Help is wrapped to the terminal.
    let help = text(&succeed(&["reproduce", "--help"]).stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let page = include_str!("../REPRODUCE.md");
    let mut names = std::collections::HashSet::new();
    for experiment in EXPERIMENTS {
        let name = experiment.name;
        assert!(names.insert(name), "two are called {name}");
        assert!(list.contains(name) && list.contains(experiment.about) && list.contains(experiment.source), "{list}");
        assert!(help.contains(experiment.about), "{help}");
        assert!(page.contains(&format!("\n## {name}\n")), "REPRODUCE.md has no section of `{name}`");
        let (short, full) = experiment.seconds;
        assert!(0.0 < short && short <= full);
    }
}

#[test]
fn what_can_not_be_run_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let said = fail(&["reproduce", "flight"]);
    assert!(said.contains("no experiment `flight`") && said.contains("`toy`") && said.contains("`few-shot`"), "{said}");
    assert_eq!(polder(&["reproduce"]).status.code(), Some(2));

    fs::write(path("rows"), "+1 1:1 2:x\n").unwrap();
    let (out, rows) = (path("out"), path("rows"));
    let said = fail(&["reproduce", "svm", "--short", "--out", str(&out), "--data", str(&rows)]);
    assert!(said.contains("line 1, column 8") && said.contains("`2:x` is not `index:value`"), "{said}");
    let said = fail(&["reproduce", "logistic", "--out", str(&out), "--data", str(&path("nothing"))]);
    assert!(said.contains("nothing"), "{said}");
    let said = fail(&["reproduce", "toy", "--out", str(&out), "--data", str(&rows)]);
    assert!(said.contains("does not read `--data`"), "{said}");

    let said = fail(&["reproduce", "toy", "--short", "--out", str(&rows)]);
    assert!(said.contains("cannot create") && said.contains("rows"), "{said}");
    let said = fail(&["reproduce", "toy", "--short", "--out", str(&rows.join("below"))]);
    assert!(said.contains("cannot create"), "{said}");
}

#[test]
fn rows_of_ones_own_are_used_with_the_test_file_beside_them() {
    let place = tempfile::tempdir().unwrap();
    // Rows of six among forty features: with a few rows alike the Hessian has a few large eigenvalues, and the experiment's
    // step would lie beyond their edge.
    let rows = |count: u64, from: u64| -> String {
        let row = |i: u64| {
            let feature = |block: u64| {
                // Knuth's multiplier: any numbers will do that don't repeat from row to row.
                let mixed = (i * 6 + block).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
                format!("{}:1", 1 + block * 7 + mixed % 7)
            };
            let label = if i.is_multiple_of(3) { 1 } else { -1 };
            format!("{label:+} {}\n", (0..6).map(feature).collect::<Vec<_>>().join(" "))
        };
        (from..from + count).map(row).collect()
    };
    let data = place.path().join("rows");
    fs::write(&data, rows(300, 0)).unwrap();
    fs::write(place.path().join("rows.t"), rows(20, 1000)).unwrap();
    let report = short("svm", &place.path().join("out"), &["--data", str(&data)]);
    assert!(report.contains("`rows`: 300 training rows, 20 test rows, 42 features"), "{report}");
    assert!(report.contains("not those of a5a"), "{report}");
    files_parse(&place.path().join("out"));
}

#[test]
fn another_seed_gives_other_numbers_and_the_same_seed_the_same() {
    let place = tempfile::tempdir().unwrap();
    let ends = |name: &str, seed: &str| {
        short("toy", &place.path().join(name), &["--seed", seed]);
        fs::read_to_string(place.path().join(name).join("course-two-point-0.1.csv")).unwrap()
    };
    let [one, again, other] = [("a", "3"), ("b", "3"), ("c", "4")].map(|(name, seed)| ends(name, seed));
    assert!(one == again && one != other);
}
