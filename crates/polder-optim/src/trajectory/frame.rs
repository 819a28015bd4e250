//! Records as bytes: kind, length, payload and a checksum that continues the one before.

use super::FORMAT;

/// The first eight bytes.
pub(super) const MAGIC: &[u8; 8] = b"POLDTRAJ";
/// Magic and version.
pub(super) const PREAMBLE: usize = 12;
/// The longest payload that is written or read, in bytes.
pub(super) const MAX_PAYLOAD: usize = 1 << 24;
/// The kinds of records: header, step, evaluation, note, end.
pub(super) const KINDS: std::ops::RangeInclusive<u8> = 1..=5;
/// The bytes that a search for a later record may checksum: a bound on its time for hostile files.
const SEARCH_BUDGET: usize = 4 << 30;

/// The bytes before the first record.
pub(super) fn preamble() -> [u8; PREAMBLE] {
    let mut bytes = [0; PREAMBLE];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..].copy_from_slice(&FORMAT.to_le_bytes());
    bytes
}

/// The checksum that the first record continues.
pub(super) fn first_crc() -> u32 {
    crc32c::crc32c(&preamble())
}

/// Appends a record to `out`; gives its checksum.
pub(super) fn encode(out: &mut Vec<u8>, kind: u8, payload: &[u8], before: u32) -> u32 {
    let start = out.len();
    out.push(kind);
    push_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
    let crc = crc32c::crc32c_append(before, &out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    crc
}

/// The outline of a record whose bytes are all there, whether or not its checksum is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
    /// The checksum that is stored.
    pub(super) stored: u32,
    /// Kind, length and payload: what the checksum covers.
    body: &'a [u8],
    /// The offset of what follows.
    pub(super) next: usize,
}

impl<'a> Frame<'a> {
    /// The outline of what may be a record at `at`; the reason, where nothing of the kind is there.
    pub(super) fn parse(bytes: &'a [u8], at: usize) -> Result<Self, &'static str> {
        let rest = bytes.get(at..).unwrap_or_default();
        let (&kind, after) = rest.split_first().ok_or("the file ends")?;
        if kind == 0 {
            return Err("there is no record (zeros)");
        }
        let mut after = after;
        let length = take_varint(&mut after).ok_or("a record's length is cut off or malformed")?;
        let length = usize::try_from(length).ok().filter(|l| *l <= MAX_PAYLOAD).ok_or("a record is too long")?;
        let payload = after.get(..length).ok_or("a record is longer than the file")?;
        let stored = after.get(length..length + 4).and_then(|c| c.try_into().ok()).ok_or("a checksum is cut off")?;
        let body = &rest[..rest.len() - after.len() + length];
        Ok(Self { kind, payload, stored: u32::from_le_bytes(stored), body, next: at + body.len() + 4 })
    }

    /// What its checksum should be after `before`.
    pub(super) fn crc(&self, before: u32) -> u32 {
        crc32c::crc32c_append(before, self.body)
    }

    /// Whether its checksum is right after `before`.
    pub(super) fn is_valid(&self, before: u32) -> bool {
        self.crc(before) == self.stored
    }
}

/// The first valid record after `at`, where a record that should continue `before` is not valid.
///
/// The checksum that a record continues is stored in the four bytes before it, so a record can be recognised anywhere.
/// A search that is too long to finish counts as found, since what can't be ruled out must not be dropped.
pub(super) fn later_record(bytes: &[u8], at: usize, before: u32) -> Option<usize> {
    if let Ok(damaged) = Frame::parse(bytes, at)
        && let Ok(next) = Frame::parse(bytes, damaged.next)
        && KINDS.contains(&next.kind)
        && next.is_valid(damaged.crc(before))
    {
        return Some(damaged.next);
    }
    let mut budget = SEARCH_BUDGET;
    for candidate in at + 1..bytes.len() {
        if !KINDS.contains(&bytes[candidate]) {
            continue;
        }
        let Ok(frame) = Frame::parse(bytes, candidate) else { continue };
        let Some(stored) = candidate.checked_sub(4).and_then(|from| bytes.get(from..candidate)) else { continue };
        let Ok(stored) = <[u8; 4]>::try_from(stored) else { continue };
        if frame.is_valid(u32::from_le_bytes(stored)) {
            return Some(candidate);
        }
        budget = match budget.checked_sub(frame.body.len()) {
            Some(left) => left,
            None => return Some(candidate),
        };
    }
    None
}

/// Appends a number, seven bits a byte, lowest first.
pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number off the front; nothing where it is cut off, too large or longer than need be.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if (shift == 63 && bits > 1) || (shift > 0 && byte == 0) {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_are_unique() {
        for value in [0, 1, 127, 128, 300, 1 << 21, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            let mut rest = &out[..];
            assert_eq!(take_varint(&mut rest), Some(value));
            assert!(rest.is_empty());
            assert_eq!(take_varint(&mut &out[..out.len() - 1]), None, "{value} cut off");
        }
        assert_eq!(take_varint(&mut &[0x80, 0x00][..]), None, "longer than need be");
        assert_eq!(take_varint(&mut &[0xff; 11][..]), None, "too large");
    }

    #[test]
    fn a_frame_ends_where_it_says() {
        let mut out = preamble().to_vec();
        let crc = encode(&mut out, 4, b"hello", first_crc());
        let frame = Frame::parse(&out, PREAMBLE).unwrap();
        assert_eq!((frame.kind, frame.payload, frame.stored, frame.next), (4, &b"hello"[..], crc, out.len()));
        assert!(frame.is_valid(first_crc()) && !frame.is_valid(first_crc() ^ 1));
        assert!((PREAMBLE..out.len()).all(|cut| Frame::parse(&out[..cut], PREAMBLE).is_err()));
    }
}
