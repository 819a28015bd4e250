//! The arguments of `polder publish`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct PublishArgs {
    /// The run folder; its best weights go, or its last where it has no best
    pub(in crate::cli) run: PathBuf,
    /// The repository on the Hub
    #[arg(value_name = "NAMESPACE/NAME")]
    pub(in crate::cli) id: String,
    /// Make the repository private, where it is not there yet
    #[arg(long)]
    pub(in crate::cli) private: bool,
    /// What goes: the weights (full), the trajectory from which they are rebuilt, or both; always with the card and the plan
    #[arg(long, value_name = "WHAT", default_value = "both")]
    pub(in crate::cli) what: Publish,
    /// List the files, their sizes and the card; use no network
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Replace files that are there with other contents
    #[arg(long)]
    pub(in crate::cli) overwrite: bool,
    /// The branch; made where it is not there
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub(in crate::cli) revision: String,
    /// Where the base weights are on the Hub, where the run had a copy: hf://owner/name[@revision]; they are fetched and
    /// compared with those that the run started from
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) base: Option<String>,
    /// The licence's short name, such as apache-2.0 [default: what the base's card names]
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) license: Option<String>,
    /// The commit's message
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) message: Option<String>,
    /// Print results only
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

/// What of a run is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Publish {
    Full,
    Trajectory,
    Both,
}
