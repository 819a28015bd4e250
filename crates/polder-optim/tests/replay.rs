//! A run's log is the run: replay and resume reach the same bits.

use std::ops::Range;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use polder_optim::trajectory::{
    Digest, Durability, End, Header, Method, Origin, Record, Replay, Step, Trajectory, Writer, replay,
};
use polder_optim::{
    Batch, Error, Estimator, Objective, Optimizer, Quadratic, Schedule, Sgd, Shape, StepContext, TwoPoint, UpdateMode,
    rounding_seed, step_seeds,
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
    two: TwoPoint,
    sgd: Sgd,
    schedule: Schedule,
}

fn plan(dtype: DType, rounding: Rounding, law: Law) -> Plan {
    Plan {
        mode: UpdateMode { law, rounding },
        dtype,
        two: TwoPoint { eps: 1e-2, directions: 3, clip: Some(20.0) },
        sgd: Sgd { lr: 5e-3, weight_decay: 0.1 },
        schedule: Schedule { shape: Shape::Cosine, warmup: 5, end: 0.1 },
    }
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
        estimator: Method { name: plan.two.name().into(), settings: plan.two.settings() },
        optimizer: Method { name: plan.sgd.name().into(), settings: plan.sgd.settings() },
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
        let context = StepContext { step, total: STEPS, batch: Batch(step), elements: params.trainable_elements() };
        let lr = plan.schedule.lr(plan.sgd.lr, step, STEPS);
        let seeds = step_seeds(RUN, step, plan.two.directions());
        let losses = objective.losses(context.batch, &plan.two.probes(&context, &seeds)).unwrap();
        let estimate = plan.two.combine(&context, &seeds, &losses).unwrap();
        let applied = plan.sgd.decide(&estimate, lr, rounding_seed(RUN, step)).unwrap();
        writer.append(&Record::Step(Step::new(&context, &applied, losses.means(), lr))).unwrap();
        plan.sgd.apply(params, &plan.mode, &applied).unwrap();
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
    for mut plan in all_plans() {
        let folder = tempfile::tempdir().unwrap();
        let (params, log) = run(&mut plan, &folder.path().join("trajectory"));
        assert_ne!(digest(&params), log.header().base, "the run moved the weights");
        let again = base(plan.dtype);
        let mut seen = Vec::new();
        let done = replay(&again, &log, log.steps(), &mut |step| seen.push(step)).unwrap();
        assert_eq!((done.steps, done.verified), (STEPS, Some(digest(&params))));
        assert_eq!(seen, [64, 128, STEPS], "heard of after each walk");
        assert_eq!(digest(&again), digest(&params), "{:?} {:?}", plan.dtype, plan.mode);

        // In two parts: from a checkpoint after 17 steps.
        let parts = base(plan.dtype);
        let mut replay = Replay::new(&log).unwrap();
        assert_eq!(replay.run(&parts, 0..17, &mut |_| ()).unwrap().verified, None);
        assert_ne!(digest(&parts), digest(&params));
        replay.run(&parts, 17..STEPS, &mut |_| ()).unwrap();
        assert_eq!(digest(&parts), digest(&params));
    }
}

/// Cut the log anywhere, replay what is left, go on: the same weights and the same file.
#[test]
fn a_run_cut_off_anywhere_resumes_to_the_same_bits() {
    for (dtype, rounding) in [(DType::F32, Rounding::Nearest), (DType::BF16, Rounding::Stochastic)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trajectory");
        let mut plan = plan(dtype, rounding, Law::Gaussian);
        let (params, log) = run(&mut plan, &path);
        let bytes = std::fs::read(&path).unwrap();
        let first = bytes.len() - 41 * 27;
        for cut in (first..bytes.len()).step_by(101) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let (mut writer, found) = Writer::open_for_append(&path, Durability::Process).unwrap();
            let again = base(dtype);
            replay(&again, &found, found.steps(), &mut |_| ()).unwrap();
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
        (|h| h.optimizer.name = "adam".into(), "`adam`"),
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
