//! The visitor against plain loops.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use super::*;
use crate::direction::{ParamKey, element};
use crate::rounding;

const TERMS: [(Seed, f32); 3] = [(Seed(1), -3e-3), (Seed(2), 0.0), (Seed(3), 1e-2)];

/// A matrix of more than two blocks, a vector without decay, and a frozen parameter.
fn params(dtype: DType) -> ParamSet {
    let make = |shape: &[usize], phase: f64| {
        let n: usize = shape.iter().product();
        let x: Vec<f64> = (0..n).map(|i| (i as f64 * 0.7 + phase).sin()).collect();
        Tensor::from_vec(x, shape, &Device::Cpu).and_then(|t| t.to_dtype(dtype)).unwrap()
    };
    let mut set = ParamSet::new();
    set.insert("w.weight", make(&[97, 101], 0.0)).unwrap();
    set.insert("w.bias", make(&[101], 1.0)).unwrap();
    set.insert("frozen.weight", make(&[30, 5], 2.0)).unwrap();
    set.set_trainable(|name| !name.starts_with("frozen"));
    set
}

/// The same parameters as bf16 with bits carried.
fn carrying() -> ParamSet {
    let mut set = ParamSet::new();
    for param in params(DType::F32).iter() {
        let shape = param.tensor.shape();
        let x: Vec<f32> = param.tensor.flatten_all().and_then(|t| t.to_vec1()).unwrap();
        let (high, low): (Vec<u16>, Vec<u8>) = x.into_iter().map(carried::nearest).unzip();
        let high = Tensor::from_vec(high.into_iter().map(bf16::from_bits).collect(), shape, &Device::Cpu).unwrap();
        set.insert_carried(&param.name, high, Tensor::from_vec(low, shape, &Device::Cpu).unwrap()).unwrap();
    }
    set.set_trainable(|name| !name.starts_with("frozen"));
    set
}

fn values(set: &ParamSet) -> Vec<Vec<u64>> {
    set.iter()
        .map(|p| {
            let t = p.joined().unwrap().flatten_all().and_then(|t| t.to_dtype(DType::F64)).unwrap();
            t.to_vec1::<f64>().unwrap().into_iter().map(f64::to_bits).collect()
        })
        .collect()
}

/// The terms of an element, from the definition.
fn g(law: Law, key: ParamKey, i: usize) -> f32 {
    let nonzero = TERMS.iter().filter(|(_, c)| *c != 0.0);
    nonzero.fold(0.0, |g, (seed, c)| c.mul_add(element(law, *seed, key, i as u64), g))
}

/// What one weight becomes under decay 0.01, by the plain formula.
fn expected(set: &ParamSet, law: Law, rounding: Rounding) -> Vec<Vec<u64>> {
    let before = values(set);
    let rows = set.iter().zip(before).map(|(p, before)| {
        let mut random = vec![0u16; before.len()];
        direction::fill_bits(Seed(77), p.key, 0, &mut random);
        let one = |(i, bits): (usize, u64)| {
            let x = f64::from_bits(bits);
            if !p.trainable {
                return bits;
            }
            let (g, decay) = (g(law, p.key, i), if p.decay { 0.01f32 } else { 0.0 });
            let wide = if p.decay { x as f32 + (g - decay * x as f32) } else { x as f32 + g };
            let new = match (p.tensor.dtype(), rounding) {
                (DType::F64, _) if p.decay => x + (f64::from(g) - f64::from(decay) * x),
                (DType::F64, _) => x + f64::from(g),
                (DType::F32, _) => f64::from(wide),
                (DType::BF16, rounding) if p.carried.is_some() => {
                    let (high, low) = match rounding {
                        Rounding::Nearest => carried::nearest(wide),
                        Rounding::Stochastic => carried::stochastic(wide, random[i]),
                    };
                    f64::from(carried::join(high, low))
                }
                (DType::BF16, Rounding::Nearest) => bf16::from_f32(wide).to_f64(),
                (DType::F16, Rounding::Nearest) => f16::from_f32(wide).to_f64(),
                (DType::BF16, _) => bf16::from_bits(rounding::stochastic_bf16(wide, random[i])).to_f64(),
                (_, _) => f16::from_bits(rounding::stochastic_f16(wide, random[i])).to_f64(),
            };
            new.to_bits()
        };
        before.into_iter().enumerate().map(one).collect()
    });
    rows.collect()
}

#[test]
fn every_storage_follows_the_plain_formula_bit_for_bit() {
    let plain = [DType::F32, DType::F64, DType::BF16, DType::F16].map(Some);
    for dtype in plain.into_iter().chain([None]) {
        for law in Law::ALL {
            for rounding in Rounding::ALL {
                let set = dtype.map_or_else(carrying, params);
                let wanted = expected(&set, law, rounding);
                assert_ne!(values(&set)[0], wanted[0]);
                visit(&set, law, &TERMS, &Sgd { decay: 0.01 }, rounding, Seed(77)).unwrap();
                assert!(values(&set) == wanted, "{dtype:?} {law} {rounding}");
            }
        }
    }
}

#[test]
fn many_changes_in_one_walk_are_the_bits_of_many_walks() {
    let rules = [Sgd { decay: 0.01 }, Sgd { decay: 0.0 }, Sgd { decay: 0.02 }];
    let terms = [&TERMS[..], &[(Seed(8), 0.0)], &[(Seed(9), 2e-2)]];
    let change = |i: usize| Change { terms: terms[i], rule: &rules[i], rounding_seed: Seed(70 + i as u64) };
    let plain = [DType::F32, DType::F64, DType::BF16, DType::F16].map(Some);
    for dtype in plain.into_iter().chain([None]) {
        for rounding in Rounding::ALL {
            let [one_by_one, at_once] = [(); 2].map(|()| dtype.map_or_else(carrying, params));
            for i in 0..3 {
                let c = change(i);
                visit(&one_by_one, Law::Gaussian, c.terms, c.rule, rounding, c.rounding_seed).unwrap();
            }
            visit_each(&at_once, Law::Gaussian, &[0, 1, 2].map(change), rounding).unwrap();
            assert!(values(&one_by_one) == values(&at_once), "{dtype:?} {rounding}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads, set: ParamSet| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| visit(&set, Law::Gaussian, &TERMS, &Sgd { decay: 0.1 }, Rounding::Stochastic, Seed(5)))
            .unwrap();
        set.digest().unwrap()
    };
    for threads in [2, 5] {
        assert_eq!(run(1, params(DType::BF16)), run(threads, params(DType::BF16)));
        assert_eq!(run(1, carrying()), run(threads, carrying()));
    }
}

#[test]
fn a_step_of_nothing_leaves_every_bit() {
    let mut set = ParamSet::new();
    set.insert("w", Tensor::new(&[[-0f32, 0.0, f32::NAN, f32::INFINITY, 1e-42]], &Device::Cpu).unwrap()).unwrap();
    set.insert("b", Tensor::new(&[-0f32, 0.0], &Device::Cpu).unwrap()).unwrap();
    let before = set.digest().unwrap();
    let zero = [(Seed(1), 0.0), (Seed(2), -0.0)];
    visit(&set, Law::Gaussian, &zero, &Sgd { decay: 0.0 }, Rounding::Stochastic, Seed(5)).unwrap();
    visit(&set, Law::Rademacher, &zero, &Add, Rounding::Nearest, Seed(5)).unwrap();
    assert_eq!(set.digest().unwrap(), before);
    // With decay alone, parameters that are exempt from it stay.
    visit(&set, Law::Gaussian, &zero, &Sgd { decay: 0.5 }, Rounding::Stochastic, Seed(5)).unwrap();
    assert_ne!(set.digest().unwrap(), before);
    assert_eq!(values(&set)[1], [(-0f64).to_bits(), 0]);
}

#[test]
fn tied_weights_move_once() {
    let mut set = params(DType::F32);
    set.tie("lm_head.weight", "w.weight").unwrap();
    let wanted = expected(&set, Law::Gaussian, Rounding::Nearest);
    visit(&set, Law::Gaussian, &TERMS, &Sgd { decay: 0.01 }, Rounding::Nearest, Seed(77)).unwrap();
    assert!(values(&set) == wanted);
}

#[test]
fn a_refused_storage_changes_nothing() {
    let mut set = params(DType::F32);
    set.insert("ids", Tensor::new(&[1u32, 2], &Device::Cpu).unwrap()).unwrap();
    set.set_trainable(|_| true);
    let before = set.digest().unwrap();
    let result = visit(&set, Law::Gaussian, &TERMS, &Add, Rounding::Nearest, Seed(0));
    assert!(matches!(result, Err(Error::DType { what, .. }) if what == "ids"));
    assert_eq!(set.digest().unwrap(), before);
}

#[test]
fn a_part_of_a_larger_storage_is_updated_alone() {
    let whole = Tensor::arange(0f32, 30.0, &Device::Cpu).and_then(|t| t.reshape((3, 10))).unwrap();
    let mut set = ParamSet::new();
    set.insert("w", whole.narrow(0, 1, 1).unwrap()).unwrap();
    visit(&set, Law::Rademacher, &[(Seed(9), 0.5)], &Add, Rounding::Nearest, Seed(0)).unwrap();
    for (i, x) in whole.flatten_all().and_then(|t| t.to_vec1::<f32>()).unwrap().into_iter().enumerate() {
        let moved = if (10..20).contains(&i) { 0.5 } else { 0.0 };
        assert_eq!((x - i as f32).abs(), moved);
    }
}

/// Adds `move_by` times one direction to weights of 1, again and again: the mean of the movement along it, the standard
/// error of that mean, and the standard deviation of a weight.
fn walk(set: &ParamSet, rounding: Rounding, move_by: f32, steps: u64) -> (f64, f64, f64) {
    for step in 0..steps {
        visit(set, Law::Rademacher, &[(Seed(4), move_by)], &Add, rounding, Seed(100).derive(step, 0)).unwrap();
    }
    let joined = |p: &Param| p.joined().unwrap().to_dtype(DType::F32).and_then(|t| t.to_vec1::<f32>()).unwrap();
    let x = set.iter().next().map(joined).unwrap();
    let (n, key) = (x.len() as f64, ParamKey::of("w"));
    let along = |(i, x): (usize, &f32)| f64::from((x - 1.0) * element(Law::Rademacher, Seed(4), key, i as u64));
    let moves: Vec<f64> = x.iter().enumerate().map(along).collect();
    let mean = moves.iter().sum::<f64>() / n;
    let variance = moves.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt(), variance.sqrt())
}

/// Weights of 1 in bf16, with bits carried or without.
fn ones(carries: bool) -> ParamSet {
    let n = 20_000;
    let (ones, zeros) = (Tensor::ones(n, DType::BF16, &Device::Cpu), Tensor::zeros(n, DType::U8, &Device::Cpu));
    let mut set = ParamSet::new();
    match carries {
        true => set.insert_carried("w", ones.unwrap(), zeros.unwrap()).unwrap(),
        false => set.insert("w", ones.unwrap()).unwrap(),
    };
    set
}

#[test]
fn small_steps_survive_in_16_bits_on_average() {
    // A hundredth of a bf16 step each time: rounding to the nearest loses all of it, stochastic rounding none on average.
    let (steps, move_by) = (50, 2f32.powi(-7) / 100.0);
    let (mean, error, _) = walk(&ones(false), Rounding::Stochastic, move_by, steps);
    let wanted = f64::from(move_by) * steps as f64;
    assert!((mean - wanted).abs() < 4.0 * error && error < wanted / 20.0, "{mean} ± {error}, wanted {wanted}");
    assert_eq!(walk(&ones(false), Rounding::Nearest, move_by, steps).0, 0.0);
}

#[test]
fn eight_carried_bits_make_the_random_walk_sixteen_times_shorter() {
    // An eighth of the smaller step each time: a step of s then adds a variance of about move·s.
    let (steps, move_by) = (50, 2f32.powi(-18));
    let (mean, error, spread) = walk(&ones(true), Rounding::Stochastic, move_by, steps);
    let wanted = f64::from(move_by) * steps as f64;
    assert!((mean - wanted).abs() < 4.0 * error, "{mean} ± {error}, wanted {wanted}");
    // A fifth aside, as the larger steps are rare: 20,000 weights make some 300 of them, a variance known to 8 %; and a
    // step of s adds move·s − move², an eighth less for the smaller one.
    let ratio = walk(&ones(false), Rounding::Stochastic, move_by, steps).2 / spread;
    assert!((ratio / 16.0 - 1.0).abs() < 0.2, "{ratio}");
    assert_eq!(walk(&ones(true), Rounding::Nearest, move_by, steps).0, 0.0);
}

#[test]
fn carried_bits_that_do_not_fit_are_refused() {
    let mut set = ParamSet::new();
    let zeros = |n: usize, dtype| Tensor::zeros(n, dtype, &Device::Cpu).unwrap();
    for (tensor, carried) in [(DType::F16, DType::U8), (DType::BF16, DType::F32)] {
        let refused = set.insert_carried("w", zeros(4, tensor), zeros(4, carried));
        assert!(matches!(refused, Err(Error::DType { what, .. }) if what == "w"));
    }
    let refused = set.insert_carried("w", zeros(4, DType::BF16), zeros(5, DType::U8));
    assert!(matches!(refused, Err(Error::Shape { .. })));
    assert_eq!(set.iter().len(), 0);
}

/// A rule with its slots, and what it makes of one weight: `(x, state)` after, from x, g, state and decay.
type Plain = fn(f32, f32, [f32; 2], f32) -> (f32, [f32; 2]);
type Plain64 = fn(f64, f64, [f64; 2], f64) -> (f64, [f64; 2]);

const MOMENTUM: Momentum = Momentum { lr: 0.3, beta: 0.9, decay: 0.01 };
const ADAM: Adam = Adam { lr: 0.02, scale: 1.7, beta1: 0.9, beta2: 0.99, eps: 1e-5, decay: 0.01 };
const SIGN: Sign = Sign { lr: 0.02, decay: 0.01 };

fn stateful() -> [(&'static dyn Rule, &'static [&'static str], Plain, Plain64); 3] {
    [
        (
            &MOMENTUM,
            &["m"],
            |x, g, [m, v], decay| {
                let m = 0.9f32 * m + g;
                (x + (-0.3f32 * m - decay * x), [m, v])
            },
            |x, g, [m, v], decay| {
                let m = f64::from(0.9f32) * m + g;
                (x + (-f64::from(0.3f32) * m - decay * x), [m, v])
            },
        ),
        (
            &ADAM,
            &["m", "v"],
            |x, g, [m, v], decay| {
                let m = 0.9f32 * m + (1.0 - 0.9f32) * g;
                let v = 0.99f32 * v + (1.0 - 0.99f32) * (g * g);
                (x + (-(0.02f32 * m) / ((v * 1.7f32).sqrt() + 1e-5f32) - decay * x), [m, v])
            },
            |x, g, [m, v], decay| {
                let [b1, b2, lr, scale, eps] = [0.9f32, 0.99, 0.02, 1.7, 1e-5].map(f64::from);
                let m = b1 * m + (1.0 - b1) * g;
                let v = b2 * v + (1.0 - b2) * (g * g);
                (x + (-(lr * m) / ((v * scale).sqrt() + eps) - decay * x), [m, v])
            },
        ),
        (
            &SIGN,
            &[],
            |x, g, state, decay| (x + (-0.02f32 * g.signum() - decay * x), state),
            |x, g, state, decay| (x + (-f64::from(0.02f32) * g.signum() - decay * x), state),
        ),
    ]
}

/// Two changes of f32 and f64 weights by a rule with state, element by element.
#[test]
fn rules_with_state_follow_their_formulas_bit_for_bit() {
    for (rule, slots, plain, plain64) in stateful() {
        for dtype in [DType::F32, DType::F64] {
            let set = params(dtype);
            let mut wanted = values(&set);
            for (p, wanted) in set.iter().zip(&mut wanted).filter(|(p, _)| p.trainable) {
                let decay = if p.decay { 0.01f32 } else { 0.0 };
                for (i, x) in wanted.iter_mut().enumerate() {
                    let g = g(Law::Gaussian, p.key, i);
                    let (mut wide, mut state, mut double) = (f64::from_bits(*x), [0f32; 2], [0f64; 2]);
                    for _ in 0..2 {
                        if dtype == DType::F32 {
                            let (new, kept) = plain(wide as f32, g, state, decay);
                            (wide, state) = (f64::from(new), kept);
                        } else {
                            (wide, double) = plain64(wide, f64::from(g), double, f64::from(decay));
                        }
                    }
                    *x = wide.to_bits();
                }
            }
            let mut state = State::zeros(&set, slots, Precision::F32);
            let change = Change { terms: &TERMS, rule, rounding_seed: Seed(1) };
            visit_with_state(&set, Law::Gaussian, &[change, change], Rounding::Nearest, &mut state).unwrap();
            assert!(values(&set) == wanted, "{dtype:?} {slots:?}");
        }
    }
}

/// State as numbers, by name.
fn numbers(state: &State, set: &ParamSet) -> Vec<(String, Vec<f64>)> {
    let of = |t: Tensor| t.to_dtype(DType::F64).and_then(|t| t.to_vec1()).unwrap();
    state.tensors(set).unwrap().into_iter().map(|(name, tensor)| (name, of(tensor))).collect()
}

#[test]
fn one_walk_many_walks_and_a_reloaded_state_give_the_same_bits() {
    let plain = [DType::F32, DType::F64, DType::BF16, DType::F16].map(Some);
    for (rule, slots, ..) in stateful() {
        for (dtype, precision) in plain.into_iter().chain([None]).zip([Precision::F32, Precision::Bf16].iter().cycle())
        {
            let change = |n: u64| Change { terms: &TERMS, rule, rounding_seed: Seed(n) };
            let [at_once, one_by_one, reloaded] = [(); 3].map(|()| dtype.map_or_else(carrying, params));
            let mut states = [(); 2].map(|()| State::zeros(&at_once, slots, *precision));
            let visit = |set: &ParamSet, changes: &[Change<'_>], state: &mut State| {
                visit_with_state(set, Law::Gaussian, changes, Rounding::Stochastic, state).unwrap();
            };
            visit(&at_once, &[change(1), change(2), change(3)], &mut states[0]);
            (1..=3).for_each(|n| visit(&one_by_one, &[change(n)], &mut states[1]));
            assert!(values(&at_once) == values(&one_by_one), "{dtype:?} {slots:?}");
            assert!(numbers(&states[0], &at_once) == numbers(&states[1], &at_once));

            let mut first = State::zeros(&reloaded, slots, *precision);
            visit(&reloaded, &[change(1)], &mut first);
            let saved = first.tensors(&reloaded).unwrap();
            let find = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
            let mut again = State::load(&reloaded, slots, *precision, find).unwrap();
            visit(&reloaded, &[change(2), change(3)], &mut again);
            assert!(values(&at_once) == values(&reloaded), "{dtype:?} {slots:?}");
        }
    }
}

#[test]
fn state_in_16_bits_is_right_on_average() {
    // v grows by a thousandth of g² = 1 each step, far below a step of bf16 near its end.
    let mut set = ParamSet::new();
    set.insert("w", Tensor::zeros(20_000, DType::F32, &Device::Cpu).unwrap()).unwrap();
    let rule = Adam { lr: 0.0, scale: 1.0, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.0 };
    let mut state = State::zeros(&set, &["m", "v"], Precision::Bf16);
    for step in 0..1000 {
        let change = Change { terms: &[(Seed(4), 1.0)], rule: &rule, rounding_seed: Seed(step) };
        visit_with_state(&set, Law::Rademacher, &[change], Rounding::Stochastic, &mut state).unwrap();
    }
    let all = numbers(&state, &set);
    assert_eq!(all.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), ["w.m", "w.v"]);
    let (v, n) = (&all[1].1, 20_000.0);
    let mean = v.iter().sum::<f64>() / n;
    let error = (v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let wanted = 1.0 - f64::from(0.999f32).powi(1000);
    assert!((mean - wanted).abs() < 4.0 * error && error < 1e-3, "{mean} ± {error}, wanted {wanted}");
}

#[test]
fn state_of_other_parameters_is_refused() {
    let (set, mut others) = (params(DType::F32), ParamSet::new());
    others.insert("w.weight", Tensor::zeros((3, 3), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let before = set.digest().unwrap();
    let change = Change { terms: &TERMS, rule: &MOMENTUM, rounding_seed: Seed(1) };
    let mut state = State::zeros(&others, &["m"], Precision::F32);
    let refused = visit_with_state(&set, Law::Gaussian, &[change], Rounding::Nearest, &mut state);
    assert!(matches!(refused, Err(Error::State { .. })));
    assert_eq!(set.digest().unwrap(), before);
    assert!(
        matches!(State::load(&set, &["m"], Precision::F32, |_| None), Err(Error::State { name, .. }) if name == "w.weight.m")
    );
    let short = Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap();
    assert!(State::load(&set, &["m"], Precision::F32, |_| Some(short.clone())).is_err());
}

/// A rule that no kernel knows.
struct Unknown;

impl Rule for Unknown {
    fn apply(&self, _: &Param, _: usize, _: &mut [f32], _: &[f32], _: &mut [&mut [f32]]) {}
    fn apply64(&self, _: &Param, _: usize, _: &mut [f64], _: &[f32], _: &mut [&mut [f64]]) {}
}

#[test]
fn a_visit_by_kernels_is_that_of_the_cpu_with_its_state() {
    use crate::gpu::tests::host::in_both;
    assert_eq!(Unknown.formula(params(DType::F32).iter().next().unwrap()), None);
    in_both(|| {
        let adam = Adam { lr: 1e-2, scale: 1.5, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.01 };
        let change = |rounding_seed| Change { terms: &TERMS, rule: &adam, rounding_seed };
        let changes = [change(Seed(5)), change(Seed(6))];
        for (precision, dtype) in [(Precision::F32, DType::F32), (Precision::Bf16, DType::BF16)] {
            let [by_cpu, by_kernels] = [(); 2].map(|()| carrying());
            let mut state = State::zeros(&by_cpu, &["m", "v"], precision);
            visit_with_state(&by_cpu, Law::Gaussian, &changes, Rounding::Stochastic, &mut state).unwrap();
            let state = state.tensors(&by_cpu).unwrap();
            for param in by_kernels.iter().filter(|p| p.trainable) {
                let (len, device) = (param.tensor.elem_count(), Device::Cpu);
                let mut buffers = [(); 2].map(|()| Buffer::Device { tensor: None, device: device.clone(), dtype, len });
                let untouched = buffers[0].tensor().unwrap();
                assert_eq!((untouched.dtype(), untouched.elem_count(), buffers[0].len()), (dtype, len, len));
                let changes = changes.to_vec();
                let pass = Pass { param, law: Law::Gaussian, changes, rounding: Rounding::Stochastic };
                pass.on_device(&mut buffers).unwrap();
                for (slot, buffer) in ["m", "v"].into_iter().zip(&buffers) {
                    let name = format!("{}.{slot}", param.name);
                    let (_, expected) = state.iter().find(|(n, _)| *n == name).unwrap();
                    let numbers = |x: &Tensor| x.to_dtype(DType::F32).and_then(|x| x.to_vec1::<f32>()).unwrap();
                    assert_eq!(numbers(&buffer.tensor().unwrap()), numbers(expected), "{name}");
                }
            }
            assert!(values(&by_cpu) == values(&by_kernels), "{precision}");
        }
    });
}
