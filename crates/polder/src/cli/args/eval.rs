//! The arguments of `polder eval`.

use std::path::PathBuf;

use clap::Args;
use polder_tasks::Split;

use super::ModelArgs;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct EvalArgs {
    #[command(flatten)]
    pub(in crate::cli) model: ModelArgs,
    /// A built-in task (sst2, copa, arc-easy, …) or a task file; may be given several times [default: a run's own]
    #[arg(long = "task", value_name = "NAME|FILE.toml")]
    pub(in crate::cli) tasks: Vec<String>,
    /// A folder with train, validation and test files (JSONL, CSV, TSV, Parquet), or with such folders named after the
    /// tasks; once, or once a task [default: a run's own]
    #[arg(long = "data", value_name = "DIR")]
    pub(in crate::cli) data: Vec<PathBuf>,
    /// The rows: validation, test or train; a missing one falls back, and says so
    #[arg(long, default_value = "validation")]
    pub(in crate::cli) split: Split,
    /// Only the first N rows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) limit: Option<u64>,
    /// Examples a pass [default: as many as fill 512 token rows]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) batch: Option<u32>,
    /// Put N answered rows of the train split in front of every prompt [default: as a run was trained on its task, else 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(in crate::cli) shots: Option<u16>,
    /// Seed that chooses these rows [default: the run's, else 0]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) shots_seed: Option<u64>,
    /// Choose options by how much likelier the prompt makes them than a prompt without content does
    #[arg(long)]
    pub(in crate::cli) calibrate: bool,
    /// Ask through the model's chat template: each prompt, with its demonstrations, as the user's message, the answer as the
    /// assistant's
    #[arg(long)]
    pub(in crate::cli) chat: bool,
    /// Ask this model the same, and say how the first differs from it: the paired difference with its interval
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) against: Option<PathBuf>,
    /// Print one JSON object a task
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Write one JSON line an example
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) samples: Option<PathBuf>,
    /// A folder that keeps every answer as it comes, so that the same command goes on where it was cut off; with scores.jsonl
    /// and samples.jsonl at the end
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Print results only
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}
