//! Slices against the parabola that a quadratic is along any line.

use polder_perturb::direction;

use super::*;

const EIGENVALUES: [f64; 5] = [1.0, 2.0, 4.0, 0.5, 3.0];
const WEIGHTS: [f32; 5] = [0.5, 1.0, -2.0, 0.25, 1.5];

fn axis(seed: u64, reach: f64, half: u32) -> Axis {
    Axis { seed: Seed(seed), reach, half, scale: Scale::Direction }
}

/// The direction of a seed over both parameters, in f64.
fn direction_of(set: &ParamSet, seed: Seed) -> Vec<f64> {
    let fill = |p: &polder_perturb::Param| {
        let mut u = vec![0f32; p.tensor.elem_count()];
        direction::fill(Law::Gaussian, seed, p.key, 0, &mut u);
        u.into_iter().map(f64::from)
    };
    set.iter().flat_map(fill).collect()
}

fn objective(set: &ParamSet) -> Quadratic<'_> {
    Quadratic::diagonal(set, Law::Gaussian, &EIGENVALUES, vec![0.1; 5]).unwrap()
}

/// f at `x + a·u + b·v`.
fn value(objective: &Quadratic, x: &[f64], (a, u): (f64, &[f64]), (b, v): (f64, &[f64])) -> f64 {
    let at: Vec<f64> = (0..x.len()).map(|i| x[i] + a * u[i] + b * v[i]).collect();
    objective.values(&at)[0]
}

#[test]
fn a_line_has_the_losses_along_its_direction() {
    let set = params(&WEIGHTS);
    let mut objective = objective(&set);
    let line = Line::read(&mut objective, BATCH, &axis(5, 0.7, 10)).unwrap();
    let (x, u) = (objective.weights().unwrap(), direction_of(&set, Seed(5)));
    assert_eq!((line.coordinates.len(), line.values.len(), line.forwards), (21, 21, 21));
    assert_eq!((line.coordinates[0], line.coordinates[10]), (-f64::from(0.7f32), 0.0));
    assert_eq!(line.base, objective.values(&x)[0]);
    for (a, found) in line.coordinates.iter().zip(&line.values) {
        close(*found, value(&objective, &x, (*a, &u), (0.0, &u)), 1e-14);
    }
    assert_eq!(line.rises()[10], 0.0);
    let json = serde_json::to_string(&line).unwrap();
    assert_eq!(serde_json::from_str::<Line>(&json).unwrap(), line);
}

#[test]
fn a_normalised_line_is_measured_in_distance() {
    let set = params(&WEIGHTS);
    let mut objective = objective(&set);
    let plain = Line::read(&mut objective, BATCH, &axis(5, 1.0, 4)).unwrap();
    let scaled = Axis { reach: 5f64.sqrt(), scale: Scale::Length { elements: 5 }, ..axis(5, 1.0, 4) };
    let scaled = Line::read(&mut objective, BATCH, &scaled).unwrap();
    // Distance √5 along u/√5 is once u: the same points.
    assert_eq!(scaled.values, plain.values);
    for (distance, multiple) in scaled.coordinates.iter().zip(&plain.coordinates) {
        assert!((distance - multiple * 5f64.sqrt()).abs() < 1e-15);
    }
}

#[test]
fn a_plane_has_the_losses_over_its_directions() {
    let set = params(&WEIGHTS);
    let mut objective = objective(&set);
    let plane = Plane::read(&mut objective, BATCH, &axis(5, 0.5, 3), &axis(4, 2.0, 2)).unwrap();
    let (x, u, v) = (objective.weights().unwrap(), direction_of(&set, Seed(5)), direction_of(&set, Seed(4)));
    assert_eq!((plane.first.len(), plane.second.len(), plane.forwards), (7, 5, 35));
    for (b, row) in plane.second.iter().zip(&plane.values) {
        for (a, found) in plane.first.iter().zip(row) {
            close(*found, value(&objective, &x, (*a, &u), (*b, &v)), 1e-13);
        }
    }
    assert_eq!((plane.base, plane.rises()[2][3]), (objective.values(&x)[0], 0.0));
    // The middle row is the line.
    let line = Line::read(&mut objective, BATCH, &axis(5, 0.5, 3)).unwrap();
    assert_eq!(plane.values[2], line.values);
    let json = serde_json::to_string(&plane).unwrap();
    assert_eq!(serde_json::from_str::<Plane>(&json).unwrap(), plane);
}

#[test]
fn grids_that_make_no_sense_are_refused() {
    let set = params(&WEIGHTS);
    let mut objective = objective(&set);
    let mut why = |axis: Axis| Line::read(&mut objective, BATCH, &axis).unwrap_err().to_string();
    for reach in [0.0, -1.0, f64::NAN] {
        assert!(why(axis(1, reach, 3)).contains("`reach`"));
    }
    assert!(why(axis(1, 1.0, 0)).contains("`half` = 0"));
    assert!(why(Axis { scale: Scale::Length { elements: 0 }, ..axis(1, 1.0, 3) }).contains("`elements` = 0"));
    let twice = Plane::read(&mut objective, BATCH, &axis(1, 1.0, 1), &axis(1, 2.0, 1)).unwrap_err().to_string();
    assert!(twice.contains("`seed` = 1") && twice.contains("two directions"), "{twice}");
}
