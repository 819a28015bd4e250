//! Metadata values, and asking for them by key.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Uint(u64),
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    fn uint(&self) -> Option<u64> {
        match self {
            Self::Uint(n) => Some(*n),
            Self::Int(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }
}

/// All metadata of a file.
pub(crate) struct Metadata {
    path: PathBuf,
    values: HashMap<String, Value>,
}

impl Metadata {
    pub(crate) fn new(path: &Path, values: HashMap<String, Value>) -> Self {
        Self { path: path.to_owned(), values }
    }

    /// A failure of this file.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Gguf { file: self.path.clone(), reason: reason.into() }
    }

    /// Something that this file holds and that can't be represented.
    pub(crate) fn unsupported(&self, what: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::GgufUnsupported { file: self.path.clone(), what: what.into(), hint: hint.into() }
    }

    fn get<'a, T>(&'a self, key: &str, kind: &str, as_kind: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(value) => as_kind(value).map(Some).ok_or_else(|| self.wrong(format!("`{key}` is no {kind}"))),
        }
    }

    /// A number that counts something.
    pub(crate) fn uint(&self, key: &str) -> Result<Option<u64>> {
        self.get(key, "whole number", Value::uint)
    }

    /// A number that counts something, and must be there.
    pub(crate) fn need_uint(&self, key: &str) -> Result<u64> {
        self.uint(key)?.ok_or_else(|| self.wrong(format!("`{key}` is missing")))
    }

    /// A finite number.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f64>> {
        self.get(key, "finite number", |v| match v {
            Value::Float(x) if x.is_finite() => Some(*x),
            Value::Uint(n) => Some(*n as f64),
            Value::Int(n) => Some(*n as f64),
            _ => None,
        })
    }

    /// A list of finite numbers.
    pub(crate) fn floats(&self, key: &str) -> Result<Option<Vec<f64>>> {
        self.get(key, "list of finite numbers", |v| {
            let Value::List(list) = v else { return None };
            list.iter()
                .map(|v| if let Value::Float(x) = v { Some(*x) } else { None }.filter(|x| x.is_finite()))
                .collect()
        })
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>> {
        self.get(key, "text", |v| if let Value::Text(text) = v { Some(text.as_str()) } else { None })
    }

    /// A truth value.
    pub(crate) fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.get(key, "truth value", |v| if let Value::Bool(b) = v { Some(*b) } else { None })
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>> {
        self.get(key, "list of texts", |v| {
            let Value::List(list) = v else { return None };
            list.iter().map(|v| if let Value::Text(text) = v { Some(text.as_str()) } else { None }).collect()
        })
    }

    /// A list of whole numbers.
    pub(crate) fn uints(&self, key: &str) -> Result<Option<Vec<u64>>> {
        self.get(key, "list of whole numbers", |v| {
            let Value::List(list) = v else { return None };
            list.iter().map(Value::uint).collect()
        })
    }

    /// A number that may be given once for each layer: then all must agree.
    pub(crate) fn uniform_uint(&self, key: &str) -> Result<Option<u64>> {
        if !matches!(self.values.get(key), Some(Value::List(_))) {
            return self.uint(key);
        }
        let each = self.uints(key)?.unwrap_or_default();
        match each.split_first() {
            Some((first, rest)) if rest.iter().all(|n| n == first) => Ok(Some(*first)),
            _ => Err(self.unsupported(format!("`{key}` that differs from layer to layer"), "use another model")),
        }
    }
}
