//! Demonstrations and calibration on the command line, on a tiny model.

mod fixture;

use std::collections::HashSet;
use std::fs;

use fixture::{Place, command, fail, str, succeed, tables, text};
use serde_json::Value;

/// The object that `polder eval --json` prints, and the lines of its samples.
fn evaluated(place: &Place, task: &str, data: &str, more: &[&str]) -> (Value, Vec<Value>) {
    let (model, data, samples) = (place.path("model"), place.path(data), place.path("samples.jsonl"));
    let args = ["eval", "--model", str(&model), "--task", task, "--data", str(&data), "--json"];
    let out = succeed(&[&args[..], &["--samples", str(&samples)], more].concat());
    let lines = fs::read_to_string(&samples).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (serde_json::from_slice(&out.stdout).unwrap(), lines)
}

fn scores(lines: &[Value]) -> Vec<Vec<f64>> {
    let of = |line: &Value| line["scores"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    lines.iter().map(of).collect()
}

#[test]
fn demonstrations_are_the_same_for_all_and_run_once() {
    let place = Place::llama();
    let (found, lines) = evaluated(&place, "sst2", "data", &["--shots", "2", "--batch", "24"]);
    assert_eq!((found["shots"].as_u64(), found["n"].as_u64()), (Some(2), Some(24)));
    let prompt = |line: &Value| line["prompt"].as_str().unwrap().to_owned();
    let front = |line: &Value| prompt(line).split("\n\n").take(2).map(str::to_owned).collect::<Vec<_>>();
    let first = front(&lines[0]);
    assert!(
        first.iter().all(|shot| shot.ends_with(" It was great") || shot.ends_with(" It was terrible")),
        "{first:?}"
    );
    assert!(lines.iter().all(|line| front(line) == first && prompt(line).ends_with(" It was")));
    // Every word is a token. What prompts of a pass begin with is run once, what all of them begin with once for all passes.
    let words: Vec<Vec<String>> =
        lines.iter().map(|line| prompt(line).split_whitespace().map(str::to_owned).collect()).collect();
    let same = |other: &Vec<String>| words[0].iter().zip(other).take_while(|(a, b)| a == b).count();
    let stem = words.iter().skip(1).map(same).min().unwrap();
    assert!(stem >= first.iter().map(|shot| shot.split_whitespace().count()).sum());
    let tokens = |found: &Value| found["tokens"].as_u64().unwrap() as usize;
    let beginnings: HashSet<&[String]> =
        words.iter().flat_map(|words| (1..=words.len()).map(|n| &words[..n])).collect();
    let needed = beginnings.len();
    assert!((needed..=needed + 1).contains(&tokens(&found)), "{needed} without BOS, {found}");
    let (again, same) = evaluated(&place, "sst2", "data", &["--shots", "2", "--batch", "5"]);
    assert_eq!(scores(&same), scores(&lines));
    let alone = stem + words.iter().map(|words| words.len() - stem).sum::<usize>();
    assert!(alone > needed && (tokens(&found)..=alone + 1).contains(&tokens(&again)), "{alone} {found} {again}");
    // Another seed draws others; more than there are is an error that says how many there are.
    let (_, other) = evaluated(&place, "sst2", "data", &["--shots", "2", "--shots-seed", "1"]);
    assert_ne!(front(&other[0]), first);
    let (model, data) = (place.path("model"), place.path("data"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--shots", "61"];
    let said = fail(&args);
    assert!(said.contains("60 rows"), "{said}");
}

#[test]
fn a_run_that_trains_behind_demonstrations_is_asked_behind_them() {
    let place = Place::llama();
    let config = place.config("run.toml", "", &fixture::tables("f32", "1e-2"));
    let (run, samples) = (place.path("run"), place.path("samples.jsonl"));
    let sets = ["--set", "task.shots=2", "--set", "task.shots_seed=1", "--set", "steps=12", "--set", "task.train=48"];
    let out = succeed(&[&["train", str(&config), "--run", str(&run)][..], &sets].concat());
    // 48 and 12 are all 60 rows of the train split, so both demonstrations had been drawn.
    let said = text(&out.stderr);
    let left = ["2 training, 0 dev", "1 training, 1 dev", "0 training, 2 dev"];
    assert!(
        left.iter().any(|left| said.contains(&format!("{left} and 0 evaluation rows are demonstrations"))),
        "{said}"
    );
    let ask = |more: &[&str]| -> (Value, Vec<Value>) {
        let args = ["eval", "--model", str(&run), "--json", "--samples", str(&samples)];
        let found = serde_json::from_slice(&succeed(&[&args[..], more].concat()).stdout).unwrap();
        let lines = fs::read_to_string(&samples).unwrap();
        (found, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    };
    let (found, lines) = ask(&[]);
    let last = fixture::metrics(&run).into_iter().rfind(|m| m["kind"] == "evaluated").unwrap();
    assert_eq!((&found["score"], &found["loss"], &found["n"]), (&last["score"], &last["loss"], &last["n"]));
    assert_eq!(found["shots"], 2);
    assert!(lines.iter().all(|line| line["prompt"].as_str().unwrap().split("\n\n").count() == 3));
    let (bare, bare_lines) = ask(&["--shots", "0"]);
    assert_eq!(bare["shots"], 0);
    assert!(bare_lines.iter().all(|line| !line["prompt"].as_str().unwrap().contains('\n')));
    assert_ne!(bare["loss"], found["loss"]);
    // Other data of the same task is asked behind the run's number of its own rows.
    let (given, same) = ask(&["--shots", "2", "--shots-seed", "1"]);
    assert_eq!((&given["loss"], scores(&same)), (&found["loss"], scores(&lines)));
    // A prediction is made behind them too, and can't be without the data.
    let validation = place.path("data").join("validation.jsonl");
    let predict = ["predict", "--model", str(&run), "--data", str(&validation), "--json"];
    let out = succeed(&predict);
    let predicted: Vec<Value> = text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(scores(&predicted), scores(&lines));
    fs::remove_file(place.path("data").join("train.jsonl")).unwrap();
    let said = fail(&predict);
    assert!(said.contains("2 demonstrations") && said.contains("train") && said.contains("hint:"), "{said}");
}

#[test]
fn rows_that_demonstrate_are_left_out_of_the_train_split() {
    let place = Place::llama();
    let (model, data) = (place.path("model"), place.path("data"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--split", "train"];
    let out = succeed(&[&args[..], &["--shots", "2", "--json"]].concat());
    assert_eq!(serde_json::from_slice::<Value>(&out.stdout).unwrap()["n"], 58);
    assert!(text(&out.stderr).contains("2 of these rows are demonstrations"), "{}", text(&out.stderr));
}

#[test]
fn calibration_takes_off_the_same_for_the_same_options() {
    let place = Place::opt();
    let (plain, before) = evaluated(&place, "sst2", "data", &[]);
    let (found, after) = evaluated(&place, "sst2", "data", &["--calibrate"]);
    assert_eq!((found["calibrated"].as_bool(), &found["loss"]), (Some(true), &plain["loss"]));
    assert_eq!(found["others"]["acc"], plain["others"]["acc"]);
    // One prompt without content and two words: what is taken off is the same for all rows.
    let (before, after) = (scores(&before), scores(&after));
    for option in 0..2 {
        let off = |row: usize| before[row][option] - after[row][option];
        assert!(off(0) < 0.0 && (1..24).all(|row| (off(row) - off(0)).abs() < 1e-9));
    }
    let cost = |found: &Value| found["tokens"].as_u64().unwrap();
    assert!(cost(&found) - cost(&plain) <= 8, "it is run once for all rows");
    let (found, _) = evaluated(&place, "copa", "copa", &["--calibrate", "--shots", "1"]);
    assert_eq!(found["n"], 12);
    let own = place.path("own.toml");
    fs::write(&own, "name = 'own'\nprompt = '{{ sentence }}'\noptions = ['bad', 'good']\nlabel = 'label'").unwrap();
    let (model, data) = (place.path("model"), place.path("data"));
    let said = fail(&["eval", "--model", str(&model), "--task", str(&own), "--data", str(&data), "--calibrate"]);
    assert!(said.contains("`own`") && said.contains("hint: give it one"), "{said}");
}

#[test]
fn a_run_keeps_what_its_task_says() {
    let place = Place::llama();
    let task = place.path("own.toml");
    let says = |options: &str| {
        format!("name = \"own\"\nprompt = \"{{{{ sentence }}}} It was\"\noptions = {options}\nlabel = \"label\"\n")
    };
    fs::write(&task, says("[\"terrible\", \"great\"]")).unwrap();
    let config = place.config("run.toml", "", &tables("f32", "1e-3"));
    let run = place.path("run");
    let file = format!("task.file={}", str(&task));
    succeed(&["train", str(&config), "--run", str(&run), "--set", &file, "--set", "steps=3", "--quiet"]);
    let asked = || {
        let scored: Value =
            serde_json::from_slice(&succeed(&["eval", "--model", str(&run), "--json", "--quiet"]).stdout).unwrap();
        let said = text(&succeed(&["predict", "--model", str(&run), "--text", "a film of rare warmth"]).stdout);
        (scored["loss"].clone(), said)
    };
    let before = asked();
    assert!(before.1.contains("terrible") && before.1.contains("great"), "{}", before.1);
    // The file is another one now, and then none.
    fs::write(&task, says("[\"great\", \"terrible\"]")).unwrap();
    assert_eq!(asked(), before);
    fs::remove_file(&task).unwrap();
    assert_eq!(asked(), before);
    // The run's log named by itself stands for the weights that it leads to.
    let log = run.join("trajectory");
    let out =
        command(&["eval", "--model", str(&log), "--json", "--quiet"]).env("POLDER_CACHE", place.path("cache")).output();
    let out = out.unwrap();
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(serde_json::from_slice::<Value>(&out.stdout).unwrap()["loss"], before.0);
    assert!(place.path("cache/rebuilt").exists());
}

#[test]
fn of_several_tasks_the_one_without_data_is_named() {
    let place = Place::llama();
    let (model, many) = (place.path("model"), place.path("many"));
    fs::create_dir_all(many.join("sst2")).unwrap();
    for name in ["train.jsonl", "validation.jsonl"] {
        fs::copy(place.path("data").join(name), many.join("sst2").join(name)).unwrap();
    }
    let said = fail(&["eval", "--model", str(&model), "--task", "sst2", "--task", "copa", "--data", str(&many)]);
    assert!(said.contains("task `copa`: ") && said.contains("many"), "{said}");
}
