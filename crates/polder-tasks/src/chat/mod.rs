//! A model's chat template: messages to the text that it was trained on.
//!
//! Templates are Jinja as `transformers` runs it: blocks are trimmed, undefined names are empty, and there are
//! `raise_exception`, `strftime_now`, `tojson`, `break` and `continue`, and the methods of Python's texts and dictionaries.

mod date;
mod json;
mod turns;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error as Fault, ErrorKind, UndefinedBehavior};
use serde_json::Value as Json;

pub use turns::{CHAT, COMPLETION, turns};

use crate::{Error, Result};

/// Instructions that one rendering may take.
const FUEL: u64 = 2_000_000;
/// The longest template, in bytes.
const LONGEST: usize = 1 << 20;

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    engine: Environment<'static>,
    special: Vec<(String, String)>,
}

impl ChatTemplate {
    /// Compiles a template; `special` are the texts of special tokens by the names that it may use, such as `bos_token`,
    /// and `now` what `strftime_now` tells, in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// [`Error::Chat`] for a template that does not parse or is too long.
    pub fn new(source: &str, special: &[(String, String)], now: u64) -> Result<Self> {
        if source.len() > LONGEST {
            return Err(Error::Chat { reason: format!("it has {} bytes, more than {LONGEST}", source.len()) });
        }
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Lenient);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        engine.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        engine.set_fuel(Some(FUEL));
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        engine.set_syntax(syntax.map_err(|e| fault(&e))?);
        engine.add_function("raise_exception", |message: String| -> std::result::Result<Value, Fault> {
            Err(Fault::new(ErrorKind::InvalidOperation, message))
        });
        engine.add_function("strftime_now", move |format: &str| date::format(now, format));
        engine.add_filter("tojson", json::tojson);
        engine.add_template_owned("chat".to_owned(), without_marks(source)).map_err(|e| fault(&e))?;
        Ok(Self { engine, special: special.to_vec() })
    }

    /// The text of a conversation: messages as objects with `role` and `content`. With `answer` it ends where the
    /// assistant's next answer begins.
    ///
    /// # Errors
    /// [`Error::Messages`] for what is no conversation; [`Error::Chat`] where the template refuses it or fails.
    pub fn render(&self, messages: &[Json], answer: bool) -> Result<String> {
        check(messages)?;
        let list: Vec<Value> = messages.iter().map(json::value).collect();
        // Templates ask whether there are tools and documents, which are there and are nothing.
        let none = || Value::from(());
        let names = [("messages", Value::from(list)), ("tools", none()), ("documents", none())];
        let names = names.into_iter().chain([("add_generation_prompt", Value::from(answer))]);
        let special = self.special.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str())));
        let context = json::named(special.chain(names.map(|(name, value)| (name.to_owned(), value))));
        let template = self.engine.get_template("chat").map_err(|e| fault(&e))?;
        template.render(context).map_err(|e| fault(&e))
    }
}

/// Checks that messages are objects with a role and a content, which must be text or a list of parts.
fn check(messages: &[Json]) -> Result<()> {
    let wrong = |reason: String| Err(Error::Messages { reason });
    if messages.is_empty() {
        return wrong("there are none".to_owned());
    }
    for (number, message) in messages.iter().enumerate() {
        let Some(map) = message.as_object() else { return wrong(format!("message {number} (from 0) is no object")) };
        if !map.get("role").is_some_and(Json::is_string) {
            return wrong(format!("message {number} (from 0) has no `role`"));
        }
        // An assistant that calls tools may say nothing.
        let said = map.get("content").is_some_and(|c| c.is_string() || c.is_array()) || map.contains_key("tool_calls");
        if !said {
            return wrong(format!("message {number} (from 0) has no `content`"));
        }
    }
    Ok(())
}

/// `{% generation %}` marks what is trained on and prints nothing: a block that is always taken.
fn without_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let end = rest[at..].find("%}").map_or(rest.len(), |end| at + end + 2);
        let (tag, name) = (&rest[at..end], rest[at + 2..end].trim_matches(['-', '+', '%', '}', ' ', '\t', '\n', '\r']));
        out.push_str(&rest[..at]);
        match name {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[end..];
    }
    out + rest
}

fn fault(error: &Fault) -> Error {
    let mut reason = error.to_string();
    if let (Some(line), false) = (error.line(), reason.contains(" (in ")) {
        reason += &format!(" (line {line})");
    }
    Error::Chat { reason }
}
