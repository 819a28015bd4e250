//! What can go wrong with the Hub.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure to fetch or to publish. None of them ever holds a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that is no address on the Hub.
    #[error(
        "`{text}` is no address on the Hub: {reason}\n\
         hint: write hf://owner/name, hf://owner/name@revision, hf://owner/name/file.gguf or hf://datasets/owner/name"
    )]
    Address {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something is wanted that the cache lacks, and the network may not be used.
    #[error(
        "`{repo}` is not in the cache `{}` ({missing}), and offline mode is on\n\
         hint: unset HF_HUB_OFFLINE or leave `--offline` out to fetch it, or set HF_HOME to the cache that has it", cache.display()
    )]
    Offline {
        /// The repository and revision.
        repo: String,
        /// What is missing of it.
        missing: String,
        /// The cache.
        cache: PathBuf,
    },
    /// A publication was asked for while the network may not be used.
    #[error("`{repo}` can't be published in offline mode\nhint: unset HF_HUB_OFFLINE, or look at it with `--dry-run`")]
    PublishOffline {
        /// The repository.
        repo: String,
    },
    /// No answer came.
    #[error(
        "`{repo}`: no answer from {host}: {reason}\n\
         hint: check the network and HF_ENDPOINT; what was fetched before can be used with HF_HUB_OFFLINE=1"
    )]
    Network {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// The server asks to slow down, for longer than this program waits.
    #[error("`{repo}`: {host} answers too many requests{}\nhint: try again later; with a token (HF_TOKEN) the limits are higher", wait(*.seconds))]
    RateLimited {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// How long it asks to wait, in seconds.
        seconds: Option<u64>,
    },
    /// The server failed.
    #[error("`{repo}`: {host} answers {status}{}\nhint: try again later; what was done so far is kept", said(.message))]
    Server {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// The status code.
        status: u16,
        /// What it said.
        message: String,
    },
    /// An answer that is not what the interface promises.
    #[error("`{repo}`: {host} gave an answer that can't be used: {reason}\nhint: check that HF_ENDPOINT names a Hub")]
    Answer {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such repository, or a private one.
    #[error(
        "there is no repository `{repo}` at {host}, or it is private\n\
         hint: check the name; for a private one set HF_TOKEN to a token that may read it"
    )]
    NoRepository {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
    },
    /// A gated repository.
    #[error(
        "`{repo}` is gated\nhint: accept its conditions at {page} and set HF_TOKEN to a token of that account; what is \
         not read is not fetched"
    )]
    Gated {
        /// The repository.
        repo: String,
        /// Its page.
        page: String,
    },
    /// No such branch, tag or commit.
    #[error(
        "`{repo}` has no revision `{revision}`\nhint: give a branch, a tag or a commit hash after `@`, or leave it out for `main`"
    )]
    NoRevision {
        /// The repository.
        repo: String,
        /// The revision.
        revision: String,
    },
    /// No such file.
    #[error("`{repo}` has no {wanted}{}", there(.files))]
    NoFile {
        /// The repository.
        repo: String,
        /// What was looked for.
        wanted: String,
        /// Some of the files that are there.
        files: Vec<String>,
    },
    /// A data set of several configurations, none of which is named.
    #[error("`{repo}` has several configurations\nhint: name one: {}", .addresses.join(", "))]
    Configurations {
        /// The repository.
        repo: String,
        /// An address for each.
        addresses: Vec<String>,
    },
    /// A token is needed.
    #[error(
        "`{repo}` needs a token\n\
         hint: make one at {page} (write access to publish) and set HF_TOKEN, or log in once with `hf auth login`"
    )]
    NoToken {
        /// The repository.
        repo: String,
        /// Where tokens are made.
        page: String,
    },
    /// The token is not one.
    #[error(
        "the token of {source_name} is no token: {reason}\nhint: a token is one line of letters, digits and `_`, such as hf_…"
    )]
    BadToken {
        /// Where it came from.
        source_name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token is refused.
    #[error("`{repo}`: {host} does not accept the token{}\nhint: make a new one at {page} and set HF_TOKEN", said(.message))]
    TokenRefused {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// Where tokens are made.
        page: String,
        /// What it said.
        message: String,
    },
    /// The token does not allow it.
    #[error(
        "`{repo}`: the token does not allow this{}\n\
         hint: to publish it needs write access to the namespace; to read a private repository, read access"
    , said(.message))]
    Forbidden {
        /// The repository.
        repo: String,
        /// What the server said.
        message: String,
    },
    /// The repository changed while this was published.
    #[error("`{repo}` was changed by somebody else meanwhile{}\nhint: run the same command again", said(.message))]
    Conflict {
        /// The repository.
        repo: String,
        /// What the server said.
        message: String,
    },
    /// The server refuses a request.
    #[error("`{repo}`: {host} refuses the request ({status}){}", said(.message))]
    Refused {
        /// The repository.
        repo: String,
        /// The host.
        host: String,
        /// The status code.
        status: u16,
        /// What it said.
        message: String,
    },
    /// Files that a publication would change.
    #[error(
        "`{repo}` holds other versions of {}\nhint: `--overwrite` replaces them in one commit (the old ones stay in its history), or name another repository",
        .files.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ")
    )]
    WouldChange {
        /// The repository.
        repo: String,
        /// The files.
        files: Vec<String>,
    },
    /// A file that is not what the Hub says it is.
    #[error("`{file}` of `{repo}` came damaged: {reason}\nhint: it was thrown away; try again")]
    Corrupt {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// No room.
    #[error("no room for `{}`: {needed} bytes are needed{}\nhint: free some space, or set HF_HOME to a larger disk", path.display(), are_free(*.free))]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes that can be had, where known.
        free: Option<u64>,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// There is no home folder for a cache.
    #[error("there is no place for the cache\nhint: set HF_HOME to a folder")]
    NoHome,
}

impl Error {
    /// Wraps an answer of the system.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, needed: 1, free: None }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// Whether the network is to blame, so that the cache may stand in.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::Server { .. } | Self::RateLimited { .. })
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn wait(seconds: Option<u64>) -> String {
    seconds.map(|s| format!(" and asks to wait {s} s")).unwrap_or_default()
}

fn are_free(free: Option<u64>) -> String {
    free.map(|n| format!(", {n} are free")).unwrap_or_default()
}

fn there(files: &[String]) -> String {
    const SHOWN: usize = 12;
    if files.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = files.iter().take(SHOWN).map(|f| format!("`{f}`")).collect();
    let more = files.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("\nhint: it holds {}{more}", shown.join(", "))
}
