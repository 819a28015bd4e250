//! Truncated, flipped, zeroed and rearranged files.

use super::super::frame::PREAMBLE;
use super::*;

#[test]
fn every_truncation_keeps_every_whole_record() {
    let records = records();
    let (bytes, ends) = written(&records);
    for cut in 0..=bytes.len() {
        let result = parse(&bytes[..cut]);
        if cut < ends[0] {
            assert!(matches!(result, Err(Error::NoHeader { .. })), "cut at {cut}: {result:?}");
            continue;
        }
        let (found, read) = result.unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert!(same(&read, &records[..whole]), "cut at {cut}");
        assert_eq!(found.bytes(), ends[whole] as u64);
        assert_eq!(found.dropped().map(|d| (d.offset, d.bytes)), {
            let torn = cut - ends[whole];
            (torn > 0).then_some((ends[whole] as u64, torn as u64))
        });
    }
}

#[test]
fn every_flipped_bit_is_refused_or_costs_the_last_record() {
    let records = records();
    let (bytes, ends) = written(&records);
    let last = ends[ends.len() - 2];
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            match parse(&flipped) {
                Err(Error::Damaged { offset, .. }) => {
                    assert!(at < last, "byte {at} bit {bit}: only the last record is damaged");
                    let record = ends.iter().rev().find(|end| **end <= at).copied().unwrap_or(PREAMBLE);
                    assert_eq!(offset, record as u64, "byte {at} bit {bit}");
                }
                Err(error) => assert!(at < PREAMBLE, "byte {at} bit {bit}: {error}"),
                Ok((found, read)) => {
                    assert!(at >= last, "byte {at} bit {bit} went unnoticed");
                    assert!(same(&read, &records[..records.len() - 1]));
                    assert_eq!(found.dropped().map(|d| d.offset), Some(last as u64));
                }
            }
        }
    }
}

#[test]
fn zeros_at_the_end_are_dropped_and_elsewhere_refused() {
    let records = records();
    let (bytes, ends) = written(&records);
    for from in ends[0]..bytes.len() {
        for more in [0, 1, 4096] {
            let mut zeroed = bytes[..from].to_vec();
            zeroed.resize(bytes.len() + more, 0);
            let (_, read) = parse(&zeroed).unwrap_or_else(|e| panic!("zeros from {from}: {e}"));
            // A record whose last bytes are zeros anyway may still be whole.
            let whole = (0..ends.len()).rev().find(|i| zeroed.get(..ends[*i]) == bytes.get(..ends[*i])).unwrap();
            assert!(same(&read, &records[..whole]), "zeros from {from}");
        }
    }
    // Without the checksum before it the very last record can't be recognised, so two records must follow.
    for pair in ends.windows(2).take(ends.len() - 3) {
        let mut zeroed = bytes.clone();
        zeroed[pair[0]..pair[1]].fill(0);
        let text = parse(&zeroed).unwrap_err().to_string();
        assert!(text.contains(&format!("damaged at byte {}", pair[0])) && text.contains("hint: "), "{text}");
    }
    let mut header_gone = bytes;
    header_gone[PREAMBLE..ends[0]].fill(0);
    assert!(matches!(parse(&header_gone), Err(Error::Damaged { steps: 0, .. })));
}

#[test]
fn records_that_were_moved_removed_or_foreign_are_refused() {
    let steps: Vec<_> = (0..6).map(|i| Record::Step(step(i, 1))).collect();
    let (bytes, ends) = written(&steps);
    let part = |i: usize| &bytes[ends[i]..ends[i + 1]];
    let join = |order: &[usize]| {
        order.iter().fold(bytes[..ends[0]].to_vec(), |mut all, i| {
            all.extend_from_slice(part(*i));
            all
        })
    };
    assert_eq!(parse(&join(&[0, 1, 2, 3, 4, 5])).unwrap().1.len(), 6);
    // Steps 2 and 3 have other lengths than 0 (whose counts are new), but the same as one another.
    for order in [&[0, 1, 3, 2, 4, 5][..], &[0, 1, 3, 4, 5], &[0, 1, 2, 2, 3, 4, 5], &[1, 2, 3]] {
        assert!(matches!(parse(&join(order)), Err(Error::Damaged { .. })), "{order:?}");
    }
    // The same step of a run that differs in one coefficient.
    let mut other: Vec<_> = (0..6).map(|i| step(i, 1)).collect();
    other[1].applied.terms[0].1 += 0.125;
    let (foreign, _) = written(&other.into_iter().map(Record::Step).collect::<Vec<_>>());
    let mut spliced = bytes[..ends[3]].to_vec();
    spliced.extend_from_slice(&foreign[ends[3]..]);
    assert!(matches!(parse(&spliced), Err(Error::Damaged { steps: 3, .. })));
}
