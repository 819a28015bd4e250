//! Runs on a quadratic, where trace, edge and critical step are known.

use polder_optim::objectives::{QuadraticForm, SmoothObjective};
use polder_perturb::Seed;
use polder_sharpness::stability::{self, Scheme, Spectrum, critical_step};

use super::course::{Course, Method};
use super::mover::{Mover, ZerothOrder};
use super::track::{End, Track};
use super::walk::{Trip, make_all};

/// Eigenvalues 1, 1/2, … 1/30 along rotated axes, the minimum at 0.
fn quadratic() -> (QuadraticForm, Vec<f64>) {
    let eigenvalues: Vec<f64> = (1..=30).map(|i| 1.0 / f64::from(i)).collect();
    let form = QuadraticForm::diagonal(eigenvalues.clone(), vec![0.0; 30]).unwrap();
    (form.rotated(Seed(4)), eigenvalues)
}

fn runs(courses: &[Course]) -> Vec<Track> {
    let (form, start) = (quadratic().0, vec![1.0; 30]);
    let trip = |course: &Course| Trip { course: course.clone(), smooth: &form, start: &start, seed: Seed(7) };
    let trips: Vec<Trip<'_>> = courses.iter().map(trip).collect();
    make_all(&trips, &mut |_, _| ()).unwrap()
}

#[test]
fn readings_are_the_quadratics_trace_and_largest_eigenvalue() {
    let (_, eigenvalues) = quadratic();
    let trace: f64 = eigenvalues.iter().sum();
    let course = Course { probes: 400, ..Course::new(Method::Descent, 0.01, 20, 2) };
    let track = &runs(&[course])[0];
    assert_eq!(track.readings.iter().map(|r| r.step).collect::<Vec<_>>(), [0, 10, 20]);
    for r in &track.readings {
        assert!((r.trace - trace).abs() < 5.0 * r.error && r.error < 0.05 * trace, "{r:?}");
        assert!((r.largest - 1.0).abs() < 2e-3, "{r:?}");
        assert!((r.edge - 200.0).abs() < 1e-9, "{r:?}");
        assert_eq!(r.evaluations % 4, 1, "a loss, and products of two gradients each");
    }
    assert!(track.readings[1].peak >= track.readings[1].loss);
}

#[test]
fn runs_fall_below_the_critical_step_and_rise_beyond_it() {
    let spectrum = Spectrum::new(quadratic().1).unwrap();
    let critical = |method, queries| critical_step(&spectrum, &Scheme::of(method).with_queries(queries)).unwrap();
    let cases = [
        (Method::Descent, 1, critical(stability::Method::Sgd, 1)),
        (Method::Descent, 4, critical(stability::Method::Sgd, 4)),
        (Method::Momentum { beta: 0.9 }, 1, critical(stability::Method::Polyak { beta: 0.9 }, 1)),
    ];
    for (method, queries, critical) in cases {
        let course = |share: f64| Course { queries, ..Course::new(method, share * critical, 3_000, 30) };
        let tracks = runs(&[course(0.5), course(4.0)]);
        let loss = |track: &Track| track.last().unwrap().loss;
        assert_eq!(tracks[0].end, End::Finished);
        assert!(loss(&tracks[0]) < 1e-3 * tracks[0].readings[0].loss, "{method:?} {}", loss(&tracks[0]));
        assert!(tracks[1].diverged(), "{method:?} with {queries} directions: {}", loss(&tracks[1]));
        assert!(tracks[1].ratio(0).mean.is_nan());
    }
}

#[test]
fn gradient_descent_has_its_edge_at_the_largest_eigenvalue() {
    let course = |lr| Course::new(Method::Gradient, lr, 500, 5);
    let tracks = runs(&[course(1.9), course(2.1)]);
    assert!(tracks[0].last().unwrap().loss < tracks[0].readings[0].loss && tracks[1].diverged());
    assert!((tracks[0].ratio(0).mean - 0.95).abs() < 2e-3, "{:?}", tracks[0].ratio(0));
}

#[test]
fn a_run_is_the_same_alone_and_beside_others() {
    let course = |lr| Course::new(Method::Descent, lr, 200, 2);
    let together = runs(&[course(0.02), course(0.03)]);
    assert_eq!(together[1].weights, runs(&[course(0.03)])[0].weights);
    assert_ne!(together[0].weights, together[1].weights);
}

#[test]
fn adams_p_is_what_its_step_divides_by() {
    let (form, start) = (quadratic().0, vec![1.0; 30]);
    let course = Course::new(Method::Adam { betas: [0.9, 0.999] }, 0.01, 50, 1);
    let params = SmoothObjective::parameter(&start).unwrap();
    let mut mover = ZerothOrder::new(&course, &form, &params, Seed(2)).unwrap();
    assert!(mover.preconditioner().unwrap().is_none(), "there is none before the first step");
    for step in 0..50 {
        let before = mover.weights().unwrap();
        mover.step(step, 0.01).unwrap();
        let (after, p) = (mover.weights().unwrap(), mover.preconditioner().unwrap().unwrap());
        for (((x, y), p), m) in before.iter().zip(&after).zip(&p).zip(mover.momentum()) {
            // The learning rate and the corrections are f32 numbers.
            assert!((x - y - 0.01 * m / p).abs() < 1e-6 * (x - y).abs() + 1e-15, "step {step}: {x} {y} {p} {m}");
        }
    }
}
