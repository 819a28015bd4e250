//! Forged payloads and random mutations.

use proptest::prelude::*;

use super::*;

/// A file with that payload under a valid checksum, after two good steps.
fn forged(kind: u8, payload: &[u8]) -> Vec<u8> {
    let (mut bytes, _) = written(&[Record::Step(step(0, 1)), Record::Step(step(1, 2))]);
    let (crc, ..) = Trajectory::parse("t", bytes.clone()).unwrap().tail();
    encode(&mut bytes, kind, payload, crc);
    bytes
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trajectory");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(Trajectory::open(&path), Err(Error::NotATrajectory { .. })));
}

#[test]
fn hostile_counts_and_lengths_are_refused_before_anything_is_allocated() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for counts in [[&huge[..], &[0], &[0]], [&[0], &huge, &[0]], [&[0], &[0], &huge], [&huge, &huge, &huge]] {
        for flags in [2u8, 2 | 32] {
            let payload = [&[flags][..], counts[0], counts[1], counts[2]].concat();
            assert!(matches!(parse(&forged(2, &payload)), Err(Error::Damaged { steps: 2, .. })));
        }
    }
    for payload in [&[][..], &[64], &[128, 1, 2], &[0], &[1], &[1, 0x80]] {
        assert!(matches!(parse(&forged(2, payload)), Err(Error::Damaged { steps: 2, .. })), "{payload:?}");
    }
    let end = br#"{"steps":3,"weights":"0000000000000000000000000000000000000000000000000000000000000000"}"#;
    for (kind, payload) in [(1, &b"{}"[..]), (3, b"{}"), (4, b"{"), (5, end), (6, b""), (255, b"")] {
        assert!(matches!(parse(&forged(kind, payload)), Err(Error::Damaged { .. })), "{kind}");
    }
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(matches!(parse(&forged(4, nested.as_bytes())), Err(Error::Damaged { .. })));
}

#[test]
fn files_that_are_no_trajectory_say_so() {
    for bytes in [&b"PK\x03\x04 something else entirely"[..], b"x", b"POLDTRAK\x01\0\0\0"] {
        assert!(matches!(parse(bytes), Err(Error::NotATrajectory { .. })));
    }
    let later = [&b"POLDTRAJ"[..], &2u32.to_le_bytes(), &[0; 40]].concat();
    assert!(parse(&later).unwrap_err().to_string().contains("version 1"));
    let mut not_a_header = preamble().to_vec();
    encode(&mut not_a_header, 4, b"{}", first_crc());
    assert!(parse(&not_a_header).unwrap_err().to_string().contains("not a header"));
    let mut empty_header = preamble().to_vec();
    encode(&mut empty_header, 1, b"{}", first_crc());
    assert!(parse(&empty_header).unwrap_err().to_string().contains("missing field"));
}

#[derive(Debug, Clone)]
enum Edit {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = 0..4096usize;
    let len = 1..64usize;
    prop_oneof![
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (at.clone(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at.clone(), len.clone()).prop_map(|(at, len)| Edit::Remove(at, len)),
        (at.clone(), len).prop_map(|(at, len)| Edit::Repeat(at, len)),
        at.prop_map(Edit::Cut),
    ]
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let at = |at: &usize| at % (bytes.len() + 1);
        match edit {
            Edit::Set(i, byte) => {
                let i = at(i);
                bytes.get_mut(i).into_iter().for_each(|b| *b = *byte);
            }
            Edit::Insert(i, new) => {
                let i = at(i);
                bytes.splice(i..i, new.iter().copied());
            }
            Edit::Remove(i, len) => {
                let i = at(i);
                bytes.drain(i..(i + len).min(bytes.len()));
            }
            Edit::Repeat(i, len) => {
                let i = at(i);
                let part = bytes[i..(i + len).min(bytes.len())].to_vec();
                bytes.splice(i..i, part);
            }
            Edit::Cut(i) => bytes.truncate(at(i)),
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done to a file: no panic, and what is read is a beginning of what was written.
    #[test]
    fn mutated_files_give_a_prefix_or_an_error(edits in prop::collection::vec(edit(), 1..5)) {
        let records = records();
        let (bytes, _) = written(&records);
        if let Ok((_, read)) = parse(&edited(bytes, &edits)) {
            prop_assert!(read.len() <= records.len() && same(&read, &records[..read.len()]));
        }
    }

    /// Payloads under valid checksums reach every decoder: no panic, and a step that is read is written as it was.
    #[test]
    fn forged_payloads_do_not_panic(kind in 0u8..8, payload in prop::collection::vec(any::<u8>(), 0..80), flags in 0u8..64) {
        let _ = parse(&forged(kind, &payload));
        let payload = [&[flags][..], &payload].concat();
        if let Ok((_, read)) = parse(&forged(2, &payload)) {
            prop_assert_eq!(read.len(), 3);
            let (again, _) = written(&read);
            prop_assert!(same(&parse(&again).unwrap().1, &read));
        }
    }

    /// Steps of any content and shape round trip.
    #[test]
    fn any_step_round_trips(
        seeds in prop::collection::vec(any::<(u64, u32)>(), 0..40),
        (scalars, losses) in (prop::collection::vec(any::<u32>(), 0..5), prop::collection::vec(any::<u64>(), 0..80)),
        (batch, decay, rounding, lr) in any::<(u64, u32, u64, u64)>(),
    ) {
        let applied = Applied {
            terms: seeds.iter().map(|(s, c)| (Seed(*s), f32::from_bits(*c))).collect(),
            decay: f32::from_bits(decay),
            rounding_seed: Seed(rounding),
            scalars: scalars.iter().map(|s| f32::from_bits(*s)).collect(),
        };
        let losses = losses.iter().map(|l| f64::from_bits(*l)).collect();
        let written_step = Step { step: 0, batch, applied, losses, lr: f64::from_bits(lr) };
        let all = [Record::Step(written_step), Record::Step(step(1, 1))];
        prop_assert!(same(&parse(&written(&all).0).unwrap().1, &all));
    }
}
