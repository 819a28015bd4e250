//! Every estimator and optimiser keeps the promises about bits, with the real binary on tiny models.

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fixture::{Place, fail, metrics, str, succeed, tables, text, weights};

/// Methods as `--set` arguments, each with whether the optimiser has a state.
const METHODS: &[(&[&str], bool)] = &[
    (&["estimator.one-sided.directions=3", "estimator.one-sided.law=rademacher"], false),
    (&["estimator.one-sided={directions = 3, normalize = true}", "optimizer.sgd.lr=1e-3"], false),
    (&["estimator.zest={directions = 3, t = 2, eps = 1e-2}"], false),
    (&["estimator.zest={directions = 2, t = 2, eps = 1e-2, scaling = 'sphere', correction = 'jackknife'}"], false),
    (&["estimator.zest={directions = 2, t = 20, eps = 1e-2, ramp = 'up'}"], false),
    (&["estimator.two-point.scaling=sphere"], false),
    (&["optimizer.momentum={lr = 1e-3, beta = 0.8, weight_decay = 0.1}"], true),
    (&["optimizer.momentum={lr = 1e-3, state = 'bf16'}"], true),
    (&["optimizer.momentum={lr = 1e-3, window = 4}", "estimator.two-point.directions=2"], true),
    (&["optimizer.adam={lr = 1e-3}"], true),
    (&["optimizer.adam={lr = 1e-3, state = 'bf16', weight_decay = 0.1}", "model.dtype=bf16"], true),
    (&["optimizer.sign={lr = 1e-4, weight_decay = 0.1}"], false),
    (&["probe=in-place", "estimator.one-sided.directions=2"], false),
    (&["probe=in-place", "estimator.zest.directions=2", "optimizer.adam.lr=1e-3"], true),
];

/// Trains a run folder of this place to that many steps, from its end where it is there.
fn train(place: &Place, config: &Path, run: &str, steps: u32, method: &[&str]) -> PathBuf {
    let run = place.path(run);
    let steps = format!("steps={steps}");
    let mut args = vec!["train", str(config), "--run", str(&run), "--set", &steps];
    if run.exists() {
        args.push("--resume");
    }
    method.iter().for_each(|set| args.extend(["--set", set]));
    succeed(&args);
    run
}

fn place() -> (Place, PathBuf) {
    let place = Place::llama();
    let config = place.config("method.toml", "", &tables("f32", "1e-2"));
    (place, config)
}

#[test]
fn a_run_in_pieces_and_its_replay_are_the_run_in_one() {
    for (method, state) in METHODS {
        let (place, config) = place();
        let whole = train(&place, &config, "whole", 16, method);
        let base = train(&place, &config, "base", 0, method);
        let after = weights(&whole.join("final"));
        assert_ne!(after, weights(&base.join("final")), "{method:?} moves the weights");
        let out = place.path("replayed");
        succeed(&["replay", str(&whole), "--out", str(&out)]);
        assert_eq!(after, weights(&out), "{method:?}");
        assert_eq!(whole.join("final/optimizer.state").exists(), *state, "{method:?}");
        // A tilt that follows the whole run is another one in a longer run.
        let ramped = method.iter().any(|set| set.contains("ramp"));
        if ramped {
            let run = place.path("base");
            let mut args = vec!["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=9"];
            method.iter().for_each(|set| args.extend(["--set", set]));
            assert!(fail(&args).contains("`steps` was 0 and is now 9"));
            continue;
        }
        train(&place, &config, "pieces", 5, method);
        let pieces = train(&place, &config, "pieces", 16, method);
        assert_eq!(after, weights(&pieces.join("final")), "{method:?}");
        let steps = |run: &Path| {
            let lines = metrics(run).into_iter().filter(|m| m["kind"] == "step");
            lines.map(|m| (m["step"].clone(), m["loss"].clone(), m["projected"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(steps(&whole), steps(&pieces), "{method:?}");
    }
}

#[test]
fn a_state_that_is_damaged_or_gone_is_made_again_from_the_log() {
    let (place, config) = place();
    let method = ["optimizer.adam={lr = 1e-3}"];
    let whole = weights(&train(&place, &config, "whole", 12, &method).join("final"));
    for (number, damage) in ["gone", "one bit", "short"].into_iter().enumerate() {
        let run = format!("run-{number}");
        let file = train(&place, &config, &run, 6, &method).join("final/optimizer.state");
        let mut bytes = fs::read(&file).unwrap();
        let last = bytes.len() - 9;
        match damage {
            "gone" => fs::remove_file(&file).unwrap(),
            "one bit" => {
                bytes[last] ^= 1;
                fs::write(&file, bytes).unwrap();
            }
            _ => fs::write(&file, &bytes[..last]).unwrap(),
        }
        let folder = place.path(&run);
        let mut args = vec!["train", str(&config), "--run", str(&folder), "--resume", "--set", "steps=12"];
        method.iter().for_each(|set| args.extend(["--set", set]));
        let said = text(&succeed(&args).stderr);
        assert!(said.contains("passed over") && said.contains("optimizer.state"), "{damage}: {said}");
        assert_eq!(whole, weights(&folder.join("final")), "{damage}");
    }
}

#[test]
fn a_rate_of_zero_leaves_every_bit_with_every_optimiser() {
    let (place, config) = place();
    let base = weights(&train(&place, &config, "base", 0, &[]).join("final"));
    for (number, name) in ["sgd", "momentum", "adam", "sign"].into_iter().enumerate() {
        let set = format!("optimizer.{name}={{lr = 0, weight_decay = 0.5}}");
        let run = train(&place, &config, &format!("run-{number}"), 6, &[&set]);
        assert_eq!(base, weights(&run.join("final")), "{name}");
    }
}

#[test]
fn no_tilt_is_the_two_point_run() {
    let (place, config) = place();
    let two = train(&place, &config, "two", 8, &["estimator.two-point={eps = 1e-2, directions = 3}"]);
    let zest = train(&place, &config, "zest", 8, &["estimator.zest={eps = 1e-2, directions = 3, t = 0}"]);
    assert_eq!(weights(&two.join("final")), weights(&zest.join("final")));
    let tilt = metrics(&zest).into_iter().find(|m| m["kind"] == "step").unwrap()["tilt"].clone();
    assert!((tilt["effective"].as_f64().unwrap() - 3.0).abs() < 1e-12, "{tilt}");
}

#[test]
fn a_plan_states_the_state_of_each_optimiser() {
    let (_place, config) = place();
    let state = |sets: &[&str]| {
        let mut args = vec!["plan", str(&config), "--json"];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        let plan: serde_json::Value = serde_json::from_slice(&succeed(&args).stdout).unwrap();
        let facts = &plan["facts"];
        let weights = facts["model"]["trainable"].as_u64().unwrap();
        (
            facts["cost"]["memory"]["state"].as_u64().unwrap() / weights,
            facts["cost"]["forwards"]["step"].as_u64().unwrap(),
        )
    };
    assert_eq!(state(&["estimator.one-sided.directions=7"]), (0, 8));
    assert_eq!(state(&["estimator.zest.directions=3", "optimizer.sign={}"]), (0, 6));
    assert_eq!(state(&["optimizer.momentum={}"]), (4, 2));
    assert_eq!(state(&["optimizer.momentum={state = 'bf16'}"]), (2, 2));
    assert_eq!(state(&["optimizer.momentum={window = 20}"]), (0, 2));
    assert_eq!(state(&["optimizer.adam={}"]), (8, 2));
    assert_eq!(state(&["optimizer.adam={state = 'bf16'}"]), (4, 2));
}
