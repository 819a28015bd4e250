//! Fine-tunes language models with forward passes only.
//!
//! ```text
//! config.toml ─parse─> Config ─check─> Plan
//! folder or GGUF ─> LanguageModel + ParamSet       data ─Task─> Examples ─Encoder─> token ids
//! loop: seeds ─> Estimator ─points─> Objective ─losses─> Estimator ─terms─> Optimizer ─> weights
//!       └─ record ─> trajectory      └─ Event ─> observers
//! end:  Hugging Face folder
//! ```

pub mod answering;
pub mod batching;
pub mod bench;
pub mod calibration;
pub mod card;
pub mod comparison;
pub mod config;
pub mod device;
pub mod engine;
mod error;
pub mod evaluation;
pub mod event;
pub mod export;
pub mod figure;
pub mod generation;
pub mod hub;
pub mod in_place;
pub mod memory;
pub mod model;
pub mod objective;
pub mod packing;
pub mod plan;
pub mod publish;
pub mod replay;
pub mod report;
pub mod reproduce;
pub mod run;
pub mod scoring;
pub mod sharpness;
pub mod timed;
pub mod trainer;

pub use error::{Error, Result};
