//! The Hub in a build without it.

use super::{Fetched, Watch};
use crate::error::{Error, Result};

pub(super) fn model(address: &str, _: &mut Watch<'_>) -> Result<Fetched> {
    Err(Error::NoHub { address: address.to_owned() })
}

pub(super) fn trajectory(address: &str, _: &mut Watch<'_>) -> Result<Fetched> {
    Err(Error::NoHub { address: address.to_owned() })
}

pub(super) fn data(address: &str, _: &mut Watch<'_>) -> Result<Fetched> {
    Err(Error::NoHub { address: address.to_owned() })
}
