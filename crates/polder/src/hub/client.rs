//! The Hub by `polder-hub`.

use polder_hub::{Address, Doing, Hub, PublishOptions, Published, Settings, Upload};

use super::{Fetched, Progress, Watch, cache, is_offline};
use crate::error::Result;

fn hub() -> Result<Hub> {
    let mut settings = Settings::from_env()?;
    settings.offline |= is_offline();
    Ok(Hub::new(settings))
}

fn heard<'a>(watch: &'a mut Watch<'_>) -> impl FnMut(&polder_hub::Progress<'_>) + 'a {
    move |p| {
        let what = match p.doing {
            Doing::Fetching => "fetching",
            Doing::Hashing => "hashing",
            Doing::Sending => "sending",
        };
        watch(&Progress { what, name: p.file, done: p.done, total: p.total });
    }
}

pub(super) fn model(address: &str, watch: &mut Watch<'_>) -> Result<Fetched> {
    let address: Address = address.parse()?;
    let found = hub()?.model(&address, &mut heard(watch))?;
    Ok(Fetched { path: found.path, address: found.address.to_string(), note: found.note })
}

pub(super) fn trajectory(address: &str, watch: &mut Watch<'_>) -> Result<Fetched> {
    let address: Address = address.parse()?;
    let found = hub()?.trajectory(&address, &mut heard(watch))?;
    Ok(Fetched { path: found.path, address: found.address.to_string(), note: found.note })
}

pub(super) fn data(address: &str, watch: &mut Watch<'_>) -> Result<Fetched> {
    let address: Address = address.parse()?;
    let found = hub()?.dataset(&address, &cache()?.join("data"), &mut heard(watch))?;
    Ok(Fetched { path: found.path, address: found.address.to_string(), note: found.note })
}

/// The licence that a model's card names; `None` where it names none.
///
/// # Errors
/// No address; no such repository; no answer.
pub fn license(address: &str) -> Result<Option<String>> {
    Ok(hub()?.license(&address.parse()?)?)
}

/// Publishes files as the model `id`, in one commit.
///
/// # Errors
/// As [`Hub::publish`].
pub fn publish(id: &str, uploads: &[Upload], options: &PublishOptions, watch: &mut Watch<'_>) -> Result<Published> {
    Ok(hub()?.publish(&Address::model(id)?, uploads, options, &mut heard(watch))?)
}
