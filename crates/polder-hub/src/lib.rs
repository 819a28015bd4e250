//! Fetches models and data sets from the Hugging Face Hub, and publishes folders there.
//!
//! ```text
//! hf://owner/name ─commit─> listing ─choose─> files ─fetch, check─> cache of huggingface_hub ─> a folder
//! files ─compare with the listing─> preupload ─> large files (LFS) ─> one commit
//! ```
//!
//! The only crate that opens a socket. Addresses and the cache's layout are those of the `hf-hub` crate; the transfer is
//! made here, on `ureq`, because hf-hub's checks no hash, has no time limits and no offline mode, and sends the token to
//! the storage server that a file redirects to.

mod address;
mod answer;
mod cache;
mod dataset;
mod digest;
mod download;
mod error;
mod fetch;
mod http;
mod listing;
mod model;
mod publish;
mod settings;
mod together;
mod watch;

pub use address::{Address, Kind, SCHEME};
pub use dataset::FetchedData;
pub use error::{Error, Result};
pub use fetch::{Fetched, Hub};
pub use listing::Entry;
pub use model::FetchedModel;
pub use publish::{PublishOptions, Published, Upload};
pub use settings::{Settings, Token};
pub use watch::{Doing, Progress, Watch};
