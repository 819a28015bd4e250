use std::fs;

use serde_json::json;

use super::*;

/// A run folder with these lines and this plan.
fn folder(lines: &str, plan: &Value) -> tempfile::TempDir {
    let run = tempfile::tempdir().unwrap();
    fs::write(run.path().join("metrics.jsonl"), lines).unwrap();
    fs::write(run.path().join("plan.json"), plan.to_string()).unwrap();
    run
}

fn drawn_of(run: &Path) -> String {
    fs::read_to_string(write(run).unwrap()).unwrap()
}

fn steps(forwards: bool) -> String {
    let line = |step: u64| {
        let mut line = json!({
            "kind": "step", "step": step, "total": 400, "loss": 1.0 / step as f64, "projected": [3.0, -4.0], "lr": 1e-4,
            "tilt": {"t": 2.0, "effective": 1.5, "loss": 1.1}, "seconds": 0.5, "tokens": 1000, "memory": 1 << 30,
        });
        if forwards {
            line["forwards"] = json!(4 * step);
        }
        format!("{line}\n")
    };
    (1..=300).map(line).collect()
}

fn score(split: &str, step: u64, score: f64) -> String {
    let line = json!({
        "kind": "evaluated", "step": step, "split": split, "metric": "accuracy", "score": score, "majority": 0.55,
        "interval": [score - 0.05, score + 0.05], "loss": 0.4, "n": 1500, "seconds": 2.0, "forwards": 4 * step,
        "best": split == "dev",
    });
    format!("{line}\n")
}

fn plan() -> Value {
    json!({
        "seed": 7, "steps": 400, "model": {"path": "/models/<m>", "dtype": "bf16"}, "task": {"name": "sst2", "train": 1000},
        "estimator": {"zest": {"eps": 1e-3, "t": 1.5}}, "optimizer": {"sgd": {"lr": 1e-4}},
        "schedule": {"constant": {"warmup": 0}}, "eval": {"every": 40},
        "facts": {"polder": "0.0.9", "model": {"model_type": "opt", "parameters": 2_500_000, "trainable": 2_500_000},
                  "data": {"task": "sst2", "fingerprint": "f1f2", "batch": 16}, "notes": ["It fell back to <train>."]},
    })
}

#[test]
fn a_report_shows_curves_scores_and_their_origin() {
    let trace = json!({"kind": "trace", "step": 100, "forwards": 400, "trace": 50.0, "error": 5.0, "edge": 2e4});
    let lines = steps(true) + &score("dev", 100, 0.7) + &score("<b>", 300, 0.75) + &score("final", 300, 0.8);
    let run = folder(&format!("{lines}{trace}\n{{\"kind\":\"step\",\"loss\""), &plan());
    let page = drawn_of(run.path());
    for title in [
        "Training loss",
        "Task score",
        "Projected gradient",
        "Effective number of directions",
        "Tilt",
        "Trace of the Hessian",
        "Learning rate",
        "Time of a step",
        "Speed",
        "Memory",
    ] {
        assert!(page.contains(&format!("font-weight=\"bold\">{title}</text>")), "{title}");
    }
    // The final score with its interval and the majority beside it.
    assert!(page.contains("<b>80.0 %</b><small>95 %: 75.0 to 85.0 % · majority 55.0 % · 1,500 rows</small>"), "{page}");
    assert!(page.contains("<b>300</b><small>of 400; not ended</small>"));
    assert!(page.contains("<b>1,200</b><small>each over a batch of 16, evaluations included</small>"));
    assert!(page.contains("<b>2 min 36 s</b>") && page.contains("<b>1 GiB</b><small>at the highest, measured"));
    assert!(page.contains("<b>2.5 M</b><small>opt · bf16 · all trained"));
    assert!(page.contains("0.0.9") && page.contains("f1f2") && page.contains("1 unreadable lines left out"));
    assert!(page.contains("It fell back to &lt;train&gt;.") && page.contains("/models/&lt;m&gt;"));
    assert!(page.contains("&lt;b&gt;") && !page.contains("<m>") && !page.contains("<td><b>"), "text is escaped");
    assert!(
        !page.contains("NaN") && !page.contains("<script") && !page.contains("http://") && !page.contains("https://")
    );
}

#[test]
fn settings_stand_beside_their_defaults() {
    let run = folder("", &plan());
    let page = drawn_of(run.path());
    let row = |key: &str| {
        let line = page.lines().find(|line| line.contains(&format!("<code>{key}</code>")));
        line.unwrap_or_else(|| panic!("{key}: {page}")).to_owned()
    };
    let other = |key: &str, default: &str| {
        let row = row(key);
        assert!(row.starts_with("<tr class=\"other\">") && row.contains(&format!(">{default}<")), "{row}");
    };
    other("seed", "0");
    other("steps", "2000");
    other("optimizer.sgd.lr", "1e-6");
    other("estimator.zest.t", "1.0");
    assert!(row("model.path").starts_with("<tr><td>"), "it has no default");
    for same in ["estimator.zest.eps", "task.train", "eval.every", "model.dtype"] {
        assert!(row(same).starts_with("<tr>") && row(same).contains(">same<"), "{}", row(same));
    }
    assert!(row("seed").contains("seed of directions, minibatches and rounding"));
}

#[test]
fn files_without_forward_passes_are_drawn_against_steps() {
    let (with, without) = (folder(&steps(true), &plan()), folder(&steps(false), &plan()));
    assert!(drawn_of(with.path()).contains(">forward passes of a batch<"));
    let page = drawn_of(without.path());
    assert!(page.contains(">steps</text>") && !page.contains(">forward passes of a batch<"));
    let both = without.path().join("both.html");
    write_to(&[with.path(), without.path()], &both).unwrap();
    assert!(!fs::read_to_string(both).unwrap().contains(">forward passes of a batch<"), "the axis that both have");
}

#[test]
fn runs_that_have_not_begun_or_lost_their_end_have_a_page_too() {
    let run = tempfile::tempdir().unwrap();
    assert!(write(run.path()).is_err(), "no run");
    fs::write(run.path().join("metrics.jsonl"), "").unwrap();
    let page = drawn_of(run.path());
    assert!(page.contains("</html>") && page.contains("no data") && page.contains("not evaluated yet"));
    fs::remove_file(run.path().join("metrics.jsonl")).unwrap();
    fs::write(run.path().join("plan.json"), plan().to_string()).unwrap();
    assert!(drawn_of(run.path()).contains("seed"), "a plan alone");
    let odd = b"\xff\xfe{\n[1, 2]\n\"text\"\nnull\n{\"kind\":\"step\"}\n".to_vec();
    let torn = [odd, steps(true).into_bytes(), b"{\"ki\xc3".to_vec()];
    fs::write(run.path().join("metrics.jsonl"), torn.concat()).unwrap();
    fs::write(run.path().join("plan.json"), "[\"no plan\"").unwrap();
    let page = drawn_of(run.path());
    assert!(page.contains("2 unreadable lines left out") && page.contains("301 steps") && !page.contains("NaN"));
}

#[test]
fn several_runs_share_charts_and_a_table_of_differences() {
    let (root, mut other) = (tempfile::tempdir().unwrap(), plan());
    other["optimizer"]["sgd"]["lr"] = json!(3e-4);
    other["clip"] = json!(0.5);
    let mut runs = Vec::new();
    for (name, plan, last) in [("a/one", plan(), 0.7), ("a/two", other, 0.8), ("b/one", plan(), 0.9)] {
        let run = root.path().join(name);
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("metrics.jsonl"), steps(true) + &score("dev", 100, 0.6) + &score("final", 300, last))
            .unwrap();
        fs::write(run.join("plan.json"), plan.to_string()).unwrap();
        runs.push(run);
    }
    let out = root.path().join("all.html");
    write_to(&runs, &out).unwrap();
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("<h1>3 runs</h1>") && page.contains("70.0 %") && page.contains("80.0 %"));
    for name in ["a/one", "two", "b/one"] {
        // In the legend of the loss, and in the table.
        assert!(page.contains(&format!(">{name}</text>")) && page.contains(&format!("</span>{name}</td>")), "{name}");
    }
    let row = |key: &str| page.lines().find(|line| line.contains(&format!("<code>{key}</code>")));
    assert!(row("optimizer.sgd.lr").unwrap().contains(">1e-4</td><td class=\"v\">3e-4</td>"));
    assert!(row("clip").unwrap().contains(">–</td><td class=\"v\">0.5</td>") && row("seed").is_none());
    let same = root.path().join("same.html");
    write_to(&[&runs[0], &runs[2]], &same).unwrap();
    assert!(fs::read_to_string(&same).unwrap().contains("The same in all runs."));
    assert!(write_to(&[&runs[0], &root.path().join("gone")], &same).is_err());
}
