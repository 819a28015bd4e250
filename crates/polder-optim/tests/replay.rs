//! A run's log is the run: replay and resume reach the same bits.

use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use polder_optim::trajectory::{
    Digest, Durability, End, Header, Method, Origin, Record, Replay, Step, Trajectory, Writer, replay,
};
use polder_optim::{
    Batch, ESTIMATORS, Error, Estimator, OPTIMIZERS, Objective, Optimizer, Quadratic, Schedule, Shape, StepContext,
    UpdateMode, estimator_from, optimizer_from, rounding_seed, step_seeds,
};
use polder_perturb::rounding::Rounding;
use polder_perturb::{Law, ParamSet, Seed, direction};
use serde_json::json;

/// More than two walks of a replay.
const STEPS: u64 = 150;
const RUN: Seed = Seed(2024);

/// A matrix, a vector and a frozen matrix; 48 weights, 40 of them trainable.
fn base(dtype: DType) -> ParamSet {
    let mut params = ParamSet::new();
    let tensor = |n: usize, shape: &[usize]| {
        let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
        Tensor::from_vec(x, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
    };
    params.insert("a.weight", tensor(35, &[7, 5])).unwrap();
    params.insert("a.bias", tensor(5, &[5])).unwrap();
    params.insert("frozen.weight", tensor(8, &[2, 4])).unwrap();
    params.set_trainable(|name| !name.starts_with("frozen"));
    params
}

fn digest(params: &ParamSet) -> Digest {
    Digest(params.digest().unwrap())
}

struct Plan {
    mode: UpdateMode,
    dtype: DType,
    estimator: Box<dyn Estimator>,
    optimizer: Box<dyn Optimizer>,
    schedule: Schedule,
}

fn plan(dtype: DType, rounding: Rounding, law: Law) -> Plan {
    Plan {
        mode: UpdateMode { law, rounding },
        dtype,
        estimator: estimator_from("two-point", &json!({"eps": 1e-2, "directions": 3, "clip": 20.0})).unwrap(),
        optimizer: optimizer_from("sgd", &json!({"lr": 5e-3, "weight_decay": 0.1})).unwrap(),
        schedule: Schedule { shape: Shape::Cosine, warmup: 5, end: 0.1 },
    }
}

/// Every optimiser with every storage of its state, and every estimator.
fn all_methods() -> Vec<Plan> {
    let mut all = Vec::new();
    let optimizers = [
        ("momentum", json!({"lr": 1e-3, "beta": 0.8, "weight_decay": 0.1})),
        ("momentum", json!({"lr": 1e-3, "state": "bf16"})),
        ("momentum", json!({"lr": 1e-3, "window": 7})),
        ("adam", json!({"lr": 1e-2, "weight_decay": 0.1})),
        ("adam", json!({"lr": 1e-2, "state": "bf16"})),
        ("sign", json!({"lr": 1e-3, "weight_decay": 0.1})),
    ];
    let estimators = [
        ("one-sided", json!({"eps": 1e-2, "directions": 3, "normalize": true})),
        ("zest", json!({"eps": 1e-2, "directions": 3, "correction": "jackknife", "ramp": "up"})),
    ];
    let names =
        |known: Vec<&str>, tried: Vec<&str>| assert!(known.iter().all(|name| tried.contains(name)), "{known:?}");
    names(OPTIMIZERS.iter().map(|e| e.name).collect(), optimizers.iter().map(|o| o.0).chain(["sgd"]).collect());
    names(ESTIMATORS.iter().map(|e| e.name).collect(), estimators.iter().map(|e| e.0).chain(["two-point"]).collect());
    for dtype in [DType::F32, DType::BF16, DType::F64] {
        for (name, settings) in &optimizers {
            let optimizer = optimizer_from(name, settings).unwrap();
            all.push(Plan { optimizer, ..plan(dtype, Rounding::Stochastic, Law::Gaussian) });
        }
        for (name, settings) in &estimators {
            let estimator = estimator_from(name, settings).unwrap();
            all.push(Plan { estimator, ..plan(dtype, Rounding::Stochastic, Law::Rademacher) });
        }
    }
    all
}

/// A new optimiser of the same settings, without state.
fn fresh(plan: &Plan) -> Box<dyn Optimizer> {
    optimizer_from(plan.optimizer.name(), &plan.optimizer.settings()).unwrap()
}

fn header(plan: &Plan, params: &ParamSet) -> Header {
    Header {
        polder: env!("CARGO_PKG_VERSION").into(),
        base: digest(params),
        model: Origin { path: "models/small".into(), revision: Some("abc".into()) },
        data: "none".into(),
        seed: RUN.0,
        steps: STEPS,
        law: plan.mode.law.name().into(),
        directions: direction::VERSION,
        estimator: Method { name: plan.estimator.name().into(), settings: plan.estimator.settings() },
        optimizer: Method { name: plan.optimizer.name().into(), settings: plan.optimizer.settings() },
        schedule: serde_json::to_value(plan.schedule).unwrap(),
        dtype: plan.dtype.as_str().into(),
        rounding: plan.mode.rounding.name().into(),
        arithmetic: "f64".into(),
        probe: "streamed".into(),
        trainable: json!("a.*"),
        trainable_elements: params.trainable_elements() as u64,
        settings: serde_json::Map::new(),
    }
}

/// The five lines of a step, for steps `from..to`.
fn train(plan: &mut Plan, params: &ParamSet, writer: &mut Writer, from: u64, to: u64) {
    let d = params.elements();
    let hessian = (0..d * d).map(|k| if k / d == k % d { 1.0 + (k / d) as f64 / 8.0 } else { 0.1 }).collect();
    let mut objective = Quadratic::new(params, plan.mode.law, hessian, vec![vec![0.3; d]]).unwrap();
    for step in from..to {
        let elements = params.trainable_elements();
        let context = StepContext { step, total: STEPS, batch: Batch(step), elements, lengths: &[] };
        let lr = plan.schedule.lr(plan.optimizer.learning_rate(), step, STEPS);
        let seeds = step_seeds(RUN, step, plan.estimator.directions());
        let losses = objective.losses(context.batch, &plan.estimator.probes(&context, &seeds)).unwrap();
        assert_eq!(losses.points.len() as u64, plan.estimator.forwards());
        let estimate = plan.estimator.combine(&context, &seeds, &losses).unwrap();
        let applied = plan.optimizer.decide(&estimate, lr, rounding_seed(RUN, step)).unwrap();
        writer.append(&Record::Step(Step::new(&context, &applied, losses.means(), lr))).unwrap();
        plan.optimizer.apply(params, &plan.mode, &applied).unwrap();
    }
}

/// An undisturbed run: its weights and its log.
fn run(plan: &mut Plan, path: &Path) -> (ParamSet, Trajectory) {
    let params = base(plan.dtype);
    let mut writer = Writer::create(path, &header(plan, &params), Durability::Process).unwrap();
    train(plan, &params, &mut writer, 0, STEPS);
    writer.append(&Record::End(End { steps: STEPS, weights: digest(&params) })).unwrap();
    writer.sync().unwrap();
    (params, Trajectory::open(path).unwrap())
}

fn all_plans() -> impl Iterator<Item = Plan> {
    [DType::F32, DType::BF16, DType::F16, DType::F64].into_iter().flat_map(|dtype| {
        Rounding::ALL.into_iter().flat_map(move |r| Law::ALL.into_iter().map(move |law| plan(dtype, r, law)))
    })
}

#[test]
fn replay_reaches_the_bits_of_the_run() {
    for mut plan in all_plans().chain(all_methods()) {
        let folder = tempfile::tempdir().unwrap();
        let (params, log) = run(&mut plan, &folder.path().join("trajectory"));
        assert_ne!(digest(&params), log.header().base, "the run moved the weights");
        let again = base(plan.dtype);
        let mut seen = Vec::new();
        let done = replay(&again, &log, log.steps(), &mut |step| seen.push(step)).unwrap();
        assert_eq!((done.steps, done.verified), (STEPS, Some(digest(&params))));
        assert_eq!(seen, [64, 128, STEPS], "heard of after each walk");
        assert_eq!(digest(&again), digest(&params), "{:?} {:?} {:?}", plan.dtype, plan.mode, plan.optimizer);

        // In two parts: from a checkpoint after 17 steps.
        let parts = base(plan.dtype);
        let mut replay = Replay::new(&log).unwrap();
        assert_eq!(replay.run(&parts, 0..17, &mut |_| ()).unwrap().verified, None);
        assert_ne!(digest(&parts), digest(&params));
        replay.run(&parts, 17..STEPS, &mut |_| ()).unwrap();
        assert_eq!(digest(&parts), digest(&params));
    }
}

/// State saved with the weights, restored in a new optimiser, gives the rest of the run bit for bit.
#[test]
fn a_run_goes_on_from_saved_state() {
    for mut plan in all_methods() {
        let folder = tempfile::tempdir().unwrap();
        let (params, log) = run(&mut plan, &folder.path().join("trajectory"));
        let half = base(plan.dtype);
        let mut first = Replay::new(&log).unwrap();
        first.run(&half, 0..70, &mut |_| ()).unwrap();
        let saved = first.optimizer().state(&half).unwrap();
        let bytes: usize = saved.iter().map(|(_, t)| t.elem_count() * t.dtype().size_in_bytes()).sum();
        // Besides the numbers of each weight there are at most a count of steps or a window's seeds.
        let stated = plan.optimizer.state_bytes(&half) as usize;
        assert!((stated..stated + 1000).contains(&bytes), "{bytes} of {stated}");

        let mut rest = Replay::new(&log).unwrap();
        let mut find = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        rest.optimizer_mut().restore(&half, &mut find).unwrap();
        rest.run(&half, 70..STEPS, &mut |_| ()).unwrap();
        assert_eq!(digest(&half), digest(&params), "{:?}", plan.optimizer);
        if !saved.is_empty() {
            assert!(fresh(&plan).restore(&half, &mut |_| None).is_err(), "missing state is no state");
        }
    }
}

/// Cut the log anywhere, replay what is left, go on: the same weights and the same file.
#[test]
fn a_run_cut_off_anywhere_resumes_to_the_same_bits() {
    let plans = [(DType::F32, Rounding::Nearest), (DType::BF16, Rounding::Stochastic)];
    let plans = plans.map(|(dtype, rounding)| plan(dtype, rounding, Law::Gaussian));
    for mut plan in plans.into_iter().chain(all_methods()) {
        let dtype = plan.dtype;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trajectory");
        let (params, log) = run(&mut plan, &path);
        let bytes = std::fs::read(&path).unwrap();
        let first = bytes.len() - 41 * 27;
        for cut in (first..bytes.len()).step_by(301) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (mut writer, found) = Writer::open_for_append(&path, Durability::Process).unwrap();
            let again = base(dtype);
            let mut replay = Replay::new(&found).unwrap();
            replay.run(&again, 0..found.steps(), &mut |_| ()).unwrap();
            plan.optimizer = replay.into_optimizer();
            train(&mut plan, &again, &mut writer, found.steps(), STEPS);
            writer.append(&Record::End(End { steps: STEPS, weights: digest(&again) })).unwrap();
            assert_eq!(digest(&again), digest(&params), "cut at {cut}");
            assert!(std::fs::read(&path).unwrap() == bytes, "cut at {cut}: another log");
        }
        assert_eq!(log.steps(), STEPS);
    }
}

#[test]
fn replay_refuses_what_it_can_not_redo() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan(DType::F32, Rounding::Nearest, Law::Gaussian);
    let (_, log) = run(&mut plan, &folder.path().join("trajectory"));
    let text = replay(&base(DType::F64), &log, 1, &mut |_| ()).unwrap_err().to_string();
    assert!(text.contains("hint: load `models/small` at revision `abc`, stored as f32"), "{text}");
    let mut all = base(DType::F32);
    all.set_trainable(|_| true);
    assert!(matches!(replay(&all, &log, 1, &mut |_| ()), Err(Error::Trainable { expected: 40, found: 48 })));
    let params = base(DType::F32);
    assert!(matches!(replay(&params, &log, STEPS + 1, &mut |_| ()), Err(Error::Range { .. })));
    assert!(matches!(
        Replay::new(&log).unwrap().run(&params, Range { start: 3, end: 2 }, &mut |_| ()),
        Err(Error::Range { .. })
    ));
    assert_eq!(digest(&params), log.header().base, "nothing was changed");
    // Weights that are not those after step 1: the end shows it.
    assert!(matches!(Replay::new(&log).unwrap().run(&params, 1..STEPS, &mut |_| ()), Err(Error::Final { .. })));

    type Change = fn(&mut Header);
    let changes: [(Change, &str); 4] = [
        (|h| h.directions += 1, "version of polder"),
        (|h| h.law = "cauchy".into(), "`cauchy`"),
        (|h| h.rounding = "up".into(), "`up`"),
        (|h| h.optimizer.name = "adamw".into(), "`adamw`"),
    ];
    for (i, (change, expected)) in changes.into_iter().enumerate() {
        let mut other = header(&plan, &params);
        change(&mut other);
        let path = folder.path().join(i.to_string());
        drop(Writer::create(&path, &other, Durability::Process).unwrap());
        let text = Replay::new(&Trajectory::open(&path).unwrap()).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains("hint: "), "{text}");
    }
}

#[test]
fn files_are_locked_kept_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trajectory");
    let header = header(&plan(DType::F32, Rounding::Nearest, Law::Gaussian), &base(DType::F32));
    let writer = Writer::create(&path, &header, Durability::Process).unwrap();
    assert!(matches!(Writer::open_for_append(&path, Durability::Process), Err(Error::Locked { .. })));
    assert_eq!(Trajectory::open(&path).unwrap().steps(), 0, "a reader needs no lock");
    drop(writer);
    let before = std::fs::read(&path).unwrap();
    let text = Writer::create(&path, &header, Durability::Process).unwrap_err().to_string();
    assert!(text.contains("trajectory`") && text.contains("hint: resume that run"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let missing = folder.path().join("no/such/trajectory");
    for error in [
        Trajectory::open(&missing).unwrap_err(),
        Writer::create(&missing, &header, Durability::Process).unwrap_err(),
        Writer::open_for_append(&missing, Durability::Process).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("no/such/trajectory"), "{error}");
    }
    assert!(Trajectory::open(folder.path()).is_err(), "a folder");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else was left behind");
}

#[test]
fn an_invalid_tail_is_cut_off_when_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trajectory");
    let mut plan = plan(DType::F32, Rounding::Nearest, Law::Gaussian);
    run(&mut plan, &path);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&bytes[..], &[0; 600]].concat()).unwrap();
    let (mut writer, found) = Writer::open_for_append(&path, Durability::Every(1.try_into().unwrap())).unwrap();
    assert_eq!(found.dropped().map(|d| (d.offset, d.bytes)), Some((bytes.len() as u64, 600)));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    writer.append(&Record::Note(json!("later"))).unwrap();
    assert_eq!(Trajectory::open(&path).unwrap().bytes(), writer.bytes());
}
