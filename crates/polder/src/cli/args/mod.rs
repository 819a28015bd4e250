//! Commands and their arguments.

mod eval;
mod generate;
mod model;
mod publish;
mod theory;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use polder::device::Wanted;
use polder_models::StorageType;
use polder_tasks::Split;

pub(super) use eval::EvalArgs;
pub(super) use generate::GenerateArgs;
pub(super) use model::{LoadArgs, ModelArgs};
pub(super) use publish::{Publish, PublishArgs};
pub(super) use theory::{EdgeArgs, FlatArgs, Theory};

/// Fine-tunes language models with forward passes only.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Use no network: what hf:// names has to be in the cache (as HF_HUB_OFFLINE=1)
    #[arg(long, global = true)]
    pub(super) offline: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Fine-tune a model as a configuration says
    Train(TrainArgs),
    /// Check a configuration and say what the run will take, without running it
    Plan(PlanArgs),
    /// Score a model on labelled data
    Eval(EvalArgs),
    /// Answer unlabelled rows or a typed prompt
    Predict(PredictArgs),
    /// Continue a prompt, or a file of prompts
    Generate(GenerateArgs),
    /// Rebuild a run's weights from the base model and the trajectory, bit for bit
    Replay(ReplayArgs),
    /// Write a model as a Hugging Face folder or a GGUF file, in another type of weights
    Export(super::export::ExportArgs),
    /// Publish a run as a model on the Hugging Face Hub, with a model card, in one commit
    Publish(PublishArgs),
    /// What is proved of zeroth-order steps: towards flat minima, and where they lose stability
    #[command(subcommand)]
    Theory(Theory),
    /// Measure how sharp the loss is around a model's weights, and where a run stands against its edge of stability
    Sharpness(SharpnessArgs),
    /// Draw a run's curves and numbers as one HTML page, or those of several runs over one another
    Report(ReportArgs),
    /// Time steps of random weights of a given shape on this machine, and how their cost grows
    Bench(BenchArgs),
    /// Train in several ways with several seeds, and hold the scores against one another
    Compare(super::compare::CompareArgs),
    /// Run a published experiment again and hold its values against the paper's
    #[command(after_help = format!("Experiments:\n\n{}", polder::reproduce::listing()))]
    Reproduce(ReproduceArgs),
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// The configuration (TOML); `polder plan --keys` lists its keys
    pub(super) config: PathBuf,
    /// Change a key: the value is read as TOML, else as text; relative paths start at the working folder
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
    /// The run folder [default: runs/<config>-<n>, the first n that is free]
    #[arg(long, value_name = "DIR")]
    pub(super) run: Option<PathBuf>,
    /// Go on with the run in that folder; without --run, with the latest run of this configuration
    #[arg(long)]
    pub(super) resume: bool,
    /// End the run cleanly after this time, such as 90s, 30m, 2h or 1h30m; --resume goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) max_time: Option<Duration>,
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The configuration (TOML)
    #[arg(required_unless_present_any = ["keys", "sizes", "roofline"])]
    pub(super) config: Option<PathBuf>,
    /// Change a key, as `polder train` does
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
    /// Load the model and time a few real steps
    #[arg(long)]
    pub(super) measure: bool,
    /// Load the model and hold the projected gradients of N steps in bf16 arithmetic against those in f32
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..))]
    pub(super) agreement: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// List every key of a configuration with its default
    #[arg(long)]
    pub(super) keys: bool,
    /// Say which OPT and LLaMA sizes fit which GPUs; needs no configuration
    #[arg(long)]
    pub(super) sizes: bool,
    /// Say how long a step takes on known GPUs by their peak rates; needs no configuration
    #[arg(long)]
    pub(super) roofline: bool,
    /// With --sizes and --roofline: sequences of a batch
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) batch: u32,
    /// With --sizes and --roofline: tokens of a sequence
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub(super) length: u32,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("input").required(true).args(["data", "text", "fields"])))]
pub(super) struct PredictArgs {
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// A built-in task (sst2, copa, arc-easy, …) or a task file [default: a run's own]
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(super) task: Option<String>,
    /// A file of rows (JSONL, JSON, CSV, TSV, Parquet), a folder with such a file a split, or hf://datasets/owner/name;
    /// labels are not needed
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// Of a folder or a data set: train, validation or test [default: test where it is there, else the only one]
    #[arg(long, value_name = "SPLIT", requires = "data")]
    pub(super) split: Option<Split>,
    /// One text, for a task that reads one column
    #[arg(long, value_name = "TEXT")]
    pub(super) text: Option<String>,
    /// One row's column, for a task that reads several; once a column
    #[arg(long = "field", value_name = "COLUMN=TEXT")]
    pub(super) fields: Vec<String>,
    /// Ask through the model's chat template: each prompt as the user's message, the answer as the assistant's
    #[arg(long)]
    pub(super) chat: bool,
    /// Where answers are written: at most N new tokens [default: as the task says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_new_tokens: Option<u32>,
    /// Print one JSON object a row
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// A run folder, a trajectory, or a trajectory on the Hub: hf://owner/name[@revision]
    pub(super) source: PathBuf,
    /// The model that the run started from [default: what the trajectory's header names]
    #[arg(long, value_name = "MODEL")]
    pub(super) base: Option<PathBuf>,
    /// Only the first N steps: the weights as they were then [default: all]
    #[arg(long, value_name = "N")]
    pub(super) steps: Option<u64>,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Print errors only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub(super) struct SharpnessArgs {
    /// A run folder, or a configuration (TOML), whose model and training rows are taken
    pub(super) subject: PathBuf,
    /// Change a key of the configuration, as `polder train` does
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
    /// The weights to look at [default: a run's best, a configuration's model]
    #[arg(long, value_name = "MODEL")]
    pub(super) model: Option<PathBuf>,
    /// Most directions to measure along; two forward passes each, and one more
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub(super) probes: u32,
    /// Stop at this relative standard error of the trace
    #[arg(long, value_name = "SHARE")]
    pub(super) precision: Option<f64>,
    /// Distance of the points from the weights, in multiples of a direction
    #[arg(long, value_name = "DELTA", default_value = "1e-3")]
    pub(super) delta: f64,
    /// Training rows that the loss is the mean of
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rows: u32,
    /// Tilt of the tilted sharpness, in 1/nats
    #[arg(long, value_name = "T", default_value = "1")]
    pub(super) tilt: f64,
    /// Law of the directions: rademacher (less noise) or gaussian
    #[arg(long, value_name = "LAW", default_value = "rademacher")]
    pub(super) law: polder_perturb::Law,
    /// Seed of the rows and directions
    #[arg(long, value_name = "N", default_value = "0")]
    pub(super) seed: u64,
    /// Also find the Hessian's largest eigenvalue, and its trace once more, from gradients; for small models. Of a run with Adam
    /// those of P⁻¹H too, where P is saved: with --model RUN/final
    #[arg(long)]
    pub(super) eigenvalue: bool,
    /// Also read slices of the loss: along two random directions and over their plane; data and figures go to this folder
    #[arg(long, value_name = "DIR")]
    pub(super) slices: Option<PathBuf>,
    /// With --slices: also the line to another model's weights
    #[arg(long, value_name = "MODEL", requires = "slices")]
    pub(super) towards: Option<PathBuf>,
    /// With --slices: how far, as the rms by which each weight moves
    #[arg(long, value_name = "R", default_value = "0.02")]
    pub(super) reach: f64,
    /// With --slices: points on each side
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) points: u32,
    /// Only weights whose names fit a pattern (`*` any text, `?` one character); several, to compare them
    #[arg(long = "weights", value_name = "PATTERN")]
    pub(super) weights: Vec<String>,
    /// Worker threads [default: the machine's cores]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Where to compute: auto, cpu, cuda, cuda:N, metal or metal:N [default: as the run or the configuration says]
    #[arg(long, value_name = "DEVICE")]
    pub(super) device: Option<Wanted>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print results only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Run folders; a run may still be going on
    #[arg(required = true, value_name = "RUN")]
    pub(super) runs: Vec<PathBuf>,
    /// The page [default: report.html in the run's folder; required for several runs]
    #[arg(long, value_name = "FILE.html")]
    pub(super) out: Option<PathBuf>,
    /// Show the page in a browser; `auto` does so where a person sits at this machine's screen
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) open: Open,
}

/// When a page is shown in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Open {
    Yes,
    No,
    Auto,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// A shape, such as tiny, 30m, opt-125m, 135m, 360m, 1.1b, opt-1.3b, llama-7b or opt-13b; may be given several times
    /// [default: 135m; with --device a tiny one on the CPU, opt-125m, opt-1.3b, llama-7b and opt-13b on a GPU]
    #[arg(long = "shape", value_name = "NAME")]
    pub(super) shapes: Vec<String>,
    /// Report on a device: check it against the CPU, measure its memory, time steps; cpu, cuda:N, metal or auto
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["growth", "directions", "points_a_pass"])]
    pub(super) device: Option<Wanted>,
    /// With --device: leave the weights of timed models in the computer's memory and send them matrix by matrix
    #[arg(long, requires = "device")]
    pub(super) offload: bool,
    /// With --device: what its memory is said to give, in GB/s [default: known of some cards]
    #[arg(long, value_name = "GB/S", requires = "device", value_parser = positive)]
    pub(super) bandwidth: Option<f64>,
    /// With --device: also write device.json and device.md to a folder
    #[arg(long, value_name = "DIR", requires = "device")]
    pub(super) out: Option<PathBuf>,
    /// How weights are held: f32, bf16, f16 or bf16+8
    #[arg(long, value_name = "TYPE", default_value = "bf16")]
    pub(super) dtype: StorageType,
    /// Sequences of a batch
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(super) batch: u32,
    /// Tokens of a sequence [default: 16; with --device 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2047))]
    pub(super) length: Option<u32>,
    /// Directions a step
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) directions: u32,
    /// Points that a pass reads together
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u32).range(1..=2048))]
    pub(super) points_a_pass: u32,
    /// Worker threads [default: the machine's cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Timed steps
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) steps: u32,
    /// Print one JSON object a shape
    #[arg(long)]
    pub(super) json: bool,
    /// Change tokens, parameters, directions and threads one by one; write tables and charts to a folder
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    pub(super) growth: Option<PathBuf>,
    /// Print results only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReproduceArgs {
    /// The experiment; `--list` names them
    #[arg(required_unless_present = "list")]
    pub(super) name: Option<String>,
    /// List the experiments with their sources and costs
    #[arg(long)]
    pub(super) list: bool,
    /// The folder for tables, figures and the report; files of an earlier run are replaced [default: reproduce/NAME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Run a short form, which checks only what its length can show
    #[arg(long)]
    pub(super) short: bool,
    /// Seed of all random numbers
    #[arg(long, value_name = "N", default_value = "0")]
    pub(super) seed: u64,
    /// A data file in LIBSVM's format, or a folder of rows [default: what the program makes or ships]
    #[arg(long, value_name = "PATH")]
    pub(super) data: Option<PathBuf>,
    /// A language model, for the experiments that fine-tune one [default: the one that ships]
    #[arg(long, value_name = "PATH")]
    pub(super) model: Option<PathBuf>,
    /// A built-in task or a task file, for the experiments that fine-tune a language model
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub(super) task: Option<String>,
    /// Print the report only
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// A temperature: finite, at least 0.
fn temperature(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(format!("`{text}` is not 0 or more")) }
}

/// A probability above 0, at most 1.
fn probability(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value > 0.0 && value <= 1.0 { Ok(value) } else { Err(format!("`{text}` is not above 0 and at most 1")) }
}

/// A finite number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(format!("`{text}` is not above 0")) }
}

/// A time such as 90, 90s, 1.5m, 2h or 1h30m.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 90s, 30m, 2h or 1h30m");
    let (mut total, mut number) = (0.0f64, String::new());
    for c in text.trim().chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            's' => 1.0,
            'm' => 60.0,
            'h' => 3600.0,
            'd' => 86400.0,
            _ => return Err(wrong()),
        };
        total += unit * number.parse::<f64>().map_err(|_| wrong())?;
        number.clear();
    }
    if !number.is_empty() {
        total += number.parse::<f64>().map_err(|_| wrong())?;
    } else if text.trim().is_empty() {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times() {
        for (text, seconds) in
            [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("1h30m", 5400.0), ("0.5s", 0.5), ("1d", 86400.0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "x", "1x", "m", "1.2.3s", "-1s", "1e99999h", "9999999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
