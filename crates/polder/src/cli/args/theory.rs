//! Arguments of `polder theory`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Theory {
    /// Steps and smoothing with which two-point descent provably comes near a flat minimum, or what is proved of given ones
    Flat(FlatArgs),
    /// The step at which a zeroth-order method loses stability: exact for a spectrum, bounds for a trace
    Edge(EdgeArgs),
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(in crate::cli) struct FlatArgs {
    /// Number of weights d
    #[arg(long, value_name = "D")]
    pub(in crate::cli) dimension: u64,
    /// Lipschitz constant of the gradient
    #[arg(long, value_name = "L1")]
    pub(in crate::cli) l1: f64,
    /// Lipschitz constant of the Hessian
    #[arg(long, value_name = "L2")]
    pub(in crate::cli) l2: f64,
    /// Lipschitz constant of the third derivative
    #[arg(long, value_name = "L3")]
    pub(in crate::cli) l3: f64,
    /// How near the trace is to come to the smallest one among minimisers: gives λ, η and T
    #[arg(long, value_name = "EPS", required_unless_present = "lambda", conflicts_with = "lambda")]
    pub(in crate::cli) epsilon: Option<f64>,
    /// Smoothing: gives the bound of Theorem 1 after --steps
    #[arg(long, value_name = "LAMBDA", requires = "steps")]
    pub(in crate::cli) lambda: Option<f64>,
    /// Steps, with --lambda
    #[arg(long, value_name = "T", requires = "lambda", conflicts_with = "epsilon")]
    pub(in crate::cli) steps: Option<f64>,
    /// Squared distance from the start to the regularised minimum
    #[arg(long, value_name = "R2", default_value = "1")]
    pub(in crate::cli) squared_distance: f64,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(
    allow_negative_numbers = true,
    group = ArgGroup::new("hessian").required(true).args(["spectrum", "spectrum_file", "trace"])
)]
pub(in crate::cli) struct EdgeArgs {
    /// Eigenvalues of the Hessian (of P⁻¹H for Adam), separated by commas; zeros may be left out
    #[arg(long, value_name = "L1,L2,…", value_delimiter = ',', value_parser = number)]
    pub(in crate::cli) spectrum: Vec<f64>,
    /// A file of eigenvalues, separated by white space or commas
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) spectrum_file: Option<PathBuf>,
    /// Only the trace is known: bounds
    #[arg(long, value_name = "T")]
    pub(in crate::cli) trace: Option<f64>,
    /// With --trace: the largest eigenvalue, which makes the bounds narrower
    #[arg(long, value_name = "L", requires = "trace", conflicts_with_all = ["spectrum", "spectrum_file"])]
    pub(in crate::cli) largest: Option<f64>,
    /// Polyak's momentum β
    #[arg(long, value_name = "BETA", conflicts_with = "adam")]
    pub(in crate::cli) momentum: Option<f64>,
    /// Adam's β₁, its preconditioner held still
    #[arg(long, value_name = "BETA1")]
    pub(in crate::cli) adam: Option<f64>,
    /// Directions a step
    #[arg(long, value_name = "Q", default_value = "1")]
    pub(in crate::cli) directions: u32,
    /// Directions on the sphere of radius √D instead of Gaussian ones
    #[arg(long, value_name = "D")]
    pub(in crate::cli) sphere: Option<u64>,
    /// Say where this learning rate stands
    #[arg(long, value_name = "LR")]
    pub(in crate::cli) lr: Option<f64>,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// A number, with spaces around it where it stands in a list.
fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("`{}` is no number", text.trim()))
}
