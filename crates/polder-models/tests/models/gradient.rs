//! The projected gradient against autograd's directional derivative, in f64 on tiny models.
//!
//! `(L(θ + λu) − L(θ − λu)) / 2λ = ⟨∇L, u⟩ + λ²/6·D³L[u, u, u] + …`, so the error falls as λ².

use candle_core::{DType, Tensor, Var};
use polder_models::{LanguageModel, ModelConfig, Tokens, build};
use polder_perturb::{Law, ParamSet, PlainReader, Points, Seed, Shift, Term, direction};

use crate::fixture::{config_text, params, weights};

/// A variant whose parameters are f64 `Var`s, and smooth: ReLU's kinks would hide the order of the error.
struct Differentiable {
    params: ParamSet,
    model: Box<dyn LanguageModel>,
    input: Tokens,
}

fn differentiable(name: &str) -> Differentiable {
    let text = config_text(name).replace("\"relu\"", "\"gelu\"");
    let config = ModelConfig::parse(&text).unwrap();
    let variable = |t: &Tensor| Var::from_tensor(&t.to_dtype(DType::F64).unwrap()).unwrap().into_inner();
    let params = params(&config, &weights(name), variable);
    let model = build(&config, &params).unwrap();
    let mut input = Tokens::new();
    let prefix = input.push(&[5, 9, 40, 3, 17, 22]);
    for branch in [[8u32, 30], [44, 2]] {
        let rows = input.push_branch(&branch, prefix);
        input.want(prefix.len - 1, branch[0]);
        input.want(rows.start, branch[1]);
    }
    Differentiable { params, model, input }
}

impl Differentiable {
    /// The mean negative log-probability at one point, as a tensor with its graph.
    fn loss(&self, shift: &Shift) -> Tensor {
        let points = Points::new(Law::Gaussian, std::slice::from_ref(shift));
        let at = PlainReader::new(&self.params, &points, DType::F64);
        self.model.log_probs(&at, &self.input).unwrap().mean_all().unwrap().neg().unwrap()
    }

    fn value(&self, shift: &Shift) -> f64 {
        self.loss(shift).to_scalar().unwrap()
    }

    /// `⟨∇L, u⟩` at a point, by autograd.
    fn directional(&self, at: &Shift, seed: Seed) -> f64 {
        let grads = self.loss(at).backward().unwrap();
        let part = |param: &polder_perturb::Param| {
            let gradient = grads.get(&param.tensor).unwrap_or_else(|| panic!("`{}` has no gradient", param.name));
            let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
            let mut u = vec![0f32; gradient.len()];
            direction::fill(Law::Gaussian, seed, param.key, 0, &mut u);
            gradient.iter().zip(&u).map(|(g, u)| g * f64::from(*u)).sum::<f64>()
        };
        self.params.iter().map(part).sum()
    }

    /// `(L(at + λu) − L(at − λu)) / 2λ`.
    fn two_point(&self, at: &Shift, seed: Seed, lambda: f64) -> f64 {
        let moved = |coeff: f64| {
            let mut shift = at.clone();
            shift.terms.push(Term { seed, coeff });
            self.value(&shift)
        };
        (moved(lambda) - moved(-lambda)) / (2.0 * lambda)
    }
}

/// The slope of the line through `(ln λ, ln error)`, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(l, e)| (l.ln(), e.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let (over, under) = logs.iter().fold((0.0, 0.0), |(o, u), (x, y)| (o + (x - mx) * (y - my), u + (x - mx).powi(2)));
    over / under
}

fn check(name: &str, at: &Shift) {
    let model = differentiable(name);
    let seed = Seed(3);
    let exact = model.directional(at, seed);
    assert!(exact.abs() > 0.1, "{name}: a derivative of {exact:.1e} proves little");
    // Powers of two: coefficients are read as f32, and these are f32 numbers. The largest is small beside the weights
    // (about 0.3); at the smallest the error is still far above the roundings of f64 (1e-16/λ).
    let errors: Vec<(f64, f64)> = (8..14)
        .map(|k| 0.5f64.powi(k))
        .map(|lambda| (lambda, (model.two_point(at, seed, lambda) - exact).abs() / exact.abs()))
        .collect();
    let slope = slope(&errors);
    println!("{name}: ⟨∇L, u⟩ = {exact:.6}, slope {slope:.4}, errors {errors:?}");
    assert!((slope - 2.0).abs() < 0.05, "{name}: the error falls as λ^{slope:.3}, expected λ²: {errors:?}");
    assert!(errors.last().is_some_and(|(_, e)| *e < 1e-4), "{name}: the two do not meet: {errors:?}");
}

#[test]
fn the_projected_gradient_of_opt_is_the_directional_derivative() {
    check("opt", &Shift::none());
    check("opt-post-norm", &Shift::none());
}

#[test]
fn the_projected_gradient_of_llama_is_the_directional_derivative() {
    check("llama-gqa-tied", &Shift::none());
    check("qwen3", &Shift::none());
}

#[test]
fn so_it_is_at_a_shifted_point() {
    check("llama-gqa-tied", &Shift::along(Seed(8), 0.01));
}
