//! What a repository holds at a revision.

use serde_json::Value;

use crate::address::{Address, is_commit, is_inside};
use crate::answer::About;
use crate::error::Result;
use crate::http::{Ask, Http};

/// The most files of a repository that are listed.
const MOST_FILES: usize = 1 << 20;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the repository.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Git's name of what lies in the repository: the content, or a pointer to it.
    pub blob: String,
    /// The content's SHA-256, where it is stored as a large file.
    pub sha256: Option<String>,
}

impl Entry {
    /// The content's name: git's, or SHA-256 where it is stored as a large file.
    pub fn oid(&self) -> &str {
        self.sha256.as_deref().unwrap_or(&self.blob)
    }

    /// Whether its names are hashes and its path stays in the repository.
    pub(crate) fn is_sound(&self) -> bool {
        let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_inside(&self.path) && hex(&self.blob, 40) && self.sha256.as_ref().is_none_or(|sha| hex(sha, 64))
    }
}

/// A text as one part of an address's path.
pub(crate) fn encoded(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    part.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A path, its parts encoded.
pub(crate) fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

/// The commit that a revision is at.
///
/// # Errors
/// No such repository or revision; no permission; no answer.
pub(crate) fn commit(http: &Http, address: &Address, revision: &str) -> Result<String> {
    let json = info(http, address, revision)?;
    match json.get("sha").and_then(Value::as_str).filter(|sha| is_commit(sha)) {
        Some(sha) => Ok(sha.to_owned()),
        None => Err(http.unusable(&About::repo(&address.repo()), "it names no commit")),
    }
}

/// The licence that the card of a repository names.
///
/// # Errors
/// As [`commit`].
pub(crate) fn license(http: &Http, address: &Address, revision: &str) -> Result<Option<String>> {
    let json = info(http, address, revision)?;
    let named = json.get("cardData").and_then(|card| card.get("license")).and_then(Value::as_str);
    let plain =
        |text: &&str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    Ok(named.filter(plain).map(str::to_owned))
}

/// What the Hub says of a repository at a revision.
fn info(http: &Http, address: &Address, revision: &str) -> Result<Value> {
    let repo = address.repo();
    let about = About { revision: Some(revision), ..About::repo(&repo) };
    let (endpoint, kind) = (&http.settings.endpoint, address.kind.plural());
    let url = format!("{endpoint}/api/{kind}/{}/revision/{}", address.id, encoded(revision));
    Ok(http.json(&Ask::get(&url, &about))?.0)
}

/// The files at a revision, in the order of their paths.
///
/// # Errors
/// As [`commit`]; a file whose path leads out of the repository.
pub(crate) fn files(http: &Http, address: &Address, revision: &str) -> Result<Vec<Entry>> {
    let repo = address.repo();
    let about = About { revision: Some(revision), ..About::repo(&repo) };
    let (endpoint, kind) = (&http.settings.endpoint, address.kind.plural());
    let mut next = Some(format!("{endpoint}/api/{kind}/{}/tree/{}?recursive=true", address.id, encoded(revision)));
    let mut files = Vec::new();
    while let Some(url) = next {
        let (json, headers) = http.json(&Ask::get(&url, &about))?;
        let Value::Array(entries) = json else {
            return Err(http.unusable(&about, "it lists no files"));
        };
        for entry in entries.iter().filter(|entry| entry.get("type").is_none_or(|kind| kind == "file")) {
            let Some(file) = parsed(entry) else {
                return Err(
                    http.unusable(&about, "a file lacks its path, size or hash, or leads out of the repository")
                );
            };
            files.push(file);
        }
        next = headers.get("link").and_then(|link| following(link.to_str().ok()?));
        // The token goes along, so the next page must lie at the same place.
        if files.len() > MOST_FILES || next.as_ref().is_some_and(|url| !url.starts_with(&format!("{endpoint}/"))) {
            return Err(http.unusable(&about, "its list of files goes on where it should not"));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn parsed(entry: &Value) -> Option<Entry> {
    let large = entry.get("lfs").filter(|lfs| !lfs.is_null());
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let size = large.and_then(|lfs| lfs.get("size")).or_else(|| entry.get("size"))?.as_u64()?;
    let sha256 = match large {
        Some(lfs) => Some(text(lfs, "oid")?),
        None => None,
    };
    let file = Entry { path: text(entry, "path")?, size, blob: text(entry, "oid")?, sha256 };
    file.is_sound().then_some(file)
}

/// The next page in a `Link` header: `<URL>; rel="next"`.
fn following(link: &str) -> Option<String> {
    link.split(',').find(|part| part.contains("rel=\"next\"")).and_then(|part| {
        let (_, rest) = part.split_once('<')?;
        rest.split_once('>').map(|(url, _)| url.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_checked_before_they_are_believed() {
        let (git, sha) = ("a".repeat(40), "b".repeat(64));
        let entry =
            |text: &str| parsed(&serde_json::from_str(&text.replace("GIT", &git).replace("SHA", &sha)).unwrap());
        assert_eq!(
            entry(r#"{"path": "m", "size": 130, "oid": "GIT", "lfs": {"oid": "SHA", "size": 9}}"#),
            Some(Entry { path: "m".to_owned(), size: 9, blob: git.clone(), sha256: Some(sha.clone()) })
        );
        for text in [
            r#"{"path": "../x", "size": 1, "oid": "GIT"}"#,
            r#"{"path": "/etc/x", "size": 1, "oid": "GIT"}"#,
            r#"{"path": "x", "size": -1, "oid": "GIT"}"#,
            r#"{"path": "x", "size": 1, "oid": "../../x"}"#,
            r#"{"size": 1, "oid": "GIT"}"#,
        ] {
            assert_eq!(entry(text), None, "{text}");
        }
        assert_eq!(following("<http://h/x?cursor=1>; rel=\"next\""), Some("http://h/x?cursor=1".to_owned()));
        assert_eq!(following("<http://h/x>; rel=\"prev\""), None);
        assert_eq!((encoded("a/b c"), encoded_path("a/b#c")), ("a%2Fb%20c".to_owned(), "a/b%23c".to_owned()));
    }
}
