//! Files of a repository, from the cache or the network.

use std::path::PathBuf;

use crate::address::Address;
use crate::cache::Place;
use crate::download::{Download, room};
use crate::error::{Error, Result};
use crate::http::Http;
use crate::listing::{Entry, commit, files, license};
use crate::settings::Settings;
use crate::together::each;
use crate::watch::Watch;

/// The revision where none is named.
pub(crate) const MAIN: &str = "main";

/// A client of the Hub.
#[derive(Debug)]
pub struct Hub {
    pub(crate) http: Http,
}

/// Files of a repository, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The folder of the commit in the cache.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
    /// The files, by their paths in the repository.
    pub files: Vec<String>,
    /// What a reader should know, in a sentence.
    pub note: Option<String>,
}

/// Chooses files from those that a repository holds.
pub(crate) type Choose<'a> = dyn Fn(&[&str]) -> Result<Vec<String>> + 'a;

impl Hub {
    /// A client with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { http: Http::new(settings) }
    }

    /// A client as the environment says.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_env() -> Result<Self> {
        Ok(Self::new(Settings::from_env()?))
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.http.settings
    }

    /// The licence that a repository's card names; `None` where it names none.
    ///
    /// # Errors
    /// No such repository or revision; no permission; no answer; offline mode.
    pub fn license(&self, address: &Address) -> Result<Option<String>> {
        let revision = address.revision.as_deref().unwrap_or(MAIN);
        if self.http.settings.offline {
            let (repo, cache) = (address.to_string(), self.http.settings.cache.clone());
            return Err(Error::Offline { repo, missing: "what its card says".to_owned(), cache });
        }
        license(&self.http, address, revision)
    }

    /// Brings chosen files at a revision into the cache.
    ///
    /// A commit whose chosen files are all there is not asked for. Where the Hub can't be reached, what is there stands
    /// in, and the note says so.
    ///
    /// # Errors
    /// Nothing to choose; no such repository, revision or file; no permission; no answer and nothing in the cache;
    /// damaged files; no room.
    pub(crate) fn fetch(
        &self,
        address: &Address,
        revision: &str,
        choose: &Choose<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Fetched> {
        let place = Place::new(&self.http.settings.cache, address, revision);
        let cached = place.commit(revision);
        if address.is_pinned()
            && let Some(found) = cached.as_deref().and_then(|commit| kept(&place, commit, choose))
        {
            return Ok(found);
        }
        if self.http.settings.offline {
            return self.cached(address, revision, &place, choose);
        }
        match self.online(address, revision, &place, choose, watch) {
            Err(error) if error.is_unreachable() => match self.cached(address, revision, &place, choose) {
                Ok(mut found) => {
                    let (why, commit) = (error.to_string(), &found.commit);
                    let why = why.lines().next().unwrap_or_default();
                    found.note = Some(format!("{why}; the copy in the cache (commit {commit}) is taken"));
                    Ok(found)
                }
                Err(_) => Err(error),
            },
            other => other,
        }
    }

    fn online(
        &self,
        address: &Address,
        revision: &str,
        place: &Place,
        choose: &Choose<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Fetched> {
        let commit = commit(&self.http, address, revision)?;
        let tree = match place.tree(&commit) {
            Some(tree) => tree,
            None => {
                let tree = files(&self.http, address, &commit)?;
                place.keep_tree(&commit, &tree)?;
                tree
            }
        };
        let chosen = choose(&names(&tree))?;
        let wanted = tree.iter().filter(|entry| chosen.contains(&entry.path));
        let downloads: Vec<Download<'_>> =
            wanted.map(|entry| Download { http: &self.http, address, commit: &commit, place, entry }).collect();
        room(place, &downloads)?;
        each(&downloads, self.http.settings.at_once, watch, &|download, stopped, watch| download.run(stopped, watch))?;
        // A revision is known only when its files are.
        place.remember(revision, &commit)?;
        Ok(Fetched { folder: place.snapshot(&commit), commit, files: chosen, note: None })
    }

    fn cached(&self, address: &Address, revision: &str, place: &Place, choose: &Choose<'_>) -> Result<Fetched> {
        let repo = Address { inside: None, ..address.at(revision) }.to_string();
        let cache = self.http.settings.cache.clone();
        let missing = |missing: String| Error::Offline { repo: repo.clone(), missing, cache: cache.clone() };
        let Some(commit) = place.commit(revision) else {
            return Err(missing("it was never fetched".to_owned()));
        };
        let there = place.files(&commit);
        if there.is_empty() {
            return Err(missing("it was never fetched".to_owned()));
        }
        let tree = place.tree(&commit);
        let chosen = match &tree {
            Some(tree) => choose(&names(tree))?,
            // Another program fetched it, and did not say what there is besides.
            None => choose(&there.iter().map(String::as_str).collect::<Vec<_>>())
                .map_err(|error| missing(error.to_string().lines().next().unwrap_or_default().to_owned()))?,
        };
        match chosen.iter().find(|file| !there.contains(file)) {
            Some(file) => Err(missing(format!("`{file}` was never fetched"))),
            None => Ok(Fetched { folder: place.snapshot(&commit), commit, files: chosen, note: None }),
        }
    }
}

/// A commit's files where all that are chosen are there.
fn kept(place: &Place, commit: &str, choose: &Choose<'_>) -> Option<Fetched> {
    let tree = place.tree(commit)?;
    let chosen = choose(&names(&tree)).ok()?;
    let whole =
        |path: &String| tree.iter().any(|entry| entry.path == *path && place.has(commit, path, Some(entry.size)));
    let found = Fetched { folder: place.snapshot(commit), commit: commit.to_owned(), files: chosen, note: None };
    found.files.iter().all(whole).then_some(found)
}

fn names(tree: &[Entry]) -> Vec<&str> {
    tree.iter().map(|entry| entry.path.as_str()).collect()
}
