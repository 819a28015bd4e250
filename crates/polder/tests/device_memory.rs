//! The formula of device memory against passes of the real models on a device that counts.

mod counting;

use counting::{Counter, CountingReader};
use polder::bench::Shape;
use polder::config::Arithmetic;
use polder::device::{Architecture, Kind, Pass};
use polder_models::{ModelConfig, Tokens, build};

/// The bytes that a pass holds at the highest beside the weights, and the weights.
fn counted(config: &ModelConfig, pass: &Pass, batch: usize, length: usize) -> (u64, u64) {
    let counter = Counter::new();
    // What stays in the computer's memory is not counted.
    let params = counter.params(config, if pass.sent > 0 { 0 } else { 2 });
    let weights = counter.memory().live();
    let model = build(config, &params).unwrap();
    let mut tokens = Tokens::new();
    for _ in 0..batch {
        let rows = tokens.push(&vec![1; length]);
        tokens.want(rows.start + length - 1, 2);
    }
    {
        let reader = CountingReader::new(&params, &counter, pass.points, pass.arithmetic, pass.sent);
        model.log_probs(&reader, &tokens).unwrap();
    }
    assert_eq!(counter.memory().live(), weights, "a pass keeps nothing");
    (counter.memory().peak() - weights, weights)
}

/// Never below what is held, and at most 3 % and 64 KiB above: the formula rounds up where a bias or a last block is
/// smaller than the largest, and takes a small bound of the words that say how sequences attend.
fn holds(name: &str, config: &ModelConfig, points: usize, batch: usize, length: usize, arithmetic: Arithmetic) {
    let architecture = Architecture::of(config).unwrap();
    for sent in [0, 2, 3] {
        let pass = Pass { points, rows: batch * length, wanted: batch, arithmetic, kind: Kind::Cuda, sent };
        let (held, weights) = counted(config, &pass, batch, length);
        let said = architecture.peak(&pass).total();
        let at =
            format!("{name}, {points} point(s), {batch} of {length}, {arithmetic:?}, {sent}: {held} held, {said} said");
        assert!(said >= held && said as f64 <= 1.03 * held as f64 + 65_536.0, "{at}");
        let once = if sent > 0 { 0 } else { 2 * architecture.parameters() as u64 };
        assert_eq!(weights, once, "weights lie there once, or not at all");
    }
}

#[test]
fn published_shapes_hold_what_the_formula_says() {
    for name in ["tiny", "opt-125m", "opt-350m", "1.1b", "opt-1.3b", "opt-6.7b", "llama-7b", "opt-13b", "llama-2-70b"] {
        let config = Shape::named(name).unwrap().config().unwrap();
        for points in [1, 2, 4] {
            for (batch, length) in [(1, 8), (4, 32), (16, 128), (64, 256)] {
                for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
                    holds(name, &config, points, batch, length, arithmetic);
                }
            }
        }
    }
}

#[test]
fn biases_norms_of_queries_and_narrow_heads_are_counted() {
    let of = |more: &str| {
        let json = format!(
            "{{\"num_hidden_layers\": 3, \"hidden_size\": 256, \"intermediate_size\": 640, \"num_attention_heads\": 4, \
             \"num_key_value_heads\": 2, \"vocab_size\": 9000, \"max_position_embeddings\": 512, \"rms_norm_eps\": 1e-6, \
             \"hidden_act\": \"silu\", {more}}}"
        );
        ModelConfig::parse(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
    };
    for (name, config) in
        [("qwen2", of("\"model_type\": \"qwen2\"")), ("qwen3", of("\"model_type\": \"qwen3\", \"head_dim\": 128"))]
    {
        for points in [1, 2] {
            for batch in [1, 8, 64] {
                holds(name, &config, points, batch, 40, Arithmetic::F32);
            }
        }
    }
}

#[test]
fn a_tensor_that_is_kept_too_long_would_be_seen() {
    let counter = Counter::new();
    let a = counter.tensor((3, 5), 4).unwrap();
    let b = a.clone();
    drop(a);
    assert_eq!(counter.memory().live(), 60);
    let c = counter.tensor(10, 2).unwrap();
    drop((b, c));
    assert_eq!((counter.memory().live(), counter.memory().peak()), (0, 80));
}
