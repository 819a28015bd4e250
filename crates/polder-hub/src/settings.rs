//! Where the Hub is, who asks, and where what was fetched lies: from the environment, as `huggingface_hub` reads it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};

/// The Hub, where no other is named.
const ENDPOINT: &str = "https://huggingface.co";
/// How many transfers at a time: one connection seldom fills a line.
const AT_ONCE: usize = 4;

/// A secret that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, trimmed; `None` where nothing is left.
    ///
    /// # Errors
    /// Characters that no token has.
    pub fn new(text: &str, source_name: &str) -> Result<Option<Self>> {
        let text = text.trim();
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            let reason = "it holds blanks, line breaks or other characters that can't be sent";
            return Err(Error::BadToken { source_name: source_name.to_owned(), reason });
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The header's value.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// A text without this token.
    pub(crate) fn scrub(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What a client is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address of the Hub, without a `/` at its end.
    pub endpoint: String,
    /// The cache of `huggingface_hub`.
    pub cache: PathBuf,
    /// Who asks.
    pub token: Option<Token>,
    /// Whether the network may not be used.
    pub offline: bool,
    /// How many files, or parts of one, go or come at a time.
    pub at_once: usize,
    /// The longest silence of a connection.
    pub patience: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// The first pause before another try; each later one is twice as long, up to 32 times this.
    pub pause: Duration,
}

impl Settings {
    /// From the process's environment.
    ///
    /// # Errors
    /// No home folder; a token that is none.
    pub fn from_env() -> Result<Self> {
        Self::of(&|name| std::env::var(name).ok())
    }

    /// From an environment.
    ///
    /// The cache is `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else
    /// `~/.cache/huggingface/hub`; the token `HF_TOKEN`, else what the file `HF_TOKEN_PATH` or `HF_HOME/token` holds.
    ///
    /// # Errors
    /// No home folder; a token that is none.
    pub fn of(env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| env(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| var(name));
        let user = var("HOME").or_else(|| var("USERPROFILE")).map(PathBuf::from);
        let home = match (var("HF_HOME"), var("XDG_CACHE_HOME"), user) {
            (Some(home), ..) => Some(PathBuf::from(home)),
            (_, Some(caches), _) => Some(PathBuf::from(caches).join("huggingface")),
            (.., user) => user.map(|user| user.join(".cache/huggingface")),
        };
        let cache = first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).map(PathBuf::from);
        let cache = cache.or_else(|| home.as_ref().map(|home| home.join("hub"))).ok_or(Error::NoHome)?;
        let is_on =
            |name: &str| var(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_lowercase().as_str()));
        Ok(Self {
            endpoint: var("HF_ENDPOINT").map_or_else(|| ENDPOINT.to_owned(), |e| e.trim_end_matches('/').to_owned()),
            cache,
            token: token(&var, home)?,
            offline: is_on("HF_HUB_OFFLINE") || is_on("TRANSFORMERS_OFFLINE"),
            at_once: AT_ONCE,
            patience: Duration::from_secs(60),
            retries: 5,
            pause: Duration::from_secs(1),
        })
    }

    /// The server's name, for messages.
    pub(crate) fn host(&self) -> &str {
        let rest = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, rest)| rest);
        // What stands before an `@` is a password.
        let host = rest.split('/').next().unwrap_or(rest);
        host.rsplit('@').next().unwrap_or(host)
    }
}

fn token(var: &dyn Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<Option<Token>> {
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(text) = var(name) {
            return Token::new(&text, &format!("`{name}`"));
        }
    }
    let file = var("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| home.map(|home| home.join("token")));
    match file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) {
        Some(text) => Token::new(&text, &format!("`{}`", file.unwrap_or_default().display())),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vars: &[(&str, &str)]) -> Settings {
        Settings::of(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())).unwrap()
    }

    #[test]
    fn the_environment_is_read_as_huggingface_hub_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        std::fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let plain = of(&[("HOME", "/home/u")]);
        assert_eq!((plain.endpoint.as_str(), plain.host()), ("https://huggingface.co", "huggingface.co"));
        assert_eq!(plain.cache, PathBuf::from("/home/u/.cache/huggingface/hub"));
        assert!(plain.token.is_none() && !plain.offline);
        assert_eq!(of(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]).cache, PathBuf::from("/x/huggingface/hub"));
        let set = of(&[("HF_HOME", path), ("HF_ENDPOINT", "http://u:p@localhost:8080/"), ("HF_HUB_OFFLINE", "Yes")]);
        assert_eq!((set.cache.clone(), set.host()), (home.path().join("hub"), "localhost:8080"));
        assert_eq!(set.token, Token::new("hf_file", "").unwrap());
        assert!(set.offline);
        assert_eq!(of(&[("HF_HOME", path), ("HF_TOKEN", " hf_env ")]).token, Token::new("hf_env", "").unwrap());
        assert_eq!(of(&[("HF_HOME", path), ("HF_HUB_CACHE", "/c")]).cache, PathBuf::from("/c"));
        assert!(matches!(Settings::of(&|_| None), Err(Error::NoHome)));
    }

    #[test]
    fn a_token_is_never_shown() {
        let settings = of(&[("HOME", "/h"), ("HF_TOKEN", "hf_secret")]);
        assert!(!format!("{settings:?}").contains("secret"));
        assert_eq!(settings.token.unwrap().scrub("no hf_secret here"), "no *** here");
        let error =
            Settings::of(&|name| Some(if name == "HF_TOKEN" { "hf_sec ret" } else { "/h" }.to_owned())).unwrap_err();
        assert!(error.to_string().contains("HF_TOKEN") && !error.to_string().contains("sec"), "{error}");
    }
}
