//! What can go wrong between a data file and token ids.

use std::path::PathBuf;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a data file, a task, a tokenizer or a metric.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be opened or read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A path has no file type that is known here.
    #[error("`{path}` is not a data file\nhint: data files end in .jsonl, .json, .csv, .tsv or .parquet")]
    FileType {
        /// The path in question.
        path: PathBuf,
    },
    /// A folder holds no split at all.
    #[error(
        "the folder `{path}` holds no train, validation (or dev, val) or test file\nhint: name the files train.jsonl, validation.jsonl and test.jsonl (or .json, .csv, .tsv, .parquet)"
    )]
    NoSplits {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds two files for one split.
    #[error(
        "`{first}` and `{second}` both give the {split} split\nhint: keep one of them, or give the file itself as the data"
    )]
    TwoFiles {
        /// The split.
        split: crate::Split,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A wanted split is not there.
    #[error("`{path}` has no {split} split (it has: {there})")]
    NoSuchSplit {
        /// The data folder or file.
        path: PathBuf,
        /// The wanted split.
        split: crate::Split,
        /// Those that are there.
        there: String,
    },
    /// A record of a data file is malformed.
    #[error("`{path}`, line {line}: {reason}")]
    Record {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A data file as a whole is malformed.
    #[error("`{path}` is malformed: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or one of its records is larger than the reader takes.
    #[error("`{path}`{place}: {what} exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Where in it, in words, starting with a comma; or nothing.
        place: String,
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// There is no built-in task of that name and no such file.
    #[error("no task named `{name}`\nhint: built in are {there}; another task is a .toml file")]
    NoSuchTask {
        /// The name.
        name: String,
        /// The built-in ones.
        there: String,
    },
    /// A task file is not TOML, or has unknown or missing keys.
    #[error("the task `{name}` cannot be read: {reason}")]
    TaskFile {
        /// The file or the built-in name.
        name: String,
        /// What the parser said.
        reason: String,
    },
    /// A task's keys contradict each other.
    #[error("the task `{name}` is not complete: {reason}\nhint: {hint}")]
    TaskKeys {
        /// The task.
        name: String,
        /// What is wrong.
        reason: String,
        /// How to put it right.
        hint: &'static str,
    },
    /// A template or expression of a task does not parse.
    #[error("the task `{task}`, key `{key}`: {reason}")]
    Template {
        /// The task.
        task: String,
        /// The key that holds the template.
        key: String,
        /// What the template engine said.
        reason: String,
    },
    /// A template names columns that the row does not have.
    #[error(
        "row `{row}`: the key `{key}` of the task `{task}` uses {missing}, which the row does not have\nhint: its columns are {there}"
    )]
    NoSuchColumn {
        /// The task.
        task: String,
        /// The key that holds the template.
        key: String,
        /// The row.
        row: String,
        /// The names that are missing.
        missing: String,
        /// The columns that are there.
        there: String,
    },
    /// A template failed on a row.
    #[error("row `{row}`: the key `{key}` of the task `{task}` failed: {reason}")]
    Render {
        /// The task.
        task: String,
        /// The key that holds the template.
        key: String,
        /// The row.
        row: String,
        /// What the template engine said.
        reason: String,
    },
    /// A row's options cannot be chosen among.
    #[error("row `{row}`: {reason}")]
    Options {
        /// The row.
        row: String,
        /// What is wrong with them.
        reason: String,
    },
    /// An option holds nothing but white space.
    #[error(
        "row `{row}`: option {number} (from 0) is empty, so it has no score\nhint: give every option some text, or leave the row out"
    )]
    EmptyOption {
        /// The row.
        row: String,
        /// The option's place in the list, from 0.
        number: usize,
    },
    /// A row's label names none of its options.
    #[error(
        "row `{row}`: the label {label} is none of {choices}\nhint: a label is an option's number from 0, an option's text, or a value listed under `labels`"
    )]
    Label {
        /// The row.
        row: String,
        /// The label as found.
        label: String,
        /// What it might have been.
        choices: String,
    },
    /// A row has no label where one is needed.
    #[error(
        "row `{row}` of the task `{task}` has no label ({key} gives none; its columns are {there})\nhint: training and evaluation need labelled rows; `predict` does not"
    )]
    Unlabelled {
        /// The task.
        task: String,
        /// The row.
        row: String,
        /// The key that should give it, in words.
        key: String,
        /// The columns that are there.
        there: String,
    },
    /// A typed text does not fill a prompt that reads several columns.
    #[error(
        "the task `{task}` reads the columns {columns}, so one text does not fill its prompt\nhint: give a file with these columns"
    )]
    TypedText {
        /// The task.
        task: String,
        /// The columns it reads.
        columns: String,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer failed{place}: {reason}")]
    Tokenizer {
        /// Where, in words, starting with a space; or nothing.
        place: String,
        /// What it said.
        reason: String,
    },
    /// A BOS token is forced but the model names none.
    #[error(
        "a BOS token is forced, but the tokenizer and the model's config name none\nhint: set bos_token_id in config.json, or task.bos to \"tokenizer\" or \"forbid\""
    )]
    NoBos,
    /// The longest sequence allowed is too short for anything.
    #[error("max_length {max_length} leaves no room for a prompt and an option\nhint: give at least {least}")]
    MaxLength {
        /// What was given.
        max_length: usize,
        /// The least that can work.
        least: usize,
    },
    /// An option alone does not fit.
    #[error(
        "row `{row}`: the option `{option}` has {tokens} tokens, which with {front} in front of it exceeds max_length {max_length}\nhint: raise max_length or shorten the option"
    )]
    OptionTooLong {
        /// The row.
        row: String,
        /// The option, shortened.
        option: String,
        /// Its tokens.
        tokens: usize,
        /// Tokens that must stand in front of it.
        front: usize,
        /// The limit.
        max_length: usize,
    },
    /// An option has no token that can be scored.
    #[error(
        "row `{row}`: the option `{option}` has no token that something stands in front of, so it has no score\nhint: give the option some text, and the prompt some too, or set task.bos to \"force\""
    )]
    NothingToScore {
        /// The row.
        row: String,
        /// The option.
        option: String,
    },
    /// Scores are to be calibrated, but the task has no prompt without content.
    #[error(
        "the task `{task}` has no prompt without content to calibrate by\nhint: give it one, such as calibrate = \"Answer:\"; tasks without options can't be calibrated"
    )]
    Uncalibrated {
        /// The task.
        task: String,
    },
    /// There are too few rows for what is wanted.
    #[error("`{path}`: {reason}")]
    TooFewRows {
        /// The data.
        path: PathBuf,
        /// What is lacking.
        reason: String,
    },
    /// A name that is no metric, split, loss or BOS policy.
    #[error("`{value}` is no {what}\nhint: one of {choices}")]
    Name {
        /// What it should be.
        what: &'static str,
        /// What was given.
        value: String,
        /// What there is.
        choices: &'static str,
    },
    /// Two lists of predictions that should speak of the same examples differ in length.
    #[error(
        "the two lists of predictions have {first} and {second} entries, so they do not speak of the same examples"
    )]
    Unpaired {
        /// The first list's length.
        first: usize,
        /// The second's.
        second: usize,
    },
    /// A chat template that does not parse, refuses a conversation or fails.
    #[error("the chat template failed: {reason}")]
    Chat {
        /// What the template or the engine says.
        reason: String,
    },
    /// What should be the messages of a conversation.
    #[error(
        "these are no messages: {reason}\nhint: messages are a list such as \
         [{{\"role\": \"user\", \"content\": \"…\"}}, {{\"role\": \"assistant\", \"content\": \"…\"}}]"
    )]
    Messages {
        /// What is wrong with them.
        reason: String,
    },
    /// A row that is no conversation to learn from.
    #[error("row `{row}` is no conversation to train on: {reason}")]
    Conversation {
        /// The row's name or number.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An error of a row, with where the row is.
    #[error("{place}, {error}")]
    Within {
        /// The file, or the split of a folder.
        place: String,
        /// What is wrong.
        error: Box<Error>,
    },
}

impl Error {
    /// Whether it is about one row, which it names.
    pub(crate) fn is_of_row(&self) -> bool {
        matches!(
            self,
            Self::NoSuchColumn { .. }
                | Self::Render { .. }
                | Self::Options { .. }
                | Self::EmptyOption { .. }
                | Self::Label { .. }
                | Self::Unlabelled { .. }
                | Self::OptionTooLong { .. }
                | Self::NothingToScore { .. }
                | Self::Conversation { .. }
        )
    }
}

/// Column names in backticks, for an error message.
pub(crate) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// At most 60 characters of a text, for an error message.
pub(crate) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() { format!("{head}…") } else { head }
}
