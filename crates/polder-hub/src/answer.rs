//! Answers that say no, as errors with a remedy.

use std::time::Duration;

use serde_json::Value;
use ureq::Body;
use ureq::http::{HeaderMap, Response};

use crate::error::Error;
use crate::settings::Settings;

/// The longest text of a server that is repeated, in characters.
const LONGEST_TEXT: usize = 300;

/// What a request is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The repository.
    pub(crate) repo: &'a str,
    /// The revision, where one is asked for.
    pub(crate) revision: Option<&'a str>,
    /// The file, where one is asked for.
    pub(crate) file: Option<&'a str>,
    /// Whether something is to be changed.
    pub(crate) writes: bool,
}

impl<'a> About<'a> {
    /// A question about a repository.
    pub(crate) fn repo(repo: &'a str) -> Self {
        Self { repo, revision: None, file: None, writes: false }
    }
}

/// The time that a server asks to wait.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let seconds = text("retry-after").and_then(|v| v.trim().parse().ok()).or_else(|| {
        // `"api";r=0;t=55`: nothing remains, for 55 seconds.
        let limit = text("ratelimit")?;
        limit.split(';').find_map(|part| part.trim().strip_prefix("t=")).and_then(|t| t.parse().ok())
    });
    seconds.map(Duration::from_secs)
}

/// What an answer with a failing status means.
pub(crate) fn refusal(settings: &Settings, about: &About<'_>, response: &Response<Body>, body: &[u8]) -> Error {
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let message = message(header("x-error-message"), body);
    let message = settings.token.as_ref().map_or_else(|| message.clone(), |token| token.scrub(&message));
    let (repo, host) = (about.repo.to_owned(), settings.host().to_owned());
    let page = || format!("{}/settings/tokens", settings.endpoint);
    let status = response.status().as_u16();
    match (status, header("x-error-code")) {
        (_, "GatedRepo") => Error::Gated { page: format!("{}/{repo}", settings.endpoint), repo },
        (_, "RepoNotFound") if about.writes && settings.token.is_none() => Error::NoToken { repo, page: page() },
        (_, "RepoNotFound") => Error::NoRepository { repo, host },
        (_, "RevisionNotFound") => Error::NoRevision { repo, revision: about.revision.unwrap_or("main").to_owned() },
        (_, "EntryNotFound") => no_file(about),
        (401, _) if settings.token.is_none() => Error::NoToken { repo, page: page() },
        (401, _) => Error::TokenRefused { repo, host, page: page(), message },
        (403, _) => Error::Forbidden { repo, message },
        (404, _) if about.file.is_some() => no_file(about),
        (404, _) => Error::NoRepository { repo, host },
        (409 | 412, _) => Error::Conflict { repo, message },
        (429, _) => Error::RateLimited { repo, host, seconds: wait(response.headers()).map(|w| w.as_secs()) },
        (408 | 500.., _) => Error::Server { repo, host, status, message },
        _ => Error::Refused { repo, host, status, message },
    }
}

fn no_file(about: &About<'_>) -> Error {
    let wanted = about.file.map_or_else(|| "such file".to_owned(), |file| format!("file `{file}`"));
    Error::NoFile { repo: about.repo.to_owned(), wanted, files: Vec::new() }
}

/// What the server says: a header, or the field of a JSON object; never a page.
fn message(header: &str, body: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let field = json.as_ref().and_then(|json| ["error", "message"].iter().find_map(|key| json.get(key)?.as_str()));
    let text = if header.is_empty() { field.unwrap_or_default() } else { header };
    // On one line, without what could move a terminal's cursor.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect();
    text.trim().to_owned()
}
