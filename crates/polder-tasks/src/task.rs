//! What a task is: rows in, prompts with options out.

use crate::error::quoted;
use crate::{Error, Metric, Normalize, Result, Row};

/// A row turned into text: a prompt, what may follow it, and which of these is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Example {
    /// The row's own `idx` or `id`, or its number in the file (from 0).
    pub idx: String,
    /// The text in front of the options; where `prompts` holds one an option, what these begin with.
    pub prompt: String,
    /// The exact texts that may follow, joint included: what the model reads is `prompt + options[i]`.
    pub options: Vec<String>,
    /// The right option, where the row says.
    pub gold: Option<usize>,
    /// Other options that count as right where answers are scored.
    pub also: Vec<usize>,
    /// The texts that are accepted as a generated answer; none where the row says none, or where options are chosen among.
    pub answers: Vec<String>,
    /// One prompt an option, where the options stand in the prompt (partial evaluation); else empty.
    pub prompts: Vec<String>,
    /// The options' names, where what is scored does not tell them; else empty.
    pub names: Vec<String>,
    /// The prompt without content that scores are calibrated by, where the task has one.
    pub content_free: Option<String>,
}

impl Example {
    /// The option's text without the joint's spaces around it.
    pub fn option_name(&self, option: usize) -> Option<&str> {
        self.names.get(option).or_else(|| self.options.get(option)).map(|o| o.trim())
    }

    /// The prompt that an option follows.
    pub fn prompt_of(&self, option: usize) -> &str {
        self.prompts.get(option).unwrap_or(&self.prompt)
    }

    /// All that the model reads of an option.
    pub fn text(&self, option: usize) -> Option<String> {
        Some(format!("{}{}", self.prompt_of(option), self.options.get(option)?))
    }

    /// Whether an answer counts as right: the gold option or one of those beside it.
    pub fn is_right(&self, option: usize) -> bool {
        self.gold == Some(option) || self.also.contains(&option)
    }
}

/// How a task's loss is made of its options' log-probabilities (MeZO, Malladi et al. 2023, authors' code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// `ℓ = −log softmax(s)[gold]`, `sᵢ` = mean log-probability (nats) of option i's tokens; every example weighs 1.
    Options,
    /// `ℓ = −(1/Σn) Σ log p(token)` over the gold options' tokens of the batch: an example weighs as many as it has tokens.
    Target,
    /// `ℓ = −1` where the option that is chosen is right, else 0; every example weighs 1. The mean is −accuracy, which has no
    /// gradient: it moves where some answer changes between the points.
    Accuracy,
    /// `ℓ = −F1` of the answer that is generated, greedily; every example weighs 1. No gradient either.
    F1,
}

impl LossKind {
    /// Every kind, by its name.
    pub const ALL: [(&'static str, Self); 4] =
        [("options", Self::Options), ("target", Self::Target), ("accuracy", Self::Accuracy), ("f1", Self::F1)];

    /// Whether the loss is a score of answers, which has no gradient.
    pub fn is_score(self) -> bool {
        matches!(self, Self::Accuracy | Self::F1)
    }

    /// Whether it is made of all options, not of the right one alone.
    pub fn compares_options(self) -> bool {
        matches!(self, Self::Options | Self::Accuracy)
    }
}

impl std::fmt::Display for LossKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name))
    }
}

impl std::str::FromStr for LossKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let choices = "options, target, accuracy, f1";
        let found = Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
        found.ok_or_else(|| Error::Name { what: "loss", value: text.to_owned(), choices })
    }
}

/// A task: it turns rows into examples and says how they are scored.
pub trait Task: Send + Sync {
    /// Its name, as in the config.
    fn name(&self) -> &str;

    /// The example of a row; `number` is the row's number in its file (from 0).
    ///
    /// # Errors
    /// A column that the row lacks, a template that fails, a label that names no option. A row without a label is no
    /// error: its `gold` is `None`.
    fn example(&self, row: &Row, number: usize) -> Result<Example>;

    /// The example of a row that is to be answered: as [`Task::example`], but labels, targets and accepted answers are not
    /// looked at.
    ///
    /// # Errors
    /// A column that the row lacks, a template that fails.
    fn question(&self, row: &Row, number: usize) -> Result<Example>;

    /// The right option of a row alone.
    ///
    /// # Errors
    /// As [`Task::example`].
    fn gold(&self, row: &Row, number: usize) -> Result<Option<usize>> {
        Ok(self.example(row, number)?.gold)
    }

    /// How predictions are scored.
    fn metric(&self) -> Metric;

    /// How the training loss is made.
    fn loss(&self) -> LossKind;

    /// How the score of an option is made of its tokens' log-probabilities where answers are chosen.
    fn normalize(&self) -> Normalize {
        Normalize::default()
    }

    /// The texts that end a generated answer.
    fn stop(&self) -> Vec<String> {
        vec!["\n".to_owned()]
    }

    /// The most tokens of a generated answer.
    fn max_new_tokens(&self) -> usize {
        50
    }

    /// What stands once in front of demonstrations and prompt; part of every example's prompt.
    fn instruction(&self) -> &str {
        ""
    }

    /// What stands between demonstrations, and between the last one and the prompt.
    fn demonstration_joint(&self) -> &str {
        "\n\n"
    }

    /// Names of the task's folder in a folder of several data sets, beside its own.
    fn folders(&self) -> &[String] {
        &[]
    }

    /// The options' texts, where they are the same for every row.
    fn label_names(&self) -> Option<Vec<String>>;

    /// The columns that the prompt and the options read.
    fn columns(&self) -> Vec<String>;

    /// Where the right option comes from, in words for an error message.
    fn gold_source(&self) -> String;
}

/// A row with its number in its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The row's number in its file, from 0.
    pub number: usize,
    /// The row.
    pub row: Row,
}

/// The examples of drawn rows, all of them labelled.
///
/// # Errors
/// As [`Task::example`], and [`Error::Unlabelled`] for a row without a label.
pub fn labelled(task: &dyn Task, rows: &[Drawn]) -> Result<Vec<Example>> {
    rows.iter()
        .map(|drawn| {
            let example = task.example(&drawn.row, drawn.number)?;
            match example.gold {
                Some(_) => Ok(example),
                None => Err(Error::Unlabelled {
                    task: task.name().to_owned(),
                    row: example.idx,
                    key: task.gold_source(),
                    there: quoted(drawn.row.keys().map(String::as_str)),
                }),
            }
        })
        .collect()
}

/// The row of a text that somebody typed, for a task that reads exactly one column.
///
/// # Errors
/// [`Error::TypedText`] where the task reads another number of columns.
pub fn typed_row(task: &dyn Task, text: &str) -> Result<Row> {
    let columns = task.columns();
    match columns.as_slice() {
        [one] => Ok(Row::from_iter([(one.clone(), serde_json::Value::String(text.to_owned()))])),
        _ => {
            Err(Error::TypedText { task: task.name().to_owned(), columns: quoted(columns.iter().map(String::as_str)) })
        }
    }
}
