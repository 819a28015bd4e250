//! `--set key=value`: single keys changed from the command line.

use std::path::Path;

use super::Result;
use super::error::{ConfigError, Place};
use super::keys::{Kind, find};
use super::source::Source;

/// Applies one `key=value`; the value is read as TOML, else as text. Relative paths start at the working folder.
pub(super) fn apply(source: &mut Source, argument: &str) -> Result<()> {
    let form = || ConfigError::SetForm { argument: argument.to_owned() };
    let (key, text) = argument.split_once('=').ok_or_else(form)?;
    let (key, text) = (key.trim(), text.trim());
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(form());
    }
    let place = Place::Set { argument: argument.to_owned() };
    source.set(key, value(key, text), &place, Path::new("."))
}

/// A value as TOML where it is that, else as text; a number or truth value given to a text key stays text.
fn value(key: &str, text: &str) -> toml::Value {
    let plain = || toml::Value::String(text.to_owned());
    let Some(value) = as_toml(text) else {
        return plain();
    };
    let wants_text = find(key).is_some_and(|k| k.kind != Kind::Value);
    let scalar = !matches!(value, toml::Value::String(_) | toml::Value::Array(_) | toml::Value::Table(_));
    if wants_text && scalar { plain() } else { value }
}

fn as_toml(text: &str) -> Option<toml::Value> {
    // A line break could smuggle in a second key.
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    (table.len() == 1).then_some(table)?.remove("value")
}
