//! Puts files into a repository, in one commit.

mod commit;
mod compare;
mod large;
mod repository;

use std::path::PathBuf;

use serde_json::Value;

use crate::address::Address;
use crate::answer::About;
use crate::error::{Error, Result};
use crate::fetch::{Hub, MAIN};
use crate::http::{Ask, Payload};
use crate::watch::Watch;
use compare::{Change, Difference};

/// How often a publication starts over after the commit's answer was lost or somebody else committed.
const ROUNDS: u32 = 3;
const JSON: &str = "application/json";

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its path in the repository.
    pub path: String,
    /// Where it lies.
    pub file: PathBuf,
}

/// How to publish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOptions {
    /// Whether a repository that is made is private.
    pub private: bool,
    /// The branch; made where it is not there. The default one where absent.
    pub revision: Option<String>,
    /// Whether files that are there with other contents are replaced.
    pub overwrite: bool,
    /// The commit's message.
    pub message: String,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The repository's page.
    pub page: String,
    /// The commit that holds the files.
    pub commit: String,
    /// The files that went, by their paths.
    pub sent: Vec<String>,
    /// The files that were there already.
    pub unchanged: Vec<String>,
}

/// A publication.
struct Publication<'a> {
    hub: &'a Hub,
    address: &'a Address,
    repo: String,
    branch: &'a str,
    uploads: &'a [Upload],
    options: &'a PublishOptions,
}

impl Hub {
    /// Publishes files in one commit: makes the repository and the branch where they are missing, sends what differs from
    /// what is there, and commits. May be called again after anything that broke it off; what had gone does not go twice.
    ///
    /// # Errors
    /// Offline mode; no token, or one that does not allow it; files that are there with other contents, unless they may
    /// be replaced; files that can't be read; no answer.
    pub fn publish(
        &self,
        address: &Address,
        uploads: &[Upload],
        options: &PublishOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Published> {
        let repo = address.repo();
        let settings = &self.http.settings;
        if settings.offline {
            return Err(Error::PublishOffline { repo });
        }
        if settings.token.is_none() {
            return Err(Error::NoToken { repo, page: format!("{}/settings/tokens", settings.endpoint) });
        }
        let branch = options.revision.as_deref().unwrap_or(MAIN);
        let publication = Publication { hub: self, address, repo, branch, uploads, options };
        // What a commit whose answer was lost may have brought there.
        let mut tried = Vec::new();
        let mut rounds = 0;
        loop {
            rounds += 1;
            match publication.round(&mut tried, watch) {
                // The commit may have been made although its answer did not come; the next round sees it.
                Err(Error::Server { .. } | Error::Network { .. } | Error::Conflict { .. }) if rounds < ROUNDS => {
                    std::thread::sleep(self.http.pause(rounds));
                }
                other => return other,
            }
        }
    }
}

impl Publication<'_> {
    fn round(&self, tried: &mut Vec<String>, watch: &mut Watch<'_>) -> Result<Published> {
        let head = self.head()?;
        let Difference { changes, unchanged } = self.compare(&head, watch)?;
        let replaced: Vec<String> = changes.iter().filter(|c| c.replaces).map(|c| c.upload.path.clone()).collect();
        if !replaced.is_empty() && !self.options.overwrite {
            return Err(Error::WouldChange { repo: self.repo.clone(), files: replaced });
        }
        let page = format!("{}/{}", self.hub.http.settings.endpoint, self.repo);
        if changes.is_empty() {
            let unchanged = unchanged.into_iter().filter(|path| !tried.contains(path)).collect();
            return Ok(Published { page, commit: head, sent: std::mem::take(tried), unchanged });
        }
        let large: Vec<&Change<'_>> = changes.iter().filter(|c| c.large).collect();
        self.send_large(&large, watch)?;
        *tried = changes.iter().map(|c| c.upload.path.clone()).collect();
        let commit = self.commit(&head, &changes)?;
        Ok(Published { page, commit, sent: std::mem::take(tried), unchanged })
    }

    fn about(&self) -> About<'_> {
        About { writes: true, revision: Some(self.branch), ..About::repo(&self.repo) }
    }

    /// Posts JSON to the Hub and reads JSON.
    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.hub.http.settings.endpoint);
        let (bytes, about) = (body.to_string().into_bytes(), self.about());
        let ask = Ask { method: "POST", payload: Payload::Bytes(&bytes, JSON), ..Ask::get(&url, &about) };
        Ok(self.hub.http.json(&ask)?.0)
    }

    fn unusable(&self, reason: &str) -> Error {
        self.hub.http.unusable(&self.about(), reason)
    }
}
