//! OPT, LLaMA and its relatives: files in, log-probabilities at the wanted positions out.
//!
//! A model is made in three steps: a [`ModelConfig`] is read from a config.json (strictly: an unknown model type is
//! refused, never guessed); its [`expected_tensors`] are put into a [`polder_perturb::ParamSet`]; and [`build`] checks
//! them and gives a [`LanguageModel`], which any [`polder_perturb::Reader`] runs at any points of weight space.
//!
//! The crate knows nothing of tasks.

mod cache;
mod config;
mod error;
mod gguf;
mod language_model;
mod llama;
mod load;
mod opt;
mod registry;
mod rope;
mod save;
mod tokens;

pub use cache::Cache;
pub use config::{Family, LlamaConfig, ModelConfig, OptConfig, RopeConfig, RopeKind};
pub use error::{Error, Result};
pub use language_model::{Around, Description, LanguageModel, Stem, build, expected_tensors, tied_aliases};
pub use load::{ChatSource, Format, Inspected, Loaded, SideFile, Source, StorageType, inspect, load, without_panic};
pub use registry::{MODEL_TYPES, ModelType};
pub use save::{ExtraFile, GgufFile, GgufType, SaveOptions, check_place, save, save_gguf, save_with};
pub use tokens::{Tokens, Wanted};
