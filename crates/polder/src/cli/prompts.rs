//! Prompts from arguments and files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::args::GenerateArgs;

/// A file of prompts is at most so large, in bytes.
const LARGEST: u64 = 256 << 20;

/// What is to be continued.
#[derive(Debug, PartialEq)]
pub(super) enum Prompt {
    /// A text.
    Text(String),
    /// A conversation.
    Messages(Vec<Value>),
}

/// The prompts that the arguments give, at least one.
pub(super) fn prompts(arguments: &GenerateArgs) -> Result<Vec<Prompt>> {
    let mut all = match (&arguments.prompt, &arguments.prompts) {
        (Some(text), _) => vec![Prompt::Text(text.clone())],
        (None, Some(path)) => read(path)?,
        (None, None) => Vec::new(),
    };
    for prompt in &mut all {
        if let (true, Prompt::Text(text)) = (arguments.chat, &*prompt) {
            let system = arguments.system.as_ref().map(|text| json!({ "role": "system", "content": text }));
            let user = json!({ "role": "user", "content": text });
            *prompt = Prompt::Messages(system.into_iter().chain([user]).collect());
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<Prompt>> {
    let all = if path.extension().is_some_and(|e| e == "jsonl") {
        let rows = polder_tasks::data::read_file(path, None).map_err(polder::Error::from)?;
        let prompt = |(number, row): (usize, &polder_tasks::Row)| match (row.get("prompt"), row.get("messages")) {
            (Some(Value::String(text)), None) => Ok(Prompt::Text(text.clone())),
            (None, Some(Value::Array(messages))) => Ok(Prompt::Messages(messages.clone())),
            _ => bail!(
                "`{}`, row {number} (from 0) has neither a text `prompt` nor a list `messages`, or both",
                path.display()
            ),
        };
        rows.iter().enumerate().map(prompt).collect::<Result<Vec<_>>>()?
    } else {
        lines(path)?
    };
    ensure!(!all.is_empty(), "`{}` holds no prompts", path.display());
    Ok(all)
}

/// One prompt a line; empty lines are none.
fn lines(path: &Path) -> Result<Vec<Prompt>> {
    let cannot = || format!("can't read `{}`", path.display());
    let about = std::fs::metadata(path).with_context(cannot)?;
    // Opening a pipe would wait for a writer.
    ensure!(about.is_file(), "`{}` is not a regular file", path.display());
    ensure!(about.len() <= LARGEST, "`{}` has {} bytes, more than {LARGEST}", path.display(), about.len());
    let text = std::fs::read_to_string(path).with_context(cannot)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let line = |line: &str| Prompt::Text(line.to_owned());
    Ok(text.lines().filter(|text| !text.trim().is_empty()).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_hold_lines_or_objects() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let text = |text: &str| Prompt::Text(text.to_owned());
        assert_eq!(read(&file("a.txt", "\u{FEFF}one \r\n\n two\n")).unwrap(), [text("one "), text(" two")]);
        let rows = "{\"prompt\": \"a\\nb\"}\n{\"messages\": [{\"role\": \"user\", \"content\": \"c\"}]}\n";
        let message = json!({ "role": "user", "content": "c" });
        assert_eq!(read(&file("b.jsonl", rows)).unwrap(), [text("a\nb"), Prompt::Messages(vec![message])]);
        for (name, bad) in [("c.txt", " \n"), ("c.jsonl", "{\"text\": \"a\"}"), ("d.jsonl", "{\"prompt\": 1}")] {
            assert!(read(&file(name, bad)).is_err(), "{bad}");
        }
        assert!(read(&folder.path().join("none")).is_err());
    }
}
