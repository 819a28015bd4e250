//! Weights changed by kernels: the bits of the CPU's visitor.

use candle_core::{DType, Tensor};

use super::super::update::{Step, change};
use super::host::in_both;
use super::*;
use crate::error::Error;
use crate::rounding::Rounding;
use crate::update::{Adam, Add, Change, Momentum, Precision, Rule, Sgd, Sign, State, state_key, visit_with_state};

const SLOTS: [&str; 2] = ["m", "v"];

fn rules() -> Vec<(Box<dyn Rule>, usize)> {
    let adam = Adam { lr: 1e-2, scale: 1.7, beta1: 0.9, beta2: 0.99, eps: 1e-8, decay: 0.02 };
    vec![
        (Box::new(Sgd { decay: 0.01 }), 0),
        (Box::new(Sgd { decay: 0.0 }), 0),
        (Box::new(Add), 0),
        (Box::new(Sign { lr: 1e-3, decay: 0.01 }), 0),
        (Box::new(Momentum { lr: 1e-2, beta: 0.9, decay: 0.01 }), 1),
        (Box::new(adam), 2),
    ]
}

/// A matrix with a tail, and a vector, which has no decay.
fn params(storage: Storage, offset: usize) -> ParamSet {
    let mut set = ParamSet::new();
    add_param(&mut set, "w.weight", &[31, 37], storage, offset, 3);
    add_param(&mut set, "w.bias", &[3], storage, 0, 4);
    set
}

fn all_bits(set: &ParamSet) -> Vec<Vec<u32>> {
    set.iter().map(|p| bits(&p.joined().expect("weights"))).collect()
}

#[test]
fn every_rule_and_storage_has_the_bits_of_the_cpu() {
    in_both(|| {
        let terms = [(Seed(1), -3e-3f32), (Seed(1 << 33), 1e-2), (Seed(7), 2e-3)];
        for (storage, offset) in STORAGES.iter().flat_map(|s| [(*s, 0), (*s, 3)]) {
            for (rule, slots) in rules() {
                for (rounding, precision) in Rounding::ALL.into_iter().flat_map(|r| Precision::ALL.map(|p| (r, p))) {
                    let law = Law::ALL[slots % 2];
                    let [cpu, gpu] = [(); 2].map(|()| params(storage, offset));
                    let before = all_bits(&cpu);
                    let mut state = State::zeros(&cpu, &SLOTS[..slots], precision);
                    let dtype = if precision == Precision::F32 { DType::F32 } else { DType::BF16 };
                    let zeros = |len: usize| (0..slots).map(move |_| Tensor::zeros(len, dtype, &Device::Cpu));
                    let own: Vec<Vec<Tensor>> = gpu
                        .iter()
                        .map(|p| zeros(p.tensor.elem_count()).collect::<Result<_, _>>().expect("zeros"))
                        .collect();
                    // Several steps, so that state which is not 0 goes in.
                    for step in 0..3 {
                        let rounding_seed = Seed(90 + step);
                        let changes = [Change { terms: &terms, rule: &*rule, rounding_seed }];
                        visit_with_state(&cpu, law, &changes, rounding, &mut state).expect("a step on the CPU");
                        for (param, own) in gpu.iter().zip(&own) {
                            let formula = rule.formula(param).expect("a formula");
                            let state_keys = [0, 1].map(|slot| state_key(param.key, slot));
                            let step = Step { law, terms: &terms, formula, rounding, rounding_seed, state_keys };
                            change(param, &step, &own.iter().collect::<Vec<_>>()).expect("a step by kernels");
                        }
                    }
                    let what = format!("{storage:?} {offset} {slots} {rounding} {precision}");
                    assert_ne!(all_bits(&cpu)[0], before[0], "{what}");
                    assert_eq!(all_bits(&gpu), all_bits(&cpu), "{what}");
                    let expected = state.tensors(&cpu).expect("state");
                    assert_eq!(expected.len(), 2 * slots);
                    for ((name, expected), found) in expected.iter().zip(own.iter().flatten()) {
                        assert_eq!(bits(found), bits(expected), "{what} {name}");
                    }
                }
            }
        }
    });
}

#[test]
fn what_no_kernel_does_is_refused() {
    let mut set = ParamSet::new();
    set.insert("w", Tensor::zeros(4, DType::F64, &Device::Cpu).expect("weights")).expect("a parameter");
    set.insert("x", Tensor::zeros(4, DType::F32, &Device::Cpu).expect("weights")).expect("a parameter");
    let rule = Momentum { lr: 1.0, beta: 0.5, decay: 0.0 };
    let run = |name: &str, state: &[&Tensor]| {
        let param = set.get(set.site(name).expect("a site"));
        let step = Step {
            law: Law::Gaussian,
            terms: &[],
            formula: rule.formula(param).expect("a formula"),
            rounding: Rounding::Nearest,
            rounding_seed: Seed(0),
            state_keys: [ParamKey(0); 2],
        };
        change(param, &step, state)
    };
    let state = |len: usize, dtype| Tensor::zeros(len, dtype, &Device::Cpu).expect("state");
    assert!(matches!(run("w", &[&state(4, DType::F32)]), Err(Error::DType { .. })));
    for wrong in [&[][..], &[&state(3, DType::F32)], &[&state(4, DType::F64)]] {
        assert!(matches!(run("x", wrong), Err(Error::State { .. })));
    }
}
