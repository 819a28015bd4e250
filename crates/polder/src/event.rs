//! What a run tells its observers; the mathematics prints nothing.

use std::path::PathBuf;

use polder_optim::Tilt;
use serde::Serialize;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Event {
    /// The run begins or goes on.
    Started {
        /// Steps that were done before, 0 for a new run.
        done: u64,
        /// Steps in all.
        total: u64,
        /// The run folder.
        run: PathBuf,
    },
    /// A step is done.
    Step {
        /// How many steps are done, this one included.
        step: u64,
        /// Steps in all.
        total: u64,
        /// The mean loss over the step's points, in nats.
        loss: f64,
        /// The projected gradient of each direction, after the clip, in nats a unit of λ.
        projected: Vec<f64>,
        /// What tilting made of the directions, where they were tilted.
        #[serde(skip_serializing_if = "Option::is_none")]
        tilt: Option<Tilt>,
        /// The learning rate.
        lr: f64,
        /// Forward passes of a whole batch so far, one a point.
        forwards: u64,
        /// Seconds that this step took.
        seconds: f64,
        /// Token rows that this step ran, once for each point.
        tokens: u64,
    },
    /// The Hessian's trace was sampled along with a step.
    Trace {
        /// How many steps are done.
        step: u64,
        /// Forward passes of a whole batch so far.
        forwards: u64,
        /// Its running mean, in nats a unit of weight squared.
        trace: f64,
        /// The mean's standard error.
        error: f64,
        /// The trace beyond which steps of this rate grow, `2/lr` for one direction; absent where the trace does not decide.
        #[serde(skip_serializing_if = "Option::is_none")]
        edge: Option<f64>,
    },
    /// An evaluation begins.
    Evaluating {
        /// How many steps are done.
        step: u64,
        /// What is evaluated: `dev`, or the name of a split.
        split: String,
        /// How many examples.
        examples: usize,
    },
    /// An evaluation is done.
    Evaluated {
        /// How many steps are done.
        step: u64,
        /// What was evaluated: `dev`, or the name of a split.
        split: String,
        /// The metric's name.
        metric: String,
        /// Its value; a share between 0 and 1, or a loss in nats.
        score: f64,
        /// The 95 % interval's ends, where there is one.
        interval: Option<(f64, f64)>,
        /// The score of always giving the commonest answer.
        majority: Option<f64>,
        /// The mean loss in nats.
        loss: f64,
        /// How many examples.
        n: usize,
        /// Seconds it took.
        seconds: f64,
        /// Forward passes so far, training and evaluation.
        forwards: u64,
        /// Whether it is the best so far (dev only).
        best: bool,
    },
    /// Weights were written.
    Saved {
        /// How many steps are done.
        step: u64,
        /// What: `checkpoint`, `best` or `final`.
        what: String,
        /// Where.
        path: PathBuf,
    },
    /// Something that a person should know.
    Note {
        /// A sentence.
        text: String,
    },
    /// The run ends.
    Finished {
        /// How many steps are done.
        step: u64,
        /// Steps in all; more than `step` where the run was ended early.
        total: u64,
        /// Seconds that this process spent on the run.
        seconds: f64,
        /// Forward passes of a whole batch, over the whole run.
        forwards: u64,
    },
}

/// Watches a run.
pub trait Observer {
    /// Hears of an event; must not fail, and changes nothing of the run.
    fn event(&mut self, event: &Event);
}

/// Watches nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: &Event) {}
}

/// Tells several observers, in order.
#[derive(Default)]
pub struct Observers(pub Vec<Box<dyn Observer>>);

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

impl Observer for Observers {
    fn event(&mut self, event: &Event) {
        for observer in &mut self.0 {
            observer.event(event);
        }
    }
}
