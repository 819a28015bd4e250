//! What can go wrong with estimates, updates and trajectories.

use std::path::PathBuf;

use crate::objective::ObjectiveError;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of an estimate, an update, a trajectory or its replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A direction, a read or an update failed.
    #[error(transparent)]
    Perturb(#[from] polder_perturb::Error),
    /// A law or rounding of a name that does not exist.
    #[error(transparent)]
    Name(#[from] polder_perturb::direction::UnknownName),
    /// The objective gave no losses.
    #[error("the losses could not be computed: {0}")]
    Objective(#[from] ObjectiveError),
    /// A loss is infinite or not a number; no update was made.
    #[error(
        "the loss is {loss} at step {step}, at {point}; the weights were left as they were\n\
         hint: in a new run, lower the learning rate or `eps`, clip the projected gradient, or store the weights as f32"
    )]
    NonFiniteLoss {
        /// The step in question, from 0.
        step: u64,
        /// Where the loss was read, in words.
        point: String,
        /// The mean loss there.
        loss: f64,
    },
    /// A coefficient of an update is infinite or not a number as f32; no update was made.
    #[error(
        "the update's {what} is {value}, which is no finite f32; the weights were left as they were\n\
         hint: in a new run, lower the learning rate, or clip the projected gradient"
    )]
    NonFiniteUpdate {
        /// Which number, in words.
        what: String,
        /// Its value.
        value: f64,
    },
    /// An objective's answer does not fit the question.
    #[error("the objective gave {found} {what} where {expected} were expected")]
    LossShape {
        /// What was counted (points, examples, weights, seeds).
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A part of a closed-form objective has another size than the parameters ask for.
    #[error("{what} has {found} numbers, {expected} were expected")]
    Size {
        /// The part.
        what: &'static str,
        /// How many numbers it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The weights of the examples don't sum to a positive number.
    #[error(
        "the weights of a batch's {examples} examples sum to {sum}, so it has no mean loss\n\
         hint: a batch needs at least one example"
    )]
    NoWeight {
        /// How many examples.
        examples: usize,
        /// The sum of their weights.
        sum: f64,
    },
    /// A setting has a value that makes no sense.
    #[error("`{name}` = {value} is not possible: {why}")]
    Setting {
        /// The setting's key.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What it should be.
        why: &'static str,
    },
    /// The settings of an estimator, optimiser or schedule can't be read.
    #[error("the settings of the {what} `{name}` can't be read: {why}")]
    Settings {
        /// "estimator", "optimiser" and so on.
        what: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// No estimator or optimiser of that name.
    #[error("there is no {what} named `{name}`\nhint: choose one of {known}")]
    Unknown {
        /// "estimator", "optimiser" and so on.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
    /// A file could not be read or written.
    #[error("can't {action} `{}`: {source}{}", path.display(), io_hint(source))]
    Io {
        /// What was being done ("read", "create", "append to").
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process writes to the trajectory.
    #[error("`{}` is being written by another process\nhint: wait for that run or end it first", path.display())]
    Locked {
        /// The trajectory.
        path: PathBuf,
    },
    /// The file is not a trajectory.
    #[error("`{}` is not a polder trajectory: {why}", path.display())]
    NotATrajectory {
        /// The file.
        path: PathBuf,
        /// What is wrong at its start.
        why: String,
    },
    /// The trajectory ends inside of its header.
    #[error(
        "the header of the trajectory `{}` is incomplete, so it holds no step\n\
         hint: remove the file and start the run again",
        path.display()
    )]
    NoHeader {
        /// The file.
        path: PathBuf,
    },
    /// The trajectory is damaged before a valid record.
    #[error(
        "the trajectory `{}` is damaged at byte {offset}: {why}\n\
         hint: bring back an undamaged copy; the {steps} steps before the damage can be kept by cutting the file \
         at that byte",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first byte of the first record that is not valid.
        offset: u64,
        /// Whole steps before it.
        steps: u64,
        /// What shows the damage.
        why: String,
    },
    /// A record can't be written as it is.
    #[error("this record can't be written to the trajectory: {why}")]
    Record {
        /// What is wrong.
        why: String,
    },
    /// An earlier write failed in a way that could not be undone.
    #[error(
        "the trajectory `{}` takes no more records after a failed write\n\
         hint: free the disk, then resume the run; the invalid tail will be dropped",
        path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// The base weights are not those of the trajectory.
    #[error(
        "these weights ({found}) are not the ones that the trajectory starts from ({expected})\n\
         hint: load {origin}, stored as {dtype}, with the same version of its files"
    )]
    Base {
        /// The digest in the header.
        expected: String,
        /// The digest of the weights.
        found: String,
        /// The model's path or id in the header, with its revision where there is one.
        origin: String,
        /// The storage type in the header.
        dtype: String,
    },
    /// Another number of weights is trainable than in the run.
    #[error(
        "{found} weights are trainable, but the run trained {expected}\n\
         hint: choose the same trainable parameters as the run's header"
    )]
    Trainable {
        /// How many the run trained.
        expected: u64,
        /// How many are trainable here.
        found: u64,
    },
    /// Replay ended at other weights than the run.
    #[error(
        "after {steps} steps the weights are {found}, but the run ended at {expected}\n\
         hint: please report this: replay promises the same bits everywhere"
    )]
    Final {
        /// Steps replayed.
        steps: u64,
        /// The digest in the end record.
        expected: String,
        /// The digest of the weights.
        found: String,
    },
    /// A range of steps that the trajectory does not have.
    #[error("steps {from}..{to} were asked for, but the trajectory has {steps}\nhint: ask for at most {steps}")]
    Range {
        /// The first step.
        from: u64,
        /// One past the last step.
        to: u64,
        /// How many there are.
        steps: u64,
    },
    /// The trajectory was written with other directions than this program makes.
    #[error(
        "the trajectory was written with version {found} of the directions, this program makes version {known}\n\
         hint: use the version of polder that wrote it ({polder})"
    )]
    DirectionVersion {
        /// The version in the header.
        found: u32,
        /// The version of this program.
        known: u32,
        /// The version of polder in the header.
        polder: String,
    },
}

impl Error {
    /// Whether a run left the numbers: a loss or an update that is infinite or none.
    pub fn is_divergence(&self) -> bool {
        matches!(self, Self::NonFiniteLoss { .. } | Self::NonFiniteUpdate { .. })
    }
}

/// The remedy for an I/O error, where there is one.
fn io_hint(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as K;
    match source.kind() {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => {
            "\nhint: free space on that disk, then resume the run; the file is valid up to its last whole record"
        }
        K::PermissionDenied | K::ReadOnlyFilesystem => "\nhint: choose a folder that you may write to",
        K::AlreadyExists => "\nhint: resume that run, or choose another folder",
        _ => "",
    }
}
