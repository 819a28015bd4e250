//! Every path against the definition.

use super::super::*;
use crate::direction::kernel::{Level, fill_bits_at};

/// The published vectors of Random123's `kat_vectors` (philox4x32, 10 rounds).
#[test]
fn philox_gives_the_known_answers() {
    assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    assert_eq!(
        philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn every_path_repeats_the_definition_bit_for_bit() {
    let (seed, key) = (Seed(0x0123_4567_89ab_cdef), ParamKey::of("model.embed_tokens.weight"));
    for level in Level::all() {
        for law in Law::ALL {
            for (i, len) in [0usize, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 700, 2048, 5000].into_iter().enumerate()
            {
                for start in [0, 1, 17, 64, 127, 2047, (1 << 34) + 5, (16 << 32) - 100 + i as u64] {
                    let mut out = vec![7f32; len];
                    fill_at(level, law, seed, key, start, &mut out);
                    let wanted: Vec<u32> =
                        (0..len as u64).map(|i| element(law, seed, key, start + i).to_bits()).collect();
                    assert_eq!(out.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), wanted, "{law} {start} {len}");
                }
            }
        }
    }
}

#[test]
fn bits_for_rounding_repeat_their_definition() {
    let (seed, key) = (Seed(3), ParamKey::of("w"));
    for level in Level::all() {
        for (start, len) in [(0, 128), (5, 1), (120, 300), (4096, 4096), (77, 0)] {
            let mut out = vec![0u16; len];
            fill_bits_at(level, seed, key, start, &mut out);
            let wanted: Vec<u16> = (0..len as u64).map(|i| bits::element(seed, key, start + i)).collect();
            assert_eq!(out, wanted);
        }
    }
}

#[test]
fn adding_and_shifting_are_one_fused_operation_an_element() {
    let (seed, key) = (Seed(99), ParamKey::of("lm_head.weight"));
    let before: Vec<f32> = (0..3000).map(|i| (i as f32 * 0.37).sin() * 0.1).collect();
    for level in Level::all() {
        for law in Law::ALL {
            for (start, len) in [(0u64, 3000usize), (13, 2999), (1000, 1), (64, 64), (128, 130)] {
                let mut added = before[..len].to_vec();
                add_at(level, law, seed, key, start, 1e-3, &mut added);
                let mut scaled = vec![7f32; len];
                scale_at(level, law, seed, key, start, 1e-3, &mut scaled);
                let (mut one, mut a, mut b) = (vec![7f32; len], vec![7f32; len], vec![7f32; len]);
                let base = &before[..len];
                shift_at(level, law, seed, key, start, base, [1e-3], [&mut one]);
                shift_at(level, law, seed, key, start, base, [1e-3, -0.7], [&mut a, &mut b]);
                for i in 0..len {
                    let u = element(law, seed, key, start + i as u64);
                    let wanted = 1e-3f32.mul_add(u, before[i]).to_bits();
                    assert_eq!([added[i], one[i], a[i]].map(f32::to_bits), [wanted; 3]);
                    assert_eq!(scaled[i].to_bits(), 1e-3f32.mul_add(u, 0.0).to_bits());
                    assert_eq!(b[i].to_bits(), (-0.7f32).mul_add(u, before[i]).to_bits());
                }
            }
        }
    }
}

#[test]
fn laws_are_named() {
    for law in Law::ALL {
        assert_eq!(law.to_string().parse(), Ok(law));
    }
    let error = "normal".parse::<Law>().unwrap_err().to_string();
    assert!(error.contains("`normal`") && error.contains("`gaussian`"), "{error}");
}
