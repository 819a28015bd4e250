//! The task that a [`TaskSpec`] describes.

use serde_json::Value;

use crate::error::quoted;
use crate::spec::OptionsSpec;
use crate::template::{Context, Templates, is_template};
use crate::{Error, Example, LossKind, Metric, Result, Row, Task, TaskSpec};

/// A compiled [`TaskSpec`].
#[derive(Debug)]
pub struct PromptTask {
    spec: TaskSpec,
    templates: Templates,
    option_keys: Vec<String>,
}

impl PromptTask {
    /// As [`TaskSpec::compile`].
    pub(crate) fn new(spec: TaskSpec) -> Result<Self> {
        spec.check()?;
        let mut templates = Templates::new(&spec.name, &spec.columns)?;
        templates.add("prompt", spec.prompt.as_deref().unwrap_or_default())?;
        let mut option_keys = Vec::new();
        match &spec.options {
            Some(OptionsSpec::Each(list)) => {
                for (number, source) in list.iter().enumerate() {
                    let key = format!("options[{number}]");
                    templates.add(&key, source)?;
                    option_keys.push(key);
                }
            }
            Some(OptionsSpec::List(source)) => {
                templates.check_expression("options", bare(source))?
            }
            None => {}
        }
        if let Some(OptionsSpec::List(source)) = &spec.labels {
            templates.check_expression("labels", bare(source))?;
        }
        for (key, source) in [
            ("target", &spec.target),
            ("label", &spec.label),
            ("idx", &spec.idx),
        ] {
            match source {
                Some(source) if is_template(source) => templates.add(key, source)?,
                Some(source) => templates.check_expression(key, source)?,
                None => {}
            }
        }
        Ok(Self {
            spec,
            templates,
            option_keys,
        })
    }

    /// The specification it was made of.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    /// A column's, an expression's or a template's value. A template whose columns are missing gives nothing, as a
    /// missing column does: rows to be predicted have no label.
    fn value(&self, key: &str, source: &str, context: &Context<'_>) -> Result<Option<Value>> {
        if !is_template(source) {
            return self.templates.lookup(key, source, context);
        }
        match self.templates.render(key, context) {
            Ok(text) => Ok(Some(Value::String(text))),
            Err(Error::NoSuchColumn { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn idx(&self, row: &Row, number: usize) -> Result<String> {
        let own = match &self.spec.idx {
            Some(source) => self.value(
                "idx",
                source,
                &self.templates.context(row, number.to_string()),
            )?,
            None => row.get("idx").or_else(|| row.get("id")).cloned(),
        };
        Ok(match own {
            None | Some(Value::Null) => number.to_string(),
            Some(value) => plain(&value),
        })
    }

    /// The options without their joints.
    fn options(&self, context: &Context<'_>, idx: &str) -> Result<Vec<String>> {
        let wrong = |reason: &str| Error::Options {
            row: idx.to_owned(),
            reason: reason.to_owned(),
        };
        match &self.spec.options {
            None => Ok(Vec::new()),
            Some(OptionsSpec::Each(_)) => self
                .option_keys
                .iter()
                .map(|key| self.templates.render(key, context))
                .collect(),
            Some(OptionsSpec::List(source)) => {
                match self.templates.lookup("options", bare(source), context)? {
                    Some(Value::Array(list)) if list.len() >= 2 => {
                        Ok(list.iter().map(plain).collect())
                    }
                    Some(Value::Array(_)) => {
                        Err(wrong("its list of options has fewer than two entries"))
                    }
                    Some(_) => Err(wrong("`options` yields no list")),
                    None => Err(wrong(&format!(
                        "`options` finds nothing under `{source}`; its columns are {}",
                        context.columns()
                    ))),
                }
            }
        }
    }

    /// The option that the label names.
    fn labelled(
        &self,
        context: &Context<'_>,
        options: &[String],
        idx: &str,
    ) -> Result<Option<usize>> {
        let Some(source) = &self.spec.label else {
            return Ok(None);
        };
        let Some(value) = self.value("label", source, context)? else {
            return Ok(None);
        };
        if is_no_label(&value) {
            return Ok(None);
        }
        let text = plain(&value);
        let found = match self.label_values(context)? {
            Some(values) => values
                .iter()
                .position(|v| *v == text)
                .ok_or_else(|| quoted(values.iter().map(String::as_str))),
            None => by_text_or_number(&value, &text, options).ok_or_else(|| {
                format!(
                    "0 to {} or {}",
                    options.len().saturating_sub(1),
                    quoted(options.iter().map(|o| o.trim()))
                )
            }),
        };
        match found {
            Ok(gold) if gold < options.len() => Ok(Some(gold)),
            Ok(gold) => Err(Error::Options {
                row: idx.to_owned(),
                reason: format!(
                    "its label is the value number {gold} of `labels`, but it has {} options",
                    options.len()
                ),
            }),
            Err(choices) => Err(Error::Label {
                row: idx.to_owned(),
                label: format!("`{text}`"),
                choices,
            }),
        }
    }

    fn label_values(&self, context: &Context<'_>) -> Result<Option<Vec<String>>> {
        Ok(match &self.spec.labels {
            None => None,
            Some(OptionsSpec::Each(list)) => Some(list.clone()),
            Some(OptionsSpec::List(source)) => {
                match self.templates.lookup("labels", bare(source), context)? {
                    Some(Value::Array(list)) => Some(list.iter().map(plain).collect()),
                    _ => Some(Vec::new()),
                }
            }
        })
    }

    /// Options and gold of a task with a target.
    fn targeted(
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

    /// The option as it follows the prompt.
    fn joined(&self, prompt: &str, option: &str) -> String {
        match &self.spec.joint {
            Some(joint) => format!("{joint}{option}"),
            None if prompt.is_empty()
                || prompt.ends_with(char::is_whitespace)
                || option.starts_with(char::is_whitespace) =>
            {
                option.to_owned()
            }
            None => format!(" {option}"),
        }
    }
}

impl Task for PromptTask {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn example(&self, row: &Row, number: usize) -> Result<Example> {
        let idx = self.idx(row, number)?;
        let context = self.templates.context(row, idx.clone());
        let prompt = self.templates.render("prompt", &context)?;
        let options = self.options(&context, &idx)?;
        let (options, gold) = match self.spec.target {
            Some(_) => self.targeted(&context, options, &idx)?,
            None => {
                let gold = self.labelled(&context, &options, &idx)?;
                (options, gold)
            }
        };
        let options = options
            .iter()
            .map(|option| self.joined(&prompt, option))
            .collect();
        Ok(Example {
            idx,
            prompt,
            options,
            gold,
        })
    }

    fn metric(&self) -> Metric {
        self.spec.metric.unwrap_or(if self.spec.options.is_some() {
            Metric::Accuracy
        } else {
            Metric::Loss
        })
    }

    fn loss(&self) -> LossKind {
        self.spec.loss.unwrap_or(if self.spec.options.is_some() {
            LossKind::Options
        } else {
            LossKind::Target
        })
    }

    fn label_names(&self) -> Option<Vec<String>> {
        match &self.spec.options {
            Some(OptionsSpec::Each(list)) if !list.iter().any(|o| is_template(o)) => {
                Some(list.iter().map(|o| o.trim().to_owned()).collect())
            }
            _ => None,
        }
    }

    fn columns(&self) -> Vec<String> {
        let mut names = self.templates.template_columns("prompt");
        for key in &self.option_keys {
            names.extend(self.templates.template_columns(key));
        }
        if let Some(OptionsSpec::List(source)) = &self.spec.options {
            names.extend(self.templates.expression_columns(bare(source)));
        }
        names.sort();
        names.dedup();
        names
    }

    fn gold_source(&self) -> String {
        match (&self.spec.label, &self.spec.target) {
            (Some(source), _) => format!("`label = \"{source}\"`"),
            (None, Some(source)) => format!("`target = \"{source}\"`"),
            (None, None) => "the task, which has neither `label` nor `target`,".to_owned(),
        }
    }
}

/// An expression without the braces that a template would need.
fn bare(source: &str) -> &str {
    let source = source.trim();
    source
        .strip_prefix("{{")
        .and_then(|s| s.strip_suffix("}}"))
        .map_or(source, str::trim)
}

/// A value as text: strings as they are, everything else as JSON.
fn plain(value: &Value) -> String {
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
            .or_else(|| {
                n.as_f64()
                    .filter(|f| f.fract() == 0.0 && (0.0..1e9).contains(f))
                    .map(|f| f as u64)
            })
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
