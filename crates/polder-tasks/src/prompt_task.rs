//! The task that a [`TaskSpec`] describes.

use serde_json::Value;

use crate::gold::plain;
use crate::spec::OptionsSpec;
use crate::template::{Context, Templates, is_template};
use crate::{Error, Example, LossKind, Metric, Normalize, Result, Row, Task, TaskSpec};

/// A compiled [`TaskSpec`].
#[derive(Debug)]
pub struct PromptTask {
    pub(crate) spec: TaskSpec,
    pub(crate) templates: Templates,
    option_keys: Vec<String>,
    /// Whether each option has its own prompt.
    pub(crate) own_prompts: bool,
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
            Some(OptionsSpec::List(source)) => templates.check_expression("options", bare(source))?,
            None => {}
        }
        if let Some(OptionsSpec::List(source)) = &spec.labels {
            templates.check_expression("labels", bare(source))?;
        }
        for (key, source) in [("continuation", &spec.continuation), ("calibrate", &spec.calibrate)] {
            if let Some(source) = source {
                templates.add(key, source)?;
            }
        }
        let sources =
            [("target", &spec.target), ("label", &spec.label), ("idx", &spec.idx), ("answers", &spec.answers)];
        for (key, source) in sources {
            match source {
                Some(source) if is_template(source) => templates.add(key, source)?,
                Some(source) => templates.check_expression(key, source)?,
                None => {}
            }
        }
        let own_prompts = spec.options.is_some() && templates.reads_option("prompt");
        Ok(Self { spec, templates, option_keys, own_prompts })
    }

    /// The specification it was made of.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    /// A column's, an expression's or a template's value. A template whose columns are missing gives nothing, as a
    /// missing column does: rows to be predicted have no label.
    pub(crate) fn value(&self, key: &str, source: &str, context: &Context<'_>) -> Result<Option<Value>> {
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
            Some(source) => self.value("idx", source, &self.templates.context(row, number.to_string()))?,
            None => row.get("idx").or_else(|| row.get("id")).cloned(),
        };
        Ok(match own {
            None | Some(Value::Null) => number.to_string(),
            Some(value) => plain(&value),
        })
    }

    /// The options without their joints.
    fn options(&self, context: &Context<'_>, idx: &str) -> Result<Vec<String>> {
        let wrong = |reason: &str| Error::Options { row: idx.to_owned(), reason: reason.to_owned() };
        match &self.spec.options {
            None => Ok(Vec::new()),
            Some(OptionsSpec::Each(_)) => {
                self.option_keys.iter().map(|key| self.templates.render(key, context)).collect()
            }
            Some(OptionsSpec::List(source)) => match self.templates.lookup("options", bare(source), context)? {
                Some(Value::Array(list)) if list.iter().any(Value::is_null) => {
                    Err(wrong("its list of options holds null, which is no text"))
                }
                Some(Value::Array(list)) if list.len() >= 2 => Ok(list.iter().map(plain).collect()),
                Some(Value::Array(_)) => Err(wrong("its list of options has fewer than two entries")),
                Some(_) => Err(wrong("`options` yields no list")),
                None => Err(wrong(&format!(
                    "`options` finds nothing under `{source}`; its columns are {}",
                    context.columns()
                ))),
            },
        }
    }

    /// The option as it follows the prompt.
    pub(crate) fn joined(&self, prompt: &str, option: &str) -> String {
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
        let names = self.options(&context, &idx)?;
        let mut example = Example::default();
        let names = match self.spec.target {
            Some(_) => {
                let (names, gold) = self.targeted(&context, names, &idx)?;
                example.gold = gold;
                names
            }
            None => {
                let mut right = self.labelled(&context, &names, &idx)?.into_iter();
                (example.gold, example.also) = (right.next(), right.collect());
                names
            }
        };
        if self.spec.options.is_none() {
            example.answers = self.answers(&context, names.first())?;
        }
        example.idx = idx;
        self.fill(&mut example, names, &context)?;
        Ok(example)
    }

    fn question(&self, row: &Row, number: usize) -> Result<Example> {
        let idx = self.idx(row, number)?;
        let context = self.templates.context(row, idx.clone());
        let names = self.options(&context, &idx)?;
        let mut example = Example { idx, ..Example::default() };
        self.fill(&mut example, names, &context)?;
        Ok(example)
    }

    fn metric(&self) -> Metric {
        self.spec.metric.unwrap_or(match (&self.spec.options, self.spec.loss) {
            (Some(_), _) => Metric::Accuracy,
            (None, Some(LossKind::F1)) => Metric::F1,
            (None, _) => Metric::Loss,
        })
    }

    fn loss(&self) -> LossKind {
        self.spec.loss.unwrap_or(if self.spec.options.is_some() { LossKind::Options } else { LossKind::Target })
    }

    fn normalize(&self) -> Normalize {
        self.spec.normalize.unwrap_or_default()
    }

    fn stop(&self) -> Vec<String> {
        self.spec.stop.clone().unwrap_or_else(|| vec!["\n".to_owned()])
    }

    fn max_new_tokens(&self) -> usize {
        self.spec.max_new_tokens.unwrap_or(50)
    }

    fn instruction(&self) -> &str {
        self.spec.instruction.as_deref().unwrap_or_default()
    }

    fn demonstration_joint(&self) -> &str {
        self.spec.demonstration_joint.as_deref().unwrap_or("\n\n")
    }

    fn folders(&self) -> &[String] {
        &self.spec.folders
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
        for key in self.option_keys.iter().map(String::as_str).chain(["continuation"]) {
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
pub(crate) fn bare(source: &str) -> &str {
    let source = source.trim();
    source.strip_prefix("{{").and_then(|s| s.strip_suffix("}}")).map_or(source, str::trim)
}
