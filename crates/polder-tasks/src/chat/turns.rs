//! Conversations as training data: each answer of the assistant, after all that was said before.

use serde_json::Value;

use super::ChatTemplate;
use crate::{Drawn, Error, Result, Row};

/// The name of the task that trains on the assistant's answers in `messages`.
pub const CHAT: &str = "chat";
/// The name of the task that trains on `completion` after `prompt`.
pub const COMPLETION: &str = "completion";

/// One row for every answer of the assistant, with `prompt` (the conversation as the template shows it, up to where the
/// answer begins) and `completion` (the answer with what the template puts behind it), so that only answers are trained
/// on. A row with one answer keeps its number; others are told apart by `idx` as `ROW.TURN`.
///
/// # Errors
/// A row without `messages`, or without an answer in them; a template that fails, or shows an answer otherwise than after
/// what it shows before it. Each names the row.
pub fn turns(template: &ChatTemplate, rows: &[Drawn]) -> Result<Vec<Drawn>> {
    let mut out = Vec::with_capacity(rows.len());
    for drawn in rows {
        let name = name(drawn);
        let wrong = |reason: &str| Error::Conversation { row: name.clone(), reason: reason.to_owned() };
        let Some(Value::Array(messages)) = drawn.row.get("messages") else {
            return Err(wrong("it has no list `messages`"));
        };
        let is_answer = |message: &Value| message.get("role").and_then(Value::as_str) == Some("assistant");
        let answers: Vec<usize> = (0..messages.len()).filter(|at| is_answer(&messages[*at])).collect();
        if answers.is_empty() {
            return Err(wrong("its `messages` hold no answer of the assistant"));
        }
        for (turn, at) in answers.iter().enumerate() {
            let in_row = |error: Error| wrong(&error.to_string());
            if *at == 0 {
                return Err(wrong("its first message is the assistant's, so the answer has no prompt"));
            }
            let prompt = template.render(&messages[..*at], true).map_err(in_row)?;
            let whole = template.render(&messages[..=*at], false).map_err(in_row)?;
            let completion = whole
                .strip_prefix(&prompt)
                .ok_or_else(|| wrong("the chat template shows an answer otherwise than after its prompt"))?;
            let idx = if answers.len() == 1 { name.clone() } else { format!("{name}.{turn}") };
            let row: Row = [("idx", idx.as_str()), ("prompt", &prompt), ("completion", completion)]
                .into_iter()
                .map(|(key, text)| (key.to_owned(), Value::from(text)))
                .collect();
            out.push(Drawn { number: drawn.number, row });
        }
    }
    Ok(out)
}

/// A row's own name, else its number.
fn name(drawn: &Drawn) -> String {
    match drawn.row.get("idx").or_else(|| drawn.row.get("id")) {
        None | Some(Value::Null) => drawn.number.to_string(),
        Some(value) => crate::gold::plain(value),
    }
}
