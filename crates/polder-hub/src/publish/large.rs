//! Large files: git's LFS interface, with the Hub's uploads in parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::compare::Change;
use super::{JSON, Publication};
use crate::error::{Error, Result};
use crate::http::{Ask, Payload};
use crate::together::each;
use crate::watch::{Doing, Progress, Watch};

const LFS: &str = "application/vnd.git-lfs+json";
/// Files a question.
const A_QUESTION: usize = 100;

impl Publication<'_> {
    /// Sends the contents that the Hub does not have yet.
    ///
    /// # Errors
    /// No answer; a refusal; a file that can't be read.
    pub(super) fn send_large(&self, changes: &[&Change<'_>], watch: &mut Watch<'_>) -> Result<()> {
        for some in changes.chunks(A_QUESTION) {
            let answer = self.batch(some)?;
            let objects = answer.get("objects").and_then(Value::as_array);
            for change in some {
                let found = objects.and_then(|objects| objects.iter().find(|o| o["oid"] == change.sha256.as_str()));
                let Some(object) = found else {
                    return Err(self.unusable("it does not say where each file is to go"));
                };
                if let Some(error) = object.get("error") {
                    let message = error["message"].as_str().unwrap_or("a file is refused").to_owned();
                    let message = format!("`{}`: {message}", change.upload.path);
                    let status = error["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
                    let host = self.hub.http.settings.host().to_owned();
                    return Err(Error::Refused { repo: self.repo.clone(), host, status, message });
                }
                // What has no actions is there already.
                if let Some(actions) = object.get("actions").filter(|actions| !actions.is_null()) {
                    self.send_one(change, actions, watch)?;
                }
            }
        }
        Ok(())
    }

    fn batch(&self, changes: &[&Change<'_>]) -> Result<Value> {
        let objects: Vec<Value> = changes.iter().map(|c| json!({ "oid": c.sha256, "size": c.size })).collect();
        let body = json!({
            "operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
            "ref": { "name": self.branch }, "objects": objects,
        });
        let url = format!("{}/{}.git/info/lfs/objects/batch", self.hub.http.settings.endpoint, self.repo);
        let (bytes, about) = (body.to_string().into_bytes(), self.about());
        let accept = [("Accept", LFS.to_owned())];
        let ask =
            Ask { method: "POST", headers: &accept, payload: Payload::Bytes(&bytes, LFS), ..Ask::get(&url, &about) };
        Ok(self.hub.http.json(&ask)?.0)
    }

    /// Sends one content, whole or in parts, and has it verified.
    fn send_one(&self, change: &Change<'_>, actions: &Value, watch: &mut Watch<'_>) -> Result<()> {
        let Some(upload) = actions.get("upload") else { return Ok(()) };
        let (Some(url), header) = (upload["href"].as_str(), &upload["header"]) else {
            return Err(self.unusable("it gives no address to send a file to"));
        };
        match number(&header["chunk_size"]) {
            Some(size) => self.send_parts(change, url, header, size, watch)?,
            None => {
                let mut heard = |done: u64| {
                    let (file, total) = (change.upload.path.as_str(), change.size);
                    watch(&Progress { doing: Doing::Sending, file, done, total });
                };
                self.put(change, url, header, (0, change.size), &mut heard)?;
            }
        }
        if let Some(url) = actions["verify"]["href"].as_str() {
            self.tell(url, &json!({ "oid": change.sha256, "size": change.size }))?;
        }
        Ok(())
    }

    /// Sends a content in parts of `size` bytes to the addresses that `header` numbers, and has them put together.
    fn send_parts(
        &self,
        change: &Change<'_>,
        url: &str,
        header: &Value,
        size: u64,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let numbered = header.as_object().into_iter().flatten();
        let parts: BTreeMap<u64, &str> =
            numbered.filter_map(|(key, url)| Some((key.parse().ok()?, url.as_str()?))).collect();
        if size == 0 || parts.len() as u64 != change.size.div_ceil(size) {
            return Err(self.unusable("its parts do not make up the file"));
        }
        // Of all parts together; a part that is sent again counts from its start.
        let sent = AtomicU64::new(0);
        let parts: Vec<(u64, (u64, &str))> = (0..).map(|at: u64| at * size).zip(parts).collect();
        let at_once = self.hub.http.settings.at_once;
        let done = each(&parts, at_once, watch, &|&(from, (number, part)), _, watch| {
            let mut before = 0;
            let mut heard = |n: u64| {
                let more = n.wrapping_sub(std::mem::replace(&mut before, n));
                let done = sent.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
                watch(&Progress { doing: Doing::Sending, file: &change.upload.path, done, total: change.size });
            };
            let etag = self.put(change, part, &Value::Null, (from, size.min(change.size - from)), &mut heard)?;
            let etag = etag.ok_or_else(|| self.unusable("it gives no ETag for a part"))?;
            Ok(json!({ "partNumber": number, "etag": etag }))
        })?;
        let (body, about) = (json!({ "oid": change.sha256, "parts": done }).to_string(), self.about());
        let accept = [("Accept", LFS.to_owned())];
        let payload = Payload::Bytes(body.as_bytes(), LFS);
        let ask = Ask { method: "POST", signed: false, headers: &accept, payload, ..Ask::get(url, &about) };
        self.hub.http.send(&ask, &mut |_| {}).map(|_| ())
    }

    /// Puts `(from, len)` of a content at an address and tells how many bytes of it went; gives the answer's ETag. The token
    /// stays here: such an address is signed itself.
    fn put(
        &self,
        change: &Change<'_>,
        url: &str,
        header: &Value,
        (from, len): (u64, u64),
        sent: &mut dyn FnMut(u64),
    ) -> Result<Option<String>> {
        let text = |(name, value): (&'_ String, &Value)| value.as_str().map(|v| (name.clone(), v.to_owned()));
        let given: Vec<(String, String)> = header.as_object().into_iter().flatten().filter_map(text).collect();
        let headers: Vec<(&str, String)> = given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let payload = Payload::Part { file: &change.upload.file, from, len };
        let about = self.about();
        let ask = Ask { method: "PUT", signed: false, headers: &headers, payload, ..Ask::get(url, &about) };
        let response = self.hub.http.send(&ask, sent)?;
        Ok(response.headers().get("etag").and_then(|etag| etag.to_str().ok()).map(str::to_owned))
    }

    /// Tells the Hub itself something, signed; an address elsewhere gets no token.
    fn tell(&self, url: &str, body: &Value) -> Result<()> {
        let (bytes, about) = (body.to_string().into_bytes(), self.about());
        let signed = url.starts_with(&format!("{}/", self.hub.http.settings.endpoint));
        let ask = Ask { method: "POST", signed, payload: Payload::Bytes(&bytes, JSON), ..Ask::get(url, &about) };
        self.hub.http.send(&ask, &mut |_| {}).map(|_| ())
    }
}

/// A number, or a text that is one.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
