//! The reader made of kernels, its launches included, against the CPU's reader: the same seam, the same questions.

use candle_core::{DType, Tensor};

use super::super::GpuReader;
use super::super::head::TOKENS;
use super::super::held::SENT;
use super::host::in_both;
use super::*;
use crate::cpu::CpuReader;
use crate::error::Result;
use crate::points::{Points, Shift, Term};
use crate::reader::{
    Activation, Arithmetic, Attention, KeysValues, Linear, Norm, NormKind, Reader, RopeTable, Sequence, Span,
};

const WIDTH: usize = 96;
const VOCABULARY: usize = 2 * TOKENS + 203;

fn params(storage: Storage) -> ParamSet {
    let mut set = ParamSet::new();
    let shapes: [(&str, &[usize]); 8] = [
        ("embed.weight", &[203, WIDTH]),
        ("q.weight", &[WIDTH, WIDTH]),
        ("q.bias", &[WIDTH]),
        ("up.weight", &[161, WIDTH]),
        ("norm.weight", &[WIDTH]),
        ("norm.bias", &[WIDTH]),
        ("frozen.weight", &[7, WIDTH]),
        ("odd.weight", &[40, 31]),
    ];
    for (i, (name, shape)) in shapes.into_iter().enumerate() {
        add_param(&mut set, name, shape, storage, 0, i as u64);
    }
    set.set_trainable(|name| !name.starts_with("frozen"));
    set
}

fn several() -> Points {
    let two = vec![Term { seed: Seed(5), coeff: -1e-2 }, Term { seed: Seed(9), coeff: 3e-2 }];
    let along = |c| Shift::along(Seed(5), c);
    Points::new(Law::Gaussian, &[Shift::none(), along(1e-2), along(-1e-2), Shift { terms: two }, Shift::none()])
}

fn linear(params: &ParamSet, weight: &str, bias: Option<&str>) -> Linear {
    Linear { weight: params.site(weight).expect("a weight"), bias: bias.map(|b| params.site(b).expect("a bias")) }
}

fn sequences() -> Vec<Sequence> {
    let span = |start, len| Span { start, len };
    vec![
        Sequence { rows: span(0, 21), prefix: Span::default() },
        Sequence { rows: span(21, 3), prefix: span(0, 21) },
        Sequence { rows: span(24, 1), prefix: span(0, 21) },
        Sequence { rows: span(25, 40), prefix: Span::default() },
        Sequence { rows: span(65, 18), prefix: span(25, 33) },
    ]
}

fn matrix(seed: u64, rows: usize, width: usize) -> Tensor {
    Tensor::from_vec(numbers(seed, rows * width, 1.0), (rows, width), &Device::Cpu).expect("a matrix")
}

/// What a reader answers, and how far the two may be apart, as a share of the largest value; 0 is bit for bit.
fn answers(at: &dyn Reader, params: &ParamSet) -> Result<Vec<(&'static str, f64, Tensor)>> {
    let (points, rows) = (at.points(), 83);
    let site = |name: &str| params.site(name).expect("a site");
    let ids: Vec<u32> = (0..rows as u32).map(|i| (i * 37 + 11) % 203).collect();
    let x = at.embed(site("embed.weight"), &ids)?;
    let norm = |kind, weight: Option<&str>, bias: Option<&str>, width| Norm {
        kind,
        weight: weight.map(site),
        bias: bias.map(site),
        width,
        eps: 1e-5,
    };
    let table = RopeTable {
        cos: (0..64 * 8).map(|i| (f64::from(i / 8) / f64::from(1 + i % 8)).cos()).collect(),
        sin: (0..64 * 8).map(|i| (f64::from(i / 8) / f64::from(1 + i % 8)).sin()).collect(),
        half: 8,
    };
    let positions: Vec<u32> =
        sequences().iter().flat_map(|s| (s.prefix.len..s.prefix.len + s.rows.len).map(|p| p as u32)).collect();
    let wide = matrix(1, points * rows, WIDTH);
    // A group of lanes takes long on the host.
    let few = x.narrow(0, 0, points * 3)?;
    let mut all = vec![
        // Sums of 96 numbers in another order: some 1e-7.
        ("rms", 1e-6, at.norm(&few, &norm(NormKind::Rms, Some("norm.weight"), None, WIDTH))?),
        ("layer", 1e-6, at.norm(&few, &norm(NormKind::Layer, Some("norm.weight"), Some("norm.bias"), WIDTH))?),
        ("by head", 1e-6, at.norm(&few, &norm(NormKind::Rms, None, None, 16))?),
        ("rope", 0.0, at.rope(wide.clone(), &table, &positions)?),
        ("add", 0.0, at.add(wide.clone(), &x)?),
        ("select", 0.0, at.select(&wide, &[82, 0, 7])?),
        ("frozen", 1e-6, at.linear(&x, linear(params, "frozen.weight", None))?),
        ("odd", 1e-6, at.linear(&matrix(2, points * 3, 31), linear(params, "odd.weight", None))?),
    ];
    for activation in [Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::Silu] {
        all.push(("activate", 0.0, at.activate(wide.clone(), activation)?));
        all.push(("gate", 0.0, at.gate(wide.clone(), &x, activation)?));
    }
    for y in at.linears(&wide, &[linear(params, "q.weight", Some("q.bias")), linear(params, "up.weight", None)])? {
        all.push(("linear", 1e-6, y));
    }
    all.push(("embed", 0.0, x));
    Ok(all)
}

#[test]
fn every_answer_is_the_cpus() {
    in_both(|| {
        for storage in STORAGES {
            let params = params(storage);
            for points in [several(), Points::pair(Law::Rademacher, Seed(3), 1e-2), Points::plain()] {
                let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
                let cpu = CpuReader::new(&params, &points);
                let (found, expected) =
                    (answers(&gpu, &params).expect("answers"), answers(&cpu, &params).expect("answers"));
                for ((what, tolerance, found), (_, _, expected)) in found.iter().zip(&expected) {
                    let apart = distance(found, expected);
                    assert!(apart <= *tolerance, "{storage:?} {what}: {apart}");
                    assert!(*tolerance > 0.0 || bits(found) == bits(expected), "{storage:?} {what}");
                }
            }
        }
    });
}

#[test]
fn offloaded_weights_give_the_same_bits_and_are_sent_once_a_pass() {
    in_both(|| {
        for storage in STORAGES {
            for points in [several(), Points::pair(Law::Rademacher, Seed(3), 1e-2), Points::plain()] {
                let [here, sent] = [false, true].map(|offload| {
                    let mut params = params(storage);
                    if offload {
                        params.offload(&Device::Cpu).expect("weights in the computer's memory");
                        assert!(params.offloaded());
                    }
                    SENT.set(0);
                    let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
                    answers(&gpu, &params).expect("answers")
                });
                for ((what, _, found), (_, _, expected)) in sent.iter().zip(&here) {
                    assert_eq!(bits(found), bits(expected), "{storage:?} {what}");
                }
                // Two norms by one weight, one of them with a bias; four products, one with a bias. Rows of the table are
                // made where it lies.
                let norms = 2 * WIDTH + WIDTH;
                let products = (WIDTH * WIDTH + WIDTH) + 161 * WIDTH + 7 * WIDTH + 40 * 31;
                let number = match storage {
                    Storage::Plain(dtype) => dtype.size_in_bytes(),
                    Storage::Carried => 3,
                };
                assert_eq!(SENT.get(), (norms + products) * number, "{storage:?}");
            }
        }
    });
}

#[test]
fn an_offloaded_head_is_sent_block_by_block() {
    in_both(|| {
        let pair = Points::pair(Law::Gaussian, Seed(3), 1e-2);
        // f32 that rests is multiplied as it was sent, anything else is made at the point.
        for (dtype, points) in [(DType::BF16, &pair), (DType::F32, &pair), (DType::F32, &Points::plain())] {
            let x = matrix(5, points.count() * 3, 24);
            let pairs: Vec<(u32, u32)> = (0..20).map(|i| (i % 3, (i * 2503) % VOCABULARY as u32)).collect();
            let [here, sent] = [false, true].map(|offload| {
                let mut params = head_params(dtype);
                if offload {
                    params.offload(&Device::Cpu).expect("weights in the computer's memory");
                }
                SENT.set(0);
                let head = linear(&params, "head.weight", Some("head.bias"));
                let gpu = GpuReader::new(&params, points, Arithmetic::F32).expect("a reader");
                bits(&gpu.log_probs(&x, head, &pairs).expect("log-probabilities"))
            });
            assert_eq!(here, sent, "{dtype:?}");
            assert_eq!(SENT.get(), VOCABULARY * 24 * dtype.size_in_bytes() + VOCABULARY * 4);
        }
    });
}

#[test]
fn rounded_products_agree_with_the_cpus() {
    in_both(|| {
        for storage in STORAGES {
            let (params, points) = (params(storage), several());
            let x = matrix(1, points.count() * 9, WIDTH);
            for name in ["up.weight", "frozen.weight"] {
                let layer = linear(&params, name, None);
                let gpu = GpuReader::new(&params, &points, Arithmetic::Bf16).and_then(|at| at.linear(&x, layer));
                let cpu = CpuReader::in_arithmetic(&params, &points, Arithmetic::Bf16).linear(&x, layer);
                // The same factors, rounded by the same bits; sums of 96 products in another order.
                let apart = distance(&gpu.expect("a product"), &cpu.expect("a product"));
                assert!(apart < 1e-6, "{storage:?} {name}: {apart}");
            }
        }
    });
}

/// Attention with heads of `dims` over the sequences, in all its variety.
fn attention(at: &dyn Reader, dims: usize, heads: (usize, usize), window: Option<usize>, stem: bool) -> Tensor {
    let (points, rows, before) = (at.points(), 83, 50);
    let sequences = sequences();
    let kv = |seed, rows| matrix(seed, points * rows, heads.1 * dims);
    let (keys, values) = (kv(11, before), kv(12, before));
    let kept = KeysValues { keys, values };
    let span = |start, len| Span { start, len };
    let after = [vec![span(3, 20), span(30, 11)], vec![span(3, 20)], vec![], vec![span(0, 50)], vec![span(49, 1)]];
    let spec = Attention {
        sequences: &sequences,
        heads: heads.0,
        kv_heads: heads.1,
        head_dim: dims,
        scale: 1.0 / (dims as f64).sqrt(),
        window,
        stem: stem.then_some(&kept),
        after: stem.then_some(&after),
    };
    let q = matrix(13, points * rows, heads.0 * dims);
    at.attention(&q, &kv(14, rows), &kv(15, rows), &spec).expect("attention")
}

#[test]
fn attention_is_the_cpus() {
    in_both(|| {
        let params = ParamSet::new();
        let points = Points::pair(Law::Gaussian, Seed(3), 1e-2);
        let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
        let cpu = CpuReader::new(&params, &points);
        let dims = [(16, (4, 2)), (64, (2, 1)), (80, (2, 2)), (128, (1, 1)), (7, (3, 1)), (33, (1, 1)), (256, (1, 1))];
        for (dims, heads) in dims {
            for (window, stem) in [(None, false), (None, true), (Some(1), false), (Some(7), true), (Some(36), true)] {
                let (found, expected) =
                    (attention(&gpu, dims, heads, window, stem), attention(&cpu, dims, heads, window, stem));
                // Means of up to 108 values, weighed by exponentials of an error of 2e-7.
                let apart = distance(&found, &expected);
                assert!(apart < 2e-6, "{dims} {heads:?} {window:?} {stem}: {apart}");
            }
        }
    });
}

#[test]
fn a_broken_number_reaches_every_row_that_sees_it() {
    in_both(|| {
        let (params, points) = (ParamSet::new(), Points::plain());
        let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
        let mut x = numbers(1, 40 * 16, 1.0);
        x[10 * 16] = f32::NAN;
        let x = Tensor::from_vec(x, (40, 16), &Device::Cpu).expect("rows");
        let sequences = [Sequence { rows: Span { start: 0, len: 40 }, prefix: Span::default() }];
        let spec = Attention {
            sequences: &sequences,
            heads: 1,
            kv_heads: 1,
            head_dim: 16,
            scale: 0.25,
            window: None,
            stem: None,
            after: None,
        };
        let y = gpu.attention(&x, &x, &x, &spec).and_then(|y| Ok(y.to_vec2::<f32>()?)).expect("rows");
        for (row, y) in y.iter().enumerate() {
            assert!(y[0].is_nan() || row < 10, "{row}");
        }
    });
}

fn head_params(dtype: DType) -> ParamSet {
    let mut set = ParamSet::new();
    add_param(&mut set, "head.weight", &[VOCABULARY, 24], Storage::Plain(dtype), 0, 1);
    add_param(&mut set, "head.bias", &[VOCABULARY], Storage::Plain(DType::F32), 0, 2);
    set
}

#[test]
fn the_head_says_what_the_cpus_says() {
    in_both(|| {
        let params = head_params(DType::BF16);
        let x = matrix(5, 5 * 6, 24);
        let pairs: Vec<(u32, u32)> = (0..20).map(|i| (i % 6, (i * 2503) % VOCABULARY as u32)).collect();
        let points = several();
        for bias in [None, Some("head.bias")] {
            let head = linear(&params, "head.weight", bias);
            let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
            let cpu = CpuReader::new(&params, &points);
            let found = gpu.log_probs(&x, head, &pairs).expect("log-probabilities");
            let expected = cpu.log_probs(&x, head, &pairs).expect("log-probabilities");
            assert_eq!(found.dtype(), DType::F64);
            assert!(distance(&found, &expected) < 1e-6, "{}", distance(&found, &expected));
            assert_eq!(gpu.log_probs(&x, head, &[]).expect("nothing").dims(), [0]);
            for whole in [false, true] {
                let (found, expected) =
                    (gpu.next(&x, head, whole).expect("next"), cpu.next(&x, head, whole).expect("next"));
                assert_eq!(found.len(), 30);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(found.token, expected.token);
                    assert!((found.log_sum - expected.log_sum).abs() < 1e-5);
                    assert!((found.logit - expected.logit).abs() < 1e-5);
                    assert_eq!(found.logits.len(), expected.logits.len());
                    assert!(found.logits.iter().zip(&expected.logits).all(|(a, b)| (a - b).abs() < 1e-5));
                }
            }
        }
    });
}

#[test]
fn equal_logits_give_the_lowest_id_and_broken_ones_show() {
    in_both(|| {
        let mut params = ParamSet::new();
        let mut rows = vec![0f32; VOCABULARY * 4];
        // Lanes 44, 60 (which meets 44 first), 1 and, in the next block, 4.
        for token in [300, 316, 513, 4100] {
            rows[token * 4] = 1.0;
        }
        let weight = Tensor::from_vec(rows, (VOCABULARY, 4), &Device::Cpu).expect("a tensor");
        let head = Linear { weight: params.insert("head.weight", weight).expect("a parameter"), bias: None };
        let points = Points::plain();
        let gpu = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
        let ones = Tensor::ones((1, 4), DType::F32, &Device::Cpu).expect("ones");
        assert_eq!(gpu.next(&ones, head, false).expect("next")[0].token, 300);
        let broken = (&ones * f64::NAN).expect("no numbers");
        assert!(gpu.next(&broken, head, false).expect("next")[0].logit.is_nan());
        let log_probs = gpu.log_probs(&broken, head, &[(0, 3)]).and_then(|x| Ok(x.to_vec1::<f64>()?)).expect("numbers");
        assert!(log_probs[0].is_nan());
    });
}

#[test]
fn bad_input_is_an_error() {
    let (params, points) = (params(Storage::Plain(DType::F32)), several());
    let at = GpuReader::new(&params, &points, Arithmetic::F32).expect("a reader");
    let x = matrix(1, 10, WIDTH);
    let layer = linear(&params, "q.weight", None);
    assert!(at.linear(&matrix(1, 9, WIDTH), layer).is_err());
    assert!(at.linear(&matrix(1, 10, 8), layer).is_err());
    assert!(at.embed(params.site("embed.weight").expect("a site"), &[203]).is_err());
    assert!(at.select(&x, &[2]).is_err());
    assert!(at.log_probs(&x, layer, &[(2, 0)]).is_err());
    assert!(at.log_probs(&x, layer, &[(0, WIDTH as u32)]).is_err());
    assert!(at.gate(x.clone(), &matrix(1, 10, 8), Activation::Relu).is_err());
    let sequences = [Sequence { rows: Span { start: 0, len: 2 }, prefix: Span::default() }];
    let spec = |head_dim, window| Attention {
        sequences: &sequences,
        heads: 1,
        kv_heads: 1,
        head_dim,
        scale: 1.0,
        window,
        stem: None,
        after: None,
    };
    assert!(at.attention(&x, &x, &x, &spec(WIDTH, Some(0))).is_err());
    let wide = matrix(1, 10, 257);
    assert!(at.attention(&wide, &wide, &wide, &spec(257, None)).is_err());
}
