//! The trace: unbiased, with the standard errors of the theory, at every distance.

use super::*;

const WEIGHTS: [f32; 6] = [0.5, -1.0, 2.0, 0.25, -0.75, 1.5];

fn probe(law: Law, delta: f64, probes: u32, at: u64) -> Measured {
    let set = params(&WEIGHTS);
    let mut objective = Quadratic::new(&set, law, dense(), vec![vec![0.3; 6], vec![-2.0; 6]]).unwrap();
    TraceProbe { delta, probes, precision: None }.run(&mut objective, BATCH, round(at)).unwrap()
}

#[test]
fn the_trace_is_unbiased_with_the_standard_error_of_the_theory() {
    let (trace, squares, diagonal) = sizes(&dense());
    let laws = [(Law::Gaussian, 2.0 * squares), (Law::Rademacher, 2.0 * (squares - diagonal))];
    for delta in [1e-3, 0.1, 1.0, 30.0] {
        for (law, variance) in laws {
            let n = 50;
            let runs: Vec<_> = (0..200).map(|at| probe(law, delta, n, at)).collect();
            let count = runs.len() as f64;
            let mean = runs.iter().map(|m| m.value).sum::<f64>() / count;
            let exact = variance / f64::from(n);
            assert!((mean - trace).abs() < 4.0 * (exact / count).sqrt(), "{law} {delta}: {mean} {trace}");
            // The variance of a variance from 200 runs is about 2/200 of its square: 30 % is three standard errors.
            let spread = runs.iter().map(|m| (m.value - mean).powi(2)).sum::<f64>() / (count - 1.0);
            close(spread, exact, 0.3);
            // What the runs say of themselves, on average: 10,000 samples, whose kurtosis is at most 15.
            let claimed = runs.iter().map(|m| m.standard_error.powi(2)).sum::<f64>() / count;
            close(claimed, exact, 4.0 * (14f64 / 1e4).sqrt());
            assert!(runs.iter().all(|m| m.samples == 50 && m.forwards == 101));
        }
    }
}

#[test]
fn signs_on_a_diagonal_hessian_leave_no_noise() {
    let set = params(&WEIGHTS);
    let eigenvalues = [1.0, 2.0, 3.0, 0.5, 0.0, 7.0];
    let mut objective = Quadratic::diagonal(&set, Law::Rademacher, &eigenvalues, vec![1.0; 6]).unwrap();
    let probe = TraceProbe { delta: 0.5, probes: 20, precision: None };
    let measured = probe.run(&mut objective, BATCH, round(0)).unwrap();
    close(measured.value, 13.5, 1e-13);
    assert!(measured.standard_error < 1e-13);
}

#[test]
fn frozen_parameters_are_left_out() {
    let mut set = params(&WEIGHTS);
    set.set_trainable(|name| name == "head");
    let eigenvalues = [1.0, 2.0, 3.0, 100.0, 100.0, 100.0];
    let mut objective = Quadratic::diagonal(&set, Law::Rademacher, &eigenvalues, vec![0.0; 6]).unwrap();
    let measured = TraceProbe::default().run(&mut objective, BATCH, round(0)).unwrap();
    // At δ = 1e-3 the rounding of a loss near 200 moves a sample by about 2·200·2⁻⁵²/1e-6 = 1e-7.
    close(measured.value, 6.0, 1e-6);
}

#[test]
fn it_stops_once_precise_enough_and_never_before_sixteen_probes() {
    let run = |precision, probes, law| {
        let set = params(&WEIGHTS);
        let mut objective = Quadratic::new(&set, law, dense(), vec![vec![0.3; 6]]).unwrap();
        TraceProbe { delta: 0.1, probes, precision }.run(&mut objective, BATCH, round(3)).unwrap()
    };
    let relative = run(Some(Precision::Relative(0.05)), 10_000, Law::Gaussian);
    assert!(relative.samples > 16 && relative.samples < 10_000, "{relative}");
    assert!(relative.standard_error <= 0.05 * relative.value);
    assert_eq!((relative.samples % 8, relative.forwards), (0, 2 * relative.samples + 1));
    let absolute = run(Some(Precision::Absolute(0.5)), 10_000, Law::Gaussian);
    assert!(absolute.standard_error <= 0.5 && absolute.samples < 10_000, "{absolute}");
    // A group earlier it was not precise enough.
    let earlier = run(None, u32::try_from(absolute.samples).unwrap() - 8, Law::Gaussian);
    assert!(earlier.standard_error > 0.5, "{earlier}");
    // The same directions in the same order, so the same number.
    assert_eq!(run(None, u32::try_from(absolute.samples).unwrap(), Law::Gaussian), absolute);
    let easy = run(Some(Precision::Absolute(1e9)), 1000, Law::Gaussian);
    assert_eq!((easy.samples, easy.forwards), (16, 33));
    let out_of_reach = run(Some(Precision::Absolute(1e-9)), 21, Law::Gaussian);
    assert_eq!((out_of_reach.samples, out_of_reach.forwards), (21, 43));
}

#[test]
fn another_round_takes_other_directions() {
    let one = probe(Law::Gaussian, 0.1, 10, 0);
    assert_eq!(one, probe(Law::Gaussian, 0.1, 10, 0));
    assert_ne!(one.value, probe(Law::Gaussian, 0.1, 10, 1).value);
}

#[test]
fn rounding_is_that_of_two_units_in_the_last_place() {
    let f32_step = f64::from(f32::EPSILON);
    close(rounding(0.5, f32_step, 1e-3), 0.119, 0.01);
    close(rounding(-0.5, f32_step, 1e-2), 1.19e-3, 0.01);
}
