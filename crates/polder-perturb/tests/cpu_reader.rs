//! The CPU reader against plain candle operations, and its promise that bits depend on a row alone.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use polder_perturb::{
    Activation, Arithmetic, Attention, CpuReader, KeysValues, Law, Linear, Norm, NormKind, Param, ParamSet,
    PlainReader, Points, Reader, RopeTable, Seed, Sequence, Shift, Span, Term, carried, direction,
};

const WIDTH: usize = 96;
const VOCABULARY: usize = 203;

fn numbers(seed: u64, shape: &[usize], scale: f64) -> Tensor {
    let mut out = vec![0f32; shape.iter().product()];
    direction::fill(Law::Gaussian, Seed(seed), polder_perturb::ParamKey::of("test data"), 0, &mut out);
    let tensor = Tensor::from_vec(out, shape, &Device::Cpu).expect("a tensor");
    (tensor * scale).expect("a scaled tensor")
}

fn params(dtype: DType) -> ParamSet {
    let mut params = ParamSet::new();
    for (i, (name, shape)) in [
        ("embed.weight", vec![VOCABULARY, WIDTH]),
        ("q.weight", vec![WIDTH, WIDTH]),
        ("q.bias", vec![WIDTH]),
        ("k.weight", vec![32, WIDTH]),
        ("up.weight", vec![1601, WIDTH]),
        ("down.weight", vec![WIDTH, 1601]),
        ("norm.weight", vec![WIDTH]),
        ("norm.bias", vec![WIDTH]),
        ("frozen.weight", vec![7, WIDTH]),
    ]
    .into_iter()
    .enumerate()
    {
        let tensor = numbers(i as u64, &shape, 0.2).to_dtype(dtype).expect("a stored tensor");
        params.insert(name, tensor).expect("a parameter");
    }
    params.set_trainable(|name| !name.starts_with("frozen"));
    params
}

/// The same parameters as bf16 with bits carried.
fn carrying() -> ParamSet {
    let mut set = ParamSet::new();
    for param in params(DType::F32).iter() {
        let x: Vec<f32> = param.tensor.flatten_all().and_then(|x| x.to_vec1()).expect("values");
        let (high, low): (Vec<u16>, Vec<u8>) = x.into_iter().map(carried::nearest).unzip();
        let high = high.into_iter().map(bf16::from_bits).collect();
        let high = Tensor::from_vec(high, param.tensor.shape(), &Device::Cpu).expect("bf16");
        let low = Tensor::from_vec(low, param.tensor.shape(), &Device::Cpu).expect("bytes");
        set.insert_carried(&param.name, high, low).expect("a parameter");
    }
    set.set_trainable(|name| !name.starts_with("frozen"));
    set
}

fn several() -> Points {
    let shifts = [
        Shift::none(),
        Shift::along(Seed(5), 1e-2),
        Shift { terms: vec![Term { seed: Seed(5), coeff: -1e-2 }, Term { seed: Seed(9), coeff: 3e-2 }] },
    ];
    Points::new(Law::Gaussian, &shifts)
}

fn linear(params: &ParamSet, weight: &str, bias: Option<&str>) -> Linear {
    Linear { weight: params.site(weight).expect("a weight"), bias: bias.map(|b| params.site(b).expect("a bias")) }
}

fn values(x: &Tensor) -> Vec<f64> {
    x.flatten_all().and_then(|x| x.to_dtype(DType::F64)).and_then(|x| x.to_vec1()).expect("values")
}

fn bits(x: &Tensor) -> Vec<u64> {
    values(x).into_iter().map(f64::to_bits).collect()
}

/// Largest difference, as a share of the largest value.
fn distance(x: &Tensor, y: &Tensor) -> f64 {
    assert_eq!(x.dims(), y.dims());
    let (x, y) = (values(x), values(y));
    let most = y.iter().fold(0f64, |m, v| m.max(v.abs()));
    x.iter().zip(&y).fold(0f64, |m, (a, b)| m.max((a - b).abs())) / most
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

fn each_operation(at: &dyn Reader, params: &ParamSet, window: Option<usize>) -> Vec<(&'static str, Tensor)> {
    let sequences = sequences();
    let rows = 83usize;
    let ids: Vec<u32> = (0..rows as u32).map(|i| (i * 37 + 11) % VOCABULARY as u32).collect();
    let positions: Vec<u32> =
        sequences.iter().flat_map(|s| (s.prefix.len..s.prefix.len + s.rows.len).map(|p| p as u32)).collect();
    let table = RopeTable {
        cos: (0..64 * 8).map(|i| (f64::from(i / 8) / f64::from(1 + i % 8)).cos()).collect(),
        sin: (0..64 * 8).map(|i| (f64::from(i / 8) / f64::from(1 + i % 8)).sin()).collect(),
        half: 8,
    };
    let site = |name: &str| params.site(name).expect("a site");
    let norm = |kind, bias: bool, weight: &str, width| Norm {
        kind,
        weight: Some(site(weight)),
        bias: bias.then(|| site("norm.bias")),
        width,
        eps: 1e-5,
    };
    let run = || -> polder_perturb::Result<Vec<(&'static str, Tensor)>> {
        let x = at.embed(site("embed.weight"), &ids)?;
        let rms = at.norm(&x, &norm(NormKind::Rms, false, "norm.weight", WIDTH))?;
        let layer = at.norm(&x, &norm(NormKind::Layer, true, "norm.weight", WIDTH))?;
        let qkv = [
            linear(params, "q.weight", Some("q.bias")),
            linear(params, "k.weight", None),
            linear(params, "frozen.weight", None),
        ];
        let qkv = at.linears(&layer, &qkv)?;
        let q = at.rope(qkv[0].clone(), &table, &positions)?;
        let k = at.rope(qkv[1].clone(), &table, &positions)?;
        let spec = Attention {
            sequences: &sequences,
            heads: 6,
            kv_heads: 2,
            head_dim: 16,
            scale: 0.25,
            window,
            stem: None,
            after: None,
        };
        let attended = at.attention(&q, &k, &qkv[1], &spec)?;
        let up = at.linear(&layer, linear(params, "up.weight", None))?;
        let gated = at.gate(up.clone(), &up, Activation::Silu)?;
        let down = at.linear(&gated, linear(params, "down.weight", None))?;
        let sum = at.add(x.clone(), &down)?;
        let chosen = at.select(&sum, &[82, 3, 40])?;
        let head = linear(params, "embed.weight", None);
        let pairs = [(0, 5), (2, 202), (1, 0), (0, 100), (2, 47), (2, 48)];
        let log_probs = at.log_probs(&chosen, head, &pairs)?;
        Ok(vec![
            ("embed", x),
            ("rms", rms),
            ("layer", layer),
            ("query", q),
            ("frozen", qkv[2].clone()),
            ("attention", attended),
            ("relu", at.activate(up.clone(), Activation::Relu)?),
            ("gelu", at.activate(up.clone(), Activation::Gelu)?),
            ("gelu-tanh", at.activate(up, Activation::GeluTanh)?),
            ("gate", gated),
            ("down", down),
            ("select", chosen),
            ("log-probs", log_probs),
        ])
    };
    run().expect("every operation")
}

#[test]
fn every_operation_agrees_with_plain_candle_operations() {
    let sets = [params(DType::F32), params(DType::BF16), params(DType::F16), carrying()];
    for params in &sets {
        let dtype = params.largest().map(Param::storage);
        for window in [None, Some(5)] {
            for points in [Points::plain(), Points::pair(Law::Rademacher, Seed(3), 1e-2), several()] {
                let ours = each_operation(&CpuReader::new(params, &points), params, window);
                let plain = each_operation(&PlainReader::new(params, &points, DType::F64), params, window);
                for ((name, x), (_, y)) in ours.iter().zip(&plain) {
                    // f32 against f64 over chains of up to 1,601 products: a few hundred roundings of 6e-8, mostly
                    // cancelling.
                    assert!(distance(x, y) < 5e-6, "{name} {dtype:?} {window:?}: {}", distance(x, y));
                }
            }
        }
    }
}

#[test]
fn carried_bits_are_read_as_the_f32_that_they_make() {
    let carrying = carrying();
    let mut wide = ParamSet::new();
    for param in carrying.iter() {
        wide.insert(&param.name, param.joined().expect("f32")).expect("a parameter");
    }
    wide.set_trainable(|name| !name.starts_with("frozen"));
    let of = |set: &ParamSet| each_operation(&CpuReader::new(set, &several()), set, None);
    for ((name, x), (_, y)) in of(&carrying).iter().zip(&of(&wide)) {
        assert_eq!(bits(x), bits(y), "{name}");
    }
}

#[test]
fn a_point_has_the_same_bits_alone_and_among_others() {
    let params = params(DType::BF16);
    let points = several();
    let together = each_operation(&CpuReader::new(&params, &points), &params, None);
    let shifts = [
        vec![],
        vec![Term { seed: Seed(5), coeff: 1e-2 }],
        vec![Term { seed: Seed(5), coeff: -1e-2 }, Term { seed: Seed(9), coeff: 3e-2 }],
    ];
    for (p, terms) in shifts.into_iter().enumerate() {
        let alone = Points::new(Law::Gaussian, &[Shift { terms }]);
        let alone = each_operation(&CpuReader::new(&params, &alone), &params, None);
        for ((name, all), (_, one)) in together.iter().zip(&alone) {
            let (all, one) = (bits(all), bits(one));
            assert_eq!(all[p * one.len()..(p + 1) * one.len()], one[..], "{name} at point {p}");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company_and_with_any_number_of_threads() {
    let params = params(DType::F32);
    let points = Points::pair(Law::Gaussian, Seed(1), 1e-3);
    let layers = [linear(&params, "up.weight", None), linear(&params, "q.weight", Some("q.bias"))];
    let all = numbers(77, &[2 * 70, WIDTH], 1.0);
    for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
        let reader = CpuReader::in_arithmetic(&params, &points, arithmetic);
        let many = reader.linears(&all, &layers).expect("linears");
        for (first, count) in [(0, 1), (3, 17), (31, 2), (40, 30)] {
            let rows: Vec<Tensor> =
                [first, 70 + first].iter().map(|r| all.narrow(0, *r, count).expect("rows")).collect();
            let few = Tensor::cat(&rows, 0).expect("rows of both points");
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let few = pool.install(|| reader.linears(&few, &layers)).expect("linears");
                for (few, many) in few.iter().zip(&many) {
                    for p in 0..2 {
                        let one = few.narrow(0, p * count, count).expect("rows");
                        let same = many.narrow(0, p * 70 + first, count).expect("rows");
                        assert_eq!(bits(&one), bits(&same), "{arithmetic:?}");
                    }
                }
            }
        }
        // A point alone, and beside those of another direction.
        let minus = Shift::along(Seed(1), -1e-3);
        let alone = Points::new(Law::Gaussian, std::slice::from_ref(&minus));
        let beside = Points::new(Law::Gaussian, &[Shift::along(Seed(2), 1e-3), minus]);
        let half = all.narrow(0, 70, 70).expect("rows");
        let read =
            |points, x| CpuReader::in_arithmetic(&params, points, arithmetic).linears(x, &layers).expect("linears");
        let (alone, beside) = (read(&alone, &half), read(&beside, &all));
        for (many, (alone, beside)) in many.iter().zip(alone.iter().zip(&beside)) {
            let second = |x: &Tensor| bits(&x.narrow(0, 70, 70).expect("rows"));
            assert_eq!(second(many), bits(alone), "{arithmetic:?}");
            assert_eq!(second(beside), bits(alone), "{arithmetic:?}");
        }
    }
}

#[test]
fn bf16_arithmetic_keeps_a_direction_on_average() {
    // 1 + λu lies between neighbours of bf16 (they are 2⁻⁷ apart): rounded to the nearest, nothing would move.
    let mut params = ParamSet::new();
    params.insert("w", Tensor::ones((400, 64), DType::F32, &Device::Cpu).expect("ones")).expect("a parameter");
    let x = Tensor::eye(64, DType::F32, &Device::Cpu).expect("a unit matrix");
    let points = Points::pair(Law::Rademacher, Seed(1), 1e-3);
    let x = Tensor::cat(&[&x, &x], 0).expect("both points");
    let reader = CpuReader::in_arithmetic(&params, &points, Arithmetic::Bf16);
    let y = values(&reader.linear(&x, linear(&params, "w", None)).expect("a product"));
    let mut u = vec![0f32; 400 * 64];
    direction::fill(Law::Rademacher, Seed(1), params.get(params.site("w").expect("a site")).key, 0, &mut u);
    for (point, sign) in [(0, 1.0), (1, -1.0)] {
        let along = |i: usize| (y[point * 64 * 400 + i] - 1.0) * f64::from(u[i % 400 * 64 + i / 400]) * sign;
        let mean = (0..400 * 64).map(along).sum::<f64>() / f64::from(400 * 64);
        // A step of at most 2⁻⁷ with probability λ/2⁻⁷ has standard deviation 2.8e-3, so the mean 1.7e-5; four of these.
        assert!((mean - 1e-3).abs() < 7e-5, "{mean}");
    }
}

#[test]
fn a_branch_has_the_bits_of_the_whole_sequence() {
    let params = ParamSet::new();
    let points = Points::plain();
    let reader = CpuReader::new(&params, &points);
    let (q, k, v) = (numbers(1, &[50, 64], 1.0), numbers(2, &[50, 32], 1.0), numbers(3, &[50, 32], 1.0));
    let span = |start, len| Span { start, len };
    for window in [None, Some(7), Some(45)] {
        let run = |sequences: &[Sequence]| {
            let spec = Attention {
                sequences,
                heads: 4,
                kv_heads: 2,
                head_dim: 16,
                scale: 0.25,
                window,
                stem: None,
                after: None,
            };
            reader.attention(&q, &k, &v, &spec).expect("attention")
        };
        let whole = run(&[Sequence { rows: span(0, 50), prefix: Span::default() }]);
        let mut parts = vec![
            Sequence { rows: span(0, 37), prefix: Span::default() },
            Sequence { rows: span(37, 13), prefix: span(0, 37) },
        ];
        assert_eq!(bits(&whole), bits(&run(&parts)), "{window:?}");
        // A branch of a branch.
        parts[1].rows.len = 6;
        parts.push(Sequence { rows: span(43, 7), prefix: span(37, 6) });
        assert_eq!(bits(&whole), bits(&run(&parts)), "{window:?}");
        // The first 20 rows come from an earlier pass.
        let (stem, rest) = ([&k, &v].map(|x| x.narrow(0, 0, 20).expect("rows")), [&q, &k, &v]);
        let rest = rest.map(|x| x.narrow(0, 20, 30).expect("rows"));
        let stem = KeysValues { keys: stem[0].clone(), values: stem[1].clone() };
        for (first, second) in [(30, 0), (17, 13)] {
            let sequences = [
                Sequence { rows: span(0, first), prefix: Span::default() },
                Sequence { rows: span(first, second), prefix: span(0, first) },
            ];
            let sequences = &sequences[..if second == 0 { 1 } else { 2 }];
            let spec = Attention {
                sequences,
                heads: 4,
                kv_heads: 2,
                head_dim: 16,
                scale: 0.25,
                window,
                stem: Some(&stem),
                after: None,
            };
            let after = reader.attention(&rest[0], &rest[1], &rest[2], &spec).expect("attention");
            assert_eq!(bits(&whole.narrow(0, 20, 30).expect("rows")), bits(&after), "{window:?}");
        }
    }
}

#[test]
fn sequences_that_overlap_or_leave_rows_out_are_refused() {
    let params = ParamSet::new();
    let points = Points::plain();
    let reader = CpuReader::new(&params, &points);
    let x = numbers(1, &[8, 16], 1.0);
    let span = |start, len| Sequence { rows: Span { start, len }, prefix: Span::default() };
    let refused = |sequences: &[Sequence], stem: Option<&KeysValues>| {
        let spec =
            Attention { sequences, heads: 1, kv_heads: 1, head_dim: 16, scale: 1.0, window: None, stem, after: None };
        reader.attention(&x, &x, &x, &spec).is_err()
    };
    for sequences in [vec![span(0, 8), span(0, 8)], vec![span(0, 5), span(4, 4)], vec![span(1, 7)], vec![span(0, 9)]] {
        assert!(refused(&sequences, None), "{sequences:?}");
    }
    // What it continues is no sequence, itself, or one that comes later.
    let prefixes = [(usize::MAX, 2), (0, 3), (4, 4)].map(|(start, len)| Span { start, len });
    for prefix in prefixes {
        let first = Sequence { rows: Span { start: 0, len: 4 }, prefix };
        assert!(refused(&[first, span(4, 4)], None), "{prefix:?}");
    }
    // A branch leaves a sequence anywhere from its first row to its last, and nowhere else.
    for (prefix, refusal) in [((0, 1), false), ((0, 3), false), ((0, 4), false), ((0, 5), true), ((1, 3), true)] {
        let prefix = Span { start: prefix.0, len: prefix.1 };
        let branch = Sequence { rows: Span { start: 4, len: 4 }, prefix };
        assert_eq!(refused(&[span(0, 4), branch], None), refusal, "{prefix:?}");
    }
    let stem = KeysValues { keys: numbers(1, &[3, 16], 1.0), values: numbers(1, &[2, 16], 1.0) };
    assert!(refused(&[span(0, 8)], Some(&stem)), "a stem of unequal parts");
    assert!(!refused(&[span(0, 8)], None), "one whole sequence is none of these");
}

#[test]
fn nothing_in_is_nothing_out() {
    let params = params(DType::F32);
    let points = Points::pair(Law::Gaussian, Seed(1), 1e-3);
    let reader = CpuReader::new(&params, &points);
    let x = Tensor::zeros((0, WIDTH), DType::F32, &Device::Cpu).expect("no rows");
    let y = reader.linear(&x, linear(&params, "up.weight", None)).expect("a product of no rows");
    assert_eq!(y.dims(), [0, 1601]);
    assert_eq!(reader.select(&numbers(1, &[4, 8], 1.0), &[]).expect("no rows").dims(), [0, 8]);
    let x = Tensor::zeros((2, 0), DType::F32, &Device::Cpu).expect("no columns");
    assert!(reader.linear(&x, linear(&params, "up.weight", None)).is_err());
}

#[test]
fn a_nan_weight_reaches_the_log_probabilities() {
    let mut params = ParamSet::new();
    let mut weight = vec![0.1f32; 60 * 16];
    weight[17] = f32::NAN;
    params.insert("w", Tensor::from_vec(weight, (60, 16), &Device::Cpu).expect("a tensor")).expect("a parameter");
    let points = Points::plain();
    let head = linear(&params, "w", None);
    let y = CpuReader::new(&params, &points).log_probs(&numbers(1, &[2, 16], 1.0), head, &[(0, 3)]).expect("log-probs");
    assert!(values(&y)[0].is_nan());
}

#[test]
fn wrong_shapes_and_indices_are_named() {
    let params = params(DType::F32);
    let points = Points::plain();
    let reader = CpuReader::new(&params, &points);
    let x = numbers(1, &[4, 8], 1.0);
    let error = reader.linear(&x, linear(&params, "q.weight", None)).expect_err("a wrong width");
    assert!(error.to_string().contains("`q.weight`"), "{error}");
    let error = reader.embed(params.site("embed.weight").expect("a site"), &[203]).expect_err("an id outside");
    assert!(error.to_string().contains("token id 203"), "{error}");
    assert!(reader.select(&x, &[4]).is_err());
    let x = numbers(1, &[4, WIDTH], 1.0);
    assert!(reader.log_probs(&x, linear(&params, "embed.weight", None), &[(0, 203)]).is_err());
    assert!(reader.log_probs(&x, linear(&params, "embed.weight", None), &[(4, 0)]).is_err());
}
