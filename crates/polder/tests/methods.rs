//! Every estimator and optimiser keeps the promises about bits, with the real binary on tiny models.

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fixture::{Place, fail, metrics, str, succeed, tables, text, weights};
use polder_optim::trajectory::Record;

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

/// The events of a kind in a run's metrics.
fn events(run: &Path, kind: &str) -> Vec<serde_json::Value> {
    metrics(run).into_iter().filter(|m| m["kind"] == kind).collect()
}

/// The embedded model and data: trained weights, whose loss curves upwards.
fn embedded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/reviews.toml")
}

#[test]
fn a_measured_rate_is_measured_once() {
    let (place, config) = (Place::llama(), embedded());
    let method = ["optimizer.sgd.lr=auto", "auto.precision=0.3", "eval.limit=8", "task.dev=8", "eval.every=4"];
    let whole = place.path("whole");
    let mut args = vec!["train", str(&config), "--run", str(&whole), "--set", "steps=8"];
    method.iter().for_each(|set| args.extend(["--set", set]));
    let said = text(&succeed(&args).stderr);
    assert!(said.contains("The learning rate is ") && said.contains("trace of the Hessian"), "{said}");
    let rates: Vec<f64> = events(&whole, "step").iter().map(|m| m["lr"].as_f64().unwrap()).collect();
    // The configuration that ships has 1e-4, found by trying.
    assert!(rates[0] > 2e-5 && rates[0] < 5e-4 && rates.iter().all(|lr| *lr == rates[0]), "{rates:?}");
    // A run in two parts has the rate in its log; so has its replay.
    train(&place, &config, "pieces", 4, &method);
    let pieces = train(&place, &config, "pieces", 8, &method);
    assert_eq!(weights(&whole.join("final")), weights(&pieces.join("final")));
    let out = place.path("replayed");
    succeed(&["replay", str(&whole), "--out", str(&out)]);
    assert_eq!(weights(&whole.join("final")), weights(&out));
    // Half the share, half the rate; with momentum β it is (1−β)·3/(1 + A) of it, A = 2 − 2β/(1+β).
    let rate = |run: &str, more: &[&str]| {
        let run = train(&place, &config, run, 1, &[&method[..], more].concat());
        events(&run, "step")[0]["lr"].as_f64().unwrap()
    };
    assert!((rate("half", &["auto.share=0.025"]) / rates[0] - 0.5).abs() < 1e-12, "{rates:?}");
    let momentum = rate("momentum", &["optimizer.momentum={lr='auto', beta=0.5}"]) / rates[0];
    assert!((momentum - 9.0 / 14.0).abs() < 1e-9, "{momentum}");
    let two = rate("two", &["estimator.two-point.directions=2"]) / rates[0];
    assert!((two - 1.5).abs() < 1e-9, "2q/((q+2)T) with q = 2 over q = 1: {two}");
}

#[test]
fn a_rate_that_is_measured_again_is_in_the_log_and_resumes_and_replays() {
    let (place, config) = (Place::llama(), embedded());
    let method = [
        "optimizer.sgd.lr=auto",
        "auto={ precision = 0.3, every = 3 }",
        "eval.limit=8",
        "task.dev=8",
        "eval.every=4",
        "save.every=2",
    ];
    let whole = place.path("whole");
    let mut args = vec!["train", str(&config), "--run", str(&whole), "--set", "steps=8"];
    method.iter().for_each(|set| args.extend(["--set", set]));
    let said = text(&succeed(&args).stderr);
    assert!(said.contains("After step 3 the learning rate is") && said.contains("After step 6 the"), "{said}");
    let rates_of = |run: &Path| -> Vec<f64> { events(run, "step").iter().map(|m| m["lr"].as_f64().unwrap()).collect() };
    let rates = rates_of(&whole);
    let steady = |range: std::ops::Range<usize>| rates[range.clone()].iter().all(|lr| *lr == rates[range.start]);
    assert!(steady(0..3) && steady(3..6) && steady(6..8) && rates[2] != rates[3] && rates[5] != rates[6], "{rates:?}");
    let measured = |run: &Path| {
        let log = polder_optim::trajectory::Trajectory::open(run.join("trajectory")).unwrap();
        let rate = |record: &Record| matches!(record, Record::Note(note) if note["kind"] == "rate");
        log.records().filter(|record| record.as_ref().is_ok_and(rate)).count()
    };
    assert_eq!(measured(&whole), 3);
    // Stopped between two measurements, and where one is due: measured before the next step, and only once.
    for stop in [3, 5] {
        let name = format!("pieces-{stop}");
        train(&place, &config, &name, stop, &method);
        let pieces = train(&place, &config, &name, 8, &method);
        assert_eq!(weights(&whole.join("final")), weights(&pieces.join("final")), "{stop}");
        assert_eq!((&rates, 3), (&rates_of(&pieces), measured(&pieces)), "{stop}");
    }
    let out = place.path("replayed");
    succeed(&["replay", str(&whole), "--out", str(&out)]);
    assert_eq!(weights(&whole.join("final")), weights(&out));
    // Measuring writes no weight where the steps' probe does: the base is the base, and the log says all that happened.
    let moved = [&method[..], &["probe=in-place"]].concat();
    let moved = train(&place, &config, "in-place", 8, &moved);
    assert_eq!(measured(&moved), 3);
    let again = place.path("replayed-in-place");
    succeed(&["replay", str(&moved), "--out", str(&again)]);
    assert_eq!(weights(&moved.join("final")), weights(&again));
    // Where a run stands is said by the rate that made its weights.
    let last = whole.join("final");
    let args = ["sharpness", str(&whole), "--model", str(&last), "--rows", "4", "--probes", "4", "--json", "-q"];
    let found: serde_json::Value = serde_json::from_slice(&succeed(&args).stdout).unwrap();
    assert_eq!(found[0]["lr"].as_f64(), rates.last().copied());
    let plan = ["plan", str(&config), "--set", "optimizer.sgd.lr=auto", "--set", "auto.every=3"];
    assert!(text(&succeed(&plan).stdout).contains("after every 3 steps"));
}

#[test]
fn a_rate_that_cannot_be_measured_is_refused() {
    let (place, config) = place();
    for refused in ["optimizer.adam.lr=auto", "estimator.one-sided.normalize=true"] {
        let run = place.path("refused");
        let mut args = vec!["train", str(&config), "--run", str(&run), "--set", "optimizer.sgd.lr=auto"];
        args.extend(["--set", refused]);
        assert!(fail(&args).contains("`lr` = \"auto\" does not work with"), "{refused}");
        // Known before anything is written or measured.
        assert!(!run.exists(), "{refused}");
        args[0] = "plan";
        args.drain(2..4);
        assert!(fail(&args).contains("`lr` = \"auto\" does not work with"), "{refused}");
    }
    let score = ["plan", str(&config), "--set", "optimizer.sgd.lr=auto", "--set", "task.loss=accuracy"];
    assert!(fail(&score).contains("no gradient"), "{}", fail(&score));
    let nowhere = fail(&["sharpness", str(&place.path(""))]);
    assert!(nowhere.contains("holds no run") && nowhere.contains("hint: "), "{nowhere}");
    // Random weights curve downwards.
    let run = place.path("random");
    let said = fail(&["train", str(&config), "--run", str(&run), "--set", "optimizer.sgd.lr=auto"]);
    assert!(said.contains("is not clear of zero") && said.contains("hint: "), "{said}");
}

#[test]
fn a_trace_that_is_followed_changes_no_weight_and_goes_on_at_a_resume() {
    let (place, config) = place();
    let plain = train(&place, &config, "plain", 30, &["optimizer.sgd.lr=1e-3"]);
    let method = ["optimizer.sgd.lr=1e-3", "trace={ every = 1, memory = 20 }"];
    let whole = train(&place, &config, "whole", 30, &method);
    assert_eq!(weights(&plain.join("final")), weights(&whole.join("final")));
    let traces = events(&whole, "trace");
    assert_eq!(traces.len(), 30 - 15, "told of from the sixteenth on");
    let last = traces.last().unwrap();
    assert!(last["edge"].as_f64().unwrap() == 2.0 / f64::from(1e-3f32) || last["edge"] == 2000.0, "{last}");
    assert!(last["error"].as_f64().unwrap() > 0.0);
    // One forward pass more a step.
    let forwards = |run: &Path| events(run, "step").last().unwrap()["forwards"].as_u64().unwrap();
    assert_eq!(forwards(&whole), forwards(&plain) + 30);
    train(&place, &config, "pieces", 11, &method);
    let pieces = train(&place, &config, "pieces", 30, &method);
    let values =
        |run: &Path| events(run, "trace").iter().map(|m| (m["step"].clone(), m["trace"].clone())).collect::<Vec<_>>();
    assert_eq!(values(&whole), values(&pieces));
    // Near the edge it says so: the embedded model at fifty times its rate.
    let (near, config_near) = (place.path("near"), embedded());
    let sets = ["steps=40", "eval.limit=8", "task.dev=8", "optimizer.sgd.lr=5e-3", "trace.every=1"];
    let mut args = vec!["train", str(&config_near), "--run", str(&near)];
    sets.iter().for_each(|set| args.extend(["--set", set]));
    let said = text(&succeed(&args).stderr);
    assert!(
        said.contains("the Hessian's trace is ") && said.contains("beyond which steps of this rate grow"),
        "{said}"
    );
    // The report has the warning, and samples of the trace as a chart only.
    let report = fs::read_to_string(near.join("report.html")).unwrap();
    assert!(report.contains("beyond which steps of this rate grow") && !report.contains("&quot;base&quot;"));
    let run = place.path("refused");
    let one = ["train", str(&config), "--run", str(&run), "--set", "estimator.one-sided={}", "--set", method[1]];
    assert!(fail(&one).contains("`trace.every`"));
}

#[test]
fn sharpness_of_a_run_and_of_a_configuration_is_measured() {
    let (place, config) = place();
    let run = train(&place, &config, "run", 5, &["optimizer.sgd.lr=1e-3"]);
    let measured = |args: &[&str]| -> serde_json::Value {
        let all = [&["sharpness"], args, &["--json", "--quiet", "--probes", "40", "--rows", "12"]].concat();
        serde_json::from_slice(&succeed(&all).stdout).unwrap()
    };
    let of_run = measured(&[str(&run)]);
    let of_base = measured(&[str(&config)]);
    let sharp = |v: &serde_json::Value| v[0]["sharpness"].clone();
    assert_ne!(sharp(&of_run)["loss"], sharp(&of_base)["loss"]);
    assert_eq!(sharp(&of_run)["forwards"], 81);
    assert_eq!(of_run[0]["lr"], 1e-3);
    assert!(of_run[0]["stands"]["edge"].as_f64().unwrap() > 1999.0);
    // Parts are measured apart, each along its own weights.
    let parts = measured(&[str(&config), "--weights", "*mlp*", "--weights", "*self_attn*"]);
    assert_eq!(parts.as_array().unwrap().len(), 2);
    let elements = |i: usize| parts[i]["sharpness"]["elements"].as_u64().unwrap();
    assert!(elements(0) > 0 && elements(1) > 0);
    assert!(elements(0) + elements(1) < sharp(&of_base)["elements"].as_u64().unwrap());
    assert_ne!(sharp(&parts)["trace"], parts[1]["sharpness"]["trace"]);
    assert!(sharp(&of_base)["gradient_squared"]["value"].as_f64().unwrap() > 0.0);
    let said = text(&succeed(&["sharpness", str(&run), "--probes", "20", "--rows", "4"]).stdout);
    assert!(["trace ", "gradient²", "edge ", "cost "].iter().all(|word| said.contains(word)), "{said}");
    for (args, part) in [
        (["--delta", "0"], "`delta`"),
        (["--tilt", "-1"], "`tilt`"),
        (["--weights", "nothing.here"], "no parameter fits"),
        (["--precision", "0"], "`precision`"),
    ] {
        let said = fail(&[&["sharpness", str(&config), "--rows", "4"], &args[..]].concat());
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn slices_and_eigenvalues_are_read_and_drawn() {
    let (place, config) = (Place::llama(), embedded());
    let sets = ["eval.limit=8", "task.dev=8", "eval.every=5"];
    let run = train(&place, &config, "run", 5, &sets);
    let out = place.path("slices");
    let model = config.parent().unwrap().join("../models/opt-reviews");
    let base = ["--towards", str(&model)];
    let args = ["sharpness", str(&run), "--rows", "8", "--probes", "8", "--slices", str(&out), "--points", "2"];
    let more = ["--json", "--quiet", "--eigenvalue", "--weights", "*layer_norm*"];
    let found: serde_json::Value =
        serde_json::from_slice(&succeed(&[&args[..], &base, &more].concat()).stdout).unwrap();
    // By forward passes and by gradients: the same trace, within the sampling of 8 signs each; at most all of it in one
    // eigenvalue.
    let (forward, gradient) = (&found[0]["sharpness"]["trace"], &found[0]["eigenvalue"]["trace"]);
    let number = |v: &serde_json::Value, key: &str| v[key].as_f64().unwrap();
    let apart = (number(forward, "value") - number(gradient, "value")).abs();
    let error = number(forward, "standard_error").hypot(number(gradient, "standard_error"));
    assert!(apart < 4.0 * error, "{forward} {gradient}");
    assert!(number(&found[0]["eigenvalue"]["largest"], "value") > 0.0);
    for name in ["slices", "between"] {
        for kind in ["json", "svg", "png"] {
            assert!(fs::metadata(out.join(format!("{name}.{kind}"))).unwrap().len() > 200, "{name}.{kind}");
        }
    }
    let path: serde_json::Value = serde_json::from_slice(&fs::read(out.join("between.json")).unwrap()).unwrap();
    let (shares, values) = (path["shares"].as_array().unwrap(), path["values"].as_array().unwrap());
    let at = |share: f64| values[shares.iter().position(|s| s.as_f64() == Some(share)).unwrap()].as_f64().unwrap();
    // Its middle is the loss around the run's weights.
    assert!((at(0.0) - number(&found[0]["sharpness"], "loss")).abs() < 1e-6);
    assert_ne!(at(0.0), at(1.0));
    let slices: serde_json::Value = serde_json::from_slice(&fs::read(out.join("slices.json")).unwrap()).unwrap();
    assert_eq!(slices["plane"]["values"].as_array().unwrap().len(), 5);
}

#[test]
fn adams_edge_is_that_of_its_own_preconditioner() {
    let (place, config) = (Place::llama(), embedded());
    let sets =
        ["eval.limit=8", "task.dev=8", "eval.every=30", "optimizer.adam={lr=1e-4}", "trainable=[\"*layer_norm*\"]"];
    let run = train(&place, &config, "run", 30, &sets);
    let last = run.join("final");
    let args = ["sharpness", str(&run), "--rows", "8", "--probes", "40", "--quiet", "--eigenvalue"];
    let at_last = [&args[..], &["--model", str(&last)]].concat();
    let found: serde_json::Value =
        serde_json::from_slice(&succeed(&[&at_last[..], &["--json"]].concat()).stdout).unwrap();
    let number = |path: &str| found.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
    let trace = number("/0/eigenvalue/preconditioned/trace/value");
    let largest = number("/0/eigenvalue/preconditioned/largest/value");
    assert!(trace > 0.0 && largest > 0.0 && trace != number("/0/eigenvalue/trace/value"), "{found}");
    let commutator = number("/0/eigenvalue/preconditioned/commutator/value");
    assert!(commutator > 0.0 && commutator < 2.0, "{commutator}");
    // 2/lr, whatever β₁; stable below 2/(Tr + 2L/(1 + β₁)).
    assert!((number("/0/stands/edge") * 1e-4 / 2.0 - 1.0).abs() < 1e-6, "{found}");
    assert!((number("/0/stands/share") / (trace * 1e-4 / 2.0) - 1.0).abs() < 1e-6, "{found}");
    let stable = 2.0 / (trace + 2.0 * largest.min(trace) / 1.9);
    assert!(largest > trace || (number("/0/stands/stable") / stable - 1.0).abs() < 1e-6, "{found}");
    let said = text(&succeed(&at_last).stdout);
    assert!(["P⁻¹H ", "commutator ", "a trace of P⁻¹H of"].iter().all(|word| said.contains(word)), "{said}");
    // The best weights have no P; and without gradients there is none.
    let said = text(&succeed(&args).stdout);
    assert!(said.contains("no P of these weights is saved") && said.contains("final"), "{said}");
    assert!(text(&succeed(&args[..args.len() - 1]).stdout).contains("--eigenvalue measures"));
}

#[test]
fn theory_counts_steps() {
    let args = ["theory", "flat", "--dimension", "100", "--l1", "1", "--l2", "1", "--l3", "1", "--epsilon", "0.1"];
    let said = text(&succeed(&args).stdout);
    assert!(["smoothing", "steps", "<- binds"].iter().all(|word| said.contains(word)), "{said}");
    let args = [
        "theory",
        "flat",
        "--dimension",
        "10",
        "--l1",
        "1e300",
        "--l2",
        "1e300",
        "--l3",
        "1e300",
        "--epsilon",
        "1e-300",
    ];
    let said = fail(&args);
    assert!(said.contains("too large or too small") && said.contains("hint: "), "{said}");
    let refused = ["theory", "flat", "--dimension", "0", "--l1", "1", "--l2", "1", "--l3", "1", "--epsilon", "0.1"];
    assert!(fail(&refused).contains("`dimension`"));
}

#[test]
fn theory_bounds_what_given_steps_reach() {
    let constants = ["theory", "flat", "--dimension", "100", "--l1", "1", "--l2", "1", "--l3", "1"];
    let with = |more: &[&'static str]| [&constants[..], more].concat();
    let found: serde_json::Value =
        serde_json::from_slice(&succeed(&with(&["--lambda", "0.01", "--steps", "1e9", "--json"])).stdout).unwrap();
    // Theorem 1 by hand: 8(d+6)L₁/T, (L₃/6)λ⁴(d+4)², (L₂²/24L₁)λ⁴(d+6)³, (L₃²/1152L₁)λ⁶(d+10)⁴.
    let terms =
        [848.0 / 1e9, 1e-8 / 6.0 * 104f64.powi(2), 1e-8 / 24.0 * 106f64.powi(3), 1e-12 / 1152.0 * 110f64.powi(4)];
    let bound = found["bound"].as_f64().unwrap();
    assert!((bound / terms.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found}");
    assert!(text(&succeed(&with(&["--lambda", "0.01", "--steps", "1e9"])).stdout).contains("of the trace"));
    assert!(fail(&with(&["--lambda", "1", "--steps", "10"])).contains("Lemma 2"));
    assert!(fail(&with(&["--lambda", "0.01"])).contains("--steps"));
    assert!(fail(&constants).contains("--epsilon"));
    assert!(fail(&with(&["--epsilon", "0.1", "--steps", "10"])).contains("--steps"));
    assert!(fail(&with(&["--lambda", "-1", "--steps", "10"])).contains("`lambda`"));
}

#[test]
fn theory_finds_the_edge_of_a_spectrum_or_bounds_it() {
    let json = |more: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&succeed(&[&["theory", "edge", "--json"], more].concat()).stdout).unwrap()
    };
    let near = |value: &serde_json::Value, expected: f64| {
        assert!((value.as_f64().unwrap() / expected - 1.0).abs() < 1e-12, "{value} {expected}");
    };
    // One eigenvalue: ηλ/(2 − 2ηλ) = 1 at ηλ = 2/3; with n equal ones 2/((n + 2)λ); gradients lose it at 2/λ.
    near(&json(&["--spectrum", "4"])["critical"], 2.0 / 12.0);
    let five = json(&["--spectrum", "3,3,3,3,3,0"]);
    near(&five["critical"], 2.0 / 21.0);
    near(&five["first_order"], 2.0 / 3.0);
    near(&json(&["--trace", "30"])["stable"], 2.0 / 90.0);
    let bounds = json(&["--trace", "30", "--largest", "2", "--momentum", "0.9"]);
    near(&bounds["unstable"], 0.2 / 30.0);
    near(&bounds["stable"], 0.2 / (30.0 + 4.0 / 1.9));
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("spectrum.txt");
    fs::write(&file, "3, 3\n3 3\n3\n").unwrap();
    let args = ["--spectrum-file", file.to_str().unwrap()];
    assert_eq!(json(&args)["critical"], json(&["--spectrum", "3,3,3,3,3"])["critical"]);
    fs::write(&file, "3\nthree\n").unwrap();
    assert!(fail(&[&["theory", "edge"], &args[..]].concat()).contains("line 2 of"));
    let said = |more: &[&str]| text(&succeed(&[&["theory", "edge"], more].concat()).stdout).to_string();
    assert_eq!(
        json(&["--spectrum", "3, 1", "--lr", "1"])["lr_is"].as_str().unwrap().split(':').next(),
        Some("not stable")
    );
    assert!(said(&["--spectrum", "3,1", "--lr", "0.1"]).contains("is stable"));
    assert!(said(&["--spectrum", "3,1", "--lr", "1"]).contains("is not stable"));
    assert!(said(&["--trace", "1", "--lr", "1"]).contains("the spectrum decides"));
    for (more, says) in [
        (&["--spectrum", "1,-2"][..], "eigenvalue 1 of the spectrum is -2"),
        (&["--trace", "0"], "`trace`"),
        (&["--trace", "1", "--directions", "0"], "`queries`"),
        (&["--spectrum", "1", "--momentum", "1"], "`beta`"),
        (&["--spectrum", "1", "--lr", "0"], "--lr 0"),
        (&["--spectrum", "1", "--largest", "7"], "--largest"),
        (&[], "--spectrum"),
    ] {
        let why = fail(&[&["theory", "edge"], more].concat());
        assert!(why.contains(says), "{why}");
    }
}
