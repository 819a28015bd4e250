//! The model card of a run: what it is made from, how well it does, how to load and to rebuild it.
//!
//! Everything in it comes from the run's files; the same files give the same card.

mod facts;
mod front;
mod sections;

pub use facts::{Facts, Score};

/// What is published of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Weights, configuration and tokenizer.
    Full,
    /// The trajectory alone, from which the weights are rebuilt.
    Trajectory,
    /// All of it.
    Both,
}

impl What {
    /// Whether the weights are there.
    pub fn has_weights(self) -> bool {
        self != Self::Trajectory
    }

    /// Whether the trajectory is there.
    pub fn has_trajectory(self) -> bool {
        self != Self::Full
    }
}

/// What a card says beside a run's own facts.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The repository, `owner/name`.
    pub id: &'a str,
    /// What it holds.
    pub what: What,
    /// The licence's short name, where it is known.
    pub license: Option<&'a str>,
    /// Where the base weights are: `hf://owner/name@COMMIT`, or a name.
    pub base: &'a str,
    /// The bytes of the trajectory that is published.
    pub trajectory_bytes: u64,
}

/// The card (`README.md`) of a run's published weights.
pub fn card(facts: &Facts, about: &About<'_>) -> String {
    format!("{}{}", front::matter(facts, about), sections::text(facts, about))
}
