//! The definition against golden numbers and mathematics; every path against the definition.

mod accuracy;
mod golden;
mod paths;
