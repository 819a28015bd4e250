//! Which option a row's label or target names.

use serde_json::Value;

use crate::error::quoted;
use crate::prompt_task::{PromptTask, bare};
use crate::spec::OptionsSpec;
use crate::template::Context;
use crate::{Error, Result};

impl PromptTask {
    /// The options that the label names: one, or those of a list, the first of which is the gold one.
    pub(crate) fn labelled(&self, context: &Context<'_>, options: &[String], idx: &str) -> Result<Vec<usize>> {
        let Some(source) = &self.spec.label else {
            return Ok(Vec::new());
        };
        let labels = match self.value("label", source, context)? {
            None => return Ok(Vec::new()),
            Some(Value::Array(labels)) => labels,
            Some(label) => vec![label],
        };
        let values = if labels.is_empty() { None } else { self.label_values(context)? };
        let mut right = Vec::new();
        for label in labels.iter().filter(|label| !is_no_label(label)) {
            let option = named(label, values.as_deref(), options, idx)?;
            if !right.contains(&option) {
                right.push(option);
            }
        }
        Ok(right)
    }

    fn label_values(&self, context: &Context<'_>) -> Result<Option<Vec<String>>> {
        Ok(match &self.spec.labels {
            None => None,
            Some(OptionsSpec::Each(list)) => Some(list.clone()),
            Some(OptionsSpec::List(source)) => match self.templates.lookup("labels", bare(source), context)? {
                Some(Value::Array(list)) => Some(list.iter().map(plain).collect()),
                _ => Some(Vec::new()),
            },
        })
    }

    /// Options and gold of a task with a target.
    pub(crate) fn targeted(
        &self,
        context: &Context<'_>,
        options: Vec<String>,
        idx: &str,
    ) -> Result<(Vec<String>, Option<usize>)> {
        let Some(source) = &self.spec.target else {
            return Ok((options, None));
        };
        let text = match self.value("target", source, context)? {
            Some(value) if !is_no_label(&value) => plain(&value),
            _ => return Ok((options, None)),
        };
        if self.spec.options.is_none() {
            return Ok((vec![text], Some(0)));
        }
        match options.iter().position(|o| o.trim() == text.trim()) {
            Some(gold) => Ok((options, Some(gold))),
            None => Err(Error::Label {
                row: idx.to_owned(),
                label: format!("`{}`", crate::error::shortened(&text)),
                choices: quoted(options.iter().map(|o| o.trim())),
            }),
        }
    }
}

/// The option that one label names.
fn named(label: &Value, values: Option<&[String]>, options: &[String], idx: &str) -> Result<usize> {
    let text = plain(label);
    let found = match values {
        Some(values) => values.iter().position(|v| *v == text).ok_or_else(|| quoted(values.iter().map(String::as_str))),
        None => by_text_or_number(label, &text, options).ok_or_else(|| {
            format!("0 to {} or {}", options.len().saturating_sub(1), quoted(options.iter().map(|o| o.trim())))
        }),
    };
    match found {
        Ok(gold) if gold < options.len() => Ok(gold),
        Ok(gold) => Err(Error::Options {
            row: idx.to_owned(),
            reason: format!("its label is the value number {gold} of `labels`, but it has {} options", options.len()),
        }),
        Err(choices) => Err(Error::Label { row: idx.to_owned(), label: format!("`{text}`"), choices }),
    }
}

/// A value as text: strings as they are, everything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Null, empty text and −1 (the Hub's mark for a hidden label) say that a row has no label.
fn is_no_label(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty() || text.trim() == "-1",
        other => other.as_i64() == Some(-1),
    }
}

/// A number or truth value is an option's number; a text is an option's text, or else its number.
fn by_text_or_number(value: &Value, text: &str, options: &[String]) -> Option<usize> {
    let number = match value {
        Value::Bool(yes) => Some(usize::from(*yes)),
        Value::Number(n) => n
            .as_u64()
            .or_else(|| n.as_f64().filter(|f| f.fract() == 0.0 && (0.0..1e9).contains(f)).map(|f| f as u64))
            .and_then(|n| usize::try_from(n).ok()),
        Value::String(_) => {
            let text = text.trim();
            return options
                .iter()
                .position(|o| o.trim() == text)
                .or_else(|| text.parse().ok())
                .filter(|n| *n < options.len());
        }
        _ => None,
    };
    number.filter(|n| *n < options.len())
}
