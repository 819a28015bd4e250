//! A model, as several commands take it.

use std::path::PathBuf;

use clap::Args;
use polder::device::Wanted;
use polder_models::StorageType;

/// The model and task that `eval` and `predict` share.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ModelArgs {
    /// A Hugging Face folder, a GGUF file, a run folder (its best weights), a folder with a trajectory alone, or any of
    /// these on the Hub: hf://owner/name[@revision][/path]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) model: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) load: LoadArgs,
}

/// How a model is loaded and its text encoded.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct LoadArgs {
    /// Of a trajectory alone: the model that it starts from [default: what its header names]
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) base: Option<PathBuf>,
    /// How weights are held: f32, bf16, f16 or bf16+8 [default: as the files of a folder hold them; f32 for GGUF]
    #[arg(long, value_name = "TYPE")]
    pub(in crate::cli) dtype: Option<StorageType>,
    /// Where to compute: auto, cpu, cuda, cuda:N, metal or metal:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(in crate::cli) device: Wanted,
    /// Leave the weights in the computer's memory and send them to the GPU matrix by matrix, for models larger than it
    #[arg(long)]
    pub(in crate::cli) offload: bool,
    /// Longest sequence in tokens [default: the model's limit]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) max_length: Option<usize>,
    /// Force (true) or forbid (false) a BOS token [default: as the tokenizer]
    #[arg(long, value_name = "BOOL")]
    pub(in crate::cli) bos: Option<bool>,
    /// Worker threads [default: the machine's cores]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) threads: Option<u16>,
}
