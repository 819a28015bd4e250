//! Round trips, damage of every sort, and disks that fill up.

use std::path::Path;

use polder_perturb::Seed;
use serde_json::json;

use super::frame::{encode, first_crc, preamble};
use super::step::Codec;
use super::*;
use crate::optimizer::Applied;
use crate::seeds::{rounding_seed, step_seeds};
use crate::{Error, Result};

mod damage;
mod disk;
mod hostile;

use disk::Disk;

const RUN: u64 = 77;

fn header() -> Header {
    Header {
        polder: "0.1.0".into(),
        base: Digest([7; 32]),
        model: Origin { path: "m".into(), revision: None },
        data: "d".into(),
        seed: RUN,
        steps: 6,
        law: "gaussian".into(),
        directions: 1,
        estimator: Method { name: "two-point".into(), settings: json!({ "eps": 1e-3 }) },
        optimizer: Method { name: "sgd".into(), settings: json!({ "lr": 0.1 }) },
        schedule: json!("constant"),
        dtype: "f32".into(),
        rounding: "nearest".into(),
        arithmetic: "f32".into(),
        probe: "streamed".into(),
        trainable: json!(null),
        trainable_elements: 8,
        settings: serde_json::Map::new(),
    }
}

/// A step with the seeds that it derives, `terms` terms and twice as many losses.
fn step(step: u64, terms: usize) -> Step {
    let seeds = step_seeds(Seed(RUN), step, terms);
    let terms =
        seeds.into_iter().enumerate().map(|(i, s)| (s, 0.5f32.powi(i as i32 + 1) - step as f32)).collect::<Vec<_>>();
    let losses = (0..2 * terms.len()).map(|i| 0.7 + 0.01 * i as f64 + 1e-13 * step as f64).collect();
    let applied = Applied { terms, decay: 0.0, rounding_seed: rounding_seed(Seed(RUN), step), scalars: vec![] };
    Step { step, batch: step, applied, losses, lr: 1e-3 }
}

/// Records of every kind, and steps that use every flag.
fn records() -> Vec<Record> {
    let mut odd = step(2, 3);
    odd.batch = u64::MAX;
    odd.lr = 0.25;
    odd.applied.decay = -0.0;
    odd.applied.rounding_seed = Seed(1);
    odd.applied.terms[1].0 = Seed(u64::MAX);
    odd.applied.scalars = vec![0.9, f32::MIN_POSITIVE];
    odd.losses = vec![f64::NAN, f64::INFINITY];
    let mut after = step(3, 1);
    after.batch = 0;
    let evaluation = Evaluation {
        step: 0,
        name: "dev".into(),
        metric: "accuracy".into(),
        score: Some(0.528),
        n: 500,
        loss: None,
        more: [("majority".to_owned(), json!(0.509))].into_iter().collect(),
    };
    vec![
        Record::Evaluation(evaluation),
        Record::Step(step(0, 1)),
        Record::Step(step(1, 1)),
        Record::Note(json!({ "resumed": 2 })),
        Record::Step(odd),
        Record::Step(after),
        Record::End(End { steps: 4, weights: Digest([9; 32]) }),
        Record::Step(step(4, 0)),
        Record::Step(step(5, 1)),
    ]
}

/// The bytes of a file, and where each of its records ends (the header's first).
fn written(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
    let disk = Disk::default();
    let mut bytes = preamble().to_vec();
    let crc = encode(&mut bytes, record::HEADER, &record::encode_header(&header()).unwrap(), first_crc());
    disk.put(&bytes);
    let tail = (crc, Codec::new(RUN), bytes.len() as u64);
    let mut writer = Writer::over(Box::new(disk.clone()), Path::new("run/trajectory"), Durability::Process, tail);
    let mut ends = vec![bytes.len()];
    for record in records {
        writer.append(record).unwrap();
        ends.push(writer.bytes() as usize);
    }
    (disk.bytes(), ends)
}

fn parse(bytes: &[u8]) -> Result<(Trajectory, Vec<Record>)> {
    let found = Trajectory::parse("run/trajectory", bytes.to_vec())?;
    let records = found.records().collect::<Result<_>>()?;
    Ok((found, records))
}

/// Equality to the bit, also of NaN.
fn same(a: &[Record], b: &[Record]) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

#[test]
fn all_records_come_back_to_the_bit() {
    let records = records();
    let (bytes, ends) = written(&records);
    let (found, read) = parse(&bytes).unwrap();
    assert!(same(&read, &records), "{read:#?}");
    assert_eq!(found.header(), &header());
    assert_eq!((found.steps(), found.end(), found.dropped()), (6, None, None));
    let (found, _) = parse(&bytes[..ends[7]]).unwrap();
    assert_eq!(found.end(), Some(&End { steps: 4, weights: Digest([9; 32]) }));
}

#[test]
fn a_two_point_step_takes_27_bytes() {
    let steps: Vec<_> = (0..1001).map(|i| Record::Step(step(i, 1))).collect();
    let (_, ends) = written(&steps);
    assert_eq!(ends[1001] - ends[1], 27 * 1000);
    let mut decreasing: Vec<_> = (0..11).map(|i| step(i, 1)).collect();
    decreasing.iter_mut().for_each(|s| s.lr = 1.0 / (s.step + 2) as f64);
    let (_, ends) = written(&decreasing.into_iter().map(Record::Step).collect::<Vec<_>>());
    assert_eq!(ends[11] - ends[1], 35 * 10);
}
