//! The commit itself: one request of JSON lines.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Publication;
use super::compare::Change;
use crate::error::{Error, Result};
use crate::http::{Ask, Payload};
use crate::listing;

impl Publication<'_> {
    /// Commits the changes on top of `head`; gives the new commit.
    ///
    /// # Errors
    /// Somebody else committed meanwhile; no permission; a file that can't be read; no answer.
    pub(super) fn commit(&self, head: &str, changes: &[Change<'_>]) -> Result<String> {
        let header = json!({ "summary": self.options.message, "description": "", "parentCommit": head });
        let mut lines = json!({ "key": "header", "value": header }).to_string();
        for change in changes {
            lines.push('\n');
            lines.push_str(&line(change)?.to_string());
        }
        lines.push('\n');
        let branch = listing::encoded(self.branch);
        let url = format!("{}/api/models/{}/commit/{branch}", self.hub.http.settings.endpoint, self.address.id);
        let about = self.about();
        let payload = Payload::Bytes(lines.as_bytes(), "application/x-ndjson");
        let ask = Ask { method: "POST", payload, once: true, ..Ask::get(&url, &about) };
        let (answer, _) = self.hub.http.json(&ask)?;
        match answer.get("commitOid").and_then(Value::as_str) {
            Some(commit) => Ok(commit.to_owned()),
            None => Err(self.unusable("it does not name the commit")),
        }
    }
}

/// A change as a line.
fn line(change: &Change<'_>) -> Result<Value> {
    let path = &change.upload.path;
    if change.large {
        let value = json!({ "path": path, "algo": "sha256", "oid": change.sha256, "size": change.size });
        return Ok(json!({ "key": "lfsFile", "value": value }));
    }
    let bytes = fs::read(&change.upload.file).map_err(Error::io("read", &change.upload.file))?;
    let value = json!({ "path": path, "encoding": "base64", "content": STANDARD.encode(bytes) });
    Ok(json!({ "key": "file", "value": value }))
}
