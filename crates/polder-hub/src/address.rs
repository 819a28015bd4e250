//! Addresses on the Hub: `hf://[datasets/]owner/name[@revision][/path]`.

use std::fmt;
use std::str::FromStr;

use hf_hub::{Repo, RepoType};

use crate::error::{Error, Result};

/// How an address begins.
pub const SCHEME: &str = "hf://";

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl Kind {
    /// The name in paths of the interface: `models`, `datasets`.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository on the Hub, at a revision, and a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// What it holds.
    pub kind: Kind,
    /// `owner/name`, or the bare name of an old repository.
    pub id: String,
    /// A branch, a tag or a commit; the default one where absent.
    pub revision: Option<String>,
    /// A file or folder in it.
    pub inside: Option<String>,
}

impl Address {
    /// Whether a text is meant as an address; anything else is a path.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// A model's repository by its id, `owner/name`.
    ///
    /// # Errors
    /// No id of a repository.
    pub fn model(id: &str) -> Result<Self> {
        let address: Self = format!("{SCHEME}{id}").parse()?;
        match address {
            Self { kind: Kind::Model, revision: None, inside: None, .. } if address.id == id => Ok(address),
            _ => Err(wrong(id, "it should be NAMESPACE/NAME")),
        }
    }

    /// The same place at another revision.
    pub fn at(&self, revision: &str) -> Self {
        Self { revision: Some(revision.to_owned()), ..self.clone() }
    }

    /// Whether its revision is a commit, which never changes.
    pub fn is_pinned(&self) -> bool {
        self.revision.as_deref().is_some_and(is_commit)
    }

    /// The repository without revision and place, as people write it.
    pub fn repo(&self) -> String {
        match self.kind {
            Kind::Model => self.id.clone(),
            Kind::Dataset => format!("datasets/{}", self.id),
        }
    }

    /// For the cache's names and the interface's addresses.
    pub(crate) fn at_hub(&self, revision: &str) -> Repo {
        let kind = match self.kind {
            Kind::Model => RepoType::Model,
            Kind::Dataset => RepoType::Dataset,
        };
        Repo::with_revision(self.id.clone(), kind, revision.to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.repo())?;
        if let Some(revision) = &self.revision {
            // A branch's `/` would end it here; those of `refs/…` are known.
            let shown = if special(revision) { revision.clone() } else { revision.replace('/', "%2F") };
            write!(f, "@{shown}")?;
        }
        self.inside.as_ref().map_or(Ok(()), |inside| write!(f, "/{inside}"))
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong(text, "it does not begin with `hf://`"))?;
        let (kind, rest) = match rest.strip_prefix("datasets/") {
            Some(rest) => (Kind::Dataset, rest),
            None => (Kind::Model, rest),
        };
        if rest.starts_with("spaces/") {
            return Err(wrong(text, "spaces hold neither models nor data"));
        }
        let rest = rest.trim_end_matches('/');
        let (id, revision, inside) = match rest.split_once('@') {
            Some((id, after)) => {
                let (revision, inside) = revision_of(after);
                (id.to_owned(), Some(revision), inside)
            }
            None => {
                let mut parts = rest.splitn(3, '/');
                let id = [parts.next(), parts.next()].into_iter().flatten().collect::<Vec<_>>().join("/");
                (id, None, parts.next().map(str::to_owned))
            }
        };
        check_id(&id).map_err(|reason| wrong(text, reason))?;
        if revision.as_deref().is_some_and(|r| !is_revision(r)) {
            return Err(wrong(text, "its revision is no name of a branch, tag or commit"));
        }
        if inside.as_deref().is_some_and(|path| !is_inside(path)) {
            return Err(wrong(text, "its path leads out of the repository"));
        }
        Ok(Self { kind, id, revision, inside })
    }
}

fn wrong(text: &str, reason: &str) -> Error {
    Error::Address { text: text.to_owned(), reason: reason.to_owned() }
}

/// Splits what follows `@` into revision and place.
fn revision_of(after: &str) -> (String, Option<String>) {
    let parts = if special(after) { 3 } else { 1 };
    let end = after.match_indices('/').nth(parts - 1).map(|(at, _)| at);
    let (revision, inside) = end.map_or((after, None), |at| (&after[..at], Some(after[at + 1..].to_owned())));
    (revision.replace("%2F", "/").replace("%2f", "/"), inside)
}

/// Whether a revision is one that the Hub keeps itself, such as `refs/convert/parquet`.
fn special(revision: &str) -> bool {
    revision.starts_with("refs/convert/") || revision.starts_with("refs/pr/")
}

/// Whether a revision is a commit's hash.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

fn check_id(id: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let mut parts = 0;
    for part in id.split('/') {
        parts += 1;
        if part.is_empty() {
            return Err("its owner or name is missing");
        }
        if !part.chars().all(allowed) {
            return Err("owner and name have letters, digits, `-`, `_` and `.` only");
        }
        if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) || part.contains("--") || part.contains("..") {
            return Err("owner and name neither begin nor end with `-` or `.`, nor hold `--` or `..`");
        }
    }
    match parts {
        1 | 2 if id.len() <= 96 => Ok(()),
        1 | 2 => Err("owner and name have at most 96 characters"),
        _ => Err("it should be owner/name"),
    }
}

/// Whether a text can be a git revision that is safe as a path too.
fn is_revision(revision: &str) -> bool {
    let bad = |c: char| c.is_control() || " ~^:?*[\\#%".contains(c);
    revision.len() <= 255 && !revision.contains(bad) && is_inside(revision)
}

/// Whether a path stays in its folder, on any system.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains(['\\', '\0', ':'])
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn addresses_are_read_and_written() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (text, kind, id, revision, inside) in [
            ("hf://o/n", Kind::Model, "o/n", None, None),
            ("hf://gpt2", Kind::Model, "gpt2", None, None),
            ("hf://o/n@v1.0", Kind::Model, "o/n", Some("v1.0"), None),
            ("hf://o/n/m.Q4.gguf", Kind::Model, "o/n", None, Some("m.Q4.gguf")),
            ("hf://o/n@main/a/m.gguf", Kind::Model, "o/n", Some("main"), Some("a/m.gguf")),
            ("hf://o/n@feature%2Fx/m.gguf", Kind::Model, "o/n", Some("feature/x"), Some("m.gguf")),
            ("hf://datasets/o/n", Kind::Dataset, "o/n", None, None),
            ("hf://datasets/squad", Kind::Dataset, "squad", None, None),
            (
                "hf://datasets/o/n@refs/convert/parquet/sst2",
                Kind::Dataset,
                "o/n",
                Some("refs/convert/parquet"),
                Some("sst2"),
            ),
            (&format!("hf://o/n@{commit}"), Kind::Model, "o/n", Some(commit), None),
        ] {
            let found = address(text);
            let (revision, inside) = (revision.map(str::to_owned), inside.map(str::to_owned));
            assert_eq!(found, Address { kind, id: id.to_owned(), revision, inside }, "{text}");
            assert_eq!(found.to_string(), text);
            assert_eq!(address(&found.to_string()), found);
        }
        assert_eq!(address("hf://o/n/"), address("hf://o/n"));
        assert!(address(&format!("hf://o/n@{commit}")).is_pinned() && !address("hf://o/n@main").is_pinned());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "o/n",
            "hf://",
            "hf:///n",
            "hf://o//x",
            "hf://o/n/../x",
            "hf://o/n@",
            "hf://o/n@a..b/../c",
            "hf://o/n@../x",
            "hf://o n/x",
            "hf://o/-n",
            "hf://o/n--m",
            "hf://a/b/c@main",
            "hf://spaces/o/n",
            "hf://o/n@x y",
            "hf://o/n@a?b",
            "hf://o/n/a\\b",
            "hf://o/..",
            &format!("hf://o/{}", "n".repeat(96)),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("no address on the Hub") && error.contains("\nhint: "), "{text}: {error}");
        }
        assert!(
            Address::model("o/n").is_ok() && Address::model("o/n@x").is_err() && Address::model("datasets/n").is_err()
        );
    }
}
