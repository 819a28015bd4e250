//! `polder theory`.

mod edge;
mod flat;

use anyhow::Result;

use super::Ended;
use super::args::Theory;

pub(super) fn run(theory: &Theory) -> Result<Ended> {
    match theory {
        Theory::Flat(arguments) => flat::run(arguments)?,
        Theory::Edge(arguments) => edge::run(arguments)?,
    }
    Ok(Ended::Well)
}
