//! Changes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::OWNER;
use crate::read::{Place, Who, place, visible, who};
use crate::store::{Content, Repo, Store, sha256};
use crate::wire::{Answer, Request};

/// Endings that are always stored as large files.
const LARGE: [&str; 5] = [".safetensors", ".gguf", ".bin", ".parquet", "trajectory"];

pub(crate) fn answer(request: &Request, store: &mut Store) -> Answer {
    if let Some(oid) = request.path.strip_prefix("/complete/") {
        return complete(request, store, oid);
    }
    changed(request, store).unwrap_or_else(|refusal| refusal)
}

fn changed(request: &Request, store: &mut Store) -> Result<Answer, Answer> {
    let who = who(request)?;
    match request.path.as_str() {
        "/api/validate-yaml" => return Ok(Answer::json(&json!({ "errors": [], "warnings": [] }))),
        "/api/repos/create" => return create(request, store, who),
        "/verify" => return verify(request, store),
        _ => {}
    }
    if let Some(name) = request.path.strip_suffix(".git/info/lfs/objects/batch") {
        may_write(store, name.trim_start_matches('/'), who)?;
        return Ok(batch(request, store));
    }
    let Some(place) = place(&request.parts) else {
        return Err(Answer::error(404, "", "Sorry, we can't find the page you are looking for."));
    };
    if place.verb == "paths-info" {
        return paths_info(request, visible(store, &place.name, who)?, &place);
    }
    may_write(store, &place.name, who)?;
    let (large_from, hub) = (store.large_from, store.hub());
    match place.verb {
        "preupload" => preupload(request, store.repo(&place.name), &place, large_from),
        "branch" => branch(store.repo(&place.name), &place),
        "commit" => commit(request, store, &place, &hub),
        _ => Err(Answer::error(404, "", "Sorry, we can't find the page you are looking for.")),
    }
}

fn may_write(store: &Store, name: &str, who: Who) -> Result<(), Answer> {
    visible(store, name, who)?;
    match who {
        Who::Owner if name.trim_start_matches("datasets/").starts_with(&format!("{OWNER}/")) => Ok(()),
        Who::Nobody => Err(Answer::error(401, "", "Invalid username or password.")),
        _ => Err(Answer::error(403, "", "You don't have the rights to write to this repo")),
    }
}

fn create(request: &Request, store: &mut Store, who: Who) -> Result<Answer, Answer> {
    let body = request.json();
    let owner = body["organization"].as_str().unwrap_or(OWNER);
    if who == Who::Nobody {
        return Err(Answer::error(401, "", "Invalid username or password."));
    }
    if who != Who::Owner || owner != OWNER {
        let message = format!("You don't have the rights to create a model under the namespace \"{owner}\"");
        return Err(Answer::error(403, "", &message));
    }
    let prefix = if body["type"] == "dataset" { "datasets/" } else { "" };
    let name = format!("{prefix}{owner}/{}", body["name"].as_str().unwrap_or_default());
    let url = format!("{}/{name}", store.hub());
    if store.has(&name) {
        return Err(Answer {
            status: 409,
            ..Answer::json(&json!({ "error": "You already created this repo", "url": url }))
        });
    }
    store.repo(&name).private = body["private"] == true || body["visibility"] == "private";
    Ok(Answer::json(&json!({ "url": url, "name": name, "id": "0" })))
}

fn paths_info(request: &Request, repo: &Repo, place: &Place<'_>) -> Result<Answer, Answer> {
    let revision = place.rest.first().map_or("main", String::as_str);
    let files = repo.files(revision).ok_or_else(|| Answer::error(404, "RevisionNotFound", "Invalid rev id"))?;
    let body = request.json();
    let wanted =
        |path: &&String| body["paths"].as_array().is_some_and(|paths| paths.iter().any(|p| *p == path.as_str()));
    let found: Vec<Value> = files.iter().filter(|(path, _)| wanted(path)).map(|(path, c)| c.entry(path)).collect();
    Ok(Answer::json(&found.into()))
}

fn preupload(request: &Request, repo: &Repo, place: &Place<'_>, large_from: usize) -> Result<Answer, Answer> {
    let revision = place.rest.first().map_or("main", String::as_str);
    let there = repo.files(revision).ok_or_else(|| Answer::error(404, "RevisionNotFound", "Invalid rev id"))?;
    let body = request.json();
    let mode = |file: &Value| {
        let path = file["path"].as_str().unwrap_or_default();
        let size = file["size"].as_u64().unwrap_or(0) as usize;
        let large = LARGE.iter().any(|end| path.ends_with(end)) || (large_from > 0 && size >= large_from);
        let mode = if large { "lfs" } else { "regular" };
        json!({ "path": path, "uploadMode": mode, "shouldIgnore": false, "oid": there.get(path).map(Content::oid) })
    };
    let files: Vec<Value> = body["files"].as_array().into_iter().flatten().map(mode).collect();
    Ok(Answer::json(&json!({ "files": files })))
}

fn branch(repo: &mut Repo, place: &Place<'_>) -> Result<Answer, Answer> {
    let branch = place.rest.first().cloned().unwrap_or_default();
    if repo.branches.contains_key(&branch) {
        return Err(Answer::error(409, "", "Reference already exists"));
    }
    let head = repo.head("main").unwrap_or_default();
    repo.branches.insert(branch, head);
    Ok(Answer::json(&json!({})))
}

fn batch(request: &Request, store: &Store) -> Answer {
    let (hub, storage) = (store.hub(), store.storage());
    let body = request.json();
    let object = |object: &Value| {
        let (oid, size) = (object["oid"].as_str().unwrap_or_default(), object["size"].as_u64().unwrap_or(0) as usize);
        let mut found = json!({ "oid": oid, "size": size });
        if store.large.contains_key(oid) {
            return found;
        }
        let verify = json!({ "href": format!("{hub}/verify") });
        let upload = if store.part > 0 && size > store.part {
            let parts = (0..size.div_ceil(store.part)).map(|n| {
                let number = format!("{:05}", n + 1);
                (number.clone(), json!(format!("{storage}/storage/{oid}/{number}?Signature=s")))
            });
            let mut header: serde_json::Map<String, Value> = parts.collect();
            header.insert("chunk_size".to_owned(), json!(store.part.to_string()));
            json!({ "href": format!("{hub}/complete/{oid}"), "header": header })
        } else {
            json!({ "href": format!("{storage}/storage/{oid}?Signature=s") })
        };
        found["actions"] = json!({ "upload": upload, "verify": verify });
        found
    };
    let objects: Vec<Value> = body["objects"].as_array().into_iter().flatten().map(object).collect();
    let transfer = if store.part > 0 { "multipart" } else { "basic" };
    Answer::json(&json!({ "transfer": transfer, "objects": objects }))
}

/// A large content, or a part of one, comes.
pub(crate) fn storage(request: &Request, store: &mut Store) -> Answer {
    if request.token().is_some() {
        return Answer::error(400, "", "Only one auth mechanism allowed");
    }
    if !request.headers.contains_key("content-length") {
        return Answer::error(501, "", "A header you provided implies functionality that is not implemented");
    }
    let etag = format!("\"{}\"", sha256(&request.body));
    match &request.parts[1..] {
        [oid] if sha256(&request.body) == *oid => {
            store.large.insert(oid.clone(), request.body.clone());
        }
        [oid, number] => {
            let number = number.parse().unwrap_or(0);
            store.parts.entry(oid.clone()).or_default().insert(number, request.body.clone());
        }
        _ => return Answer::error(400, "", "the content has another hash"),
    }
    Answer::bytes(Vec::new()).with("ETag", etag)
}

fn complete(request: &Request, store: &mut Store, oid: &str) -> Answer {
    let parts = store.parts.remove(oid).unwrap_or_default();
    let body = request.json();
    let named = |number: &u64, bytes: &Vec<u8>| {
        let etag = format!("\"{}\"", sha256(bytes));
        body["parts"].as_array().into_iter().flatten().any(|p| p["partNumber"] == *number && p["etag"] == etag.as_str())
    };
    let whole: Vec<u8> = parts.values().flatten().copied().collect();
    if !parts.iter().all(|(number, bytes)| named(number, bytes)) || sha256(&whole) != oid {
        return Answer::error(400, "", "the parts do not make up the object");
    }
    store.large.insert(oid.to_owned(), whole);
    Answer::json(&json!({}))
}

fn verify(request: &Request, store: &mut Store) -> Result<Answer, Answer> {
    let body = request.json();
    let oid = body["oid"].as_str().unwrap_or_default();
    if store.large.get(oid).map(Vec::len) != body["size"].as_u64().map(|size| size as usize) {
        return Err(Answer::error(404, "", "no such object"));
    }
    store.verified.insert(oid.to_owned());
    Ok(Answer::json(&json!({})))
}

fn commit(request: &Request, store: &mut Store, place: &Place<'_>, hub: &str) -> Result<Answer, Answer> {
    let branch = place.rest.first().cloned().unwrap_or_else(|| "main".to_owned());
    let text = String::from_utf8_lossy(&request.body).into_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
    let repo = store.repos.get(&place.name).cloned().unwrap_or_default();
    let mut files =
        repo.files(&branch).cloned().ok_or_else(|| Answer::error(404, "RevisionNotFound", "Invalid rev id"))?;
    let mut message = String::new();
    for line in &lines {
        let value = &line["value"];
        let path = value["path"].as_str().unwrap_or_default().to_owned();
        match line["key"].as_str() {
            Some("header") => {
                message = value["summary"].as_str().unwrap_or_default().to_owned();
                let parent = value["parentCommit"].as_str();
                if parent.is_some() && parent != repo.head(&branch).as_deref() {
                    return Err(Answer::error(412, "", "A commit has happened since. Please refresh and try again."));
                }
            }
            Some("file") => {
                let bytes = STANDARD.decode(value["content"].as_str().unwrap_or_default());
                let bytes = bytes.map_err(|_| Answer::error(400, "", "content is no base64"))?;
                files.insert(path, Content { bytes, large: false });
            }
            Some("lfsFile") => {
                let bytes = store.large.get(value["oid"].as_str().unwrap_or_default()).cloned();
                let bytes = bytes.ok_or_else(|| Answer::error(400, "", "the LFS object was never uploaded"))?;
                files.insert(path, Content { bytes, large: true });
            }
            Some("deletedFile") => _ = files.remove(&path),
            _ => return Err(Answer::error(400, "", "a line of the commit is not known")),
        }
    }
    if message.is_empty() {
        return Err(Answer::error(400, "", "the commit has no summary"));
    }
    let oid = store.repo(&place.name).commit(&branch, files, &message);
    let url = format!("{hub}/{}/commit/{oid}", place.name);
    Ok(Answer::json(&json!({ "success": true, "commitOid": oid, "commitUrl": url, "hookOutput": "" })))
}
