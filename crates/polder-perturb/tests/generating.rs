//! What generation asks of a reader: what may follow a row, sequences that follow rows of an earlier pass, and the weights
//! of a point made whole.

use candle_core::{DType, Device, Tensor};
use half::bf16;
use polder_perturb::{
    Arithmetic, Attention, CpuReader, KeysValues, Law, Linear, Next, ParamKey, ParamSet, PlainReader, Points, Reader,
    Seed, Sequence, Shift, Span, Term, carried, direction, materialise, materialised_bytes,
};

const WIDTH: usize = 80;
const VOCABULARY: usize = 203;

fn numbers(seed: u64, shape: &[usize], scale: f64) -> Tensor {
    let mut out = vec![0f32; shape.iter().product()];
    direction::fill(Law::Gaussian, Seed(seed), ParamKey::of("test data"), 0, &mut out);
    let tensor = Tensor::from_vec(out, shape, &Device::Cpu).expect("a tensor");
    (tensor * scale).expect("a scaled tensor")
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values = x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("values");
    values.into_iter().map(f32::to_bits).collect()
}

/// A head with a bias, and a frozen layer.
fn params() -> ParamSet {
    let mut params = ParamSet::new();
    params.insert("head.weight", numbers(1, &[VOCABULARY, WIDTH], 0.2)).expect("a parameter");
    params.insert("head.bias", numbers(2, &[VOCABULARY], 0.2)).expect("a parameter");
    params.insert("frozen.weight", numbers(3, &[9, WIDTH], 0.2)).expect("a parameter");
    params.set_trainable(|name| !name.starts_with("frozen"));
    params
}

fn head(params: &ParamSet) -> Linear {
    let site = |name| params.site(name).expect("a site");
    Linear { weight: site("head.weight"), bias: Some(site("head.bias")) }
}

/// Two terms, so that their order counts.
fn point() -> Points {
    let terms = vec![Term { seed: Seed(9), coeff: 0.3 }, Term { seed: Seed(4), coeff: -0.2 }];
    Points::new(Law::Gaussian, &[Shift { terms }])
}

#[test]
fn what_follows_a_row_has_the_bits_of_its_log_probability() {
    let (params, x) = (params(), numbers(5, &[2 * 21, WIDTH], 1.0));
    let points = Points::pair(Law::Gaussian, Seed(3), 1e-2);
    for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
        let reader = CpuReader::in_arithmetic(&params, &points, arithmetic);
        let head = head(&params);
        let found = reader.next(&x, head, true).expect("what follows");
        let logits = reader.linear(&x, head).and_then(|y| Ok(y.to_vec2::<f32>()?)).expect("logits");
        assert_eq!(found.len(), 42);
        for (row, (next, logits)) in found.iter().zip(&logits).enumerate() {
            assert_eq!(next.logits, *logits, "row {row}");
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let first = logits.iter().position(|y| *y == most).expect("a largest one");
            assert_eq!((next.token as usize, next.logit), (first, most), "row {row}");
            // The wanted token of this row, at both points: pairs name rows of a point.
            let pair = [((row % 21) as u32, next.token)];
            let log_probs = reader.log_probs(&x, head, &pair).and_then(|y| Ok(y.to_vec1::<f64>()?)).expect("numbers");
            let own = f64::from(next.logit) - next.log_sum;
            assert_eq!(own.to_bits(), log_probs[row / 21].to_bits(), "row {row}");
        }
        let lean = reader.next(&x, head, false).expect("what follows");
        let without = |next: Next| Next { logits: Vec::new(), ..next };
        assert_eq!(lean, found.into_iter().map(without).collect::<Vec<_>>());
    }
    // Plain operations agree up to the rounding of 80 products of size 0.2.
    let plain = PlainReader::new(&params, &points, DType::F32).next(&x, head(&params), true).expect("what follows");
    let ours = CpuReader::new(&params, &points).next(&x, head(&params), true).expect("what follows");
    for (a, b) in plain.iter().zip(&ours) {
        assert_eq!(a.token, b.token);
        assert!((a.log_sum - b.log_sum).abs() < 1e-5, "{} {}", a.log_sum, b.log_sum);
    }
}

#[test]
fn equal_logits_give_the_lowest_id_and_broken_ones_show() {
    let mut params = ParamSet::new();
    let mut rows = vec![0f32; VOCABULARY * WIDTH];
    // Tokens 57, 58 and 150 of different blocks are the likeliest, alike.
    for token in [57, 58, 150] {
        rows[token * WIDTH] = 1.0;
    }
    let weight = Tensor::from_vec(rows, (VOCABULARY, WIDTH), &Device::Cpu).expect("a tensor");
    let head = Linear { weight: params.insert("head.weight", weight).expect("a parameter"), bias: None };
    let points = Points::plain();
    let ones = Tensor::ones((1, WIDTH), DType::F32, &Device::Cpu).expect("ones");
    let broken = (&ones * f64::NAN).expect("no numbers");
    let (ours, plain) = (CpuReader::new(&params, &points), PlainReader::new(&params, &points, DType::F32));
    for reader in [&ours as &dyn Reader, &plain] {
        assert_eq!(reader.next(&ones, head, false).expect("what follows")[0].token, 57);
        assert!(reader.next(&broken, head, false).expect("what follows")[0].logit.is_nan());
    }
}

#[test]
fn sequences_follow_their_own_rows_of_a_stem_with_the_bits_of_whole_sequences() {
    let params = ParamSet::new();
    let points = Points::plain();
    let span = |start, len| Span { start, len };
    let (q, k, v) = (numbers(1, &[90, 64], 1.0), numbers(2, &[90, 32], 1.0), numbers(3, &[90, 32], 1.0));
    let whole = |start, len| Sequence { rows: span(start, len), prefix: Span::default() };
    // Two sequences, of 50 and 40 rows; their first 45 and 33 rows lie in a stem, in pieces, with rows of no one between.
    let (cpu, plain) = (CpuReader::new(&params, &points), PlainReader::new(&params, &points, DType::F32));
    for (window, exact) in [None, Some(7), Some(36)].into_iter().flat_map(|w| [(w, true), (w, false)]) {
        let reader: &dyn Reader = if exact { &cpu } else { &plain };
        let run =
            |parts: [&Tensor; 3], sequences: &[Sequence], stem: Option<&KeysValues>, after: Option<&[Vec<Span>]>| {
                let spec =
                    Attention { sequences, heads: 4, kv_heads: 2, head_dim: 16, scale: 0.25, window, stem, after };
                reader.attention(parts[0], parts[1], parts[2], &spec).expect("attention")
            };
        let expected = run([&q, &k, &v], &[whole(0, 50), whole(50, 40)], None, None);
        let rows = |x: &Tensor, spans: &[(usize, usize)]| {
            let parts: Vec<Tensor> = spans.iter().map(|(s, n)| x.narrow(0, *s, *n).expect("rows")).collect();
            Tensor::cat(&parts, 0).expect("rows")
        };
        // In the stem: rows 50..83 of the second, 3 rows of no one, rows 0..20, rows 20..45 of the first.
        let places = [(50, 33), (7, 3), (0, 45)];
        let stem = KeysValues { keys: rows(&k, &places), values: rows(&v, &places) };
        let after = [vec![span(36, 20), span(56, 25)], vec![span(0, 33)]];
        let own = [(45, 5), (83, 7)];
        let [q, k, v] = [&q, &k, &v].map(|x| rows(x, &own));
        let found = run([&q, &k, &v], &[whole(0, 5), whole(5, 7)], Some(&stem), Some(&after));
        let expected = rows(&expected, &own);
        if exact {
            assert_eq!(bits(&found), bits(&expected), "{window:?}");
        }
        let apart = found.sub(&expected).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("a difference");
        assert!(apart < 1e-5, "{window:?}: {apart}");
        // A list too few, a span beyond the stem.
        for wrong in [&after[..1], &[vec![span(80, 2)], vec![]], &[vec![span(usize::MAX, 2)], vec![]]] {
            let spec = Attention {
                sequences: &[whole(0, 5), whole(5, 7)],
                heads: 4,
                kv_heads: 2,
                head_dim: 16,
                scale: 0.25,
                window,
                stem: Some(&stem),
                after: Some(wrong),
            };
            assert!(reader.attention(&q, &k, &v, &spec).is_err());
        }
    }
}

#[test]
fn a_point_made_whole_has_the_bits_of_reading_at_it() {
    let held = |dtype: DType| params().with_tensors(|p| Ok(p.tensor.to_dtype(dtype)?)).expect("stored weights");
    let mut carrying = ParamSet::new();
    for param in params().iter() {
        let x: Vec<f32> = param.tensor.flatten_all().and_then(|x| x.to_vec1()).expect("values");
        let (high, low): (Vec<u16>, Vec<u8>) = x.into_iter().map(carried::nearest).unzip();
        let high =
            Tensor::from_vec(high.into_iter().map(bf16::from_bits).collect(), param.tensor.shape(), &Device::Cpu);
        let low = Tensor::from_vec(low, param.tensor.shape(), &Device::Cpu).expect("bytes");
        carrying.insert_carried(&param.name, high.expect("bf16"), low).expect("a parameter");
    }
    carrying.set_trainable(|name| !name.starts_with("frozen"));
    let x = numbers(5, &[3, WIDTH], 1.0);
    for params in [held(DType::F32), held(DType::BF16), held(DType::F16), carrying] {
        let before = params.digest().expect("a digest");
        for points in [point(), Points::plain()] {
            let whole = materialise(&params, &points).expect("weights");
            let frozen = Linear { weight: params.site("frozen.weight").expect("a site"), bias: None };
            for layer in [head(&params), frozen] {
                let at = CpuReader::new(&params, &points).linear(&x, layer).expect("a product");
                let plain = CpuReader::new(&whole, &Points::plain()).linear(&x, layer).expect("a product");
                assert_eq!(bits(&at), bits(&plain));
            }
            let rows = |params: &ParamSet, points: &Points| {
                CpuReader::new(params, points).embed(head(params).weight, &[3, 202]).expect("rows")
            };
            assert_eq!(bits(&rows(&params, &points)), bits(&rows(&whole, &Points::plain())));
        }
        assert_eq!(params.digest().expect("a digest"), before);
    }
    assert_eq!(materialised_bytes(&params()), (VOCABULARY * WIDTH + VOCABULARY) * 4);
    assert!(materialise(&params(), &Points::pair(Law::Gaussian, Seed(1), 0.1)).is_err());
}
