//! Templates and expressions over a row's columns.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use std::collections::BTreeMap;

use crate::error::quoted;
use crate::value::{from_json, to_json};
use crate::{Error, Result, Row};

/// Instructions that one rendering may take; a template over a row takes tens.
const FUEL: u64 = 200_000;

/// What is said of a null that a template prints.
const NULL: &str = "a null value would be printed";
/// Stands for a null where it is asked whether a text has it in it; no text of a row has this character.
const MARK: &str = "\u{10ffff}";

/// The templates of one task, compiled.
#[derive(Debug)]
pub(crate) struct Templates {
    task: String,
    engine: Environment<'static>,
    columns: BTreeMap<String, String>,
}

/// The name under which templates find the option that they are rendered for.
const OPTION: &str = "option";

/// A row as the template engine sees it.
pub(crate) struct Context<'a> {
    row: &'a Row,
    idx: String,
    names: BTreeMap<String, Value>,
    value: Value,
}

impl Templates {
    /// An engine that refuses undefined names, prints no nulls and escapes nothing.
    pub(crate) fn new(task: &str, columns: &BTreeMap<String, String>) -> Result<Self> {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        engine.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        engine.set_fuel(Some(FUEL));
        // A prompt may end in a newline, and that newline is part of it.
        engine.set_syntax(
            SyntaxConfig::builder().keep_trailing_newline(true).build().map_err(|e| fault(task, "prompt", &e))?,
        );
        engine.set_formatter(|out, state, value| {
            if value.is_none() {
                return Err(minijinja::Error::new(ErrorKind::InvalidOperation, NULL));
            }
            minijinja::escape_formatter(out, state, value)
        });
        engine.add_filter("without_full_stop", |text: &str| without_full_stop(text).to_owned());
        engine.add_filter("without_brackets", |text: &str| without_brackets(text));
        engine.add_filter("lower_first_word", |text: &str| lower_first_word(text));
        Ok(Self { task: task.to_owned(), engine, columns: columns.clone() })
    }

    /// Compiles a template under a key's name.
    pub(crate) fn add(&mut self, key: &str, source: &str) -> Result<()> {
        self.engine.add_template_owned(key.to_owned(), source.to_owned()).map_err(|e| fault(&self.task, key, &e))
    }

    /// Whether an expression parses; a column's name need not.
    pub(crate) fn check_expression(&self, key: &str, source: &str) -> Result<()> {
        match self.engine.compile_expression(source) {
            Err(e) if !is_plausible_column(source) => Err(fault(&self.task, key, &e)),
            _ => Ok(()),
        }
    }

    /// A row with the task's column names added.
    pub(crate) fn context<'a>(&self, row: &'a Row, idx: String) -> Context<'a> {
        let mut names: BTreeMap<String, Value> =
            row.iter().map(|(name, value)| (name.clone(), from_json(value))).collect();
        for (alias, column) in &self.columns {
            if let Some(value) = row.get(column) {
                names.insert(alias.clone(), from_json(value));
            }
        }
        if !names.contains_key("row") {
            let whole = Value::from(names.clone());
            names.insert("row".to_owned(), whole);
        }
        Context { row, idx, value: Value::from(names.clone()), names }
    }

    /// The template's text for a row.
    pub(crate) fn render(&self, key: &str, context: &Context<'_>) -> Result<String> {
        let template = self.engine.get_template(key).map_err(|e| fault(&self.task, key, &e))?;
        let names = || template.undeclared_variables(false).into_iter().collect();
        let text = template.render(&context.value).map_err(|e| self.failure(key, context, names(), &e))?;
        // To a filter or an operator a null is the word "none", which the formatter can't tell from a text.
        if context.row.values().any(has_null) {
            let mut nulls = self.context(&context.row.iter().map(marked).collect(), String::new()).names;
            if let Some(option) = context.names.get(OPTION) {
                nulls.insert(OPTION.to_owned(), option.clone());
            }
            let told = template.render(Value::from(nulls)).unwrap_or_default();
            if told.contains(MARK) && told.replace(MARK, "none").to_lowercase() == text.to_lowercase() {
                let null = minijinja::Error::new(ErrorKind::InvalidOperation, NULL);
                return Err(self.failure(key, context, names(), &null));
            }
        }
        Ok(text)
    }

    /// The value of a column or expression; `None` where the row lacks a column that it needs, or it is null.
    pub(crate) fn lookup(&self, key: &str, source: &str, context: &Context<'_>) -> Result<Option<serde_json::Value>> {
        let column = self.columns.get(source).map_or(source, String::as_str);
        if let Some(value) = context.row.get(column) {
            return Ok(Some(value.clone()).filter(|v| !v.is_null()));
        }
        let Ok(expression) = self.engine.compile_expression(source) else {
            return Ok(None);
        };
        let names: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        if self.missing(context, &names).next().is_some() {
            return Ok(None);
        }
        let value = expression.eval(&context.value).map_err(|e| self.failure(key, context, names, &e))?;
        if matches!(value.kind(), ValueKind::Undefined | ValueKind::None) {
            return Ok(None);
        }
        to_json(&value).map(Some).map_err(|e| Error::Render {
            task: self.task.clone(),
            key: key.to_owned(),
            row: context.idx.clone(),
            reason: e,
        })
    }

    /// The columns that a template reads, aliases resolved.
    pub(crate) fn template_columns(&self, key: &str) -> Vec<String> {
        let names = self.engine.get_template(key).map(|t| t.undeclared_variables(false));
        self.resolve(names.unwrap_or_default())
    }

    /// Whether a template reads the option that it is rendered for.
    pub(crate) fn reads_option(&self, key: &str) -> bool {
        let template = self.engine.get_template(key);
        template.is_ok_and(|t| t.undeclared_variables(false).contains(OPTION))
    }

    /// The columns that an expression reads, aliases resolved.
    pub(crate) fn expression_columns(&self, source: &str) -> Vec<String> {
        match self.engine.compile_expression(source) {
            Ok(expression) => self.resolve(expression.undeclared_variables(false)),
            Err(_) => vec![source.to_owned()],
        }
    }

    fn resolve(&self, names: impl IntoIterator<Item = String>) -> Vec<String> {
        names
            .into_iter()
            .filter(|n| !self.is_global(n) && n != "row" && n != OPTION)
            .map(|n| self.columns.get(&n).cloned().unwrap_or(n))
            .collect()
    }

    fn is_global(&self, name: &str) -> bool {
        self.engine.globals().any(|(global, _)| global == name)
    }

    fn missing<'n>(&'n self, context: &'n Context<'_>, names: &'n [String]) -> impl Iterator<Item = &'n str> {
        names.iter().map(String::as_str).filter(move |name| {
            let column = self.columns.get(*name).map_or(*name, String::as_str);
            let given = *name == "row" || context.names.contains_key(*name);
            !given && !context.row.contains_key(column) && !self.is_global(name)
        })
    }

    /// Names the missing columns where that is why a template failed.
    fn failure(&self, key: &str, context: &Context<'_>, mut names: Vec<String>, error: &minijinja::Error) -> Error {
        names.sort();
        let missing: Vec<&str> = self.missing(context, &names).collect();
        // A filter says of an undefined value what it dislikes in it, not that it is undefined.
        let other = error.kind() == ErrorKind::OutOfFuel || error.detail() == Some(NULL);
        if !other && !missing.is_empty() {
            return Error::NoSuchColumn {
                task: self.task.clone(),
                key: key.to_owned(),
                row: context.idx.clone(),
                missing: quoted(missing),
                there: quoted(context.row.keys().map(String::as_str)),
            };
        }
        Error::Render {
            task: self.task.clone(),
            key: key.to_owned(),
            row: context.idx.clone(),
            reason: error.to_string(),
        }
    }
}

fn has_null(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(list) => list.iter().any(has_null),
        serde_json::Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

/// A column with [`MARK`] for its nulls.
fn marked((name, value): (&String, &serde_json::Value)) -> (String, serde_json::Value) {
    fn of(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Null => MARK.into(),
            serde_json::Value::Array(list) => list.iter().map(of).collect(),
            serde_json::Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), of(value))).collect(),
            other => other.clone(),
        }
    }
    (name.clone(), of(value))
}

fn fault(task: &str, key: &str, error: &minijinja::Error) -> Error {
    Error::Template { task: task.to_owned(), key: key.to_owned(), reason: error.to_string() }
}

/// A column's name may hold spaces and dashes, which no expression of ours needs without operators or brackets.
fn is_plausible_column(source: &str) -> bool {
    !source.is_empty() && source.chars().all(|c| c.is_alphanumeric() || " _-.:/?#".contains(c))
}

/// Whether a string is a template and not a column or an expression.
pub(crate) fn is_template(source: &str) -> bool {
    source.contains("{{") || source.contains("{%")
}

/// The text without white space at its end and without one full stop there.
fn without_full_stop(text: &str) -> &str {
    let text = text.trim_end();
    text.strip_suffix('.').unwrap_or(text)
}

/// The text with its first word (up to the first space) in lower case, unless that word is "I".
fn lower_first_word(text: &str) -> String {
    match text.split_once(' ') {
        _ if text == "I" => text.to_owned(),
        Some(("I", _)) => text.to_owned(),
        Some((first, rest)) => format!("{} {rest}", first.to_lowercase()),
        None => text.to_lowercase(),
    }
}

/// The text without its shortest `[…]` that hold no newline.
fn without_brackets(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        kept.push_str(before);
        match after.split_once(']').filter(|(inside, _)| !inside.contains('\n')) {
            Some((_, behind)) => rest = behind,
            None => {
                kept.push('[');
                rest = after;
            }
        }
    }
    kept + rest
}

impl Context<'_> {
    /// The same row with an option's text as `option`.
    pub(crate) fn with_option(&self, option: &str) -> Self {
        let mut names = self.names.clone();
        names.insert(OPTION.to_owned(), Value::from(option));
        Self { row: self.row, idx: self.idx.clone(), value: Value::from(names.clone()), names }
    }

    /// The row's columns, for an error message.
    pub(crate) fn columns(&self) -> String {
        quoted(self.row.keys().map(String::as_str))
    }
}
