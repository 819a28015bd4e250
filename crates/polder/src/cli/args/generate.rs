//! The arguments of `polder generate`.

use std::path::PathBuf;

use clap::Args;

use super::{LoadArgs, probability, temperature};

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("given").required(true).args(["prompt", "prompts"])))]
pub(in crate::cli) struct GenerateArgs {
    /// A Hugging Face folder, a GGUF file, a run folder (its best weights), or hf://owner/name
    #[arg(value_name = "MODEL")]
    pub(in crate::cli) model: PathBuf,
    /// The text to continue; what follows appears as it is written
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) prompt: Option<String>,
    /// A file of prompts: one a line, or JSON lines (.jsonl) with `prompt` or `messages`; the answers are JSON lines
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) prompts: Option<PathBuf>,
    /// Show prompts to the model as a user's messages, by its own chat template, which writes the BOS token itself
    #[arg(long)]
    pub(in crate::cli) chat: bool,
    /// With --chat: what the system says first
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub(in crate::cli) system: Option<String>,
    /// At most so many new tokens
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) max_new_tokens: u32,
    /// Draw tokens, by their probabilities to the power 1/T; 0 takes the likeliest
    #[arg(long, value_name = "T", default_value = "0", value_parser = temperature, allow_negative_numbers = true)]
    pub(in crate::cli) temperature: f64,
    /// Draw from the K likeliest tokens only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) top_k: Option<u32>,
    /// Draw from the fewest likeliest tokens that together have this probability
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(in crate::cli) top_p: Option<f64>,
    /// Seed of the draws; a prompt's depend on it and on the prompt's number alone
    #[arg(long, value_name = "N", default_value = "0")]
    pub(in crate::cli) seed: u64,
    /// End before this text; may be given several times
    #[arg(long = "stop", value_name = "TEXT")]
    pub(in crate::cli) stops: Vec<String>,
    /// Print one JSON object a prompt
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Prompts that are continued side by side; results do not depend on it
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(in crate::cli) batch: u32,
    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,
    /// Print results only
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}
