//! Every parameter moves the result, with its named exceptions.

use polder_models::Tokens;
use polder_perturb::{Law, Points, Seed, Shift};

use crate::fixture::{golden, largest_difference, log_probs, reader, variants};

/// Parameters that can't move anything: a bias on keys adds the same to every score of a query, and softmax ignores
/// what is added to all. (With a rotary embedding, which turns the bias with the position, it does count.)
fn is_exception(model_type: &str, parameter: &str) -> bool {
    model_type == "opt" && parameter.ends_with("self_attn.k_proj.bias")
}

#[test]
fn every_parameter_moves_the_result() {
    let points = Points::new(Law::Gaussian, &[Shift::none(), Shift::along(Seed(11), 0.01)]);
    for name in variants() {
        let mut golden = golden(&name);
        let mut input = Tokens::new();
        let rows = input.push(&golden.ids[0]);
        (1..rows.len).for_each(|row| input.want(row - 1, golden.ids[0][row]));
        let names: Vec<String> = golden.params.iter().map(|p| p.name.clone()).collect();
        for parameter in names {
            golden.params.set_trainable(|n| n == parameter);
            let at = reader("plain f64", &golden.params, &points);
            let found = log_probs(golden.model.as_ref(), at.as_ref(), &input);
            let (plain, shifted) = found.split_at(found.len() / 2);
            let moved = largest_difference(plain, shifted);
            if is_exception(golden.config.model_type(), &parameter) {
                // Roundings of f64 on log-probabilities of order 10.
                assert!(moved < 1e-12, "`{name}`: `{parameter}` moves the result by {moved:.1e}, but should not");
            } else {
                assert!(moved > 1e-6, "`{name}`: `{parameter}` moves the result by {moved:.1e} only");
            }
        }
    }
}
