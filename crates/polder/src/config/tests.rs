//! Tests of reading configurations.

use std::path::Path;

use polder_models::StorageType;
use polder_tasks::Split;
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The configuration of the documentation.
const GOOD: &str = r#"seed = 0
steps = 2000
batch = 16                     # or "full"
device = "cpu"                 # "auto" by default

[model]
path = "SmolLM2-135M-Instruct.Q4_1.gguf"
dtype = "bf16"

[task]
name = "sst2"
data = "data/sst2"
train = 1000
dev = 500

[estimator.two-point]
eps = 1e-3
directions = 1

[optimizer.sgd]
lr = 1e-6

[eval]
every = 200
"#;

fn parse(text: &str, sets: &[&str]) -> Result<Config> {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    Config::parse(text, "a.toml", Path::new("/somewhere/configs"), &sets)
}

fn report(text: &str, sets: &[&str]) -> String {
    let error = parse(text, sets).expect_err("the configuration should be refused");
    error.hint().map_or_else(|| error.to_string(), |hint| format!("{error}\nhint: {hint}"))
}

#[test]
fn the_documented_configuration_reads_with_its_defaults() {
    let config = parse(GOOD, &[]).unwrap();
    assert_eq!(config.model.path, Path::new("/somewhere/configs/SmolLM2-135M-Instruct.Q4_1.gguf"));
    assert_eq!(config.task.data.as_deref(), Some(Path::new("/somewhere/configs/data/sst2")));
    assert_eq!(config.model.dtype, StorageType::Bf16);
    assert_eq!(config.batch, Batch::Count(16));
    let expected = json!({"two-point": {"eps": 1e-3, "directions": 1, "law": "gaussian"}});
    assert_eq!(serde_json::to_value(&config.estimator).unwrap(), expected);
    assert_eq!((config.optimizer.name.as_str(), config.optimizer.lr), ("sgd", Rate::Fixed(1e-6)));
    assert_eq!(serde_json::to_value(&config.optimizer).unwrap(), json!({"sgd": {"lr": 1e-6, "weight_decay": 0.0}}));
    assert_eq!(config.schedule, Schedule::Constant(Constant { warmup: 0 }));
    assert_eq!((config.probe, config.rounding), (Probe::Read, Rounding::Stochastic));
    assert_eq!(config.trainable, ["all"]);
    assert_eq!((config.eval.every, config.eval.limit, config.eval.before), (200, 1000, true));
    assert_eq!(config.save.every, 200, "checkpoints come with evaluations unless asked otherwise");
}

#[test]
fn a_configuration_survives_json_and_flat_names_are_keys() {
    let sets = [
        "batch=full",
        "task.options=[\"no\",\"yes\"]",
        "clip=50",
        "threads=2",
        "schedule.cosine.end=0.1",
        "estimator.zest.t=2",
        "optimizer.adam.lr=auto",
    ];
    let config = parse(GOOD, &sets).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);
    for name in config.flat().keys() {
        assert!(keys().iter().any(|k| k.name == name), "`{name}` is written to plans but is no key");
    }
}

#[test]
fn a_task_name_that_is_a_file_starts_where_paths_do() {
    let named = GOOD.replace("\"sst2\"", "\"tasks/own.toml\"");
    let here =
        std::path::absolute("own.toml").unwrap().canonicalize().unwrap_or(std::path::absolute("own.toml").unwrap());
    for (sets, file) in [
        (&[][..], Some(Path::new("/somewhere/configs/tasks/own.toml"))),
        (&["task.prompt={{ a }}"], Some(Path::new("/somewhere/configs/tasks/own.toml"))),
        (&["task.name=own.toml"], Some(here.as_path())),
        (&["task.name=sst2"], None),
        (&["task.file=own.toml"], Some(here.as_path())),
    ] {
        let config = parse(&named, sets).unwrap();
        assert_eq!(config.task.file.as_deref(), file, "{sets:?}");
        assert_eq!(config.task.name.as_deref(), file.is_none().then_some("sst2"), "{sets:?}");
    }
}

/// A value of every key that differs from its default.
const OTHER: &[(&str, &str)] = &[
    ("seed", "7"),
    ("steps", "7"),
    ("batch", "7"),
    ("device", "auto"),
    ("offload", "true"),
    ("threads", "7"),
    ("micro_batch", "7"),
    ("points_a_pass", "7"),
    ("max_length", "77"),
    ("probe", "in-place"),
    ("arithmetic", "bf16"),
    ("rounding", "nearest"),
    ("materialise", "false"),
    ("trainable", "[\"*.q_proj.*\"]"),
    ("clip", "7"),
    ("save.every", "7"),
    ("model.path", "m"),
    ("model.dtype", "f16"),
    ("task.name", "copa"),
    ("task.file", "t.toml"),
    ("task.data", "d"),
    ("task.train", "7"),
    ("task.dev", "7"),
    ("task.seed", "7"),
    ("task.per_class", "7"),
    ("task.noise", "0.25"),
    ("task.shots", "8"),
    ("task.shots_seed", "3"),
    ("task.prompt", "{{ a }}"),
    ("task.options", "choices"),
    ("task.target", "answer"),
    ("task.label", "answer"),
    ("task.labels", "[\"a\"]"),
    ("task.joint", ""),
    ("task.loss", "target"),
    ("task.bos", "false"),
    ("estimator.two-point.eps", "0.5"),
    ("estimator.two-point.directions", "7"),
    ("estimator.two-point.law", "rademacher"),
    ("estimator.two-point.scaling", "sphere"),
    ("estimator.one-sided.eps", "0.5"),
    ("estimator.one-sided.directions", "7"),
    ("estimator.one-sided.normalize", "true"),
    ("estimator.one-sided.scaling", "sphere"),
    ("estimator.one-sided.law", "rademacher"),
    ("estimator.zest.eps", "0.5"),
    ("estimator.zest.t", "7"),
    ("estimator.zest.directions", "7"),
    ("estimator.zest.sides", "one"),
    ("estimator.zest.correction", "delta"),
    ("estimator.zest.ramp", "up"),
    ("estimator.zest.scaling", "sphere"),
    ("estimator.zest.law", "rademacher"),
    ("optimizer.sgd.lr", "7"),
    ("optimizer.sgd.weight_decay", "7"),
    ("optimizer.momentum.lr", "7"),
    ("optimizer.momentum.beta", "0.5"),
    ("optimizer.momentum.weight_decay", "7"),
    ("optimizer.momentum.state", "bf16"),
    ("optimizer.momentum.window", "7"),
    ("optimizer.adam.lr", "7"),
    ("optimizer.adam.beta1", "0.5"),
    ("optimizer.adam.beta2", "0.5"),
    ("optimizer.adam.eps", "0.5"),
    ("optimizer.adam.weight_decay", "7"),
    ("optimizer.adam.state", "bf16"),
    ("optimizer.sign.lr", "7"),
    ("optimizer.sign.weight_decay", "7"),
    ("auto.share", "0.25"),
    ("auto.probes", "7"),
    ("auto.precision", "0.25"),
    ("auto.every", "7"),
    ("trace.every", "7"),
    ("trace.memory", "7"),
    ("schedule.constant.warmup", "7"),
    ("schedule.linear.warmup", "7"),
    ("schedule.linear.end", "0.5"),
    ("schedule.cosine.warmup", "7"),
    ("schedule.cosine.end", "0.5"),
    ("eval.every", "7"),
    ("eval.split", "test"),
    ("eval.limit", "7"),
    ("eval.metric", "accuracy"),
    ("eval.before", "false"),
];

#[test]
fn every_key_is_read() {
    let base = "[model]\npath = \"m0\"\n[task]\nname = \"sst2\"\n";
    for key in keys() {
        // How something is measured is read where it is.
        let lr = match key.name.split_once('.') {
            Some(("auto", _)) => "optimizer.sgd.lr=auto",
            Some(("trace", "memory")) => "trace.every=1",
            _ => "seed=0",
        };
        let start = parse(base, &["device=cpu", lr]).unwrap();
        let (_, value) = OTHER.iter().find(|(name, _)| *name == key.name).expect("a value for every key");
        let set = format!("{}={value}", key.name);
        let changed = parse(base, &["device=cpu", lr, &set]).unwrap_or_else(|error| panic!("--set {set}: {error}"));
        assert_ne!(changed, start, "--set {set}");
        assert!(changed.flat().contains_key(key.name), "`{}` is missing from the plan", key.name);
    }
}

#[test]
fn bf16_arithmetic_is_refused_for_a_probe_in_place() {
    assert!(parse(GOOD, &["arithmetic=bf16"]).is_ok());
    let said = report(GOOD, &["arithmetic=bf16", "probe=in-place"]);
    assert!(said.contains("`arithmetic`") && said.contains("where `probe` is \"in-place\""), "{said}");
}

#[test]
fn directions_of_a_fixed_length_are_refused_for_a_probe_in_place() {
    let said = report(GOOD, &["estimator.two-point.scaling=sphere", "probe=in-place"]);
    assert!(said.contains("`estimator.two-point.scaling`") && said.contains("where `probe` is \"in-place\""), "{said}");
}

#[test]
fn settings_of_methods_are_checked_by_their_own_rules() {
    for (set, parts) in [
        ("estimator.zest.t=-1", ["`estimator.zest.t` is -1", "0 or above"]),
        ("estimator.zest.sides=three", ["`estimator.zest.sides` is \"three\"", "\"two\" or \"one\""]),
        (
            "estimator.one-sided={ normalize = true, directions = 1 }",
            ["`estimator.one-sided.directions` is 1", "2 or more"],
        ),
        ("estimator.one-sided.normalize=1", ["`estimator.one-sided.normalize`", "true or false"]),
        ("estimator.zest={ sides = 'one', t = 0 }", ["`estimator.zest.t` is 0", "above 0 on one side"]),
        ("optimizer.momentum.beta=1", ["`optimizer.momentum.beta` is 1", "below 1"]),
        ("optimizer.momentum.window=0", ["`optimizer.momentum.window` is 0", "1 to 4096"]),
        ("optimizer.adam.state=f16", ["`optimizer.adam.state` is \"f16\"", "\"f32\" or \"bf16\""]),
        ("optimizer.sgd.lr=fast", ["`optimizer.sgd.lr`: a number is expected", "--set optimizer.sgd.lr=fast"]),
        ("trace={ every = 1, memory = 1 }", ["`trace.memory` is 1", "above 1"]),
        ("auto.share=2", ["`auto.share` is 2", "at most 1"]),
    ] {
        let said = report(GOOD, &[set]);
        assert!(parts.iter().all(|part| said.contains(part)), "{set}: {said}");
    }
}

#[test]
fn unknown_keys_are_refused_with_the_nearest() {
    let said = report(&GOOD.replace("directions = 1", "direction = 1"), &[]);
    assert!(said.contains("unknown key `estimator.two-point.direction`"), "{said}");
    assert!(said.contains("--> a.toml:18:1") && said.contains("18 | direction = 1"), "{said}");
    assert!(said.ends_with("hint: did you mean `estimator.two-point.directions`?"), "{said}");
    assert!(report(GOOD, &["lr=1"]).ends_with("hint: did you mean `optimizer.sgd.lr`?"));
    assert!(report(GOOD, &["optimizer.adamw.lr=1"]).contains("unknown key `optimizer.adamw.lr`"));
    assert!(report("[wholly]\nelse = 1", &[]).contains("unknown key `wholly`"));
}

#[test]
fn bad_values_name_key_value_range_and_place() {
    for (from, to, parts) in [
        ("eps = 1e-3", "eps = -1", vec!["`estimator.two-point.eps` is -1", "allowed: above 0", "a.toml:17:7"]),
        ("eps = 1e-3", "eps = nan", vec!["`estimator.two-point.eps` is nan"]),
        ("eps = 1e-3", "eps = inf", vec!["`estimator.two-point.eps` is inf"]),
        ("eps = 1e-3", "eps = \"x\"", vec!["`estimator.two-point.eps`: a number is expected, found string \"x\""]),
        ("lr = 1e-6", "lr = -1e-6", vec!["`optimizer.sgd.lr` is -1e-6", "0 or above"]),
        ("batch = 16 ", "batch = 0 ", vec!["`batch` is 0", "allowed: 1 to"]),
        ("batch = 16 ", "batch = \"half\" ", vec!["`batch` is \"half\"", "or \"full\""]),
        ("steps = 2000", "steps = -1", vec!["`steps` is -1", "0 to 1000000000", "2 | steps = -1\n  |         ^^"]),
        ("steps = 2000", "steps = 1.5", vec!["`steps`: a whole number is expected, found float 1.5"]),
        ("directions = 1", "directions = 99999", vec!["`estimator.two-point.directions` is 99999", "1 to 65536"]),
        ("dtype = \"bf16\"", "dtype = \"f8\"", vec!["`model.dtype` is \"f8\"", "\"f32\" or \"bf16\" or \"f16\""]),
        ("device = \"cpu\" ", "device = \"cuda:x\" ", vec!["`device` is \"cuda:x\"", "\"cuda:N\""]),
        ("device = \"cpu\" ", "device = \"tpu\" ", vec!["`device` is \"tpu\"", "allowed: \"auto\", \"cpu\""]),
        ("seed = 0", "seed = -1", vec!["`seed` is -1"]),
        ("every = 200", "split = \"dev\"", vec!["`eval.split` is \"dev\""]),
        ("name = \"sst2\"", "name = \"\"", vec!["`task.name` is \"\""]),
        ("name = \"sst2\"", "file = \"hf://o/n\"", vec!["`task.file` is the Hub id hf://o/n", "may name the Hub"]),
        ("seed = 0", "seed = ", vec!["a.toml:1:"]),
        ("name = \"sst2\"", "", vec!["`task.name` is missing", "sst2"]),
    ] {
        let said = report(&GOOD.replace(from, to), &[]);
        for part in parts {
            assert!(said.contains(part), "{to}: `{part}` is not in\n{said}");
        }
    }
    assert!(report("estimator = \"two-point\"", &[]).contains("`estimator`: a table is expected, found string"));
    assert!(report("", &[]).contains("`model.path` is missing"));
    // A model and data may be on the Hub.
    let hub = parse(GOOD, &["model.path=hf://o/n", "task.data=hf://datasets/o/d"]).unwrap();
    assert_eq!(hub.model.path, Path::new("hf://o/n"));
    assert_eq!(hub.task.data.as_deref(), Some(Path::new("hf://datasets/o/d")));
}

#[test]
fn set_reads_toml_else_text() {
    let config = parse(GOOD, &["optimizer.sgd.lr=0", "device=cpu", "task.prompt=12", "eval.split=test"]).unwrap();
    assert_eq!(config.optimizer.lr, Rate::Fixed(0.0));
    assert_eq!(config.task.prompt.as_deref(), Some("12"));
    assert_eq!(config.eval.split, Split::Test);
    assert_eq!(parse(GOOD, &["model.path='a b'"]).unwrap().model.path.file_name().unwrap(), "a b");
    assert_eq!(parse(GOOD, &["steps=1", "steps=2"]).unwrap().steps, 2, "the last one counts");
    assert!(report(GOOD, &["steps=many"]).contains("--> --set steps=many"));
    assert!(report(GOOD, &["steps"]).contains("not of the form key=value"));
    assert!(report(GOOD, &["=1"]).contains("not of the form key=value"));
    assert!(report(GOOD, &["eval..every=1"]).contains("not of the form key=value"));
    // A line break can't smuggle in a second key: the value is text, and no such number.
    assert!(report(GOOD, &["steps=1\nseed=2"]).contains("`steps`: a whole number is expected, found string"));
}

#[test]
fn setting_a_variant_replaces_its_sibling() {
    let text = format!("{GOOD}\n[schedule.linear]\nwarmup = 10\nend = 0.5\n");
    assert_eq!(parse(&text, &[]).unwrap().schedule, Schedule::Linear(Linear { warmup: 10, end: 0.5 }));
    let cosine = parse(&text, &["schedule.cosine.warmup=3"]).unwrap();
    assert_eq!(cosine.schedule, Schedule::Cosine(Cosine { warmup: 3, end: 0.0 }));
    let linear = parse(&text, &["schedule.linear.warmup=3"]).unwrap();
    assert_eq!(linear.schedule, Schedule::Linear(Linear { warmup: 3, end: 0.5 }));
    let constant = parse(&text, &["schedule.constant={}"]).unwrap();
    assert_eq!(constant.schedule, Schedule::Constant(Constant { warmup: 0 }));
    let twice = format!("{text}[schedule.cosine]\nwarmup = 1\n");
    assert!(report(&twice, &[]).contains("`schedule` holds both `linear` and `cosine`"));
}

#[test]
fn paths_start_at_the_file_or_at_the_working_folder() {
    let here = std::env::current_dir().unwrap();
    let config = parse(GOOD, &["model.path=m", "task.data=/d"]).unwrap();
    assert_eq!(config.model.path, here.join("m"));
    assert_eq!(config.task.data.as_deref(), Some(Path::new("/d")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.toml");
    std::fs::write(&file, GOOD).unwrap();
    let real = folder.path().canonicalize().unwrap();
    let config = Config::load(&file, &[]).unwrap();
    assert_eq!(config.task.data.unwrap(), real.join("data/sst2"));
    std::fs::create_dir(folder.path().join("configs")).unwrap();
    let file = folder.path().join("configs/run.toml");
    std::fs::write(&file, GOOD.replace("data/sst2", "../data/sst2")).unwrap();
    assert_eq!(Config::load(&file, &[]).unwrap().task.data.unwrap(), real.join("data/sst2"));
}

#[test]
fn a_missing_or_huge_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Config::load(&folder.path().join("no.toml"), &[]).unwrap_err().to_string();
    assert!(missing.contains("no.toml"), "{missing}");
    let huge = folder.path().join("huge.toml");
    std::fs::write(&huge, vec![b'#'; 2 << 20]).unwrap();
    assert!(Config::load(&huge, &[]).unwrap_err().to_string().contains("2097152 bytes"));
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0]).unwrap();
    assert!(Config::load(&binary, &[]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // Whatever is done to the text: a configuration or an error, and an error that can be printed.
    #[test]
    fn mutated_configurations_never_panic(at in 0usize..400, len in 0usize..20, with in "[\\PC\n\t\"'=\\[\\]{}.]{0,12}") {
        let mut text = GOOD.to_owned();
        let start = at.min(text.len());
        text.replace_range(start..(start + len).min(text.len()), &with);
        if let Err(error) = parse(&text, &[]) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn arbitrary_sets_never_panic(key in "[a-z.\\-_ ]{0,24}", value in "\\PC{0,24}") {
        for argument in [format!("{key}={value}"), format!("steps={value}"), format!("schedule.{key}={value}"), value] {
            if let Err(error) = parse(GOOD, &[&argument]) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn the_page_names_every_key_and_no_other() {
    let page = include_str!("../../CONFIG.md");
    let rows: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(key, _)| key).collect();
    let keys: Vec<&str> = keys().iter().map(|key| key.name).collect();
    assert_eq!(rows, keys);
}
