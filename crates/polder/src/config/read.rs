//! Typed access to single keys, with errors that name key, value, allowed range and place.

use std::path::PathBuf;

use super::Result;
use super::error::{ConfigError, Place};
use super::source::{Source, shown};

impl Source {
    /// A whole number of a range.
    pub(super) fn integer(&self, key: &str, low: u64, high: u64) -> Result<Option<u64>> {
        let Some((value, place)) = self.values.get(key) else {
            return Ok(None);
        };
        let toml::Value::Integer(found) = value else {
            return Err(wrong_type(key, value, "a whole number", place));
        };
        match u64::try_from(*found) {
            Ok(n) if (low..=high).contains(&n) => Ok(Some(n)),
            _ => Err(wrong_value(key, value, &format!("{low} to {high}"), place)),
        }
    }

    /// A whole number that counts things in memory.
    pub(super) fn count(&self, key: &str, low: u64, high: u64) -> Result<Option<usize>> {
        // Bounds lie below 2^40, so the conversion only fails where such a count could not exist anyway.
        Ok(self.integer(key, low, high)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
    }

    /// A finite number that satisfies a predicate.
    pub(super) fn number(&self, key: &str, allowed: &str, fits: impl Fn(f64) -> bool) -> Result<Option<f64>> {
        let Some((value, place)) = self.values.get(key) else {
            return Ok(None);
        };
        let found = match value {
            toml::Value::Float(x) => *x,
            toml::Value::Integer(n) => *n as f64,
            _ => return Err(wrong_type(key, value, "a number", place)),
        };
        if found.is_finite() && fits(found) { Ok(Some(found)) } else { Err(wrong_value(key, value, allowed, place)) }
    }

    /// A truth value.
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>> {
        match self.values.get(key) {
            None => Ok(None),
            Some((toml::Value::Boolean(b), _)) => Ok(Some(*b)),
            Some((value, place)) => Err(wrong_type(key, value, "true or false", place)),
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.values.get(key) {
            None => Ok(None),
            Some((toml::Value::String(text), place)) if text.is_empty() => {
                Err(wrong_value(key, &toml::Value::String(String::new()), "a text that is not empty", place))
            }
            Some((toml::Value::String(text), _)) => Ok(Some(text.clone())),
            Some((value, place)) => Err(wrong_type(key, value, "a text", place)),
        }
    }

    /// A text, also an empty one.
    pub(super) fn any_text(&self, key: &str) -> Result<Option<String>> {
        match self.values.get(key) {
            Some((toml::Value::String(text), _)) if text.is_empty() => Ok(Some(String::new())),
            _ => self.text(key),
        }
    }

    /// A path; of a model and of data it may be an address on the Hub.
    pub(super) fn path(&self, key: &str) -> Result<Option<PathBuf>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if text.starts_with("hf://") && !["model.path", "task.data"].contains(&key) {
            return Err(ConfigError::HubId { key: key.to_owned(), value: text, place: self.place(key) });
        }
        Ok(Some(PathBuf::from(text)))
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>> {
        let Some((value, place)) = self.values.get(key) else {
            return Ok(None);
        };
        let toml::Value::String(found) = value else {
            return Err(wrong_type(key, value, &listed(words), place));
        };
        match words.iter().find(|(word, _)| word == found) {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => Err(wrong_value(key, value, &listed(words), place)),
        }
    }

    /// A list of texts, neither empty nor with an empty text.
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        let Some((value, place)) = self.values.get(key) else {
            return Ok(None);
        };
        let toml::Value::Array(items) = value else {
            return Err(wrong_type(key, value, "a list of texts", place));
        };
        let texts: Option<Vec<String>> = items.iter().map(|i| i.as_str().map(str::to_owned)).collect();
        match texts {
            None => Err(wrong_type(key, value, "a list of texts", place)),
            Some(texts) if texts.is_empty() || texts.iter().any(String::is_empty) => {
                Err(wrong_value(key, value, "at least one text, none of them empty", place))
            }
            Some(texts) => Ok(Some(texts)),
        }
    }

    /// Where a key is written.
    pub(super) fn place(&self, key: &str) -> Place {
        self.values.get(key).map_or(Place::Nowhere, |(_, place)| place.clone())
    }

    /// A refusal of a key's value.
    pub(super) fn refuse(&self, key: &str, allowed: &str) -> ConfigError {
        let value = self.values.get(key).map_or_else(|| "missing".to_owned(), |(value, _)| shown(value));
        ConfigError::Value { key: key.to_owned(), value, allowed: allowed.to_owned(), place: self.place(key) }
    }
}

fn listed<T>(words: &[(&str, T)]) -> String {
    words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}

fn wrong_type(key: &str, value: &toml::Value, wanted: &str, place: &Place) -> ConfigError {
    let message = format!("{wanted} is expected, found {} {}", value.type_str(), shown(value));
    ConfigError::Type { key: key.to_owned(), message, place: place.clone() }
}

fn wrong_value(key: &str, value: &toml::Value, allowed: &str, place: &Place) -> ConfigError {
    let (key, value) = (key.to_owned(), shown(value));
    ConfigError::Value { key, value, allowed: allowed.to_owned(), place: place.clone() }
}
