//! `polder compare` with the real binary: what it makes, what it makes only once, and what it refuses.

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fixture::{Place, fail, str, succeed, tables, text};
use serde_json::Value;

/// Two arms under two cases with two seeds, around the usual tiny run.
fn place() -> (Place, PathBuf) {
    let place = Place::llama();
    place.config("run.toml", "", &tables("f32", "1e-2"));
    let path = place.path("methods.toml");
    let text = "config = \"run.toml\"\nseeds = [0, 1]\nset = [\"steps=6\", \"eval.every=3\"]\n\
                trace = { probes = 4, rows = 8 }\n\n[[arm]]\nname = \"mezo\"\n\n\
                [[arm]]\nname = \"sign\"\nset = [\"optimizer.sign.lr=1e-3\"]\n\n\
                [[case]]\nname = \"clean\"\n\n[[case]]\nname = \"noisy\"\nset = [\"task.noise=0.25\"]\n";
    fs::write(&path, text).unwrap();
    (place, path)
}

/// Compares; gives the report, and the results by line.
fn compare(file: &Path, out: &Path, more: &[&str]) -> (String, Vec<Value>) {
    let said = succeed(&[&["compare", str(file), "--out", str(out), "--quiet"], more].concat());
    let lines = fs::read_to_string(out.join("results.jsonl")).unwrap();
    (text(&said.stdout), lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn every_run_is_made_once_and_held_against_the_others() {
    let (place, file) = place();
    let out = place.path("deep/out");
    let (report, lines) = compare(&file, &out, &[]);
    assert_eq!(lines.len(), 8);
    for line in &lines {
        assert!(line["marks"].as_array().unwrap().iter().all(|mark| mark == 0 || mark == 1), "{line}");
        let marks: Vec<f64> = line["marks"].as_array().unwrap().iter().map(|mark| mark.as_f64().unwrap()).collect();
        let mean = marks.iter().sum::<f64>() / marks.len() as f64;
        assert_eq!((marks.len(), line["score"].as_f64().unwrap()), (24, mean));
        assert_eq!((&line["steps"], &line["forwards"], &line["rows"]), (&6.into(), &12.into(), &lines[0]["rows"]));
        assert!(line["trace"]["value"].as_f64().unwrap().is_finite() && line["curve"].as_array().unwrap().len() == 6);
    }
    // Noise changes what is learned, so the weights and their losses differ; the seeds do too.
    let losses: std::collections::HashSet<String> = lines.iter().map(|line| line["loss"].to_string()).collect();
    assert_eq!(losses.len(), 8, "{losses:?}");
    for part in
        ["# methods", "8 of 8 runs", "## clean", "## noisy", "| mezo | 2 |", "| sign | 2 |", "`task.noise=0.25`"]
    {
        assert!(report.contains(part), "{part}: {report}");
    }
    for name in ["report.md", "summary.json", "summary.csv", "figure-scores.svg", "figure-losses.png"] {
        assert!(out.join(name).metadata().unwrap().len() > 100, "{name}");
    }
    let runs: Vec<PathBuf> = fs::read_dir(out.join("runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 8);
    assert!(runs.iter().all(|run| run.join("trajectory").exists() && !run.join("final").exists()));

    // What no bit depends on makes no new run; where the data lie neither.
    fs::rename(place.path("data"), place.path("moved")).unwrap();
    let moved = format!("task.data={}", place.path("moved").display());
    assert_eq!(compare(&file, &out, &["--set", "threads=1", "--set", &moved]).1, lines);
    fs::rename(place.path("moved"), place.path("data")).unwrap();
    // An arm that is changed is made again, the others are not.
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("lr=1e-3", "lr=2e-3")).unwrap();
    let listed = text(&succeed(&["compare", str(&file), "--out", str(&out), "--dry-run"]).stdout);
    assert!(listed.contains("4 of 8 runs are to be made") && listed.contains("clean, mezo, seed 0: done, accuracy"));
    let (_, more) = compare(&file, &out, &["--keep"]);
    assert_eq!((more.len(), &more[..8]), (12, &lines[..]));
    let kept =
        fs::read_dir(out.join("runs")).unwrap().filter(|run| run.as_ref().unwrap().path().join("final").exists());
    assert_eq!(kept.count(), 4);
}

#[test]
fn a_comparison_that_was_ended_goes_on_to_the_same_results() {
    let (place, file) = place();
    let (_, whole) = compare(&file, &place.path("whole"), &[]);
    let out = place.path("pieces");
    // No time at all: nothing is made, and the report says so.
    let args = ["compare", str(&file), "--out", str(&out), "--max-time", "0s"];
    let said = succeed(&args);
    assert!(text(&said.stdout).contains("0 of 8 runs"), "{}", text(&said.stdout));
    assert!(text(&said.stderr).contains("the same command goes on"), "{}", text(&said.stderr));
    let without_time = |lines: &[Value]| -> Vec<Value> {
        lines.iter().cloned().map(|mut line| (line.as_object_mut().unwrap().remove("seconds"), line).1).collect()
    };
    let path = out.join("results.jsonl");
    // The last results are lost, in the middle of a line: the same come of what is left of their runs.
    for (flags, left) in [(&["--keep"][..], "all"), (&[], "the logs"), (&[], "nothing")] {
        fs::remove_dir_all(&out).ok();
        compare(&file, &out, flags);
        let kept: Vec<String> = fs::read_to_string(&path).unwrap().lines().take(5).map(str::to_owned).collect();
        fs::write(&path, kept.join("\n") + "\n{\"case\"").unwrap();
        if left == "nothing" {
            fs::remove_dir_all(out.join("runs")).unwrap();
        }
        let (_, lines) = compare(&file, &out, &[]);
        assert_eq!(without_time(&lines), without_time(&whole), "{left}");
        let runs = fs::read_dir(out.join("runs")).unwrap().map(|entry| entry.unwrap().path());
        assert!(runs.into_iter().all(|run| !run.join("final").exists()), "{left}: weights are left");
    }
}

#[test]
fn names_decide_nothing_and_every_forward_pass_counts() {
    let (place, file) = place();
    let out = place.path("out");
    let (_, lines) = compare(&file, &out, &[]);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"sign\"", "\"signed\"").replace("\"clean\"", "\"right\"")).unwrap();
    let (report, again) = compare(&file, &out, &[]);
    assert_eq!(again, lines, "no run is made again");
    for part in ["## right", "| signed | 2 |", "| mezo | 2 |"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    // A trace that is sampled takes passes of its own.
    fs::write(&file, text.replace("optimizer.sign.lr=1e-3", "trace.every=2")).unwrap();
    let (_, more) = compare(&file, &out, &[]);
    assert_eq!(more[8..].iter().map(|line| line["forwards"].as_u64().unwrap()).collect::<Vec<_>>(), [12 + 6; 4]);
    // A rate that can't be measured to any use leaves its runs without a score, and the comparison goes on.
    let auto = "optimizer.sgd.lr='auto'\", \"auto={precision=0.01,probes=2}";
    fs::write(&file, text.replace("optimizer.sign.lr=1e-3", auto)).unwrap();
    let (report, more) = compare(&file, &out, &[]);
    assert!(more.len() == 16 && report.contains("is not clear of zero"), "{report}");
}

#[test]
fn a_run_that_diverges_is_a_result() {
    let (place, file) = place();
    let wild = fs::read_to_string(&file).unwrap().replace("optimizer.sign.lr=1e-3", "optimizer.sgd.lr=1e300");
    fs::write(&file, wild).unwrap();
    let (report, lines) = compare(&file, &place.path("out"), &[]);
    let failed = lines.iter().filter(|line| line["failed"].is_string());
    assert_eq!(failed.count(), 4);
    assert!(report.contains("## Without a score") && report.contains("| sign | 0, 2 without a score |"), "{report}");
}

#[test]
fn what_can_not_be_compared_is_refused_before_any_run() {
    let (place, file) = place();
    let out = place.path("out");
    let refused = |from: &str, to: &str| {
        let text = fs::read_to_string(&file).unwrap();
        let other = place.path("other.toml");
        fs::write(&other, text.replace(from, to)).unwrap();
        let said = fail(&["compare", str(&other), "--out", str(&out)]);
        assert!(!out.exists(), "{said}");
        said
    };
    assert!(refused("optimizer.sign.lr", "optimizer.sing.lr").contains("optimizer.sing"));
    assert!(refused("run.toml", "gone.toml").contains("gone.toml"));
    assert!(refused("task.noise=0.25", "task.noise=2").contains("task.noise"));
    assert!(refused("name = \"sign\"", "name = \"a b\"").contains("`a b` is no name"));
    let said = fail(&["compare", str(&place.path("nowhere.toml"))]);
    assert!(said.contains("nowhere.toml"), "{said}");
}
