//! The card's text.

use serde_json::Value;

use super::About;
use super::facts::{Facts, Score};

/// The text below the header.
pub(super) fn text(facts: &Facts, about: &About<'_>) -> String {
    let name = about.id.rsplit('/').next().unwrap_or(about.id);
    let task = facts.text("/facts/data/task").unwrap_or("a task");
    let base = shown(about.base);
    let mut parts = vec![
        format!("# {name}"),
        format!(
            "{base}, fine-tuned on `{task}` with forward passes only (polder {}): the loss is read at θ + λu and θ − λu for \
             random directions u, and the weights step along u. No gradient was computed.",
            facts.header.polder
        ),
    ];
    if about.what == super::What::Trajectory {
        parts.push(format!(
            "This repository holds no weights. It holds the trajectory, {} bytes, from which the weights are rebuilt bit \
             for bit on top of the base.",
            about.trajectory_bytes
        ));
    }
    parts.extend(scores(facts));
    parts.push(training(facts));
    if about.what.has_weights() {
        parts.push(loading(about));
    }
    if about.what.has_trajectory() {
        parts.push(rebuilding(facts, about));
    }
    parts.push(
        "## Limits\n\nThe scores are those of one run on the rows named above; the interval covers the choice of rows, not of \
         the seed. What holds for the base model, its licence and its biases included, holds here."
            .to_owned(),
    );
    parts.join("\n\n") + "\n"
}

fn shown(base: &str) -> String {
    match base.strip_prefix("hf://") {
        Some(rest) => {
            let (id, revision) = rest.split_once('@').unwrap_or((rest, ""));
            let id = id.split('/').take(2).collect::<Vec<_>>().join("/");
            let at = revision.get(..8).map(|short| format!(" (commit `{short}`)")).unwrap_or_default();
            format!("[{id}](https://huggingface.co/{id}){at}")
        }
        None => format!("`{base}`"),
    }
}

fn scores(facts: &Facts) -> Option<String> {
    if facts.scores.is_empty() {
        return None;
    }
    let mut table = vec![
        "## Scores".to_owned(),
        String::new(),
        "| weights | task | rows | metric | score (95 % interval) | majority | loss |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    table.extend(facts.scores.iter().map(row));
    Some(table.join("\n"))
}

fn row(score: &Score) -> String {
    let share = |x: f64| if score.metric == "loss" { format!("{x:.4}") } else { format!("{:.1} %", 100.0 * x) };
    let bare = |x: f64| share(x).trim_end_matches(" %").to_owned();
    let interval = score.interval.map(|(low, high)| format!(" ({} to {})", bare(low), bare(high))).unwrap_or_default();
    format!(
        "| {} | {} | {} {} | {} | {}{interval} | {} | {} |",
        if score.base { "base" } else { "these" },
        cell(&score.task),
        score.rows,
        cell(&score.split),
        cell(&score.metric),
        share(score.value),
        score.majority.map_or_else(|| "–".to_owned(), share),
        score.loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.4}")),
    )
}

/// A text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn training(facts: &Facts) -> String {
    let header = &facts.header;
    let plan = |pointer: &str| facts.plan.pointer(pointer).map_or_else(|| "–".to_owned(), said);
    let mut lines = vec![
        "## How it was trained".to_owned(),
        String::new(),
        "| | |".to_owned(),
        "| --- | --- |".to_owned(),
        line("steps", &of(facts.step, facts.steps)),
        line("batch", &plan("/facts/data/batch")),
        line(
            "training rows",
            &format!("{} ({} to choose the weights)", plan("/facts/data/train"), plan("/facts/data/dev")),
        ),
        line("estimator", &format!("{} {}", header.estimator.name, settings(&header.estimator.settings))),
        line("optimiser", &format!("{} {}", header.optimizer.name, settings(&header.optimizer.settings))),
        line("schedule", &settings(&header.schedule)),
        line("directions", &format!("{}, version {}", header.law, header.directions)),
        line("weights held as", &format!("{}, {} of them trained", header.dtype, header.trainable_elements)),
        line("rounding, arithmetic", &format!("{}, {}", header.rounding, header.arithmetic)),
        line("seed", &header.seed.to_string()),
        line(
            "forward passes of a batch",
            &format!("{} in training, {} in evaluations", facts.forwards, facts.evaluation_forwards),
        ),
    ];
    if facts.plan.pointer("/task/shots").is_some() {
        lines.push(line("demonstrations in front of every prompt", &plan("/task/shots")));
    }
    if let Some(memory) = memory(facts) {
        lines.push(line("memory, as planned", &memory));
    }
    if let Some(seconds) = facts.seconds {
        lines.push(line("time of the steps", &format!("{seconds:.0} s")));
    }
    lines.push(String::new());
    lines.push("`plan.json` has every setting.".to_owned());
    lines.join("\n")
}

fn line(name: &str, value: &str) -> String {
    format!("| {name} | {} |", cell(value))
}

fn of(step: u64, steps: u64) -> String {
    if step == steps {
        step.to_string()
    } else {
        format!("{step} of {steps}, those with the best score on the dev rows")
    }
}

fn memory(facts: &Facts) -> Option<String> {
    let mega = |key: &str| facts.number(&format!("/facts/cost/memory/{key}")).map(|bytes| bytes as f64 / 1e6);
    let weights = mega("weights")?;
    let state = mega("state").unwrap_or_default();
    let rest = mega("activations").unwrap_or_default() + mega("scratch").unwrap_or_default();
    Some(format!("{weights:.0} MB of weights, {state:.0} MB of optimiser state, {rest:.0} MB beside them"))
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Settings in one line: `eps 0.001, directions 1`.
fn settings(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let shown = map.iter().filter(|(_, value)| !value.is_null());
            shown.map(|(key, value)| format!("{key} {}", said(value))).collect::<Vec<_>>().join(", ")
        }
        other => said(other),
    }
}

fn loading(about: &About<'_>) -> String {
    format!(
        "## Load it\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\
         model = AutoModelForCausalLM.from_pretrained(\"{id}\")\ntokenizer = AutoTokenizer.from_pretrained(\"{id}\")\n```",
        id = about.id
    )
}

fn rebuilding(facts: &Facts, about: &About<'_>) -> String {
    let from_hub = about.base.starts_with("hf://");
    let base = if from_hub { String::new() } else { " --base BASE".to_owned() };
    let what = if from_hub {
        format!("The base, `{}`, is fetched.", about.base)
    } else {
        format!("BASE is a folder or GGUF file with the weights of `{}`.", about.base)
    };
    let evaluate = if about.what.has_weights() { "" } else { "polder eval --model hf://ID --task TASK --data DATA\n" };
    let task = facts.text("/facts/data/task").unwrap_or("TASK");
    let commands =
        format!("polder replay hf://ID{base} --out rebuilt\n{evaluate}").replace("ID", about.id).replace("TASK", task);
    format!(
        "## Rebuild it\n\n```sh\n{commands}```\n\n{what} Its weights must have the hash `{}` (BLAKE3, as {}); the rebuilt \
         ones are compared with the hash in the trajectory or in `plan.json`. It takes memory for one copy of the weights \
         and no forward pass.",
        facts.header.base, facts.header.dtype
    )
}
