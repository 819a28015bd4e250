//! The Hub from the command line, against the test server: train from it, publish to it, rebuild and evaluate from it.
#![cfg(feature = "hub")]

mod fixture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use fixture::{Place, command, str, tables, text, weights};
use polder_hub_server::{Fault, READER, Rule, Server, TOKEN};
use serde_json::Value;

/// A tiny model and its data on the test server, and a cache.
struct Home {
    place: Place,
    server: Server,
}

impl Home {
    fn new() -> Self {
        let home = Self { place: Place::llama(), server: Server::start().unwrap() };
        let mut store = home.server.store();
        let repo = store.repo("o/base");
        repo.put("main", "README.md", b"---\nlicense: apache-2.0\n---\n", false);
        for entry in fs::read_dir(home.place.path("model")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            repo.put("main", &name, &fs::read(entry.path()).unwrap(), name.ends_with(".safetensors"));
        }
        let repo = store.repo("datasets/o/films");
        for name in ["train.jsonl", "validation.jsonl"] {
            repo.put("main", name, &fs::read(home.place.path("data").join(name)).unwrap(), false);
        }
        drop(store);
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn with(&self, args: &[&str], more: &[(&str, &str)]) -> Output {
        let mut command = command(args);
        command.env_remove("HF_HUB_CACHE").env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN_PATH");
        command.env("HF_ENDPOINT", self.server.endpoint()).env("HF_HOME", self.path("hf")).env("HF_TOKEN", TOKEN);
        command.env("POLDER_CACHE", self.path("cache")).env("NO_PROXY", "127.0.0.1,localhost");
        command.envs(more.iter().copied());
        let out = command.current_dir(self.path("")).output().unwrap();
        let said = format!("{}{}", text(&out.stdout), text(&out.stderr));
        assert!(!said.contains(TOKEN) && !said.contains(READER) && !said.contains("panicked"), "{args:?}: {said}");
        out
    }

    fn succeed(&self, args: &[&str]) -> String {
        let out = self.with(args, &[]);
        assert!(out.status.success(), "polder {args:?}\n{}{}", text(&out.stdout), text(&out.stderr));
        text(&out.stdout)
    }

    fn fail(&self, args: &[&str], more: &[(&str, &str)]) -> String {
        let out = self.with(args, more);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {}", text(&out.stdout));
        text(&out.stderr)
    }

    /// Trains from a model; `best` need not be the last.
    fn train(&self, model: &str, run: &str) -> PathBuf {
        let config = self.place.config("run.toml", "", &tables("f32", "1e-2"));
        let run = self.path(run);
        let sets = [format!("model.path={model}"), "task.data=hf://datasets/o/films".to_owned()];
        let args = ["train", str(&config), "--run", str(&run), "--set", &sets[0], "--set", &sets[1], "--quiet"];
        self.succeed(&args);
        run
    }
}

fn score(out: &str) -> (Value, Value) {
    let found: Value = serde_json::from_str(out).unwrap();
    (found["score"].clone(), found["loss"].clone())
}

#[test]
fn a_run_from_the_hub_becomes_a_trajectory_on_the_hub_and_weights_again() {
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    let base = home.server.store().repo("o/base").head("main").unwrap();
    let plan: Value = serde_json::from_slice(&fs::read(run.join("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["model"]["path"], format!("hf://o/base@{base}"));
    assert!(plan["task"]["data"].as_str().unwrap().starts_with("hf://datasets/o/films@"));

    // A data set of the Hub is predicted like a file of the same rows.
    let predicted = |data: &[&str]| {
        home.succeed(&[&["predict", "--model", "hf://o/base", "--task", "sst2", "--json", "--data"], data].concat())
    };
    let file = predicted(&[str(&home.place.path("data/validation.jsonl"))]);
    assert!(file.lines().count() > 1);
    assert_eq!(predicted(&["hf://datasets/o/films", "--split", "validation"]), file);

    home.succeed(&["publish", str(&run), "polder/tuned", "--what", "trajectory", "--private"]);
    let card = {
        let mut store = home.server.store();
        let repo = store.repo("polder/tuned");
        assert!(repo.private);
        assert_eq!(repo.paths("main"), [".gitattributes", "README.md", "config.toml", "plan.json", "trajectory"]);
        assert_eq!(repo.messages[1..], ["Upload a run of polder"]);
        for file in ["README.md", "config.toml", "plan.json", "trajectory"] {
            let bytes = repo.file("main", file).unwrap().0;
            let here = home.path("").to_str().unwrap().to_owned();
            assert!(!text(bytes).contains(&here), "{file} tells where it was made");
        }
        text(repo.file("main", "README.md").unwrap().0)
    };
    for line in
        ["base_model: o/base", "- o/films", "library_name: polder", "license: apache-2.0", "    - type: accuracy"]
    {
        assert!(card.lines().any(|l| l == line), "{line}\n{card}");
    }
    assert!(
        card.contains(&format!("hf://o/base@{base}")) && card.contains("polder replay hf://polder/tuned --out"),
        "{card}"
    );

    // On another machine: nothing is in its caches.
    for folder in ["hf", "cache"] {
        fs::remove_dir_all(home.path(folder)).unwrap();
    }
    let rebuilt = home.path("rebuilt");
    let said = home.succeed(&["replay", "hf://polder/tuned", "--out", str(&rebuilt)]);
    assert!(said.contains("the weights' hash is that of the run's end"), "{said}");
    assert_eq!(weights(&rebuilt), weights(&run.join("best")));
    let own = score(&home.succeed(&["eval", "--model", str(&run), "--json", "--quiet"]));
    let args = ["eval", "--model", "hf://polder/tuned", "--json", "--quiet"];
    assert_eq!(score(&home.succeed(&args)), own, "its task and data come with the plan");
    assert_eq!(fs::read_dir(home.path("cache/rebuilt")).unwrap().count(), 1);
    // Once more, from the caches alone.
    home.server.forget();
    assert_eq!(score(&home.succeed(&[&args[..], &["--offline"]].concat())), own);
    assert_eq!(home.server.seen(), []);
    // As a base of another run.
    let next = home.train("hf://polder/tuned", "next");
    assert!(next.join("final/model.safetensors").exists());
    // A damaged trajectory is no model.
    let folder = home.path("copy");
    fs::create_dir(&folder).unwrap();
    for file in ["plan.json", "trajectory"] {
        let bytes = home.server.store().repo("polder/tuned").file("main", file).unwrap().0.to_vec();
        fs::write(folder.join(file), bytes).unwrap();
    }
    let plan = fs::read_to_string(folder.join("plan.json")).unwrap();
    let published: Value = serde_json::from_str(&plan).unwrap();
    let digest = published["published"]["weights"].as_str().unwrap();
    fs::write(folder.join("plan.json"), plan.replace(digest, &"0".repeat(64))).unwrap();
    let said = home.fail(&["eval", "--model", str(&folder), "--task", "sst2", "--data", "data"], &[]);
    assert!(said.contains(digest) && said.contains(&"0".repeat(64)), "{said}");
}

#[test]
fn weights_and_trajectory_go_together_and_once() {
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    let args = ["publish", str(&run), "polder/both"];
    let said = home.succeed(&args);
    let commit = home.server.store().repo("polder/both").head("main").unwrap();
    assert_eq!(said, format!("{}/polder/both at commit {commit}\n", home.server.endpoint()));
    let out = home.with(&args, &[]);
    assert!(text(&out.stderr).contains("sent: nothing"), "{}", text(&out.stderr));
    assert_eq!(home.server.store().repo("polder/both").head("main").unwrap(), commit);

    let own = score(&home.succeed(&["eval", "--model", str(&run), "--json", "--quiet"]));
    let args = ["eval", "--model", "hf://polder/both", "--task", "sst2", "--data", "data", "--json", "--quiet"];
    assert_eq!(score(&home.succeed(&args)), own);
    let paths = home.server.store().repo("polder/both").paths("main");
    assert!(paths.contains(&"model.safetensors".to_owned()) && paths.contains(&"tokenizer.json".to_owned()));
    assert!(!paths.contains(&"polder.json".to_owned()) && !paths.contains(&"metrics.jsonl".to_owned()));
    home.succeed(&["replay", "hf://polder/both", "--out", "again"]);
    assert_eq!(weights(&home.path("again")), weights(&run.join("best")));

    let other = home.train("hf://o/base", "other");
    home.succeed(&["publish", str(&other), "polder/both", "--license", "mit", "--overwrite", "--what", "full"]);
    let said = home.fail(&["publish", str(&run), "polder/both"], &[]);
    assert!(
        said.contains("`polder/both` holds other versions of `README.md`") && said.contains("hint: `--overwrite`"),
        "{said}"
    );
}

#[test]
fn a_local_base_is_named_on_the_hub_and_compared() {
    let home = Home::new();
    let run = home.train(str(&home.path("model")), "run");
    let args = ["publish", str(&run), "polder/t", "--what", "trajectory"];
    let said = home.fail(&args, &[]);
    assert!(said.contains("nobody else has") && said.contains("hint: say with --base"), "{said}");
    home.server.store().repo("o/other").put("main", "config.json", b"{}", false);
    let said = home.fail(&[&args[..], &["--base", "hf://o/other"]].concat(), &[]);
    assert!(said.contains("`o/other` has no"), "{said}");
    home.succeed(&[&args[..], &["--base", "hf://o/base"]].concat());
    fs::remove_dir_all(home.path("model")).unwrap();
    home.succeed(&["replay", "hf://polder/t", "--out", "rebuilt"]);
    assert_eq!(weights(&home.path("rebuilt")), weights(&run.join("best")));
    // A base that is gone is asked for by name.
    let said = home.fail(&["replay", str(&run), "--out", "other"], &[]);
    assert!(said.contains("which is not here") && said.contains("--base"), "{said}");
    home.succeed(&["replay", str(&run), "--out", "other", "--base", "hf://o/base"]);
    assert_eq!(weights(&home.path("other")), weights(&run.join("final")));
    // The wrong one is refused.
    let said = home.fail(&["replay", str(&run), "--out", "wrong", "--base", "rebuilt"], &[]);
    assert!(said.contains("not the ones that the trajectory starts from"), "{said}");
}

#[test]
fn a_dry_run_needs_no_network_and_no_token() {
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    home.server.forget();
    let nothing = [("HF_TOKEN", ""), ("HF_ENDPOINT", "http://127.0.0.1:9"), ("HF_HUB_OFFLINE", "1")];
    let out = home.with(&["publish", str(&run), "polder/new", "--dry-run"], &nothing);
    let said = text(&out.stdout);
    assert!(out.status.success(), "{}", text(&out.stderr));
    for words in [
        "polder/new on branch main",
        "model.safetensors",
        "trajectory",
        "in all",
        "library_name: transformers",
        "majority",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(home.server.seen(), []);
    let said = home.fail(&["publish", str(&run), "polder/new"], &nothing);
    assert!(said.contains("offline"), "{said}");
    let said = home.fail(&["publish", str(&run), "polder"], &[]);
    assert!(said.contains("hint: ") || said.contains("namespace"), "{said}");
    let said = home.fail(&["publish", "nowhere", "polder/new"], &[]);
    assert!(said.contains("`nowhere` can't be published: it holds no run"), "{said}");
    for name in ["a/b/c", "a b/c"] {
        let said = home.fail(&["publish", str(&run), name, "--dry-run"], &[]);
        assert!(said.contains("hint: "), "{name}: {said}");
    }
    let out = home.succeed(&["publish", str(&run), "polder/new", "--dry-run", "--license", "mit # \n: x"]);
    assert!(out.contains("license: \"mit # \\n: x\""), "{out}");
    // Weights that are not those of the run do not go.
    let file = run.join(if run.join("best").exists() { "best" } else { "final" }).join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let said = home.fail(&["publish", str(&run), "polder/new", "--dry-run"], &[]);
    assert!(said.contains("does not hold the weights that step") && said.contains("hint: "), "{said}");
    fs::remove_file(&file).unwrap();
    let said = home.fail(&["publish", str(&run), "polder/new", "--dry-run"], &[]);
    assert!(said.contains("can't be read: ") && said.contains("hint: "), "{said}");
    home.succeed(&["publish", str(&run), "polder/new", "--dry-run", "--what", "trajectory", "--base", "hf://o/base"]);
}

#[test]
fn a_card_says_whose_scores_they_are() {
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    let other = home.path("other");
    home.succeed(&["replay", str(&run), "--out", str(&other), "--steps", "1", "--quiet"]);
    let eval = |model: &str, dtype: &str, file: &str| {
        let args = ["eval", "--model", model, "--task", "sst2", "--data", "data", "--limit", "7", "--json", "--quiet"];
        let out = home.succeed(&[&args[..], &["--dtype", dtype]].concat());
        fs::write(run.join(file), &out).unwrap();
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let listed = || {
        let out = home.with(&["publish", str(&run), "polder/new", "--dry-run"], &[]);
        assert!(out.status.success(), "{}", text(&out.stderr));
        let lines = text(&out.stdout);
        let lines = lines.lines().filter(|line| line.contains("| 7 validation |")).map(str::to_owned);
        (lines.collect::<Vec<_>>(), text(&out.stderr))
    };
    let base = eval("hf://o/base", "f32", "eval-base.json");
    let own = eval(str(&run), "f32", "eval-own.json");
    assert_eq!(base["weights"].as_str().unwrap().len(), 64);
    assert_ne!(base["weights"], own["weights"]);
    let (lines, said) = listed();
    assert!(lines.len() == 2 && lines[0].contains("| base |") && lines[1].contains("| these |"), "{lines:?}");
    assert!(!said.contains("left out"), "{said}");
    // Neither the published weights nor the base's; and the run's own in another type, known by their place.
    eval(str(&other), "f32", "eval-base.json");
    eval(str(&run), "bf16", "eval-own.json");
    let (lines, said) = listed();
    assert!(lines.len() == 1 && lines[0].contains("| these |"), "{lines:?}");
    assert!(said.contains("`eval-base.json` holds a score on sst2 of weights that are neither"), "{said}");
}

#[test]
fn what_goes_wrong_names_the_repository_and_the_remedy() {
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    let publish = ["publish", str(&run), "polder/x"];
    for (token, words) in [("", "needs a token"), (READER, "write access"), ("xyz_wrong", "does not accept the token")]
    {
        let said = home.fail(&publish, &[("HF_TOKEN", token)]);
        assert!(said.contains(words) && said.contains("hint: ") && !said.contains("xyz_wrong"), "{said}");
    }
    let eval = |model: &str| {
        vec![
            "eval".to_owned(),
            "--model".to_owned(),
            model.to_owned(),
            "--task".to_owned(),
            "sst2".to_owned(),
            "--data".to_owned(),
            "data".to_owned(),
        ]
    };
    for (model, words) in [
        ("hf://o/none", "no repository `o/none`"),
        ("hf://o/base@v7", "`o/base` has no revision `v7`"),
        ("hf://o/base/x.gguf", "`x.gguf`"),
        ("hf://datasets/o/films", "a model is wanted"),
        ("hf://o", "`o`"),
        ("hf://o/b/../c", "no address on the Hub"),
    ] {
        let args = eval(model);
        let said = home.fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        assert!(said.contains(words) && said.contains("hint: "), "{said}");
    }
    home.server.store().repo("o/gated").gated = true;
    home.server.store().repo("o/gated").put("main", "m.gguf", b"GGUF", true);
    let args = eval("hf://o/gated");
    let said = home.fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[("HF_TOKEN", READER)]);
    assert!(said.contains("`o/gated` is gated") && said.contains("accept its conditions"), "{said}");
    let offline = [("HF_HUB_OFFLINE", "1"), ("HF_HOME", "empty")];
    let args = eval("hf://o/base");
    let said = home.fail(&args.iter().map(String::as_str).collect::<Vec<_>>(), &offline);
    assert!(said.contains("offline mode is on") && said.contains("HF_HOME"), "{said}");
    home.server.fault(Rule::always(
        "POST /api/models/polder",
        Fault::Answer { status: 403, headers: vec![], body: String::new() },
    ));
    assert!(home.fail(&publish, &[]).contains("does not allow this"));
    let config = home.path("run.toml");
    let said = home.fail(&["plan", str(&config), "--set", "task.data=hf://datasets/o/none"], &[]);
    assert!(said.contains("no repository `datasets/o/none`"), "{said}");
    assert!(Path::new(&home.path("run")).exists());
}

/// Needs POLDER_TEST_PYTHON: a python with torch and transformers.
#[test]
fn transformers_loads_what_is_published() {
    let Some(python) = std::env::var_os("POLDER_TEST_PYTHON") else {
        println!("skipped: POLDER_TEST_PYTHON names no python with transformers");
        return;
    };
    let home = Home::new();
    let run = home.train("hf://o/base", "run");
    home.succeed(&["publish", str(&run), "polder/both"]);
    // As it was rebuilt from the trajectory alone, too.
    home.succeed(&["replay", "hf://polder/both", "--out", "again"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/published.py");
    for folder in [run.join("best"), home.path("again")] {
        let mut command = std::process::Command::new(&python);
        command.arg(&script).args([&home.server.endpoint(), "polder/both"]).arg(&folder);
        command.env("HF_HOME", home.path("python")).env("HF_TOKEN", TOKEN).env("NO_PROXY", "127.0.0.1,localhost");
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", text(&out.stderr));
        let said: Value = serde_json::from_slice(&out.stdout).unwrap();
        // The same code with the same weights: the same bits.
        assert_eq!(said["difference"], 0.0, "{said}");
        assert!(said["largest"].as_f64().unwrap() > 0.01 && said["tokens"] == true, "{said}");
    }
}
