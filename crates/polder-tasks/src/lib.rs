//! Rows to prompts, options and scores; text to token ids; metrics. Knows no tensors.
//!
//! ```text
//! DataFolder ─sample─> rows ─Task─> Example (prompt, options, gold) ─Encoder─> EncodedExample (ids, scored tokens)
//!                                    scores of the options ─predict─> Metric, Interval, majority baseline
//! ```
//!
//! Everything follows MeZO (Malladi et al. 2023, arXiv 2305.17333, and its authors' code): an option's score is the mean
//! log-probability of its tokens after the prompt, and an option's tokens are those that prompt and option together have
//! more than the prompt alone. A [`TaskSpec`] says in TOML which columns make the prompt, the options and the label, so
//! that a task for one's own data needs no code.
//!
//! ```
//! use polder_tasks::{Task, builtin};
//!
//! let task = builtin("sst2").unwrap()?.compile()?;
//! let row = serde_json::from_str(r#"{"sentence": "a gorgeous film ", "label": 1, "idx": 7}"#).unwrap();
//! let example = task.example(&row, 0)?;
//! assert_eq!(example.prompt, "a gorgeous film It was");
//! assert_eq!(example.options, [" terrible", " great"]);
//! assert_eq!((example.idx.as_str(), example.gold), ("7", Some(1)));
//! # Ok::<(), polder_tasks::Error>(())
//! ```

mod answer;
mod baseline;
mod builtin;
mod chat;
mod check;
pub mod data;
mod demonstrations;
mod encode;
mod encoded;
mod error;
mod gold;
mod metric;
mod noise;
mod normalize;
mod permutation;
mod prompt_task;
mod render;
mod sample;
mod spec;
pub mod statistics;
mod stream;
mod task;
mod template;
mod value;

pub use answer::{AnswerScore, answer_score, normal_answer};
pub use baseline::{majority_answer, random_baseline};
pub use builtin::{builtin, names};
pub use chat::{CHAT, COMPLETION, ChatTemplate, turns};
pub use data::{DataFolder, Split};
pub use demonstrations::Demonstrations;
pub use encode::{BosPolicy, Encoder};
pub use encoded::{EncodedExample, EncodedOption, TextLength};
pub use error::{Error, Result};
pub use metric::{Metric, majority, predict, probabilities};
pub use noise::flip_labels;
pub use normalize::Normalize;
pub use prompt_task::PromptTask;
pub use sample::{Sample, SampleSpec, sample};
pub use spec::{OptionsSpec, Overrides, TaskSpec};
pub use statistics::{Interval, PairedDifference, interval, paired_difference};
pub use stream::{Piece, TextStream};
pub use task::{Drawn, Example, LossKind, Task, labelled, typed_row};

/// One row of a data file: column names and values, in the file's order.
pub type Row = serde_json::Map<String, serde_json::Value>;
