//! Types, ranges and defaults: from keys as written to a [`Config`].

use std::path::PathBuf;

use polder_models::StorageType;
use polder_optim::{ESTIMATORS, OPTIMIZERS, SettingHelp, SettingKind};
use polder_tasks::{LossKind, Split};
use serde_json::{Map, Value};

use super::Result;
use super::error::ConfigError;
use super::method::{AUTO, Auto, Constant, Cosine, Estimator, Law, Linear, Optimizer, Rate, Schedule, Trace};
use super::source::{Source, is_task_file};
use super::types::{
    Arithmetic, Batch, Config, EvalConfig, ModelConfig, OptionSource, Probe, Rounding, Save, TaskConfig,
};
use crate::device::{NAMES, Wanted};

/// Bounds that no sensible run reaches; they keep later products far from overflow.
/// The most demonstrations, as `polder eval --shots`.
const MOST_SHOTS: u64 = 1024;
const MANY: u64 = 1 << 32;
const MOST_STEPS: u64 = 1_000_000_000;
const MOST_THREADS: u64 = 1024;
const MOST_PROBES: u64 = 1 << 20;
const MOST_POINTS: u64 = 1024;
const LONGEST: u64 = 1 << 20;
/// TOML's whole numbers are signed.
const HIGHEST_SEED: u64 = i64::MAX as u64;

pub(super) fn config(s: &Source) -> Result<Config> {
    let steps = s.integer("steps", 0, MOST_STEPS)?.unwrap_or(2000);
    let eval = eval(s, steps)?;
    let (estimator, optimizer) = (estimator(s)?, optimizer(s)?);
    Ok(Config {
        seed: s.integer("seed", 0, HIGHEST_SEED)?.unwrap_or(0),
        steps,
        batch: batch(s)?,
        device: device(s)?,
        offload: s.truth("offload")?.unwrap_or(false),
        threads: s.count("threads", 1, MOST_THREADS)?,
        micro_batch: s.count("micro_batch", 1, MANY)?,
        points_a_pass: s.count("points_a_pass", 1, MOST_POINTS)?.unwrap_or(2),
        materialise: materialise(s)?,
        max_length: s.count("max_length", 8, LONGEST)?,
        probe: s.word("probe", &[("read", Probe::Read), ("in-place", Probe::InPlace)])?.unwrap_or(Probe::Read),
        arithmetic: arithmetic(s)?,
        rounding: s
            .word("rounding", &[("stochastic", Rounding::Stochastic), ("nearest", Rounding::Nearest)])?
            .unwrap_or(Rounding::Stochastic),
        trainable: trainable(s)?,
        clip: s.number("clip", "a finite number above 0", |x| x > 0.0)?,
        save: Save { every: s.integer("save.every", 1, MOST_STEPS)?.unwrap_or(eval.every) },
        model: model(s)?,
        task: task(s)?,
        trace: trace(s, &estimator)?,
        estimator,
        auto: auto(s, optimizer.lr)?,
        optimizer,
        schedule: schedule(s, steps)?,
        eval,
    })
}

/// The arithmetic; a probe in place would be rounded to the nearest by any but f32, which loses most of a direction.
fn arithmetic(s: &Source) -> Result<Arithmetic> {
    let words = [("f32", Arithmetic::F32), ("bf16", Arithmetic::Bf16), ("tf32", Arithmetic::Tf32)];
    let found = s.word("arithmetic", &words)?.unwrap_or(Arithmetic::F32);
    let in_place = s.word("probe", &[("read", false), ("in-place", true)])?.unwrap_or(false);
    if in_place && found != Arithmetic::F32 {
        return Err(s.refuse("arithmetic", "\"f32\" where `probe` is \"in-place\""));
    }
    Ok(found)
}

/// Whether weights are made whole; in another arithmetic than f32 their bits would be others than at the point.
fn materialise(s: &Source) -> Result<Option<bool>> {
    let said = match s.values.get("materialise") {
        Some((toml::Value::String(word), _)) if word == "auto" => None,
        Some((toml::Value::Boolean(_), _)) => s.truth("materialise")?,
        Some(_) => return Err(s.refuse("materialise", "true, false or \"auto\"")),
        None => None,
    };
    let arithmetic = arithmetic(s)?;
    if said == Some(true) && arithmetic != Arithmetic::F32 {
        let allowed = format!("false or \"auto\" where `arithmetic` is \"{}\"", arithmetic.name());
        return Err(s.refuse("materialise", &allowed));
    }
    Ok(said)
}

fn batch(s: &Source) -> Result<Batch> {
    match s.values.get("batch") {
        None => Ok(Batch::Count(16)),
        Some((toml::Value::String(word), _)) if word == "full" => Ok(Batch::Full),
        Some((toml::Value::Integer(_), _)) => Ok(Batch::Count(s.count("batch", 1, MANY)?.unwrap_or(16))),
        Some(_) => Err(s.refuse("batch", &format!("1 to {MANY} or \"full\""))),
    }
}

/// Only the name is read here: which devices there are is asked when a plan is made.
fn device(s: &Source) -> Result<Wanted> {
    match s.text("device")? {
        None => Ok(Wanted::Auto),
        Some(name) => name.parse().map_err(|_| s.refuse("device", NAMES)),
    }
}

fn trainable(s: &Source) -> Result<Vec<String>> {
    match s.values.get("trainable") {
        None => Ok(vec!["all".to_owned()]),
        Some((toml::Value::String(_), _)) => Ok(s.text("trainable")?.into_iter().collect()),
        Some(_) => Ok(s.texts("trainable")?.unwrap_or_default()),
    }
}

fn model(s: &Source) -> Result<ModelConfig> {
    let dtypes = StorageType::ALL.map(|t| (t.name(), t));
    let dtype = s.word("model.dtype", &dtypes)?.unwrap_or_default();
    let remedy = "give a Hugging Face folder, a GGUF file, a run folder or hf://owner/name: [model] path = \"…\" or --set model.path=…";
    let path = s.path("model.path")?.ok_or(ConfigError::Missing { key: "model.path", remedy })?;
    Ok(ModelConfig { path, dtype })
}

fn task(s: &Source) -> Result<TaskConfig> {
    let (name, file) = task_source(s)?;
    let task = TaskConfig {
        spec: None,
        name,
        file,
        data: s.path("task.data")?,
        train: s.count("task.train", 1, MANY)?.unwrap_or(1000),
        dev: s.count("task.dev", 0, MANY)?.unwrap_or(500),
        seed: s.integer("task.seed", 0, HIGHEST_SEED)?.unwrap_or(0),
        per_class: s.count("task.per_class", 1, MANY)?,
        noise: s.number("task.noise", "0 to 1", |x| (0.0..=1.0).contains(&x))?.filter(|share| *share > 0.0),
        shots: s.count("task.shots", 0, MOST_SHOTS)?.unwrap_or(0) as u16,
        shots_seed: s.integer("task.shots_seed", 0, HIGHEST_SEED)?.unwrap_or(0),
        prompt: s.text("task.prompt")?,
        options: options(s, "task.options")?,
        target: s.text("task.target")?,
        label: s.text("task.label")?,
        labels: options(s, "task.labels")?,
        joint: s.any_text("task.joint")?,
        loss: s.word("task.loss", &LossKind::ALL)?,
        bos: s.truth("task.bos")?,
    };
    if task.name.is_none() && task.file.is_none() && task.prompt.is_none() {
        let remedy =
            "name a built-in task (sst2, copa, arc-easy), a task file, or give your own prompt, options and target";
        return Err(ConfigError::Missing { key: "task.name", remedy });
    }
    Ok(task)
}

/// The task's name and its file. A name that is a file's stands for the file, unless `task.file` names another.
fn task_source(s: &Source) -> Result<(Option<String>, Option<PathBuf>)> {
    let file = s.path("task.file")?;
    Ok(match s.text("task.name")? {
        Some(name) if is_task_file(&name) => (None, file.or_else(|| Some(PathBuf::from(name)))),
        name => (name, file),
    })
}

fn options(s: &Source, key: &str) -> Result<Option<OptionSource>> {
    match s.values.get(key) {
        Some((toml::Value::String(_), _)) => Ok(s.text(key)?.map(OptionSource::Column)),
        _ => Ok(s.texts(key)?.map(OptionSource::Texts)),
    }
}

fn variant<'a>(s: &'a Source, table: &str, default: &'a str) -> &'a str {
    s.variants.get(table).map_or(default, |(name, _)| name)
}

fn estimator(s: &Source) -> Result<Estimator> {
    let laws = [("gaussian", Law::Gaussian), ("rademacher", Law::Rademacher)];
    let name = variant(s, "estimator", "two-point");
    let entry = ESTIMATORS.iter().find(|entry| entry.name == name);
    let table = format!("estimator.{name}");
    let mut given = settings(s, &table, entry.map_or(&[], |entry| entry.settings))?;
    if let Some(clip) = s.number("clip", "a finite number above 0", |x| x > 0.0)? {
        given.insert("clip".to_owned(), clip.into());
    }
    let made = polder_optim::estimator_from(name, &given.into()).map_err(|error| refused(s, &table, error))?;
    let mut settings = whole(made.settings());
    settings.remove("clip");
    let in_place = s.word("probe", &[("read", false), ("in-place", true)])?.unwrap_or(false);
    if in_place && made.needs_lengths() {
        // The moves of a probe in place are repeated by replays from the seeds alone.
        return Err(s.refuse(&format!("{table}.scaling"), "\"plain\" where `probe` is \"in-place\""));
    }
    let law = s.word(&format!("{table}.law"), &laws)?.unwrap_or(Law::Gaussian);
    Ok(Estimator { name: name.to_owned(), settings, law })
}

fn optimizer(s: &Source) -> Result<Optimizer> {
    let name = variant(s, "optimizer", "sgd");
    let entry = OPTIMIZERS.iter().find(|entry| entry.name == name);
    let table = format!("optimizer.{name}");
    let measured = matches!(s.values.get(&format!("{table}.lr")), Some((toml::Value::String(word), _)) if word == AUTO);
    let known = entry.map_or(&[][..], |entry| entry.settings);
    let read: Vec<SettingHelp> = known.iter().copied().filter(|help| !(measured && help.key == "lr")).collect();
    let given = settings(s, &table, &read)?;
    let made = polder_optim::optimizer_from(name, &given.into()).map_err(|error| refused(s, &table, error))?;
    let mut settings = whole(made.settings());
    settings.remove("lr");
    let lr = if measured { Rate::Auto } else { Rate::Fixed(made.learning_rate()) };
    Ok(Optimizer { name: name.to_owned(), settings, lr })
}

/// The settings of a registry's entry that the source gives, checked by type.
fn settings(s: &Source, table: &str, known: &[SettingHelp]) -> Result<Map<String, Value>> {
    let mut given = Map::new();
    for SettingHelp { key, kind, .. } in known {
        let name = format!("{table}.{key}");
        let value: Option<Value> = match kind {
            SettingKind::Number => s.number(&name, "a finite number", |_| true)?.map(Value::from),
            SettingKind::Count => s.integer(&name, 0, MANY)?.map(Value::from),
            SettingKind::Truth => s.truth(&name)?.map(Value::from),
            SettingKind::Word(words) => {
                let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
                s.word(&name, &words)?.map(Value::from)
            }
        };
        given.extend(value.map(|value| ((*key).to_owned(), value)));
    }
    Ok(given)
}

/// The settings of a thing that was made: all of them.
fn whole(settings: Value) -> Map<String, Value> {
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

/// A registry's refusal, as that of the key.
fn refused(s: &Source, table: &str, error: polder_optim::Error) -> ConfigError {
    match error {
        polder_optim::Error::Setting { name, why, .. } => {
            let key = if name == "clip" { name.to_owned() } else { format!("{table}.{name}") };
            s.refuse(&key, why)
        }
        other => ConfigError::Type { key: table.to_owned(), message: other.to_string(), place: s.place(table) },
    }
}

/// How a learning rate is measured, where it is.
fn auto(s: &Source, lr: Rate) -> Result<Option<Auto>> {
    let share = s.number("auto.share", "above 0, at most 1", |x| x > 0.0 && x <= 1.0)?;
    let probes = s.count("auto.probes", 2, MOST_PROBES)?;
    let precision = s.number("auto.precision", "above 0, at most 1", |x| x > 0.0 && x <= 1.0)?;
    let every = s.integer("auto.every", 0, MOST_STEPS)?.filter(|every| *every > 0);
    Ok((lr == Rate::Auto).then(|| Auto {
        share: share.unwrap_or(Auto::DEFAULT.share),
        probes: probes.unwrap_or(Auto::DEFAULT.probes),
        precision: precision.unwrap_or(Auto::DEFAULT.precision),
        every,
    }))
}

/// Whether the trace is followed; it needs both sides of directions as they are drawn.
fn trace(s: &Source, estimator: &Estimator) -> Result<Option<Trace>> {
    let every = s.integer("trace.every", 0, MOST_STEPS)?.unwrap_or(0);
    let memory = s.number("trace.memory", "above 1", |x| x > 1.0)?.unwrap_or(100.0);
    if every == 0 {
        return Ok(None);
    }
    let is = |key: &str, word: &str| estimator.settings.get(key).and_then(Value::as_str) == Some(word);
    if estimator.name == "one-sided" || is("sides", "one") || is("scaling", "sphere") {
        return Err(s.refuse("trace.every", "0 unless the estimator reads both sides of plain directions"));
    }
    Ok(Some(Trace { every, memory }))
}

fn schedule(s: &Source, steps: u64) -> Result<Schedule> {
    let warmup = |kind: &str| -> Result<u64> {
        let key = format!("schedule.{kind}.warmup");
        Ok(s.integer(&key, 0, steps)?.unwrap_or(0))
    };
    let end = |kind: &str| -> Result<f64> {
        let key = format!("schedule.{kind}.end");
        Ok(s.number(&key, "0 to 1", |x| (0.0..=1.0).contains(&x))?.unwrap_or(0.0))
    };
    Ok(match variant(s, "schedule", "constant") {
        "linear" => Schedule::Linear(Linear { warmup: warmup("linear")?, end: end("linear")? }),
        "cosine" => Schedule::Cosine(Cosine { warmup: warmup("cosine")?, end: end("cosine")? }),
        _ => Schedule::Constant(Constant { warmup: warmup("constant")? }),
    })
}

fn eval(s: &Source, steps: u64) -> Result<EvalConfig> {
    let splits = [("validation", Split::Validation), ("test", Split::Test), ("train", Split::Train)];
    let metrics = ["loss", "accuracy", "macro-f1", "binary-f1", "f1", "exact-match"].map(|m| (m, m));
    Ok(EvalConfig {
        every: s.integer("eval.every", 1, MOST_STEPS)?.unwrap_or_else(|| steps.div_ceil(10).max(1)),
        split: s.word("eval.split", &splits)?.unwrap_or(Split::Validation),
        limit: s.count("eval.limit", 1, MANY)?.unwrap_or(1000),
        metric: s.word("eval.metric", &metrics)?.unwrap_or("loss").to_owned(),
        before: s.truth("eval.before")?.unwrap_or(true),
    })
}
