//! What every probe refuses, and that none changes a weight.

use super::*;

/// An objective that answers what it is told to, whatever the points.
struct Told {
    answer: fn(usize) -> Losses,
    asked: usize,
}

impl Objective for Told {
    fn losses(&mut self, _batch: Batch, points: &[Shift]) -> Result<Losses, ObjectiveError> {
        self.asked += 1;
        Ok((self.answer)(points.len()))
    }
}

fn told(answer: fn(usize) -> Losses) -> Told {
    Told { answer, asked: 0 }
}

/// What the trace, the neighbourhood, a line and a plane say.
fn answers(answer: fn(usize) -> Losses) -> [Error; 4] {
    let axis = |seed| Axis { seed: Seed(seed), reach: 1.0, half: 1, scale: Scale::Direction };
    [
        TraceProbe::default().run(&mut told(answer), BATCH, round(0)).unwrap_err(),
        NeighbourhoodProbe::default().run(&mut told(answer), BATCH, round(0)).unwrap_err(),
        Line::read(&mut told(answer), BATCH, &axis(1)).unwrap_err(),
        Plane::read(&mut told(answer), BATCH, &axis(1), &axis(2)).unwrap_err(),
    ]
}

fn constant(points: usize, loss: f64) -> Losses {
    Losses { points: vec![vec![loss]; points], weights: vec![1.0] }
}

#[test]
fn losses_that_are_not_finite_are_named_with_their_point() {
    for error in answers(|n| constant(n, f64::NAN)) {
        assert!(matches!(error, Error::NonFiniteLoss { .. }) && error.to_string().contains("\nhint: "), "{error}");
    }
    // The first point is θ, then + and − of each probe.
    let trace = |answer| TraceProbe::default().run(&mut told(answer), BATCH, round(0)).unwrap_err().to_string();
    assert!(trace(|n| constant(n, f64::NAN)).starts_with("the loss is NaN at the weights themselves"));
    let late = |n: usize| Losses {
        points: (0..n).map(|p| vec![if p == 6 { f64::INFINITY } else { 1.0 }]).collect(),
        weights: vec![1.0],
    };
    assert!(trace(late).starts_with("the loss is inf at the weights - delta·u of probe 2"), "{}", trace(late));
}

#[test]
fn answers_that_don_t_fit_are_refused() {
    for error in answers(|n| constant(n - 1, 1.0)) {
        assert!(matches!(error, Error::LossShape { what: "points", .. }), "{error}");
    }
    for error in answers(|n| Losses { points: vec![vec![1.0, 2.0]; n], weights: vec![1.0] }) {
        assert!(matches!(error, Error::LossShape { what: "examples", found: 2, expected: 1 }), "{error}");
    }
    for error in answers(|n| Losses { points: vec![vec![]; n], weights: vec![] }) {
        assert!(matches!(error, Error::NoWeight { examples: 0, .. }), "{error}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_before_any_forward_pass() {
    let mut objective = told(|n| constant(n, 1.0));
    let mut trace = |delta, probes, precision| {
        let probe = TraceProbe { delta, probes, precision };
        probe.run(&mut objective, BATCH, round(0)).unwrap_err().to_string()
    };
    for delta in [0.0, -1e-3, f64::NAN, f64::INFINITY, 1e-42] {
        assert!(trace(delta, 10, None).contains("`delta`"));
    }
    for probes in [0, 1] {
        assert!(trace(1e-3, probes, None).contains("`probes`") && trace(1e-3, probes, None).contains("at least 2"));
    }
    assert!(trace(1e-3, 10, Some(Precision::Relative(0.0))).contains("`precision`"));
    let mut near = |delta, probes| {
        let probe = NeighbourhoodProbe { delta, probes, precision: None };
        probe.run(&mut objective, BATCH, round(0)).unwrap_err().to_string()
    };
    assert!(near(0.0, 10).contains("`delta` = 0"));
    assert!(near(0.1, 0).contains("`probes` = 0"));
    assert_eq!(objective.asked, 0);
    let near = NeighbourhoodProbe::default().run(&mut objective, BATCH, round(0)).unwrap();
    for tilt in [-1.0, f64::NAN, f64::INFINITY] {
        let why = near.tilted(tilt).unwrap_err().to_string();
        assert!(why.contains("`tilt`") && why.contains("hint:"), "{why}");
    }
}

#[test]
fn an_objective_s_own_failure_is_passed_on() {
    struct Fails;
    impl Objective for Fails {
        fn losses(&mut self, _batch: Batch, _points: &[Shift]) -> Result<Losses, ObjectiveError> {
            Err(ObjectiveError::new("the disk is gone"))
        }
    }
    let why = TraceProbe::default().run(&mut Fails, BATCH, round(0)).unwrap_err().to_string();
    assert_eq!(why, "the losses could not be computed: the disk is gone");
}

#[test]
fn probes_change_no_weight_and_settings_read_as_configurations_do() {
    let set = params(&[0.5, -1.0, 2.0]);
    let mut objective = Quadratic::diagonal(&set, Law::Gaussian, &[1.0, 2.0, 3.0], vec![0.0; 3]).unwrap();
    let before = objective.weights().unwrap();
    TraceProbe::default().run(&mut objective, BATCH, round(0)).unwrap();
    NeighbourhoodProbe::default().run(&mut objective, BATCH, round(0)).unwrap();
    assert_eq!(objective.weights().unwrap(), before);
    let probe: TraceProbe = serde_json::from_str(r#"{"probes": 30, "precision": {"relative": 0.1}}"#).unwrap();
    assert_eq!(probe, TraceProbe { delta: 1e-3, probes: 30, precision: Some(Precision::Relative(0.1)) });
    assert!(serde_json::from_str::<TraceProbe>(r#"{"probe": 30}"#).is_err());
}
