//! Records that are refused, and disks that fill up.

use std::io;
use std::sync::{Arc, Mutex};

use super::super::frame::MAX_PAYLOAD;
use super::super::writer::Store;
use super::*;

/// A disk in memory that may fill up.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<Space>>);

#[derive(Default)]
struct Space {
    bytes: Vec<u8>,
    capacity: Option<usize>,
    stuck: bool,
}

impl Disk {
    pub(super) fn put(&self, bytes: &[u8]) {
        self.0.lock().unwrap().bytes = bytes.to_vec();
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

impl Store for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut space = self.0.lock().unwrap();
        let free = space.capacity.map_or(usize::MAX, |c| c.saturating_sub(space.bytes.len()));
        space.bytes.extend_from_slice(&bytes[..bytes.len().min(free)]);
        if bytes.len() > free { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let mut space = self.0.lock().unwrap();
        if space.stuck {
            return Err(io::ErrorKind::Other.into());
        }
        space.bytes.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn records_that_make_no_sense_are_not_written() {
    let (bytes, _) = written(&[]);
    let tail = Trajectory::parse("t", bytes).unwrap().tail();
    let disk = Disk::default();
    let mut writer = Writer::over(Box::new(disk.clone()), Path::new("t"), Durability::Process, tail);
    let gap = writer.append(&Record::Step(step(1, 1))).unwrap_err().to_string();
    assert!(gap.contains("step 1 comes after 0 steps"), "{gap}");
    assert!(writer.append(&Record::End(End { steps: 3, weights: Digest([0; 32]) })).is_err());
    let long = "x".repeat(MAX_PAYLOAD);
    assert!(matches!(writer.append(&Record::Note(json!(long))), Err(Error::Record { .. })));
    assert!(disk.bytes().is_empty());
}

#[test]
fn a_full_disk_leaves_a_valid_file_that_can_go_on() {
    let (head, ends) = written(&[]);
    for free in 0..27 {
        let disk = Disk::default();
        disk.put(&head);
        let tail = Trajectory::parse("t", head.clone()).unwrap().tail();
        let mut writer = Writer::over(Box::new(disk.clone()), Path::new("run/trajectory"), Durability::Process, tail);
        writer.append(&Record::Step(step(0, 1))).unwrap();
        let valid = disk.bytes();
        disk.0.lock().unwrap().capacity = Some(valid.len() + free);
        let text = writer.append(&Record::Step(step(1, 1))).unwrap_err().to_string();
        assert!(text.contains("`run/trajectory`") && text.contains("hint: free space"), "{text}");
        assert_eq!(disk.bytes(), valid, "cut back to the last whole record");
        disk.0.lock().unwrap().capacity = None;
        writer.append(&Record::Step(step(1, 1))).unwrap();
        assert_eq!(parse(&disk.bytes()).unwrap().0.steps(), 2);

        // Where even cutting back fails, nothing more is written and the reader drops the tail.
        let len = disk.bytes().len();
        *disk.0.lock().unwrap() = Space { bytes: disk.bytes(), capacity: Some(len + free), stuck: true };
        assert!(matches!(writer.append(&Record::Step(step(2, 1))), Err(Error::Io { .. })));
        assert!(matches!(writer.append(&Record::Step(step(2, 1))), Err(Error::Broken { .. })));
        assert_eq!(parse(&disk.bytes()).unwrap().0.steps(), 2);
    }
    assert_eq!(ends.len(), 1);
}

#[test]
fn a_checksum_is_that_of_the_writer_at_the_same_length() {
    let (head, _) = written(&[]);
    let tail = Trajectory::parse("t", head.clone()).unwrap().tail();
    let disk = Disk::default();
    disk.put(&head);
    let mut writer = Writer::over(Box::new(disk.clone()), Path::new("t"), Durability::Process, tail);
    let mut known = vec![(writer.bytes(), writer.checksum())];
    for number in 0..3 {
        writer.append(&Record::Step(step(number, 1))).unwrap();
        known.push((writer.bytes(), writer.checksum()));
    }
    let log = Trajectory::parse("t", disk.bytes()).unwrap();
    for bytes in 0..=log.bytes() + 1 {
        let expected = known.iter().find(|(length, _)| *length == bytes).map(|(_, crc)| *crc);
        assert_eq!(log.checksum_at(bytes), expected, "{bytes}");
    }
}
