//! Rows found once and read when wanted; splits in several files; what columns hold; encodings.

use std::fs;
use std::path::{Path, PathBuf};

use polder_tasks::data::{Rows, read_file};
use polder_tasks::{DataFolder, Error, Result, Row, Split};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn read(name: &str, bytes: &[u8]) -> Result<Vec<Row>> {
    read_file(&written(name, bytes).1, None)
}

fn column(rows: &[Row], name: &str) -> Value {
    rows.iter().map(|row| row[name].clone()).collect()
}

/// Every file type, each with blank lines, quotes, other scripts and rows of different lengths.
fn every_type() -> Vec<(tempfile::TempDir, PathBuf)> {
    let text = |n: usize| format!("row {n} “é” {}", "x".repeat(n * 37 % 101));
    let mut files = Vec::new();
    let lines: String =
        (0..50).map(|n| format!("{}{}\r\n", json!({ "t": text(n), "n": n }), "\n".repeat(n % 3))).collect();
    files.push(written("a.jsonl", format!("\u{feff}{lines}").as_bytes()));
    let list: Value = (0..50).map(|n| json!({ "t": text(n), "n": n })).collect();
    files.push(written("a.json", list.to_string().as_bytes()));
    let quoted: String = (0..50).map(|n| format!("\"{}\",{n}\r\n{}", text(n), "\r\n".repeat(n % 2))).collect();
    files.push(written("a.csv", format!("\u{feff}t,n\r\n{quoted}").as_bytes()));
    let tabs: String = (0..50).map(|n| format!("{}\t{n}\n", text(n))).collect();
    files.push(written("a.tsv", format!("t\tn\n{tabs}").as_bytes()));
    files
}

#[test]
fn picked_rows_are_those_of_the_whole() {
    let homes = every_type();
    let mut paths: Vec<PathBuf> = homes.iter().map(|(_, path)| path.clone()).collect();
    paths.push(golden("kinds.parquet"));
    for path in &paths {
        let all = read_file(path, None).unwrap();
        let rows = Rows::of(path, None).unwrap();
        assert_eq!(rows.len(), all.len(), "{path:?}");
        // In any order, some twice, the last one, and one that is not there.
        let numbers = [7, 2, 3, 9, 2, rows.len() - 1, 0, 8, 10_000];
        let picked = rows.pick(&numbers).unwrap();
        assert_eq!(picked.iter().map(|d| d.number).collect::<Vec<_>>(), numbers[..8], "{path:?}");
        assert!(picked.iter().all(|d| d.row == all[d.number]), "{path:?}");
        // The first of them only.
        let first = read_file(path, Some(6)).unwrap();
        assert_eq!(first, all[..6], "{path:?}");
    }
    // All in one: the numbers go on from file to file.
    let rows = Rows::open(&paths, None).unwrap();
    assert_eq!(rows.len(), 4 * 50 + 10);
    for drawn in rows.pick(&[0, 49, 50, 120, 199]).unwrap() {
        assert_eq!(drawn.row["n"], json!(drawn.number % 50), "row {}", drawn.number);
    }
    assert_eq!(rows.pick(&[209]).unwrap()[0].row["id"], "row-9");
    assert_eq!(Rows::open(&paths, Some(57)).unwrap().len(), 57);
    let mut seen = Vec::new();
    rows.each(|number, _| {
        seen.push(number);
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, (0..210).collect::<Vec<_>>());
}

#[test]
fn parquet_gives_what_pyarrow_wrote() {
    let found = read_file(&golden("kinds.parquet"), None).unwrap();
    let expected = read_file(&golden("kinds.jsonl"), None).unwrap();
    assert_eq!(found.len(), 10);
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        for (name, value) in expected {
            assert_eq!(&found[name], value, "row {number}, `{name}`");
        }
        assert_eq!(found.len(), expected.len());
    }
}

#[test]
fn columns_of_numbers_and_truth_values() {
    let rows = read(
        "a.csv",
        b"whole,decimal,truth,price,zip,mixed,empty,gap,na\n\
          1,0.5,True,3.50,007,1,,7,1\n\
          -2,2,FALSE,2.25,123,x,,,NA\n\
          30,-1e-7,true,1.00,42,True,,9,3\n",
    )
    .unwrap();
    assert_eq!(column(&rows, "whole"), json!([1, -2, 30]));
    assert_eq!(column(&rows, "decimal"), json!([0.5, 2, -1e-7]));
    assert_eq!(column(&rows, "truth"), json!([true, false, true]));
    // As they are: as numbers they would be written otherwise.
    assert_eq!(column(&rows, "price"), json!(["3.50", "2.25", "1.00"]));
    assert_eq!(column(&rows, "zip"), json!(["007", "123", "42"]));
    assert_eq!(column(&rows, "mixed"), json!(["1", "x", "True"]));
    assert_eq!(column(&rows, "empty"), json!(["", "", ""]));
    assert_eq!(column(&rows, "gap"), json!([7, null, 9]));
    assert_eq!(column(&rows, "na"), json!(["1", "NA", "3"]));
    // The whole column counts, also where only its first rows are read.
    let (_home, path) = written("a.tsv", b"n\n1\n2\nthree\n");
    assert_eq!(column(&read_file(&path, Some(2)).unwrap(), "n"), json!(["1", "2"]));
}

#[test]
fn other_encodings_are_refused_with_a_remedy() {
    let utf16: Vec<u8> = "text,label\na,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xFF, 0xFE], &utf16[..]].concat();
    for ending in ["jsonl", "json", "csv", "tsv"] {
        let refused = |bytes: &[u8], parts: &[&str]| {
            let said = read(&format!("a.{ending}"), bytes).unwrap_err().to_string();
            for part in ["iconv", "hint:", &format!("a.{ending}")].iter().chain(parts) {
                assert!(said.contains(part), "{ending}: {said}");
            }
        };
        refused(&marked, &["UTF-16", "line 1"]);
        refused(&utf16, &["NUL"]);
        let latin: &[u8] = match ending {
            "csv" | "tsv" => b"text\nfine\ncaf\xE9\n",
            _ => b"{\"text\": \"fine\"}\n\n{\"text\": \"caf\xE9\"}\n",
        };
        refused(latin, &["line 3", "UTF-8"]);
    }
    // A NUL that is written as JSON is a character like any other.
    assert_eq!(read("a.jsonl", br#"{"t": "a\u0000b"}"#).unwrap()[0]["t"], "a\0b");
}

#[test]
fn a_row_that_is_never_drawn_is_checked_too() {
    let (_home, path) = written("a.jsonl", b"{\"a\": 1}\n{\"a\": 2}\n{\"a\": \n");
    let said = Rows::of(&path, None).unwrap_err().to_string();
    assert!(said.contains("line 3") && said.contains("a.jsonl"), "{said}");
    // A file that changes under its rows gives an error that names the line.
    let (_home, path) = written("a.jsonl", b"{\"a\": 1}\n{\"a\": 2}\n");
    let rows = Rows::of(&path, None).unwrap();
    fs::write(&path, b"{\"a\": 1}\n  \"a\" 2}\n").unwrap();
    let said = rows.pick(&[1]).unwrap_err().to_string();
    assert!(said.contains("line 2"), "{said}");
}

/// A folder of files, each with the named rows.
fn folder(files: &[(&str, &[u64])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, rows) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let lines: String = rows.iter().map(|n| format!("{{\"n\": {n}}}\n")).collect();
        fs::write(path, lines).unwrap();
    }
    dir
}

fn numbers(dir: &Path, split: Split) -> Value {
    column(&DataFolder::open(dir).unwrap().read(split, None).unwrap(), "n")
}

#[test]
fn splits_in_several_files() {
    let dir = folder(&[
        ("train-00001-of-00003.jsonl", &[3]),
        ("train-00000-of-00003.jsonl", &[1, 2]),
        ("train-00002-of-00003.jsonl", &[4, 5]),
        ("dev.jsonl", &[6]),
        ("notes.txt", &[]),
    ]);
    assert_eq!(numbers(dir.path(), Split::Train), json!([1, 2, 3, 4, 5]));
    assert_eq!(numbers(dir.path(), Split::Validation), json!([6]));
    let data = DataFolder::open(dir.path()).unwrap();
    assert_eq!(data.files()[0].1.len(), 3);
    assert_eq!(data.read(Split::Train, Some(3)).unwrap().len(), 3);

    // As the Hub lays them out.
    let dir = folder(&[("data/train-00000-of-00001.jsonl", &[1]), ("data/test-00000-of-00001.jsonl", &[2])]);
    assert_eq!(numbers(dir.path(), Split::Test), json!([2]));
    let dir = folder(&[("train/0001.jsonl", &[2]), ("train/0000.jsonl", &[1]), ("validation/0000.jsonl", &[3])]);
    assert_eq!(numbers(dir.path(), Split::Train), json!([1, 2]));
    assert_eq!(numbers(dir.path(), Split::Validation), json!([3]));

    let dir = folder(&[("validation_matched.jsonl", &[1]), ("validation_mismatched.jsonl", &[2])]);
    assert_eq!(numbers(dir.path(), Split::Validation), json!([1]));

    let dir = folder(&[("train-00000-of-00002.jsonl", &[1])]);
    let said = DataFolder::open(dir.path()).unwrap_err().to_string();
    assert!(said.contains("of the 2 files") && said.contains("hint:"), "{said}");
    let dir = folder(&[("train-00000-of-00001.jsonl", &[1]), ("train.jsonl", &[2])]);
    assert!(matches!(DataFolder::open(dir.path()), Err(Error::TwoFiles { split: Split::Train, .. })));
    // An error names the file that it is in.
    let dir = folder(&[("train-00000-of-00002.jsonl", &[1]), ("train-00001-of-00002.jsonl", &[2])]);
    fs::write(dir.path().join("train-00001-of-00002.jsonl"), "{\"n\": 1}\nno\n").unwrap();
    let said = DataFolder::open(dir.path()).unwrap().rows(Split::Train, None).unwrap_err().to_string();
    assert!(said.contains("train-00001-of-00002.jsonl") && said.contains("line 2"), "{said}");
}

#[test]
fn a_split_of_parquet_files() {
    let dir = tempfile::tempdir().unwrap();
    for at in 0..2 {
        fs::copy(golden("kinds.parquet"), dir.path().join(format!("train-{at:05}-of-00002.parquet"))).unwrap();
    }
    let rows = DataFolder::open(dir.path()).unwrap().rows(Split::Train, None).unwrap();
    assert_eq!(rows.len(), 20);
    let ids: Vec<Value> = rows.pick(&[19, 4, 13, 3]).unwrap().into_iter().map(|d| d.row["id"].clone()).collect();
    assert_eq!(ids, ["row-9", "row-4", "row-3", "row-3"]);
}
