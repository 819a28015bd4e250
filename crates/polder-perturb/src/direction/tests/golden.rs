//! The definition against `tests/golden/directions.txt`, made by exact arithmetic in another language.

use super::super::*;

const GOLDEN: &str = include_str!("../../../tests/golden/directions.txt");

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

#[test]
fn every_golden_line_is_met() {
    let mut lines = 0;
    for line in GOLDEN.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            ["key", name, key] => assert_eq!(ParamKey::of(name), ParamKey(hex(key)), "{name}"),
            ["derive", seed, step, index, derived] => {
                let found = Seed(hex(seed)).derive(step.parse().unwrap(), index.parse().unwrap());
                assert_eq!(found, Seed(hex(derived)), "{line}");
            }
            ["word", word, bits] => {
                assert_eq!(u64::from(gaussian::from_word(hex(word) as u32).to_bits()), hex(bits), "{line}");
            }
            ["bits", seed, name, start, ref values @ ..] => {
                let mut out = vec![0; values.len()];
                fill_bits(Seed(hex(seed)), ParamKey::of(name), start.parse().unwrap(), &mut out);
                assert!(out.iter().zip(values).all(|(o, v)| u64::from(*o) == hex(v)), "{line}");
            }
            [law, seed, name, start, ref values @ ..] => {
                let mut out = vec![0.0; values.len()];
                fill(law.parse().unwrap(), Seed(hex(seed)), ParamKey::of(name), start.parse().unwrap(), &mut out);
                assert!(out.iter().zip(values).all(|(o, v)| u64::from(o.to_bits()) == hex(v)), "{line}");
            }
            _ => panic!("not a golden line: {line}"),
        }
        lines += 1;
    }
    assert!(lines > 800, "{lines}");
}
