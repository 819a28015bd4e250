//! A server, a cache and a client for one test.

use std::path::PathBuf;
use std::time::Duration;

use polder_hub::{Address, Hub, Settings, Token};
use polder_hub_server::{Server, TOKEN};

/// A place for one test.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
    pub(crate) server: Server,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), server: Server::start().unwrap() }
    }

    /// With a model of two small files and one large.
    pub(crate) fn with_model() -> Self {
        let place = Self::new();
        let mut store = place.server.store();
        let repo = store.repo("o/n");
        repo.put("main", "README.md", b"# a card", false);
        repo.put("main", "config.json", b"{}", false);
        repo.put("main", "tokenizer.json", b"", false);
        repo.put("main", "model.safetensors", &large(), true);
        drop(store);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            endpoint: self.server.endpoint(),
            cache: self.path("cache/hub"),
            token: Token::new(TOKEN, "").unwrap(),
            offline: false,
            at_once: 4,
            patience: Duration::from_secs(5),
            retries: 3,
            pause: Duration::from_millis(5),
        }
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(self.settings())
    }

    /// A client that nobody answers.
    pub(crate) fn alone(&self) -> Hub {
        // Port 9 is that of `discard`; nothing listens there.
        Hub::new(Settings { endpoint: "http://127.0.0.1:9".to_owned(), ..self.settings() })
    }

    pub(crate) fn offline(&self) -> Hub {
        Hub::new(Settings { offline: true, ..self.settings() })
    }
}

/// The bytes of the large file.
pub(crate) fn large() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(crate) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A failure's text; it must not hold a token or a signature.
pub(crate) fn failure<T: std::fmt::Debug>(result: polder_hub::Result<T>) -> String {
    let error = result.unwrap_err();
    let text = format!("{error}\n{error:?}");
    assert!(!text.contains("hf_") || text.contains("hf_…"), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains("secretofthelink"), "{text}");
    error.to_string()
}
