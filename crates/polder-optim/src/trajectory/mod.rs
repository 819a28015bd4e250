//! A run's log: what happened, exactly, and enough to do it again.
//!
//! The file is append-only: `POLDTRAJ`, the format's version, then records. The first record is the [`Header`]; the
//! others are [`Record`]s. Byte by byte (all numbers little-endian, `varint` = LEB128):
//!
//! ```text
//! file     "POLDTRAJ"  version u32  record…
//! record   kind u8  length varint  payload[length]  crc u32
//!          crc = CRC-32C of (kind, length, payload), continued from the crc of the record before
//!          (for the first record: from the CRC-32C of the 12 bytes before it)
//! kinds    1 header (JSON)   2 step   3 evaluation (JSON)   4 note (JSON)   5 end (JSON)
//! step     flags u8
//!          [batch varint]                       flag 1; absent: one more than at the step before (first: 0)
//!          [terms, scalars, losses varint]      flag 2; absent: as many as at the step before (first: none)
//!          [decay f32]                          flag 4; absent: as at the step before (first: 0)
//!          [learning rate f64]                  flag 8; absent: as at the step before (first: 0)
//!          [rounding seed u64]                  flag 16; absent: derived from the run's seed and the step
//!          [seeds u64 × terms]                  flag 32; absent: derived from the run's seed and the step
//!          coefficients f32 × terms   scalars f32 × scalars   mean losses f64 × losses
//! ```
//!
//! Steps are numbered from 0 without gaps. Since every checksum continues the one before, records can't be
//! reordered, removed or taken from another file unnoticed. A two-point step with one direction takes 27 bytes as long
//! as its learning rate stays the same, 35 when it changes.
//!
//! A crash can only leave an invalid *tail* (a torn record, or zeros): it is dropped, and reported. Damage *before* a
//! valid record is something else, and is refused. (A record is recognised by the checksum before it; so a single last
//! record whose predecessor was lost with its checksum can't be told from a torn one, and is dropped with it.)

mod frame;
mod header;
mod reader;
mod record;
mod replay;
mod step;
mod writer;

pub use header::{Digest, Header, Method, Origin};
pub use reader::{DroppedTail, Trajectory};
pub use record::{End, Evaluation, Record};
pub use replay::{Moves, Replay, Replayed, replay};
pub use step::Step;
pub use writer::{Durability, Writer};

/// The version of the file format.
pub const FORMAT: u32 = 1;

#[cfg(test)]
mod tests;
