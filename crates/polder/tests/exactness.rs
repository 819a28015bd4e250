//! The promises about bits, kept by the real binary on tiny models.

mod fixture;

use std::fs;
use std::path::Path;

use fixture::{Place, fail, metrics, str, succeed, tables, text, weights};

/// Trains with extra `--set` arguments; gives the run folder.
fn train(place: &Place, config: &std::path::Path, run: &str, sets: &[&str]) -> std::path::PathBuf {
    let run = place.path(run);
    let mut args = vec!["train", str(config), "--run", str(&run)];
    sets.iter().for_each(|set| args.extend(["--set", set]));
    succeed(&args);
    run
}

#[test]
fn a_rate_of_zero_leaves_every_bit() {
    for place in [Place::llama(), Place::opt()] {
        for dtype in ["f32", "bf16", "f16", "bf16+8"] {
            let config = place.config("zero.toml", "", &tables(dtype, "0"));
            let run = train(&place, &config, &format!("zero-{dtype}"), &["steps=12"]);
            // The weights as they are after loading: a run of no steps.
            let base = train(&place, &config, &format!("base-{dtype}"), &["steps=0"]);
            let (before, after) = (weights(&base.join("final")), weights(&run.join("final")));
            assert!(!before.is_empty() && before == after, "{dtype}");
            assert_eq!(before, weights(&run.join("best")), "{dtype}");
            if dtype == "f32" {
                assert_eq!(before, weights(&place.path("model")), "loading and saving keep f32 weights");
            }
        }
    }
}

#[test]
fn a_run_moves_the_weights_and_replay_rebuilds_them() {
    for place in [Place::llama(), Place::opt()] {
        for dtype in ["f32", "bf16", "f16", "bf16+8"] {
            let config = place.config("move.toml", "", &tables(dtype, "1e-2"));
            let run = train(&place, &config, &format!("run-{dtype}"), &["steps=15"]);
            let after = weights(&run.join("final"));
            // In the same storage type: the model's own file holds f32.
            let base = train(&place, &config, &format!("base-{dtype}"), &["steps=0"]);
            assert_ne!(after, weights(&base.join("final")), "{dtype}");
            for (source, out) in [(run.clone(), "from-run"), (run.join("trajectory"), "from-log")] {
                let out = place.path(&format!("{out}-{dtype}"));
                succeed(&["replay", str(&source), "--out", str(&out)]);
                assert_eq!(after, weights(&out), "{dtype}");
                assert!(out.join("config.json").exists() && out.join("tokenizer.json").exists());
            }
        }
    }
}

#[test]
fn threads_and_micro_batches_change_no_bit() {
    for (task, data, arithmetic) in [("sst2", "data", "f32"), ("copa", "copa", "f32"), ("sst2", "data", "bf16")] {
        let place = Place::llama();
        let config = place.config("many.toml", "", &tables("bf16", "1e-2"));
        let sets = |more: &[&str]| {
            let mut all = vec![format!("task.name={task}"), format!("task.data={}", str(&place.path(data)))];
            all.extend(["steps=12", "batch=16", "task.train=28"].map(str::to_owned));
            all.push(format!("arithmetic={arithmetic}"));
            all.extend(more.iter().map(|s| (*s).to_owned()));
            all
        };
        let layouts = ["threads=1", "threads=2", "threads=3", "micro_batch=1", "micro_batch=3", "points_a_pass=1"];
        let runs: Vec<_> = layouts
            .map(|layout| [layout])
            .iter()
            .enumerate()
            .map(|(i, more)| {
                let all = sets(more);
                train(&place, &config, &format!("many-{i}"), &all.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let expected = weights(&runs[0].join("final"));
        for run in &runs[1..] {
            assert_eq!(expected, weights(&run.join("final")), "{task}: {run:?}");
            let losses = |run: &std::path::Path| {
                metrics(run).iter().map(|m| (m["step"].clone(), m["loss"].clone())).collect::<Vec<_>>()
            };
            assert_eq!(losses(&runs[0]), losses(run), "{task}: {run:?}");
        }
    }
}

#[test]
fn a_run_in_pieces_is_the_run_in_one() {
    let place = Place::opt();
    let config = place.config("pieces.toml", "", &tables("bf16", "1e-2"));
    let whole = train(&place, &config, "whole", &["steps=30"]);
    let pieces = train(&place, &config, "pieces", &["steps=11"]);
    for steps in ["20", "30"] {
        succeed(&["train", str(&config), "--run", str(&pieces), "--resume", "--set", &format!("steps={steps}")]);
    }
    assert_eq!(weights(&whole.join("final")), weights(&pieces.join("final")));
    let out = place.path("replayed");
    succeed(&["replay", str(&pieces), "--out", str(&out)]);
    assert_eq!(weights(&whole.join("final")), weights(&out));
    // The weights on the way, after as many steps as one likes.
    let short = train(&place, &config, "short", &["steps=15"]);
    let (on_the_way, start) = (place.path("on-the-way"), place.path("start"));
    let said = text(&succeed(&["replay", str(&pieces), "--steps", "15", "--out", str(&on_the_way)]).stdout);
    assert!(said.contains("15 steps replayed") && said.contains("no hash"), "{said}");
    assert_eq!(weights(&short.join("final")), weights(&on_the_way));
    succeed(&["replay", str(&pieces), "--steps", "0", "--out", str(&start)]);
    assert_ne!(weights(&start), weights(&on_the_way));
    let said = fail(&["replay", str(&pieces), "--steps", "31", "--out", str(&place.path("beyond"))]);
    assert!(said.contains("31") && said.contains("30"), "{said}");
    // A place that can't be written is known before the first step is replayed.
    let file = place.path("file");
    fs::write(&file, "").unwrap();
    let said = fail(&["replay", str(&pieces), "--out", str(&file.join("below"))]);
    assert!(said.contains("Not a directory") && !said.contains("replaying"), "{said}");
    // Checkpoints are a shortcut only: without any, resume replays the log from the base weights.
    let again = train(&place, &config, "again", &["steps=11"]);
    let _ = fs::remove_dir_all(again.join("checkpoints"));
    fs::remove_dir_all(again.join("final")).unwrap();
    succeed(&["train", str(&config), "--run", str(&again), "--resume", "--set", "steps=30"]);
    assert_eq!(weights(&whole.join("final")), weights(&again.join("final")));
}

/// What happens to a file of weights.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_checkpoint_is_not_resumed_from() {
    let place = Place::llama();
    let config = place.config("damage.toml", "", &tables("f32", "1e-2"));
    let whole = train(&place, &config, "whole", &["steps=20"]);
    // The last weight of the file: one bit of it, all of it, and a file cut short.
    let damages: [(&str, Damage); 3] = [
        ("not those that were saved", |bytes| {
            let last = bytes.len() - 3;
            bytes[last] ^= 1;
        }),
        ("NaN", |bytes| {
            let last = bytes.len() - 4;
            bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        ("model.safetensors", |bytes| bytes.truncate(bytes.len() / 2)),
    ];
    for (number, (told, damage)) in damages.into_iter().enumerate() {
        let run = train(&place, &config, &format!("run-{number}"), &["steps=10"]);
        let file = run.join("final/model.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let out = succeed(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=20"]);
        let said = text(&out.stderr);
        assert!(said.contains("passed over") && said.contains(told), "{said}");
        assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
    }
}

#[test]
fn a_resume_makes_what_an_ended_run_has_lost() {
    let place = Place::llama();
    let config = place.config("lost.toml", "", &tables("f32", "1e-2"));
    let run = train(&place, &config, "run", &["steps=10", "optimizer.momentum={lr=1e-2}"]);
    let folders = ["best", "final"].map(|name| run.join(name));
    let expected = folders.each_ref().map(|folder| weights(folder));
    let log = fs::read(run.join("trajectory")).unwrap();
    let cut = |folder: &Path| {
        let file = folder.join("model.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    };
    let gone = |folder: &Path| fs::remove_dir_all(folder).unwrap();
    let dumb = |folder: &Path| fs::remove_file(folder.join("tokenizer.json")).unwrap();
    for (what, lose) in [("cut", &cut as &dyn Fn(&Path)), ("gone", &gone), ("without words", &dumb)] {
        for lost in [&folders[..1], &folders[1..], &folders[..]] {
            lost.iter().for_each(|folder| lose(folder));
            let sets = ["--set", "steps=10", "--set", "optimizer.momentum={lr=1e-2}"];
            succeed(&[&["train", str(&config), "--run", str(&run), "--resume"], &sets[..]].concat());
            assert_eq!(expected, folders.each_ref().map(|folder| weights(folder)), "{what} {lost:?}");
            assert!(folders[1].join("optimizer.state").exists(), "{what} {lost:?}");
            assert!(folders.iter().all(|folder| folder.join("tokenizer.json").exists()), "{what} {lost:?}");
        }
    }
    assert_eq!(log, fs::read(run.join("trajectory")).unwrap(), "nothing was done twice");
}

#[test]
fn keys_that_bits_depend_on_may_not_change_at_a_resume() {
    let place = Place::llama();
    let config = place.config("resume.toml", "", &tables("f32", "1e-2"));
    let run = train(&place, &config, "run", &["steps=8"]);
    let before = weights(&run.join("final"));
    for set in [
        "optimizer.sgd.lr=1e-3",
        "seed=5",
        "batch=8",
        "estimator.two-point.eps=1e-3",
        "model.dtype=bf16",
        "task.seed=3",
        "arithmetic=bf16",
    ] {
        let said = fail(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=12", "--set", set]);
        let (key, _) = set.split_once('=').unwrap();
        assert!(said.contains(&format!("`{key}` was ")) && said.contains(" is now "), "{set}: {said}");
    }
    assert_eq!(before, weights(&run.join("final")));
    // Changed training rows are another run too, though no key says so.
    let file = place.path("data/train.jsonl");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("good", "fine")).unwrap();
    let said = fail(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=12"]);
    assert!(said.contains("training rows"), "{said}");
}

#[test]
fn the_evaluation_may_not_take_training_rows_at_a_resume() {
    let place = Place::llama();
    let config = place.config("held-out.toml", "", &tables("f32", "1e-2"));
    let data = format!("task.data={}", str(&place.path("data/train.jsonl")));
    // One file of 60 rows: 40 + 12 rows are drawn from those that evaluation leaves over.
    let run = train(&place, &config, "run", &[&data, "steps=3", "eval.limit=5"]);
    let resume = |limit: &str| {
        let limit = format!("eval.limit={limit}");
        let run = str(&run);
        fixture::polder(&[
            "train",
            str(&config),
            "--run",
            run,
            "--resume",
            "--set",
            &data,
            "--set",
            "steps=4",
            "--set",
            &limit,
        ])
    };
    let said = text(&resume("12").stderr);
    assert!(said.contains("`eval.limit` was 5 and is now 12"), "{said}");
    assert!(resume("7").status.success(), "the training rows are the same ones");
}

#[test]
fn a_run_whose_log_is_gone_does_not_start_over() {
    let place = Place::llama();
    let config = place.config("gone.toml", "", &tables("f32", "1e-2"));
    let run = train(&place, &config, "run", &["steps=8"]);
    let before = weights(&run.join("final"));
    let log = run.join("trajectory");
    fs::remove_file(&log).unwrap();
    let resume = ["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=8"];
    let said = fail(&resume);
    assert!(said.contains("no `trajectory`") && said.contains("hint: "), "{said}");
    assert!(!log.exists());
    fs::write(&log, b"POLDTRAJ").unwrap();
    let said = fail(&resume);
    assert!(said.contains("header") && said.contains("hint: "), "{said}");
    assert_eq!(
        (before, 8),
        (weights(&run.join("final")), metrics(&run).iter().filter(|m| m["kind"] == "step").count())
    );
}

#[test]
fn weights_of_another_run_are_not_resumed_from() {
    let place = Place::llama();
    let config = place.config("other.toml", "", &tables("f32", "1e-2"));
    let whole = train(&place, &config, "whole", &["steps=20"]);
    let run = train(&place, &config, "run", &["steps=12"]);
    // Shorter than the log it is put beside, so that only the log's checksum tells it apart.
    let other = train(&place, &config, "other", &["steps=11", "seed=7"]);
    fs::remove_dir_all(run.join("final")).unwrap();
    fs::rename(other.join("final"), run.join("final")).unwrap();
    succeed(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=20"]);
    assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
}

#[test]
fn a_run_folder_is_not_trained_in_twice_unasked() {
    let place = Place::llama();
    let config = place.config("twice.toml", "", &tables("f32", "1e-3"));
    let run = train(&place, &config, "run", &["steps=3"]);
    let said = fail(&["train", str(&config), "--run", str(&run)]);
    assert!(said.contains("--resume"), "{said}");
    let said = fail(&["train", str(&config), "--run", str(&place.path("nothing")), "--resume"]);
    assert!(said.contains("no run"), "{said}");
    let file = place.path("file");
    fs::write(&file, "x").unwrap();
    let said = fail(&["train", str(&config), "--run", str(&file.join("run"))]);
    assert!(said.contains("file/run"), "{said}");
}

#[test]
fn the_probe_in_place_agrees_and_is_replayed_with_its_drift() {
    let place = Place::llama();
    let config = place.config("probe.toml", "", &tables("f32", "1e-3"));
    let read = train(&place, &config, "read", &["steps=10"]);
    let in_place = train(&place, &config, "in-place", &["steps=10", "probe=in-place"]);
    let losses = |run| -> Vec<f64> { metrics(run).iter().filter_map(|m| m["loss"].as_f64()).collect() };
    let (a, b) = (losses(&read), losses(&in_place));
    assert!(!a.is_empty() && a.len() == b.len());
    for (x, y) in a.iter().zip(&b) {
        // In f32 the moves leave about 1e-8 of a weight a step, and a loss is of the order of 1.
        assert!((x - y).abs() < 1e-4 * x.abs().max(1.0), "{x} {y}");
    }
    assert_ne!(weights(&read.join("final")), weights(&in_place.join("final")), "moving and moving back leaves residue");
    let log = text(&fs::read(in_place.join("trajectory")).unwrap());
    assert!(log.contains("\"in-place\""), "the header says how the weights were probed");
    let out = place.path("replayed");
    succeed(&["replay", str(&in_place), "--out", str(&out)]);
    assert_eq!(weights(&in_place.join("final")), weights(&out));
}

#[test]
fn losses_that_are_not_finite_stop_the_run_and_leave_it_resumable() {
    let place = Place::llama();
    let probe = place.config("probe.toml", "", &tables("f32", "0"));
    let slope = metrics(&train(&place, &probe, "probe", &["steps=1"]))
        .iter()
        .find_map(|line| line["projected"][0].as_f64())
        .unwrap();
    // The first update is finite, but with the direction's tails takes some weights beyond f32.
    let config = place.config("wild.toml", "", &tables("f32", &format!("{:e}", 2e38 / slope.abs())));
    let run = place.path("run");
    for resume in [&[][..], &["--resume"]] {
        let said = fail(&[&["train", str(&config), "--run", str(&run)], resume].concat());
        assert!(said.contains("the loss is") && said.contains("at step 1"), "{said}");
        assert!(said.contains("hint: "), "{said}");
    }
    // What was done is in the log; it leads to weights that no model can have, which are not written.
    let replayed = place.path("replayed");
    let said = fail(&["replay", str(&run), "--out", str(&replayed)]);
    assert!(said.contains("not finite") && said.contains("hint: "), "{said}");
    assert!(!replayed.exists());
}
