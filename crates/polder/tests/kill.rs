//! `kill -9` at any moment, full disks and polite stops.

mod fixture;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fixture::{Place, command, fail, metrics, str, succeed, tables, text, uniform, weights};

/// Starts a run, kills it after `patience`, and says whether it had ended by itself.
fn killed(args: &[&str], patience: Duration) -> bool {
    let mut child = command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "polder {args:?} failed");
            return true;
        }
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

#[test]
fn killed_at_random_moments_a_run_resumes_to_the_same_bits() {
    let place = Place::llama();
    let config = place.config("kill.toml", "", &tables("bf16", "1e-2"));
    let whole = place.path("whole");
    let begin = Instant::now();
    succeed(&["train", str(&config), "--run", str(&whole), "--set", "steps=120"]);
    let long = begin.elapsed().as_secs_f32();
    let expected = (weights(&whole.join("final")), weights(&whole.join("best")));
    let mut state = 20_261_122u64;
    let mut hits = 0;
    for round in 0..4 {
        let run = place.path(&format!("run-{round}"));
        let mut kills = 0;
        for attempt in 0..400 {
            let mut args = vec!["train", str(&config), "--run", str(&run), "--set", "steps=120"];
            if run.join("plan.json").exists() {
                args.push("--resume");
            }
            // Later attempts get more time, so that the run ends some day.
            let share = (uniform(&mut state) + 1.0) / 2.0 * (0.6 + attempt as f32 / 20.0);
            if killed(&args, Duration::from_secs_f32(share * long)) {
                break;
            }
            kills += 1;
        }
        hits += kills;
        assert_eq!(expected, (weights(&run.join("final")), weights(&run.join("best"))), "after {kills} kills");
        let steps = |run: &Path| {
            // What took time or room differs; every other number is the undisturbed run's.
            let apart = |mut line: serde_json::Value| {
                let fields = line.as_object_mut().unwrap();
                ["seconds", "tokens"].iter().for_each(|key| _ = fields.remove(*key));
                line
            };
            metrics(run).into_iter().filter(|m| m["kind"] == "step").map(apart).collect::<Vec<_>>()
        };
        let (a, b) = (steps(&whole), steps(&run));
        // A line that a kill took between a step's record and its line is made again from the log.
        assert_eq!(a, b, "after {kills} kills");
        assert_eq!(a.len(), 120);
        assert_eq!(entries(&whole), entries(&run), "nothing half-written is left");
    }
    // A single round may end before its first kill, where the machine has more time for it than for the measured run.
    assert!(hits >= 1, "no kill hit a run");
}

/// The names in a run folder.
fn entries(run: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(run).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_torn_end_of_the_log_is_dropped_and_damage_before_it_refused() {
    let place = Place::opt();
    let config = place.config("torn.toml", "", &tables("f32", "1e-2"));
    let whole = place.path("whole");
    succeed(&["train", str(&config), "--run", str(&whole), "--set", "steps=30"]);
    let run = place.path("run");
    succeed(&["train", str(&config), "--run", str(&run), "--set", "steps=20"]);
    let log = run.join("trajectory");
    let bytes = fs::read(&log).unwrap();
    let resume = ["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=30"];

    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 0x40;
    fs::write(&log, &damaged).unwrap();
    let said = fail(&resume);
    assert!(said.contains("trajectory"), "{said}");
    assert_eq!(fs::read(&log).unwrap(), damaged, "a refused log is left alone");

    // Cut in the middle of its records, ahead of which the saved weights then are: these can't be used.
    // With another byte behind, so that it is no record's end by chance.
    let cut = bytes.len() * 3 / 4;
    fs::write(&log, [&bytes[..cut], &[!bytes[cut]]].concat()).unwrap();
    let out = place.path("replayed");
    for args in [&["replay", str(&run), "--out", str(&out)][..], &resume] {
        let said = text(&succeed(args).stderr);
        assert!(said.contains("bytes") && said.contains("left out"), "the torn end is told of: {said}");
    }
    assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
}

#[test]
fn two_trainers_do_not_share_a_run() {
    let place = Place::llama();
    let config = place.config("lock.toml", "", &tables("f32", "1e-3"));
    let run = place.path("run");
    let args = ["train", str(&config), "--run", str(&run), "--set", "steps=100000000"];
    let mut first = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !run.join("trajectory").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the run did not start");
        sleep(Duration::from_millis(5));
    }
    let said = fail(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=100000000"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(said.contains("another process"), "{said}");
}

#[test]
fn an_interrupt_and_a_time_limit_end_cleanly() {
    let place = Place::llama();
    let config = place.config("stop.toml", "", &tables("bf16", "1e-2"));
    let limited = place.path("limited");
    let args = ["train", str(&config), "--run", str(&limited), "--set", "steps=100000000", "--max-time", "1s"];
    let out = succeed(&args);
    assert!((text(&out.stderr) + &text(&out.stdout)).contains("--resume"), "it says how to go on");
    assert_eq!(fs::read_dir(limited.join("checkpoints")).unwrap().count(), 1);

    let run = place.path("interrupted");
    let args = ["train", str(&config), "--run", str(&run), "--set", "steps=100000000"];
    let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while fs::metadata(run.join("metrics.jsonl")).map_or(0, |m| m.len()) < 2000 {
        assert!(start.elapsed() < Duration::from_secs(60), "the run did not start");
        sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_ne!(status.code(), Some(101));
    assert!(status.code().is_some(), "it ended by itself: {status:?}");
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 1);
}

#[test]
fn a_run_gets_on_however_little_time_each_process_has() {
    let place = Place::llama();
    let config = place.config("short.toml", "", &tables("f32", "1e-2"));
    let (whole, run) = (place.path("whole"), place.path("run"));
    succeed(&["train", str(&config), "--run", str(&whole), "--set", "steps=3"]);
    let mut args = vec!["train", str(&config), "--run", str(&run), "--set", "steps=3", "--max-time", "0s"];
    // First score, dev score, three steps, dev score, last score: at least one of them each time.
    for _ in 0..8 {
        succeed(&args);
        if !args.contains(&"--resume") {
            args.push("--resume");
        }
    }
    let scores = |run: &Path| metrics(run).iter().filter(|m| m["kind"] == "evaluated").count();
    assert_eq!(scores(&whole), scores(&run), "no evaluation is done twice");
    assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_while_saving_leaves_earlier_files_intact() {
    let place = Place::llama();
    let config = place.config("full.toml", "", &tables("f32", "1e-2"));
    let whole = place.path("whole");
    succeed(&["train", str(&config), "--run", str(&whole), "--set", "steps=25"]);
    let run = place.path("run");
    succeed(&["train", str(&config), "--run", str(&run), "--set", "steps=12"]);
    let before = (weights(&run.join("final")), weights(&run.join("best")));
    // A limit on the size of files, below that of the weights, stands for the full disk; the log stays below it.
    let size = fs::metadata(run.join("final/model.safetensors")).unwrap().len();
    let blocks = size / 1024 - 2;
    let script = format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec {} train {} --run {} --resume --set steps=25",
        env!("CARGO_BIN_EXE_polder"),
        str(&config),
        str(&run)
    );
    let out = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = text(&out.stderr);
    assert!(!out.status.success(), "the last weights can't be saved, and it says so");
    assert_ne!(out.status.code(), Some(101), "{said}");
    assert!(said.contains("model.safetensors") || said.contains("final"), "{said}");
    assert!(said.contains("checkpoint of step 14 could not be saved"), "{said}");
    assert_eq!(before.0, weights(&run.join("final")), "the earlier weights are intact");
    assert_eq!(before.1, weights(&run.join("best")));
    succeed(&["train", str(&config), "--run", str(&run), "--resume", "--set", "steps=25"]);
    assert_eq!(weights(&whole.join("final")), weights(&run.join("final")));
}
