//! The readers against one another: storage types, laws of directions, several seeds.

use candle_core::{DType, Tensor};
use polder_models::{ModelConfig, Tokens, build};
use polder_perturb::{Law, Points, Seed, Shift, Term};

use crate::fixture::{config_text, largest_difference, log_probs, params, reader, variants, weights};

/// Two points of one seed, and one of two seeds and another order.
fn points(law: Law) -> Points {
    let term = |seed, coeff| Term { seed: Seed(seed), coeff };
    let two = Shift { terms: vec![term(9, -0.01), term(4, 0.02)] };
    Points::new(law, &[Shift::along(Seed(4), 0.02), Shift::along(Seed(4), -0.02), two])
}

/// f64 arithmetic is the reference; f32 leaves some of its roundings (6e-8), larger weights at a shift included, so the
/// tolerance is that of the golden logits: 1e-5 of the largest value.
#[test]
fn readers_agree_in_every_storage_under_every_law() {
    for name in variants() {
        let config = ModelConfig::parse(&config_text(&name)).unwrap();
        let weights = weights(&name);
        for (storage, law) in [(DType::F32, Law::Rademacher), (DType::BF16, Law::Gaussian), (DType::F16, Law::Gaussian)]
        {
            let params = params(&config, &weights, |t: &Tensor| t.to_dtype(storage).unwrap());
            let model = build(&config, &params).unwrap();
            let mut input = Tokens::new();
            let rows = input.push(&[4, 8, 15, 16, 23, 42, 4, 8]);
            (0..rows.len).for_each(|row| (0..60).for_each(|token| input.want(row, token)));
            let points = points(law);
            let read = |reader_name| log_probs(model.as_ref(), reader(reader_name, &params, &points).as_ref(), &input);
            let exact = read("plain f64");
            let largest = exact.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            for reader_name in ["plain f32", "cpu"] {
                let error = largest_difference(&read(reader_name), &exact) / largest;
                assert!(error < 1e-5, "`{name}` in {storage:?}, {law}: {reader_name} differs by {error:.2e}");
            }
        }
    }
}

#[test]
fn a_frozen_parameter_is_read_as_it_is_at_every_point() {
    let config = ModelConfig::parse(&config_text("llama")).unwrap();
    let mut params = params(&config, &weights("llama"), Tensor::clone);
    params.set_trainable(|_| false);
    let model = build(&config, &params).unwrap();
    let mut input = Tokens::new();
    input.push(&[3, 1, 4, 1, 5]);
    input.want(4, 9);
    for reader_name in ["plain f32", "plain f64", "cpu"] {
        let at = |points: &Points| log_probs(model.as_ref(), reader(reader_name, &params, points).as_ref(), &input);
        let plain = at(&Points::plain());
        assert_eq!(at(&points(Law::Gaussian)), vec![plain[0]; 3], "{reader_name}");
    }
}
