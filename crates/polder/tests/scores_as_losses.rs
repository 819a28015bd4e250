//! Training on what has no gradient: accuracy, and F1 of generated answers. With the real binary on the model that ships.

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};

use fixture::{fail, metrics, str, succeed, text, weights};
use serde_json::Value;

const WORDS: &str = r#"
name = "reviews-in-words"
prompt = "{{ sentence | trim }} It was"
target = "{{ 'great' if label == 1 else 'terrible' }}"
max_new_tokens = 2
"#;

/// A place with a configuration that has the shipped model and data, and a task of the same rows that is answered in words.
fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    fs::write(place.path().join("words.toml"), WORDS).unwrap();
    let text = format!(
        "steps = 40\nbatch = 64\n[model]\npath = \"{0}/models/opt-reviews\"\ndtype = \"f32\"\n[task]\nname = \"words.toml\"\n\
         data = \"{0}/data/reviews\"\ntrain = 500\ndev = 100\nloss = \"f1\"\n[estimator.two-point]\neps = 1e-2\n\
         [optimizer.sgd]\nlr = 1e-3\n[eval]\nevery = 20\nlimit = 100\n[save]\nevery = 7\n",
        root.display()
    );
    let config = place.path().join("words-run.toml");
    fs::write(&config, text).unwrap();
    (place, config)
}

fn train(config: &Path, run: &Path, sets: &[&str]) -> String {
    let mut args = vec!["train", str(config), "--run", str(run)];
    if run.exists() {
        args.push("--resume");
    }
    sets.iter().for_each(|set| args.extend(["--set", set]));
    text(&succeed(&args).stderr)
}

/// The dev scores of a run, in their order, and the metric's name.
fn dev(run: &Path) -> (Vec<f64>, String) {
    let lines: Vec<Value> = metrics(run);
    let of_dev: Vec<&Value> = lines.iter().filter(|m| m["kind"] == "evaluated" && m["split"] == "dev").collect();
    let scores = of_dev.iter().map(|m| m["score"].as_f64().unwrap()).collect();
    (scores, of_dev[0]["metric"].as_str().unwrap().to_owned())
}

#[test]
fn f1_of_generated_answers_is_trained_on_and_keeps_the_promises_about_bits() {
    let (place, config) = place();
    let run = |name: &str| place.path().join(name);
    train(&config, &run("whole"), &[]);
    let (scores, metric) = dev(&run("whole"));
    assert_eq!(metric, "f1");
    // The model does not answer in these words at first; then it does, one of two.
    assert!(scores[0] < 0.1 && scores.last().unwrap() > &0.35, "{scores:?}");
    let after = weights(&run("whole/final"));
    // In pieces, and from the log.
    train(&config, &run("pieces"), &["steps=15"]);
    train(&config, &run("pieces"), &[]);
    assert_eq!(after, weights(&run("pieces/final")));
    succeed(&["replay", str(&run("whole")), "--out", str(&run("replayed"))]);
    assert_eq!(after, weights(&run("replayed")));
    // Whether weights are made whole, how many rows run at a time and in how many threads changes nothing.
    for (name, sets) in [
        ("read", &["materialise=false", "micro_batch=9"][..]),
        ("made", &["materialise=true", "threads=1", "points_a_pass=1"]),
    ] {
        train(&config, &run(name), sets);
        assert_eq!(after, weights(&run(name).join("final")), "{name}");
    }
}

#[test]
fn a_run_goes_on_when_its_answers_are_scored_otherwise() {
    let (place, config) = place();
    let run = place.path().join("run");
    let target = "task.loss=target";
    train(&config, &run, &[target, "steps=5"]);
    assert_eq!(dev(&run).1, "loss");
    train(&config, &run, &[target, "steps=10", "eval.metric=f1"]);
    let last = metrics(&run).into_iter().rfind(|m| m["kind"] == "evaluated" && m["split"] == "dev").unwrap();
    assert_eq!((&last["metric"], &last["step"]), (&"f1".into(), &10.into()));
}

#[test]
fn accuracy_is_trained_on() {
    let (place, config) = place();
    fs::write(
        place.path().join("sst2.toml"),
        "name = \"sst2-by-accuracy\"\nprompt = \"{{ sentence | trim }} It was\"\noptions = [\"terrible\", \"great\"]\n\
         label = \"label\"\nloss = \"accuracy\"\n",
    )
    .unwrap();
    let config_text = fs::read_to_string(&config).unwrap();
    let config_text = config_text.replace("name = \"words.toml\"", "name = \"sst2.toml\"").replace("loss = \"f1\"", "");
    fs::write(&config, config_text.replace("eps = 1e-2", "eps = 3e-2").replace("batch = 64", "batch = 128")).unwrap();
    let run = |name: &str| place.path().join(name);
    train(&config, &run("whole"), &["steps=60"]);
    let (scores, metric) = dev(&run("whole"));
    assert_eq!(metric, "accuracy");
    let best = scores.iter().copied().fold(0.0, f64::max);
    // Few answers change within a smaller ε. With this one 54 % became 99 % in 50 steps.
    assert!(scores[0] < 0.6 && best > 0.85, "{scores:?}");
    let losses: Vec<f64> =
        metrics(&run("whole")).iter().filter(|m| m["kind"] == "step").map(|m| m["loss"].as_f64().unwrap()).collect();
    assert!(losses.iter().all(|loss| (-1.0..=0.0).contains(loss)), "{losses:?}");
    train(&config, &run("pieces"), &["steps=25"]);
    train(&config, &run("pieces"), &["steps=60"]);
    assert_eq!(weights(&run("whole/final")), weights(&run("pieces/final")));
}

#[test]
fn the_plan_says_what_generation_takes() {
    let (place, config) = place();
    let plan = |more: &[&str]| text(&succeed(&[&["plan", str(&config)], more].concat()).stdout);
    let said = plan(&[]);
    assert!(said.contains("at most 2 tokens") && said.contains("made whole if memory allows, 895.7 kB"), "{said}");
    assert!(plan(&["--set", "materialise=true"]).contains("are made whole, 895.7 kB"));
    assert!(plan(&["--set", "materialise=false"]).contains("read at the point in every pass"));
    let json: Value = serde_json::from_str(&plan(&["--json"])).unwrap();
    assert!(json["facts"]["cost"]["memory"]["point"].as_u64().unwrap() > 0, "{json}");
    // A loss by teacher forcing, scored by generated answers, makes nothing whole.
    let scored = plan(&["--set", "task.loss=target", "--set", "eval.metric=f1"]);
    assert!(scored.contains("answers") && !scored.contains("made whole"), "{scored}");
    for (sets, words) in [
        (&["materialise=maybe"][..], "true, false or \"auto\""),
        (&["materialise=true", "arithmetic=bf16"], "`materialise`"),
        (&["task.loss=accuracy"], "needs `options`"),
        (&["task.loss=f2"], "accuracy"),
    ] {
        let mut args = vec!["plan", str(&config)];
        sets.iter().for_each(|set| args.extend(["--set", set]));
        let said = fail(&args);
        assert!(said.contains(words), "{sets:?}: {said}");
    }
    let run = place.path().join("auto");
    let said = fail(&["train", str(&config), "--run", str(&run), "--set", "optimizer.sgd.lr=auto"]);
    assert!(said.contains("has no gradient") && said.contains("hint:"), "{said}");
}

#[test]
fn conversations_train_the_assistants_answers() {
    let (place, config) = place();
    let model = place.path().join("model");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/opt-reviews");
    fs::create_dir(&model).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(shipped.join(name), model.join(name)).unwrap();
    }
    let data = place.path().join("talks");
    fs::create_dir(&data).unwrap();
    let row = |n: usize| {
        let words = ["great", "terrible"][n % 2];
        format!(
            "{{\"messages\": [{{\"role\": \"user\", \"content\": \"the film {n}\"}}, \
             {{\"role\": \"assistant\", \"content\": \"{words}\"}}, {{\"role\": \"user\", \"content\": \"so ?\"}}, \
             {{\"role\": \"assistant\", \"content\": \"it was {words} .\"}}]}}\n"
        )
    };
    for (split, rows) in [("train", 20), ("validation", 6)] {
        fs::write(data.join(format!("{split}.jsonl")), (0..rows).map(row).collect::<String>()).unwrap();
    }
    let chat = format!(
        "steps = 30\nbatch = 8\n[model]\npath = \"model\"\ndtype = \"f32\"\n[task]\nname = \"chat\"\ndata = \"{}\"\ndev = 4\n\
         [optimizer.sgd]\nlr = 1e-3\n[eval]\nevery = 30\n",
        data.display()
    );
    fs::write(&config, chat).unwrap();
    let said = fail(&["plan", str(&config)]);
    assert!(said.contains("no chat template"), "{said}");
    let template = "{% for m in messages %}{{ m.role }} : {{ m.content }}\n{% endfor %}\
                    {% if add_generation_prompt %}assistant : {% endif %}";
    fs::write(model.join("chat_template.jinja"), template).unwrap();
    let plan: Value = serde_json::from_slice(&succeed(&["plan", str(&config), "--json"]).stdout).unwrap();
    // Two answers a conversation, four of twenty being for dev.
    assert_eq!((&plan["facts"]["data"]["train"], &plan["facts"]["data"]["dev"]), (&32.into(), &8.into()), "{plan}");
    let run = place.path().join("run");
    train(&config, &run, &[]);
    let losses: Vec<f64> = metrics(&run)
        .iter()
        .filter(|m| m["kind"] == "evaluated" && m["split"] == "dev")
        .map(|m| m["loss"].as_f64().unwrap())
        .collect();
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
}
