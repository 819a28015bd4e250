//! Every variant against the logits that transformers computed (`tests/golden/make_golden.py`).

use candle_core::{D, DType};
use polder_models::Tokens;
use polder_perturb::Points;

use crate::fixture::{Golden, golden, largest_difference, log_probs, reader, variants};

/// Both sequences packed into one input, every token wanted of every row.
fn everything(golden: &Golden) -> Tokens {
    let mut input = Tokens::new();
    for ids in &golden.ids {
        let rows = input.push(ids);
        input.positions[rows.start..rows.start + rows.len].copy_from_slice(&golden.positions);
    }
    for row in 0..input.rows() {
        (0..golden.model.vocab_size() as u32).for_each(|token| input.want(row, token));
    }
    input
}

/// The largest difference of log-probabilities, relative to the largest logit.
fn disagreement(name: &str, reader_name: &str) -> f64 {
    let golden = golden(name);
    let logits = golden.logits.to_dtype(DType::F64).unwrap();
    let expected = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap();
    let expected: Vec<f64> = expected.flatten_all().unwrap().to_vec1().unwrap();
    let largest: f64 = logits.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
    assert!(largest > 5.0, "{name}: logits that hardly spread prove little");
    let points = Points::plain();
    let at = reader(reader_name, &golden.params, &points);
    let found = log_probs(golden.model.as_ref(), at.as_ref(), &everything(&golden));
    largest_difference(&found, &expected) / largest
}

/// f32 has a relative precision of 6e-8; two layers of sums in another order, with weights chosen to be large, leave a
/// few of these, so 1e-5 of the largest logit holds with room and a wrong mask, norm or angle fails it by far.
fn agrees(reader_name: &str) {
    let mut worst = (0.0, String::new());
    for name in variants() {
        let error = disagreement(&name, reader_name);
        println!("{reader_name}: {name:24} {error:.1e}");
        assert!(
            error < 1e-5,
            "{reader_name}: `{name}` disagrees with transformers by {error:.2e} of the largest logit"
        );
        if error >= worst.0 {
            worst = (error, name);
        }
    }
    println!("{reader_name}: worst {worst:?}");
}

#[test]
fn the_plain_reader_in_f32_agrees_with_transformers() {
    agrees("plain f32");
}

#[test]
fn the_plain_reader_in_f64_agrees_with_transformers() {
    agrees("plain f64");
}

#[test]
fn the_cpu_reader_agrees_with_transformers() {
    agrees("cpu");
}

#[test]
fn every_model_type_has_a_golden_variant() {
    let covered: Vec<String> = variants().iter().map(|v| golden(v).config.model_type().to_owned()).collect();
    for entry in polder_models::MODEL_TYPES {
        assert!(covered.iter().any(|c| c == entry.model_type), "`{}` has no golden logits", entry.model_type);
    }
}
