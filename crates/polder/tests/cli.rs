//! The command line: help, usage, errors, exit codes, evaluation and prediction on a tiny model.

mod fixture;

use std::fs;
use std::io::Read;
use std::process::Stdio;

use fixture::{Place, command, fail, polder, str, succeed, tables, text};
use serde_json::Value;

#[test]
fn help_goes_to_stdout_and_wrong_usage_exits_with_2() {
    let out = succeed(&["--help"]);
    let said = text(&out.stdout);
    for word in ["train", "plan", "eval", "predict", "replay", "export", "report"] {
        assert!(said.contains(word), "{said}");
        assert!(text(&succeed(&[word, "--help"]).stdout).contains("Usage: polder"), "{word}");
    }
    assert!(text(&succeed(&["--version"]).stdout).starts_with("polder "));
    for wrong in [
        &[][..],
        &["fly"],
        &["train"],
        &["train", "a.toml", "--max-time", "soon"],
        &["eval"],
        &["predict", "--model", "m"],
    ] {
        let out = polder(wrong);
        assert_eq!(out.status.code(), Some(2), "{wrong:?}: {}", text(&out.stderr));
        assert!(out.stdout.is_empty());
    }
}

#[test]
fn errors_name_the_key_the_place_and_the_remedy() {
    let place = Place::llama();
    let config = place.config("a.toml", "stepz = 3", &tables("f32", "1e-3"));
    let out = polder(&["train", str(&config)]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(said.starts_with("error: unknown key `stepz`"), "{said}");
    assert!(said.contains("a.toml:4:1") && said.contains("4 | stepz = 3"), "{said}");
    assert!(said.trim_end().ends_with("hint: did you mean `steps`?"), "{said}");

    let config = place.config("b.toml", "", &tables("f32", "1e-3"));
    let said = fail(&["plan", str(&config), "--set", "estimator.two-point.eps=0"]);
    assert!(said.contains("`estimator.two-point.eps` is 0, allowed: above 0"), "{said}");
    assert!(said.contains("--set estimator.two-point.eps=0"), "{said}");
    let said = fail(&["plan", str(&config), "--set", "task.file=hf://owner/name"]);
    assert!(said.contains("Hub id") && said.contains("hint: "), "{said}");
    let said = fail(&["plan", str(&config), "--set", "model.path=nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
    let said = fail(&["plan", str(&config), "--set", "task.name=sst3"]);
    assert!(said.contains("sst3") && said.contains("sst2"), "{said}");
    let said = fail(&["plan", str(&config), "--set", "trainable=[\"*.nothing\"]"]);
    assert!(said.contains("nothing"), "{said}");
    assert!(fail(&["plan", str(&place.path("no.toml"))]).contains("no.toml"));
}

#[test]
fn a_plan_counts_what_the_run_will_take() {
    let place = Place::llama();
    let config = place.config("plan.toml", "", &tables("bf16", "1e-3"));
    let out = succeed(&["plan", str(&config), "--json"]);
    let plan: Value = serde_json::from_slice(&out.stdout).unwrap();
    // 40 steps of 2 points; dev rows before, at 10, 20, 30 and 40; the validation rows before and after.
    let forwards = &plan["facts"]["cost"]["forwards"];
    assert_eq!((forwards["step"].as_u64(), forwards["training"].as_u64()), (Some(2), Some(80)));
    assert_eq!(forwards["dev_evaluations"], 5);
    assert_eq!(forwards["eval_evaluations"], 2);
    assert_eq!(forwards["evaluation"], 5 * 3 + 2 * 6, "12 dev and 24 validation rows in batches of 4");
    assert_eq!(forwards["sequences"], 80 * 4 + 5 * 12 + 2 * 24);
    let parameters = plan["facts"]["model"]["parameters"].as_u64().unwrap();
    assert_eq!(plan["facts"]["cost"]["memory"]["weights"], 2 * parameters);
    assert_eq!(plan["facts"]["data"]["train"], 40);
    assert_eq!(plan["optimizer"]["sgd"]["lr"], 1e-3);
    assert!(!place.path("runs").exists(), "a plan writes nothing");
    let said = text(&succeed(&["plan", str(&config), "--measure"]).stdout);
    assert!(said.contains("forwards   2 a step, 80 in training") && said.contains("s a step"), "{said}");
    assert!(said.contains("of a step: products of linear layers "), "{said}");
    assert!(text(&succeed(&["plan", "--keys"]).stdout).contains("estimator.two-point.eps"));
    let said = text(&succeed(&["plan", str(&config), "--agreement", "12"]).stdout);
    assert!(
        said.contains("agreement  projected gradients of 12 directions in bf16 and in f32: correlation 0.9"),
        "{said}"
    );
    let said = fail(&["plan", str(&config), "--set", "task.data=nope"]);
    assert!(said.contains("nope`, named by `task.data`, is not there") && said.contains("hint: "), "{said}");
}

#[test]
fn a_bench_steps_with_random_weights() {
    let out = succeed(&["bench", "--shape", "tiny", "--length", "3", "--steps", "2", "--directions", "2", "--json"]);
    let done: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((done["shape"].as_str(), done["tokens"].as_u64()), (Some("tiny"), Some(48)));
    assert_eq!(done["seconds"].as_array().unwrap().len(), 2);
    let said = fail(&["bench", "--shape", "giant"]);
    assert!(said.contains("no shape `giant`") && said.contains("`135m`"), "{said}");
    let said = fail(&["bench", "--shape", "tiny", "--shape", "30m", "--growth", "unused"]);
    assert!(said.contains("`--growth` starts from one shape"), "{said}");
}

#[test]
fn a_device_is_checked_and_reported() {
    let place = Place::llama();
    let out = place.path("report");
    let base = ["bench", "--device", "cpu", "--batch", "2", "--length", "4", "--steps", "2", "--quiet"];
    let shown = text(&succeed(&[&base[..], &["--out", str(&out), "--bandwidth", "50"]].concat()).stdout);
    let page = fs::read_to_string(out.join("device.md")).unwrap();
    assert_eq!(shown.trim_end(), page.trim_end());
    let json: Value = serde_json::from_slice(&fs::read(out.join("device.json")).unwrap()).unwrap();
    assert_eq!((json["device"].as_str(), json["bandwidth"].as_f64()), (Some("cpu"), Some(50e9)));
    assert!(json["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true), "{json}");
    assert_eq!(json["steps"][0]["took"]["seconds"].as_array().map(Vec::len), Some(2), "{json}");
    assert!(fail(&["bench", "--device", "cpu", "--shape", "giant"]).contains("no shape `giant`"));
    for wrong in [&["--bandwidth", "3"][..], &["--device", "tpu"], &["--device", "cpu", "--bandwidth", "0"]] {
        assert_eq!(polder(&[&["bench"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_device_that_is_not_there_is_refused_and_the_plan_names_the_one_that_is() {
    let place = Place::llama();
    let config = place.config("a.toml", "", &tables("f32", "1e-3"));
    let said = text(&succeed(&["plan", str(&config), "--set", "device=cpu"]).stdout);
    assert!(said.contains("\ndevice     cpu, as asked for\n"), "{said}");
    assert!(said.contains("\ngpu        would take about ") && said.contains("scratch "), "{said}");
    let said = fail(&["plan", str(&config), "--set", "device=cpu", "--set", "arithmetic=tf32"]);
    assert!(said.contains("\"tf32\", which there is not on cpu") && said.contains("hint: "), "{said}");
    // No machine has a hundredth card.
    for name in ["cuda:99", "metal:99"] {
        let model = place.path("model");
        let eval = ["eval", "--model", str(&model), "--task", "sst2", "--device", name];
        let set = format!("device={name}");
        for said in [fail(&["plan", str(&config), "--set", &set]), fail(&eval), fail(&["bench", "--device", name])] {
            assert!(said.starts_with(&format!("error: `{name}` is asked for, but ")), "{said}");
            assert!(said.trim_end().lines().last().is_some_and(|line| line.starts_with("hint: ")), "{said}");
        }
    }
    assert_eq!(polder(&["eval", "--model", "m", "--device", "tpu"]).status.code(), Some(2));
}

#[test]
fn what_fits_and_what_is_expected_need_no_configuration() {
    let said = text(&succeed(&["plan", "--sizes", "--roofline"]).stdout);
    assert!(said.contains("| opt-66b |") && said.contains("| M2 Max |"), "{said}");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/DEVICES.md")).unwrap();
    for line in said.lines().filter(|line| line.starts_with("| ") || line.starts_with("- ")) {
        assert!(page.contains(line), "DEVICES.md lacks\n{line}");
    }
    let json = succeed(&["plan", "--sizes", "--roofline", "--batch", "1", "--json"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert!(json["sizes"].as_array().unwrap().len() > 10 && json["roofline"].as_array().unwrap().len() == 4);
    assert_eq!(polder(&["plan"]).status.code(), Some(2));
}

#[test]
fn evaluation_prints_one_object_a_task_and_writes_samples() {
    let place = Place::llama();
    let (model, data, samples) = (place.path("model"), place.path("data"), place.path("samples.jsonl"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--json"];
    let out = succeed(&[&args[..], &["--samples", str(&samples)]].concat());
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (found["task"].as_str(), found["metric"].as_str(), found["n"].as_u64()),
        (Some("sst2"), Some("accuracy"), Some(24))
    );
    for key in ["score", "majority", "loss", "seconds", "forwards"] {
        assert!(found[key].is_number(), "{key}: {found}");
    }
    let lines: Vec<Value> =
        fs::read_to_string(&samples).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 24);
    let right = lines.iter().filter(|line| line["gold"] == line["prediction"]).count();
    assert_eq!(found["score"].as_f64().unwrap(), right as f64 / 24.0);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(line["idx"], number, "{line}");
        let scores: Vec<f64> = line["scores"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
        assert!(scores.len() == 2 && scores.iter().all(|s| *s < 0.0));
        assert_eq!(line["prediction"], u64::from(scores[1] > scores[0]));
    }

    // The same bits in passes of one example, and of three.
    for batch in ["1", "3"] {
        let again = place.path("again.jsonl");
        succeed(&[&args[..], &["--samples", str(&again), "--batch", batch]].concat());
        assert_eq!(fs::read_to_string(&samples).unwrap(), fs::read_to_string(&again).unwrap());
    }
    let out = succeed(&[&args[..], &["--limit", "5"]].concat());
    assert_eq!(serde_json::from_slice::<Value>(&out.stdout).unwrap()["n"], 5);
}

#[test]
fn several_tasks_and_missing_splits() {
    let place = Place::opt();
    let (model, copa) = (place.path("model"), place.path("copa"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--task", "copa", "--json"];
    let data = place.path("data");
    let out = succeed(&[&args[..], &["--data", str(&data), "--data", str(&copa)]].concat());
    let tasks: Vec<Value> =
        text(&out.stdout).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["task"].clone()).collect();
    assert_eq!(tasks, ["sst2", "copa"]);
    let out = succeed(&["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--split", "test"]);
    assert!(text(&out.stderr).contains("no test split"), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    assert!(said.contains("majority") && said.contains("24 examples, 1 forward pass, "), "{said}");
    let said = fail(&["eval", "--model", str(&model), "--task", "sst2"]);
    assert!(said.contains("--data"), "{said}");
    let said = fail(&["eval", "--model", str(&model), "--data", str(&data)]);
    assert!(said.contains("--task"), "{said}");
    let nowhere = place.path("no/samples");
    let said =
        fail(&["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--samples", str(&nowhere)]);
    assert!(said.contains("samples"), "{said}");
}

#[test]
fn an_evaluation_that_was_cut_off_goes_on() {
    let place = Place::llama();
    let (model, data, out) = (place.path("model"), place.path("data"), place.path("scores"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--json", "--batch", "2"];
    let samples = place.path("samples.jsonl");
    let one =
        |more: &[&str]| -> Value { serde_json::from_slice(&succeed(&[&args[..], more].concat()).stdout).unwrap() };
    let plain = one(&["--samples", str(&samples)]);
    let kept = ["--out", str(&out)];
    assert_eq!(one(&[&kept[..], &["--limit", "10"]].concat())["forwards"], 5);
    // As a process that is killed leaves it: the last line is torn.
    let answers = out.join("answers.jsonl");
    let text = fs::read_to_string(&answers).unwrap();
    assert_eq!(text.lines().count(), 10);
    fs::write(&answers, &text[..text.len() - 7]).unwrap();
    let again = one(&kept);
    assert_eq!(again["forwards"], 8, "nine of 24 were there: {again}");
    assert_eq!((&again["score"], &again["loss"]), (&plain["score"], &plain["loss"]));
    assert_eq!(fs::read_to_string(out.join("samples.jsonl")).unwrap(), fs::read_to_string(&samples).unwrap());
    let scores = fs::read_to_string(out.join("scores.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&scores).unwrap(), again);
    assert_eq!(one(&kept)["forwards"], 0, "everything is known");
    // The same rows by other weights are other questions.
    let other = Place::opt();
    let model = other.path("model");
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--json", "--out", str(&out)];
    let found: Value = serde_json::from_slice(&succeed(&args).stdout).unwrap();
    assert!(found["forwards"].as_u64().unwrap() > 0, "{found}");
    fs::write(&answers, "{\"key\": 3}\n").unwrap();
    let said = fail(&args);
    assert!(said.contains("answers.jsonl") && said.contains("line 1 is no answer"), "{said}");
}

#[test]
fn two_models_are_compared_on_the_same_rows() {
    let place = Place::llama();
    let (model, data) = (place.path("model"), place.path("data"));
    let args = ["eval", "--model", str(&model), "--task", "sst2", "--data", str(&data), "--against"];
    let compared = |other: &str| -> (Vec<Value>, Value) {
        let said = succeed(&[&args[..], &[other, "--json"]].concat()).stdout;
        let mut lines: Vec<Value> = text(&said).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = lines.pop().unwrap();
        (lines, last)
    };
    let (_, same) = compared(str(&model));
    assert_eq!((&same["difference"], &same["equal_answers"]), (&0.0.into(), &1.0.into()), "{same}");
    assert_eq!(same["largest_score_difference"], 0.0);
    let other = Place::opt();
    let (each, differ) = compared(str(&other.path("model")));
    let scores: Vec<f64> = each.iter().map(|found| found["score"].as_f64().unwrap()).collect();
    assert_eq!(scores.len(), 2);
    let difference = differ["difference"].as_f64().unwrap();
    assert!((difference - (scores[0] - scores[1])).abs() < 1e-12, "{differ}");
    let of = |key: &str| differ[key].as_u64().unwrap() as f64;
    assert!((difference - (of("only_model") - of("only_against")) / 24.0).abs() < 1e-12, "{differ}");
    assert!(differ["largest_score_difference"].as_f64().unwrap() > 0.0);
    let copa = place.path("copa");
    let tasks = ["--task", "copa", "--data", str(&copa)];
    let said = succeed(&[&args[..], &[str(&model)], &tasks].concat()).stdout;
    let said = text(&said);
    assert_eq!(said.matches("majority   random").count(), 2, "a table for each model: {said}");
    assert!(said.contains("equal answers 100.0 %"), "{said}");
}

#[test]
fn predictions_of_rows_and_of_typed_text() {
    let place = Place::llama();
    let (model, rows) = (place.path("model"), place.path("rows.jsonl"));
    fs::write(&rows, "{\"sentence\": \"a good film\"}\n{\"sentence\": \"a bad plot\"}\n").unwrap();
    let args = ["predict", "--model", str(&model), "--task", "sst2", "--json"];
    let out = succeed(&[&args[..], &["--data", str(&rows)]].concat());
    let lines: Vec<Value> = text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in &lines {
        let sum: f64 = line["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{line}");
        assert!(["terrible", "great"].contains(&line["answer"].as_str().unwrap()));
    }
    let out = succeed(&[&args[..], &["--text", "a good film"]].concat());
    let typed: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(typed["scores"], lines[0]["scores"]);
    let said = fail(&["predict", "--model", str(&model), "--task", "copa", "--text", "the street was wet"]);
    assert!(said.contains("copa"), "{said}");
    let fields = [
        "--field",
        "premise=the street was wet.",
        "--field",
        "question=cause",
        "--field",
        "choice1=the rain was bad.",
        "--field",
        "choice2=the sun was bright.",
    ];
    let out = succeed(&[&["predict", "--model", str(&model), "--task", "copa"][..], &fields].concat());
    assert!(text(&out.stdout).contains('%'));
}

#[test]
fn a_run_folder_is_a_model_with_its_task_and_data() {
    let place = Place::llama();
    let config = place.config("run.toml", "", &tables("f32", "1e-2"));
    let run = place.path("run");
    let out = succeed(&["train", str(&config), "--run", str(&run)]);
    assert!(out.stdout.is_empty(), "progress and notes go to stderr");
    assert!(text(&out.stderr).contains("accuracy"), "{}", text(&out.stderr));
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Training loss") && report.contains("Task score"));
    fs::remove_file(run.join("report.html")).unwrap();
    let out = succeed(&["report", str(&run), "--open", "no"]);
    assert_eq!(text(&out.stdout).trim_end(), run.join("report.html").display().to_string());
    // The same files give the same page.
    assert_eq!(fs::read_to_string(run.join("report.html")).unwrap(), report);
    let (again, both) = (place.path("again"), place.path("both.html"));
    succeed(&["train", str(&config), "--run", str(&again), "--set", "optimizer.sgd.lr=1e-3", "--set", "steps=20"]);
    succeed(&["report", str(&run), str(&again), "--out", str(&both), "--open", "no"]);
    let page = fs::read_to_string(&both).unwrap();
    assert!(page.contains("2 runs") && page.contains("<code>optimizer.sgd.lr</code>"), "{page}");
    let said = fail(&["report", str(&run), str(&again)]);
    assert!(said.contains("several runs") && said.contains("hint: name it with `--out"), "{said}");
    assert!(fail(&["report", str(&place.path("gone"))]).contains("gone/metrics.jsonl"));
    let plan: Value = serde_json::from_str(&fs::read_to_string(run.join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["batch"], 4);
    let out = succeed(&["eval", "--model", str(&run), "--json"]);
    assert!(text(&out.stderr).contains("weights are read from"), "{}", text(&out.stderr));
    let found: Value = serde_json::from_slice(&out.stdout).unwrap();
    let last = fixture::metrics(&run).into_iter().rfind(|m| m["kind"] == "evaluated").unwrap();
    // The last line of a run is the score of its best weights on the same rows.
    assert_eq!((&found["score"], &found["loss"], &found["n"]), (&last["score"], &last["loss"], &last["n"]));
    succeed(&["predict", "--model", str(&run), "--text", "a good film"]);
    let quiet = succeed(&["train", str(&config), "--run", str(&place.path("quiet")), "--quiet", "--set", "steps=2"]);
    assert!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{}", text(&quiet.stderr));
}

#[test]
fn rows_held_out_by_a_run_are_those_it_is_evaluated_on() {
    let place = Place::llama();
    let alone = place.path("alone.jsonl");
    fs::copy(place.path("data/train.jsonl"), &alone).unwrap();
    let config = place.config("run.toml", "", &tables("f32", "1e-2"));
    let run = place.path("run");
    let data = format!("task.data={}", str(&alone));
    succeed(&["train", str(&config), "--run", str(&run), "--set", &data, "--set", "task.seed=5", "--set", "steps=5"]);
    let last = fixture::metrics(&run).into_iter().rfind(|m| m["kind"] == "evaluated").unwrap();
    for more in [&[][..], &["--data", str(&alone)], &["--split", "train"]] {
        let out = succeed(&[&["eval", "--model", str(&run), "--json"], more].concat());
        let found: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(found["n"], 12, "a fifth of the rows");
        assert_eq!((&found["score"], &found["loss"]), (&last["score"], &last["loss"]), "{more:?}");
        assert!(text(&out.stderr).contains("held out"), "{}", text(&out.stderr));
    }
    // A run with a validation split held nothing out.
    let run = place.path("other");
    succeed(&["train", str(&config), "--run", str(&run), "--set", "steps=5"]);
    let out = succeed(&["eval", "--model", str(&run), "--split", "train"]);
    assert!(text(&out.stderr).contains("was trained on"), "{}", text(&out.stderr));
}

#[test]
fn a_run_that_was_ended_early_goes_on_as_it_says_and_is_evaluated() {
    let place = Place::llama();
    let own = "name = \"own\"\nprompt = \"{{ sentence }} It was\"\noptions = [\"bad\", \"good\"]\nlabel = \"label\"\n";
    fs::write(place.path("own.toml"), own).unwrap();
    let config = place.config("run.toml", "", &tables("f32", "1e-2"));
    let as_file = fs::read_to_string(&config).unwrap().replace("\"sst2\"", "\"own.toml\"");
    fs::write(&config, as_file).unwrap();
    let run = place.path("it's a run");
    let options = "task.options=[\"dull\", \"fine\"]";
    let sets = ["--set", "steps=100000000", "--set", options];
    let args = [&["train", str(&config), "--run", str(&run), "--max-time", "1s"][..], &sets].concat();
    let said = text(&succeed(&args).stderr);
    let hint = said.lines().find_map(|line| line.strip_prefix("hint: go on with `polder ")).unwrap();
    let again = format!("exec {} {} --max-time 1s", env!("CARGO_BIN_EXE_polder"), hint.trim_end_matches('`'));
    let out = std::process::Command::new("bash").args(["-c", &again]).output().unwrap();
    assert!(out.status.success(), "{again}\n{}", text(&out.stderr));
    assert!(fs::read_to_string(run.join("config.toml")).unwrap().contains(options));
    // From any working folder, since the plan holds whole paths.
    let out = succeed(&["eval", "--model", str(&run), "--samples", str(&place.path("samples.jsonl"))]);
    assert!(text(&out.stdout).starts_with("own (validation)"), "{}", text(&out.stdout));
    let samples = fs::read_to_string(place.path("samples.jsonl")).unwrap();
    assert!(samples.lines().all(|line| line.contains("dull")), "the override stands");
    assert!(run.join("best").exists() || text(&out.stderr).contains("latest checkpoint"), "{}", text(&out.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::llama();
    let rows = place.path("rows.jsonl");
    fs::write(&rows, "{\"sentence\": \"a good film\"}\n".repeat(20_000)).unwrap();
    let mut child =
        command(&["predict", "--model", str(&place.path("model")), "--task", "sst2", "--data", str(&rows), "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    // Reading nothing and closing the pipe is what `head -0` does.
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("panicked") && !said.contains("error"), "{said}");
    assert!(status.success(), "{status:?}");
}

#[test]
fn runs_without_a_name_are_counted_on_and_the_latest_is_resumed() {
    let place = Place::llama();
    place.config("a.toml", "", &tables("f32", "1e-3"));
    let train = |more: &[&str]| {
        let args = [&["train", "a.toml", "--quiet", "--set", "eval.before=false"][..], more].concat();
        let out = command(&args).current_dir(place.path("")).output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
    };
    let steps =
        |n: u32| fixture::metrics(&place.path(&format!("runs/a-{n}"))).into_iter().filter(|m| m["kind"] == "step");
    train(&["--set", "steps=1"]);
    train(&["--set", "steps=1"]);
    fs::remove_dir_all(place.path("runs/a-1")).unwrap();
    train(&["--set", "steps=1"]);
    // A folder that no run began in is not resumed, nor taken for a new run.
    fs::create_dir(place.path("runs/a-4")).unwrap();
    train(&["--set", "steps=2", "--resume"]);
    assert_eq!((steps(2).count(), steps(3).count()), (1, 2));
    train(&["--set", "steps=1"]);
    assert_eq!(steps(5).count(), 1);
}
