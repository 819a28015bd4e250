//! Methods held against one another: the same configuration changed in several ways, each with several seeds, scored on the
//! same rows.
//!
//! ```text
//! methods.toml ─> Comparison ─ cells: case × arm × seed ─> runs ─> Found, one line each in results.jsonl ─> Summary ─> report
//! ```
//!
//! A result is known by its [`key_of`]: a digest of all that decides the bits of a run. A comparison that was ended goes on
//! where it was, also on another machine, and one whose file was changed makes only the runs that are new.

mod cell;
mod file;
mod found;
mod ledger;
mod make;
mod page;
mod summary;
#[cfg(test)]
mod tests;

pub use cell::{Base, Cell, key_of};
pub use file::{Comparison, Curvature, Variant, refuse_seed};
pub use found::{Ended, Found};
pub use ledger::Results;
pub use make::{folder, make};
pub use page::write;
pub use summary::{Against, Row, Summary, summarise};
