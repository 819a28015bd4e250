//! Generation: what a model writes after prompts, at any point of weight space.
//!
//! Prompts that are there at once grow side by side, each with keys and values of its own; what all of them begin with is
//! run once, a prompt takes one pass, and every further token one row. What a prompt gives depends on it alone: not on the
//! others, nor on how many run at a time.

mod ask;
mod batch;
mod choose;

use serde::Serialize;

pub use ask::{Question, answers, asked, asked_in_chat, evaluate_answers, f1, makes_whole, settings_of};
pub use batch::generate;
pub use choose::Chooser;

/// The questions of a run, and how they are answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Questions {
    /// Those that are trained on.
    pub train: Vec<Question>,
    /// Those that choose the best weights.
    pub dev: Vec<Question>,
    /// Those of the first and the last score.
    pub eval: Vec<Question>,
    /// How they are answered.
    pub settings: Settings,
}

/// How long and by what rule sequences grow.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// At most so many new tokens, at least 1.
    pub max_new_tokens: usize,
    /// At most so many tokens with the prompt; the model's limit where that is less, or where absent.
    pub max_length: Option<usize>,
    /// Texts before which an answer ends.
    pub stop: Vec<String>,
    /// Tokens after which it ends.
    pub ends: Vec<u32>,
    /// How tokens are drawn; the likeliest where absent.
    pub sampling: Option<Sampling>,
    /// At most so many prompts at a time; results do not depend on it.
    pub batch: usize,
}

/// How a token is drawn: `p ∝ exp(logit / temperature)`, of the `top_k` likeliest, of the fewest likeliest that together
/// have `top_p`, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Above 0, in nats.
    pub temperature: f64,
    /// At least 1; all tokens where absent.
    pub top_k: Option<usize>,
    /// Above 0, at most 1; everything where absent.
    pub top_p: Option<f64>,
    /// The seed; each prompt has a stream of random numbers of its own.
    pub seed: u64,
}

/// Why a sequence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model ended it.
    End,
    /// A stop text came.
    Stop,
    /// It has as many new tokens as were asked for.
    Length,
    /// It is as long as the model, or the asker, lets it be.
    Context,
}

/// What was written after a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The new tokens, with the one that ended it, where one did.
    pub ids: Vec<u32>,
    /// `log p` of each, in nats, by the model itself: before temperature and limits.
    pub log_probs: Vec<f64>,
    /// The text without special tokens, up to a stop text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
}

/// What is told while sequences grow.
#[derive(Debug)]
pub enum Heard<'a> {
    /// Text of a prompt that no later token changes.
    Text {
        /// The prompt, from 0.
        prompt: usize,
        /// What is new.
        text: &'a str,
    },
    /// A prompt's sequence has ended.
    Done {
        /// The prompt, from 0.
        prompt: usize,
        /// All of it.
        generated: &'a Generated,
    },
}
