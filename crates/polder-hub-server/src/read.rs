//! Questions.

use serde_json::{Value, json};

use crate::store::{Repo, Store, sha256};
use crate::wire::{Answer, Request};
use crate::{OWNER, READER, TOKEN};

/// Whose a request is: nobody's, a reader's, the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Nobody,
    Reader,
    Owner,
}

pub(crate) fn who(request: &Request) -> Result<Who, Answer> {
    match request.token() {
        None => Ok(Who::Nobody),
        Some(READER) => Ok(Who::Reader),
        Some(TOKEN) => Ok(Who::Owner),
        // A careless server repeats what it was told.
        Some(token) => Err(Answer::error(401, "", &format!("Invalid credentials {token}"))),
    }
}

/// What a path of the interface is about: `/api/models/o/n/VERB/REST…`.
pub(crate) struct Place<'a> {
    pub(crate) name: String,
    pub(crate) verb: &'a str,
    pub(crate) rest: &'a [String],
}

pub(crate) fn place(parts: &[String]) -> Option<Place<'_>> {
    let [api, kind, owner, name, rest @ ..] = parts else { return None };
    let prefix = match (api.as_str(), kind.as_str()) {
        ("api", "models") => "",
        ("api", "datasets") => "datasets/",
        _ => return None,
    };
    let (verb, rest) = rest.split_first().map_or(("", &[][..]), |(verb, rest)| (verb.as_str(), rest));
    Some(Place { name: format!("{prefix}{owner}/{name}"), verb, rest })
}

/// The repository, if this asker may see it.
pub(crate) fn visible<'a>(store: &'a Store, name: &str, who: Who) -> Result<&'a Repo, Answer> {
    let none = || {
        let status = if who == Who::Nobody { 401 } else { 404 };
        Answer::error(status, "RepoNotFound", "Repository not found")
    };
    let repo = store.repos.get(name).ok_or_else(none)?;
    if repo.private && who != Who::Owner { Err(none()) } else { Ok(repo) }
}

pub(crate) fn answer(request: &Request, store: &Store, ignores_range: bool) -> Answer {
    let found = who(request).and_then(|who| match place(&request.parts) {
        Some(place) => about(request, store, &place, who),
        None if request.path == "/api/whoami-v2" => whoami(who),
        None => resolve(request, store, who, ignores_range),
    });
    found.unwrap_or_else(|refusal| refusal)
}

fn whoami(who: Who) -> Result<Answer, Answer> {
    if who == Who::Nobody {
        return Err(Answer::error(401, "", "Invalid username or password."));
    }
    let role = if who == Who::Owner { "write" } else { "read" };
    let auth = json!({ "accessToken": { "displayName": "test", "role": role } });
    Ok(Answer::json(&json!({ "type": "user", "name": OWNER, "orgs": [], "auth": auth })))
}

fn about(request: &Request, store: &Store, place: &Place<'_>, who: Who) -> Result<Answer, Answer> {
    if let Some(to) = store.moved.get(&place.name) {
        let kept = request.path.replacen(&place.name, to, 1);
        return Ok(Answer::plain(307, &[("Location", kept)], String::new()));
    }
    let repo = visible(store, &place.name, who)?;
    let revision = place.rest.first().map_or("main", String::as_str);
    let no_revision = || Answer::error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    let sha = repo.head(revision).ok_or_else(no_revision)?;
    match place.verb {
        "" | "revision" => Ok(Answer::json(&info(repo, &place.name, &sha))),
        "tree" => Ok(tree(request, store, repo, &sha, &place.rest[1..])),
        _ => Err(Answer::error(404, "", "Sorry, we can't find the page you are looking for.")),
    }
}

fn info(repo: &Repo, name: &str, sha: &str) -> Value {
    let files: Vec<Value> = repo.paths(sha).iter().map(|path| json!({ "rfilename": path })).collect();
    let id = name.trim_start_matches("datasets/");
    let card = repo.file(sha, "README.md").map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned());
    let license = card.as_ref().and_then(|card| card.lines().find_map(|line| line.strip_prefix("license: ")));
    json!({ "_id": "0", "id": id, "modelId": id, "sha": sha, "private": repo.private, "gated": repo.gated,
            "siblings": files, "cardData": { "license": license }, "tags": [], "downloads": 0, "likes": 0 })
}

/// A listing, page by page.
fn tree(request: &Request, store: &Store, repo: &Repo, sha: &str, below: &[String]) -> Answer {
    let prefix = below.join("/");
    let files = repo.files(sha).into_iter().flatten().filter(|(path, _)| path.starts_with(&prefix));
    let entries: Vec<Value> = files.map(|(path, content)| content.entry(path)).collect();
    let from: usize = request.query.get("cursor").and_then(|c| c.parse().ok()).unwrap_or(0);
    let size = if store.page == 0 { entries.len().max(1) } else { store.page };
    let answer = Answer::json(&entries.iter().skip(from).take(size).cloned().collect());
    if from + size >= entries.len() {
        return answer;
    }
    let next = format!("<{}{}?recursive=true&cursor={}>; rel=\"next\"", store.hub(), request.path, from + size);
    answer.with("Link", next)
}

/// `/owner/name/resolve/REVISION/PATH`.
fn resolve(request: &Request, store: &Store, who: Who, ignores_range: bool) -> Result<Answer, Answer> {
    let at = request.parts.iter().position(|part| part == "resolve");
    let (Some(at), Some(revision)) = (at, at.and_then(|at| request.parts.get(at + 1))) else {
        return Err(Answer::error(404, "", "Sorry, we can't find the page you are looking for."));
    };
    let name = request.parts[..at].join("/");
    if let Some(to) = store.moved.get(&name) {
        return Ok(Answer::plain(307, &[("Location", request.path.replacen(&name, to, 1))], String::new()));
    }
    let repo = visible(store, &name, who)?;
    if repo.gated && who != Who::Owner {
        return Err(Answer::error(403, "GatedRepo", "Access to this repository is restricted."));
    }
    let no_revision = || Answer::error(404, "RevisionNotFound", &format!("Invalid rev id: {revision}"));
    let sha = repo.head(revision).ok_or_else(no_revision)?;
    let path = request.parts[at + 2..].join("/");
    let Some(content) = repo.files(&sha).and_then(|files| files.get(&path)) else {
        return Err(Answer::error(404, "EntryNotFound", "Entry not found").with("X-Repo-Commit", sha));
    };
    if content.large {
        let (oid, size) = (sha256(&content.bytes), content.bytes.len());
        let to = format!("{}/storage/{oid}?Signature=thesecretofthelink", store.storage());
        let answer = Answer::plain(302, &[("Location", to)], String::new());
        let answer = answer.with("X-Linked-Etag", format!("\"{oid}\"")).with("X-Linked-Size", size.to_string());
        return Ok(answer.with("ETag", format!("\"{}\"", content.blob())).with("X-Repo-Commit", sha));
    }
    let whole = Answer::bytes(content.bytes.clone());
    let range = request.headers.get("range").filter(|_| !ignores_range);
    Ok(whole.with("ETag", format!("\"{}\"", content.blob())).with("X-Repo-Commit", sha).ranged(range))
}

/// Large contents, for whoever has their address.
pub(crate) fn storage(request: &Request, store: &Store, ignores_range: bool) -> Answer {
    if request.token().is_some() {
        return Answer::error(400, "", "Only one auth mechanism allowed");
    }
    let oid = request.parts.get(1).map(String::as_str).unwrap_or_default();
    let contents = store.repos.values().flat_map(|repo| repo.commits.values()).flat_map(|files| files.values());
    let own = contents.filter(|c| c.large).find(|c| sha256(&c.bytes) == oid).map(|c| c.bytes.clone());
    match own.or_else(|| store.large.get(oid).cloned()) {
        Some(bytes) => Answer::bytes(bytes).ranged(request.headers.get("range").filter(|_| !ignores_range)),
        None => Answer::error(404, "", "no such object"),
    }
}
