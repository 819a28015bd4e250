//! Strict reading of single keys.

use polder_perturb::Activation;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The largest width, vocabulary or number of positions that is believed.
const LARGEST: usize = 1 << 26;

/// The keys of one configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    model_type: &'a str,
    prefix: &'a str,
    json: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The keys of a whole config.json.
    pub(crate) fn new(model_type: &'a str, json: &'a Map<String, Value>) -> Self {
        Self { model_type, prefix: "", json }
    }

    /// The keys of the object under `key`, named `key.…` in errors; `None` if it is missing, null or empty.
    pub(crate) fn object(&self, key: &'a str) -> Result<Option<Fields<'a>>> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(json)) if json.is_empty() => Ok(None),
            Some(Value::Object(json)) => Ok(Some(Fields { model_type: self.model_type, prefix: key, json })),
            Some(_) => Err(self.wrong(key, "an object")),
        }
    }

    /// The model type whose defaults apply.
    pub(crate) fn model_type(&self) -> &'a str {
        self.model_type
    }

    /// The value of a key; null counts as missing.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.json.get(key).filter(|v| !v.is_null())
    }

    /// Whether the key is there, with the value null.
    pub(crate) fn is_null(&self, key: &str) -> bool {
        self.json.get(key).is_some_and(Value::is_null)
    }

    /// Whether another object has the same keys and values.
    pub(crate) fn same_as(&self, other: &Fields<'_>) -> bool {
        self.json == other.json
    }

    /// The keys, in their order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.json.keys()
    }

    /// A whole number in `1..=2^26`, or nothing.
    pub(crate) fn optional_size(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let size = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (1..=LARGEST).contains(n));
        size.map(Some).ok_or_else(|| self.wrong(key, "a whole number from 1 to 2^26"))
    }

    /// A whole number in `1..=2^26` that must be there.
    pub(crate) fn size(&self, key: &str) -> Result<usize> {
        self.optional_size(key)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number in `1..=2^26`, with a documented default.
    pub(crate) fn size_or(&self, key: &str, default: usize) -> Result<usize> {
        Ok(self.optional_size(key)?.unwrap_or(default))
    }

    /// The number of layers: `1..=4096`.
    pub(crate) fn layers(&self) -> Result<usize> {
        let key = "num_hidden_layers";
        Some(self.size(key)?).filter(|n| *n <= 4096).ok_or_else(|| self.wrong(key, "at most 4096 layers"))
    }

    /// A whole number from 0, with a documented default.
    pub(crate) fn count_or(&self, key: &str, default: usize) -> Result<usize> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        let count = value.as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or_else(|| self.wrong(key, "a whole number"))
    }

    /// A finite positive number, or nothing.
    pub(crate) fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = value.as_f64().filter(|x| x.is_finite() && *x > 0.0);
        number.map(Some).ok_or_else(|| self.wrong(key, "a positive number"))
    }

    /// A finite positive number that must be there.
    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        self.optional_number(key)?.ok_or_else(|| self.missing(key))
    }

    /// A finite positive number, with a documented default.
    pub(crate) fn number_or(&self, key: &str, default: f64) -> Result<f64> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    /// True or false, with a documented default.
    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.value(key) else {
            return Ok(default);
        };
        value.as_bool().ok_or_else(|| self.wrong(key, "true or false"))
    }

    /// A word, or nothing.
    pub(crate) fn word(&self, key: &str) -> Result<Option<&'a str>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "a string"))
    }

    /// An activation by its name in transformers, with a documented default.
    pub(crate) fn activation_or(&self, key: &str, default: Activation) -> Result<Activation> {
        match self.word(key)? {
            None => Ok(default),
            Some("relu") => Ok(Activation::Relu),
            Some("gelu") => Ok(Activation::Gelu),
            Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
            Some("silu" | "swish") => Ok(Activation::Silu),
            Some(_) => Err(self.wrong(key, "relu, gelu, gelu_new, gelu_pytorch_tanh, silu or swish")),
        }
    }

    /// The error of a key that must be there.
    pub(crate) fn missing(&self, key: &str) -> Error {
        Error::ConfigMissing { model_type: self.model_type.to_owned(), key: self.full(key) }
    }

    /// The error of a value that can't be.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Error {
        let mut found = self.json.get(key).map_or_else(|| "missing".to_owned(), Value::to_string);
        if found.chars().count() > 60 {
            found = found.chars().take(60).chain("…".chars()).collect();
        }
        Error::ConfigValue { key: self.full(key), found, expected: expected.to_owned() }
    }

    fn full(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) }
    }
}
