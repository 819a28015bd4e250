//! Addresses on the Hugging Face Hub (`hf://owner/name`) where a model's or a data set's path may stand.
//!
//! ```text
//! hf://owner/name ─fetch─> the cache of huggingface_hub ─> a folder, as any other
//! hf://owner/name with a trajectory alone ─> its base ─replay─> ~/.cache/polder/rebuilt/…, hash checked
//! ```

#[cfg(feature = "hub")]
mod client;
#[cfg(not(feature = "hub"))]
#[path = "absent.rs"]
mod client;
mod rebuilt;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use polder_optim::trajectory::Origin;

use crate::config::Config;
use crate::error::{Error, Result};

#[cfg(feature = "hub")]
pub use client::{license, publish};
pub(crate) use rebuilt::{holds_trajectory_alone, rebuilt};

/// How an address begins.
const SCHEME: &str = "hf://";

/// How far something is that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is done: `fetching`, `hashing`, `sending`, `replaying`.
    pub what: &'static str,
    /// To what: a file, a trajectory.
    pub name: &'a str,
    /// Bytes or steps so far.
    pub done: u64,
    /// Bytes or steps in all.
    pub total: u64,
}

/// Hears of progress.
pub type Watch<'a> = dyn FnMut(&Progress<'_>) + 'a;

/// Something that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Its address with the commit that was fetched.
    pub address: String,
    /// What a reader should know, in a sentence.
    pub note: Option<String>,
}

static OFFLINE: AtomicBool = AtomicBool::new(false);

/// From now on this process uses no network, as with `HF_HUB_OFFLINE=1`.
pub fn set_offline() {
    OFFLINE.store(true, Ordering::Relaxed);
}

#[cfg(feature = "hub")]
fn is_offline() -> bool {
    OFFLINE.load(Ordering::Relaxed)
}

/// A path that is an address, as text.
pub fn address(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| text.starts_with(SCHEME))
}

/// Fetches a model: a folder, a GGUF file, or a folder with a trajectory alone.
///
/// # Errors
/// No address; nothing there that makes a model; no permission; no answer and nothing in the cache.
pub fn model(address: &str, watch: &mut Watch<'_>) -> Result<Fetched> {
    client::model(address, watch)
}

/// Fetches a trajectory and its plan, also from a repository that holds weights too.
///
/// # Errors
/// As [`model`]; there is no trajectory.
pub fn trajectory(address: &str, watch: &mut Watch<'_>) -> Result<Fetched> {
    client::trajectory(address, watch)
}

/// A data set's path: fetched where it is an address, else as it is.
///
/// # Errors
/// As [`model`]; several configurations and none named.
pub fn data(path: &Path, watch: &mut Watch<'_>) -> Result<PathBuf> {
    match address(path) {
        Some(address) => Ok(client::data(address, watch)?.path),
        None => Ok(path.to_owned()),
    }
}

/// Fetches what a configuration names on the Hub, and writes the commits into it; gives what a reader should know.
///
/// # Errors
/// As [`model`] and [`data`].
pub fn pin(config: &mut Config, watch: &mut Watch<'_>) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let mut pinned = |fetched: Fetched| {
        notes.extend(fetched.note);
        PathBuf::from(fetched.address)
    };
    if let Some(address) = address(&config.model.path) {
        let fetched = client::model(address, watch)?;
        config.model.path = pinned(fetched);
    }
    if let Some(address) = config.task.data.as_deref().and_then(address) {
        let fetched = client::data(address, watch)?;
        config.task.data = Some(pinned(fetched));
    }
    Ok(notes)
}

/// Where base weights come from, for a trajectory's header: a pinned address is taken apart.
pub fn origin(path: &Path) -> Origin {
    let whole = || Origin { path: path.display().to_string(), revision: None };
    let Some((id, rest)) = address(path).and_then(|text| text.split_once('@')) else { return whole() };
    let (revision, inside) = rest.split_once('/').map_or((rest, String::new()), |(r, i)| (r, format!("/{i}")));
    Origin { path: format!("{id}{inside}"), revision: Some(revision.to_owned()) }
}

/// The path that an origin stands for; [`origin`] backwards.
pub fn path_of(origin: &Origin) -> PathBuf {
    let (Some(revision), Some(rest)) = (&origin.revision, origin.path.strip_prefix(SCHEME)) else {
        return PathBuf::from(&origin.path);
    };
    let end = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
    let (id, inside) = rest.split_at(end);
    PathBuf::from(format!("{SCHEME}{id}@{revision}{inside}"))
}

/// polder's own cache: `POLDER_CACHE`, else `XDG_CACHE_HOME/polder`, else `~/.cache/polder`.
///
/// # Errors
/// No home folder.
pub fn cache() -> Result<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("POLDER_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|caches| caches.join("polder")))
        .or_else(|| var("HOME").or_else(|| var("USERPROFILE")).map(|home| home.join(".cache/polder")))
        .ok_or(Error::NoCache)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_pinned_addresses_taken_apart() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (path, name, revision) in [
            (format!("hf://o/n@{commit}"), "hf://o/n", Some(commit)),
            (format!("hf://o/n@{commit}/a/m.gguf"), "hf://o/n/a/m.gguf", Some(commit)),
            ("models/m".to_owned(), "models/m", None),
            ("at@home/m".to_owned(), "at@home/m", None),
        ] {
            let found = origin(Path::new(&path));
            assert_eq!(found, Origin { path: name.to_owned(), revision: revision.map(str::to_owned) });
            assert_eq!(path_of(&found), PathBuf::from(path));
        }
    }
}
