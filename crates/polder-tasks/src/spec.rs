//! A task written as TOML: which columns make the prompt, the options and the label.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, LossKind, Metric, Normalize, PromptTask, Result};

/// What may follow a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionsSpec {
    /// One template an option.
    Each(Vec<String>),
    /// An expression or column that yields the list of options.
    List(String),
}

/// A task in words; [`TaskSpec::compile`] makes it a [`Task`](crate::Task). `TASKS.md` beside this crate's manifest
/// shows how to write one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// The task's name, as printed.
    pub name: String,
    /// A sentence about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The text in front of the options: a minijinja template over the row's columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<OptionsSpec>,
    /// What stands between prompt and option. By default a space, unless the prompt ends in or the option starts with
    /// white space, or the prompt is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<String>,
    /// The text that should follow: a column, an expression or a template. With options it must be one of them; without,
    /// it is the only one and is learnt by teacher forcing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The right option: a column or an expression. A number is an option's number from 0, a text an option's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The label values in the order of the options, where labels are neither numbers from 0 nor the options' texts:
    /// a list, or an expression that yields one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<OptionsSpec>,
    /// What is scored for an option, where that is not the option itself: a template in which `option` is the option's text.
    /// The prompt may use `option` too; each option then has its own prompt (partial evaluation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuation: Option<String>,
    /// How an option's score is made of its log-probabilities where answers are chosen; by default their mean a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<Normalize>,
    /// The prompt without content by which scores can be calibrated: a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrate: Option<String>,
    /// The texts that are accepted as a generated answer: a column, an expression or a template; by default the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
    /// The texts that end a generated answer; by default a newline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
    /// The most tokens of a generated answer; by default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
    /// A text that stands once in front of demonstrations and prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What stands between demonstrations and behind the last one; by default an empty line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demonstration_joint: Option<String>,
    /// Other names of the task's folder in a folder of several data sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<String>,
    /// The row's name: a column or an expression; by default `idx` or `id`, else its number in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx: Option<String>,
    /// How predictions are scored; by default accuracy, or the loss for a target without options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// How the training loss is made; by default over the options, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,
    /// Other names for columns, `name = "column"`: the templates may then say `name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
}

/// Keys of a [`TaskSpec`] that a config sets; those that are `None` stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// As [`TaskSpec::prompt`].
    pub prompt: Option<String>,
    /// As [`TaskSpec::options`].
    pub options: Option<OptionsSpec>,
    /// As [`TaskSpec::joint`].
    pub joint: Option<String>,
    /// As [`TaskSpec::target`]; takes the place of `label` where that is not set too.
    pub target: Option<String>,
    /// As [`TaskSpec::label`]; takes the place of `target` where that is not set too.
    pub label: Option<String>,
    /// As [`TaskSpec::labels`].
    pub labels: Option<OptionsSpec>,
    /// As [`TaskSpec::metric`].
    pub metric: Option<Metric>,
    /// As [`TaskSpec::loss`].
    pub loss: Option<LossKind>,
}

impl TaskSpec {
    /// A task of nothing but a name, to be filled by [`TaskSpec::override_with`].
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            prompt: None,
            options: None,
            joint: None,
            target: None,
            label: None,
            labels: None,
            continuation: None,
            normalize: None,
            calibrate: None,
            answers: None,
            stop: None,
            max_new_tokens: None,
            instruction: None,
            demonstration_joint: None,
            folders: Vec::new(),
            idx: None,
            metric: None,
            loss: None,
            columns: BTreeMap::new(),
        }
    }

    /// Reads a specification; `origin` names it in errors.
    ///
    /// # Errors
    /// [`Error::TaskFile`] for text that is not TOML, an unknown key or a missing name.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self> {
        toml::from_str(text)
            .map_err(|e| Error::TaskFile { name: origin.to_owned(), reason: e.to_string().trim_end().to_owned() })
    }

    /// Reads a task file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::TooLarge`] above 1 MiB, [`Error::TaskFile`].
    pub fn from_file(path: &Path) -> Result<Self> {
        const LIMIT: u64 = 1 << 20;
        let io = |source| Error::Io { path: path.to_owned(), source };
        let about = std::fs::metadata(path).map_err(io)?;
        // Opening a pipe would wait for a writer.
        if !about.is_file() {
            return Err(io(std::io::Error::other("it is not a regular file")));
        }
        if about.len() > LIMIT {
            return Err(Error::TooLarge {
                path: path.to_owned(),
                place: String::new(),
                what: "the task file",
                limit: LIMIT,
            });
        }
        let text = String::from_utf8(std::fs::read(path).map_err(io)?)
            .map_err(|_| Error::File { path: path.to_owned(), reason: "it is not UTF-8 text".to_owned() })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// A built-in task by its name, or a task file (a name that ends in `.toml`, relative to `folder`).
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], or as [`TaskSpec::from_file`].
    pub fn resolve(name: &str, folder: &Path) -> Result<Self> {
        if let Some(spec) = crate::builtin(name) {
            return spec;
        }
        if name.ends_with(".toml") {
            return Self::from_file(&folder.join(name));
        }
        let there = crate::error::quoted(crate::names());
        Err(Error::NoSuchTask { name: name.to_owned(), there })
    }

    /// The task with a config's keys in place of its own. New options drop the old `labels`, which were theirs; a new
    /// `target` or `label` takes the other's place.
    pub fn override_with(mut self, keys: &Overrides) -> Self {
        if keys.options.is_some() {
            self.labels = None;
        }
        if keys.target.is_some() && keys.label.is_none() {
            self.label = None;
        }
        if keys.label.is_some() && keys.target.is_none() {
            self.target = None;
        }
        fn set<T: Clone>(own: &mut Option<T>, given: &Option<T>) {
            if given.is_some() {
                own.clone_from(given);
            }
        }
        set(&mut self.prompt, &keys.prompt);
        set(&mut self.options, &keys.options);
        set(&mut self.joint, &keys.joint);
        set(&mut self.target, &keys.target);
        set(&mut self.label, &keys.label);
        set(&mut self.labels, &keys.labels);
        set(&mut self.metric, &keys.metric);
        set(&mut self.loss, &keys.loss);
        self
    }

    /// Checks the keys against each other and compiles the templates.
    ///
    /// # Errors
    /// [`Error::TaskKeys`] for keys that are missing or contradict each other, [`Error::Template`] for a template that
    /// does not parse.
    pub fn compile(self) -> Result<PromptTask> {
        PromptTask::new(self)
    }
}
