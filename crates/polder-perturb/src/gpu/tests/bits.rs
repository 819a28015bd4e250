//! Directions, rounding and shifted weights: bit for bit.

use candle_core::{DType, Device, Tensor};
use half::f16;

use super::super::held::Held;
use super::super::launch::{Launch, Shape};
use super::super::shift::{unwritten, upload_groups, whole};
use super::host::in_both;
use super::*;
use crate::cpu::materialise;
use crate::param::Param;
use crate::points::{Points, Shift, Term};
use crate::rounding;

#[derive(Clone, Copy)]
#[repr(C)]
struct EachArgs {
    len: u64,
    how: u32,
    unused: u32,
}

fn each(kernel: &'static str, out: &Tensor, others: &[&Tensor], len: usize, how: u32) {
    let args = EachArgs { len: len as u64, how, unused: 0 };
    Launch { kernel, shape: Shape::Threads(len as u64), others, args }.onto(out).expect("a launch");
}

fn tensor<T: candle_core::WithDType>(x: Vec<T>) -> Tensor {
    let len = x.len();
    Tensor::from_vec(x, len, &Device::Cpu).expect("a tensor")
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("a hexadecimal number")
}

#[test]
fn golden_directions() {
    in_both(|| {
        let golden = include_str!("../../../tests/golden/directions.txt");
        let mut lines = 0;
        for line in golden.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["word", word, expected] => {
                    let out = unwritten(1, DType::F32, &Device::Cpu).expect("a number");
                    each("each_gaussian", &out, &[&tensor(vec![hex(word) as u32])], 1, 0);
                    assert_eq!(bits(&out), [hex(expected) as u32], "{line}");
                }
                [law, seed, name, start, ref values @ ..] if law.parse::<Law>().is_ok() => {
                    let points = Points::new(law.parse().expect("a law"), &[Shift::along(Seed(hex(seed)), 1.0)]);
                    let start: u64 = start.parse().expect("an element");
                    if start > 1 << 16 {
                        continue;
                    }
                    // −0 is what adds nothing, not even to −0.
                    let mut set = ParamSet::new();
                    let weights = vec![-0f32; start as usize + values.len()];
                    let site = set.insert(name, tensor(weights)).expect("a parameter");
                    let out = unwritten(values.len(), DType::F32, &Device::Cpu).expect("numbers");
                    let group = &upload_groups(&points, true, &Device::Cpu).expect("groups")[0];
                    let (law, held) = (points.law(), Held::all(set.get(site)));
                    group.read(law, &held, start as usize, values.len(), &out).expect("a read");
                    let expected: Vec<u32> = values.iter().map(|v| hex(v) as u32).collect();
                    assert_eq!(bits(&out), expected, "{line}");
                }
                _ => continue,
            }
            lines += 1;
        }
        assert!(lines > 700, "{lines}");
    });
}

/// Floats of every kind: each exponent, ends of ranges, infinities, NaN.
fn floats() -> Vec<f32> {
    let mut word = 12345u32;
    let mut next = || {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        word
    };
    let mut all: Vec<f32> = (0..200_000).map(|_| f32::from_bits(next())).collect();
    let ends =
        [0f32, 65504.0, 65519.9, 65520.0, 6.1e-5, 6.103_5e-5, 5.96e-8, 2.98e-8, f32::MAX, f32::INFINITY, 3.39e38];
    all.extend(ends.iter().flat_map(|x| [*x, -x]));
    all.extend([f32::NAN, f32::from_bits(0x7f80_0001), f32::from_bits(0x7f7f_7f80), f32::from_bits(0x7f7f_8000)]);
    // Ties of all three.
    all.extend([0x3f80_8000, 0x3f81_8000, 0x3f80_1000, 0x3f80_3000, 0x3f80_0080, 0x3f80_0180].map(f32::from_bits));
    all
}

#[test]
fn rounding_is_that_of_the_cpu() {
    in_both(|| {
        let x = floats();
        let random: Vec<u32> = (0..x.len() as u32).map(|i| i.wrapping_mul(40_503) & 0xffff).collect();
        for how in [0, 1] {
            let out = unwritten(3 * x.len(), DType::U32, &Device::Cpu).expect("words");
            each("each_rounding", &out, &[&tensor(x.clone()), &tensor(random.clone())], x.len(), how);
            let found = out.to_vec1::<u32>().expect("words");
            for ((x, random), found) in x.iter().zip(&random).zip(found.chunks_exact(3)) {
                let random = *random as u16;
                let (b, h, (high, low)) = match how {
                    0 => (rounding::nearest_bf16(*x), f16::from_f32(*x).to_bits(), carried::nearest(*x)),
                    _ => (
                        rounding::stochastic_bf16(*x, random),
                        rounding::stochastic_f16(*x, random),
                        carried::stochastic(*x, random),
                    ),
                };
                let expected = [u32::from(b), u32::from(h), u32::from(high) | u32::from(low) << 16];
                assert_eq!(found, expected, "{x} ({:x}), {random:x}, {how}", x.to_bits());
            }
        }
    });
}

#[test]
fn widening_is_exact() {
    in_both(|| {
        let words: Vec<u32> = (0..1u32 << 16).map(|i| i | (i.wrapping_mul(77) & 0xff) << 16).collect();
        let out = unwritten(2 * words.len(), DType::F32, &Device::Cpu).expect("numbers");
        each("each_widening", &out, &[&tensor(words.clone())], words.len(), 0);
        let found = out.to_vec1::<f32>().expect("numbers");
        for (word, found) in words.iter().zip(found.chunks_exact(2)) {
            let (half, joined) = (f16::from_bits(*word as u16), carried::join(*word as u16, (word >> 16) as u8));
            assert!(found[0].to_bits() == half.to_f32().to_bits() || (half.is_nan() && found[0].is_nan()), "{word:x}");
            assert_eq!(found[1].to_bits(), joined.to_bits(), "{word:x}");
        }
    });
}

/// One pair; one seed each; terms in common; none at all; zeros among the coefficients.
fn kinds_of_points(law: Law) -> Vec<Points> {
    let two =
        |a: f64, b: f64| Shift { terms: vec![Term { seed: Seed(5), coeff: a }, Term { seed: Seed(2), coeff: b }] };
    vec![
        Points::pair(law, Seed(3), 1e-2),
        Points::new(law, &[Shift::along(Seed(1 << 40), 0.3)]),
        Points::new(law, &[two(0.1, -0.2), two(-0.1, 0.2), Shift::along(Seed(9), 1.0), Shift::none(), Shift::none()]),
        Points::plain(),
    ]
}

/// What a group's variants are at elements `start..start + len`, from the definitions.
fn expected(param: &Param, points: &Points, point: usize, start: usize, len: usize, narrow: bool) -> Vec<u32> {
    let x: Vec<f32> =
        param.joined().and_then(|x| Ok(x.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?)).expect("values");
    let mut random = vec![0u16; len];
    let moving = |s: &usize| param.trainable && points.coeffs(point)[*s] != 0.0;
    let first = (0..points.seeds().len()).find(moving);
    if let Some(first) = first {
        direction::fill_bits(points.seeds()[first], param.key, start as u64, &mut random);
    }
    let one = |i: usize| {
        let seeds = (0..points.seeds().len()).filter(moving);
        let u = |s: usize| direction::element(points.law(), points.seeds()[s], param.key, i as u64);
        let y = seeds.fold(x[i], |y, s| points.coeffs(point)[s].mul_add(u(s), y));
        match (narrow, first) {
            (false, _) => y.to_bits(),
            (true, None) => u32::from(rounding::nearest_bf16(y)) << 16,
            (true, Some(_)) => u32::from(rounding::stochastic_bf16(y, random[i - start])) << 16,
        }
    };
    (start..start + len).map(one).collect()
}

#[test]
fn shifted_weights_have_the_bits_of_the_cpu() {
    in_both(|| {
        let spans = [(0, 1000), (0, 64), (3, 5), (63, 2), (64, 256), (61, 700), (128, 4), (999, 1), (17, 0), (8, 16)];
        for (n, (storage, law)) in STORAGES.iter().flat_map(|s| Law::ALL.map(|law| (*s, law))).enumerate() {
            for (offset, trainable) in [(0, true), (3, true), (4, true), (8, false)] {
                let mut set = ParamSet::new();
                add_param(&mut set, "w.weight", &[1000], storage, offset, 1 + n as u64);
                set.set_trainable(|_| trainable);
                let param = set.iter().next().expect("a parameter");
                for points in kinds_of_points(law) {
                    for (start, len, narrow) in spans.iter().flat_map(|(s, l)| [(*s, *l, false), (*s, *l, true)]) {
                        let dtype = if narrow { DType::BF16 } else { DType::F32 };
                        for group in upload_groups(&points, trainable, &Device::Cpu).expect("groups") {
                            // Numbers before and after the ones written stay.
                            let room = Tensor::ones(group.variants * len + 16, dtype, &Device::Cpu).expect("room");
                            let place = if (start + len) % 2 == 0 { 8 } else { 7 };
                            let out = room.narrow(0, place, group.variants * len).expect("a place");
                            group.read(law, &Held::all(param), start, len, &out).expect("a read");
                            let expected: Vec<u32> = (0..group.variants)
                                .flat_map(|v| expected(param, &points, group.points.start + v, start, len, narrow))
                                .collect();
                            let what = format!("{storage:?} {law} {offset} {trainable} {start} {len} {narrow}");
                            let room = bits(&room);
                            assert_eq!(room[place..place + expected.len()], expected, "{what}");
                            let one = 1f32.to_bits();
                            assert!(room[..place].iter().all(|x| *x == one), "{what}: before");
                            assert!(room[place + expected.len()..].iter().all(|x| *x == one), "{what}: after");
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn a_part_that_was_sent_has_the_bits_of_the_whole() {
    in_both(|| {
        for storage in STORAGES {
            for (width, offset) in [(29, 0), (64, 4), (32, 3)] {
                let mut set = ParamSet::new();
                add_param(&mut set, "w.weight", &[37, width], storage, offset, 4);
                let param = set.iter().next().expect("a parameter");
                let points = &kinds_of_points(Law::Gaussian)[1];
                for rows in [0..37, 0..5, 3..4, 17..37, 36..37] {
                    let held = Held::sent(param, rows.clone(), &Device::Cpu).expect("rows");
                    assert_eq!(held.tensor.dims(), [rows.len(), width]);
                    // All of it, and stretches within it.
                    let (first, all) = (rows.start * width, rows.len() * width);
                    let stretches = [(first, all), (first + all / 2, all - all / 2), (first + 3, all - 5)];
                    let groups = || upload_groups(points, true, &Device::Cpu).expect("groups");
                    for (group, (start, len)) in groups().iter().flat_map(|g| stretches.map(|stretch| (g, stretch))) {
                        let [part, all] = [&held, &Held::all(param)].map(|held| {
                            let out = unwritten(group.variants * len, DType::F32, &Device::Cpu).expect("room");
                            group.read(points.law(), held, start, len, &out).expect("a read");
                            bits(&out)
                        });
                        assert_eq!(part, all, "{storage:?} {width} {rows:?} {start} {len}");
                    }
                }
            }
        }
    });
}

#[test]
fn whole_weights_are_those_of_the_cpu() {
    in_both(|| {
        for storage in STORAGES {
            let mut set = ParamSet::new();
            add_param(&mut set, "w.weight", &[37, 29], storage, 0, 4);
            let points = &kinds_of_points(Law::Gaussian)[1];
            let found = whole(set.iter().next().expect("a parameter"), points).expect("weights");
            let cpu = materialise(&set, points).expect("weights");
            assert_eq!(bits(&found), bits(&cpu.iter().next().expect("a parameter").tensor), "{storage:?}");
        }
    });
}
