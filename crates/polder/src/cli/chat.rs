//! A task's prompts as a chat's question, whose answer the options are.

use anyhow::{Context, Result};
use polder_tasks::{ChatTemplate, Example};
use serde_json::json;

/// Puts every prompt into the model's chat template as the user's message; what follows begins the assistant's answer, without
/// the space in front that parts it from a plain prompt. Demonstrations are part of the message.
///
/// # Errors
/// A template that fails, with the row.
pub(super) fn in_chat(template: &ChatTemplate, examples: &mut [Example]) -> Result<()> {
    for example in examples {
        let asked = |prompt: &String| -> Result<String> {
            let message = json!({ "role": "user", "content": prompt.trim() });
            let text = template.render(&[message], true).map_err(polder::Error::from);
            text.with_context(|| format!("row `{}`", example.idx))
        };
        let prompt = asked(&example.prompt)?;
        let prompts = example.prompts.iter().map(asked).collect::<Result<Vec<_>>>()?;
        let content_free = example.content_free.as_ref().map(asked).transpose()?;
        (example.prompt, example.prompts, example.content_free) = (prompt, prompts, content_free);
        for option in &mut example.options {
            *option = option.trim_start().to_owned();
        }
    }
    Ok(())
}
