//! The texts of an example.

use serde_json::Value;

use crate::gold::plain;
use crate::prompt_task::PromptTask;
use crate::template::Context;
use crate::{Example, Result, Task};

impl PromptTask {
    /// A prompt behind the task's instruction.
    pub(crate) fn prompt(&self, key: &str, context: &Context<'_>) -> Result<String> {
        Ok(format!("{}{}", self.instruction(), self.templates.render(key, context)?))
    }

    /// Prompts, scored texts of the options, and the prompt without content.
    pub(crate) fn fill(&self, example: &mut Example, names: Vec<String>, context: &Context<'_>) -> Result<()> {
        if !self.own_prompts {
            example.prompt = self.prompt("prompt", context)?;
        }
        let given = |name: &String| context.with_option(name);
        if self.own_prompts {
            let prompts = names.iter().map(|name| self.prompt("prompt", &given(name))).collect::<Result<Vec<_>>>()?;
            example.prompt = common_beginning(&prompts).to_owned();
            example.prompts = prompts;
        }
        for (number, name) in names.iter().enumerate() {
            let text = match &self.spec.continuation {
                Some(_) => self.templates.render("continuation", &given(name))?,
                None => name.clone(),
            };
            let joined = self.joined(example.prompt_of(number), &text);
            example.options.push(joined);
        }
        if self.spec.continuation.is_some() {
            example.names = names;
        }
        if self.spec.calibrate.is_some() {
            example.content_free = Some(self.prompt("calibrate", context)?);
        }
        Ok(())
    }

    /// The accepted answers of a task without options.
    pub(crate) fn answers(&self, context: &Context<'_>, target: Option<&String>) -> Result<Vec<String>> {
        let Some(source) = &self.spec.answers else {
            return Ok(target.map(|text| text.trim().to_owned()).into_iter().collect());
        };
        Ok(match self.value("answers", source, context)? {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.iter().map(plain).collect(),
            Some(value) => vec![plain(&value)],
        })
    }
}

/// What all texts begin with.
fn common_beginning(texts: &[String]) -> &str {
    let Some((first, rest)) = texts.split_first() else { return "" };
    let same = |other: &String| {
        let pairs = first.char_indices().zip(other.chars());
        pairs.take_while(|((_, a), b)| a == b).map(|((at, a), _)| at + a.len_utf8()).last().unwrap_or(0)
    };
    let len = rest.iter().map(same).min().unwrap_or(first.len());
    first.get(..len).unwrap_or_default()
}
