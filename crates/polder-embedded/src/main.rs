//! The command line: `polder-embedded data`, `tokenizer`, `model` and `text`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use polder_embedded::pretrain::{self, Recipe};
use polder_embedded::random::Stream;
use polder_embedded::world::corpus;
use polder_embedded::{dataset, tokenizer};

/// Makes the data set and the language model that ship with the project.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the data set.
    Data {
        /// The seed of its sentences.
        #[arg(long, default_value_t = dataset::SEED)]
        seed: u64,
        /// The folder to write to.
        #[arg(long, default_value = "data/reviews")]
        out: PathBuf,
    },
    /// Trains the tokenizer alone and writes its tokenizer.json.
    Tokenizer {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The file to write.
        #[arg(long, default_value = "tokenizer.json")]
        out: PathBuf,
    },
    /// Trains tokenizer and model from scratch and writes a Hugging Face folder.
    Model {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// The folder to write to.
        #[arg(long, default_value = "models/opt-reviews")]
        out: PathBuf,
    },
    /// Prints documents of the pre-training text.
    Text {
        /// How many.
        #[arg(long, default_value_t = 20)]
        documents: usize,
        /// The seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

/// The keys of a [`Recipe`].
#[derive(Debug, Args)]
struct RecipeArgs {
    /// The seed of text, weights and order.
    #[arg(long, default_value_t = Recipe::default().seed)]
    seed: u64,
    /// The seed of the data set whose held-out sentences the text must not hold.
    #[arg(long, default_value_t = Recipe::default().data_seed)]
    data_seed: u64,
    /// Training steps.
    #[arg(long, default_value_t = Recipe::default().steps)]
    steps: usize,
    /// Tokens a step, about.
    #[arg(long, default_value_t = Recipe::default().rows)]
    rows: usize,
    /// The peak learning rate.
    #[arg(long, default_value_t = Recipe::default().lr)]
    lr: f64,
    /// Layers.
    #[arg(long, default_value_t = Recipe::default().layers)]
    layers: usize,
    /// The width of the residual stream, a multiple of 32.
    #[arg(long, default_value_t = Recipe::default().hidden)]
    hidden: usize,
    /// Tokens in the vocabulary.
    #[arg(long, default_value_t = Recipe::default().vocab)]
    vocab: usize,
}

impl From<RecipeArgs> for Recipe {
    fn from(a: RecipeArgs) -> Self {
        let RecipeArgs { seed, data_seed, steps, rows, lr, layers, hidden, vocab } = a;
        Self { seed, data_seed, steps, rows, lr, layers, hidden, vocab }
    }
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Data { seed, out } => dataset::write(&out, seed),
        Command::Tokenizer { recipe, out } => {
            let recipe = Recipe::from(recipe);
            let made = tokenizer::train(recipe.seed, recipe.vocab, &dataset::held_out(recipe.data_seed))?;
            made.save(&out, true).map_err(|e| anyhow!("can't write `{}`: {e}", out.display()))
        }
        Command::Model { recipe, out } => pretrain::make(&recipe.into(), &out),
        Command::Text { documents, seed } => {
            let mut stream = Stream::new(seed, 0);
            let mut out = std::io::stdout().lock();
            for _ in 0..documents {
                writeln!(out, "{}", corpus::document(&mut stream, &|_| false)).context("can't print")?;
            }
            Ok(())
        }
    }
}
