//! JSON values to the template engine's and back.

use minijinja::value::{Value, ValueKind};

/// A JSON value for templates.
pub(crate) fn from_json(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::from(()),
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Value::from(n),
            (None, Some(n)) => Value::from(n),
            (None, None) => Value::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::from(list.iter().map(from_json).collect::<Vec<_>>()),
        Json::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), from_json(value)))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into(),
    }
}

/// An expression's value as JSON: numbers, texts, truth values and lists of them.
pub(crate) fn to_json(value: &Value) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Number => {
            if let Ok(n) = i64::try_from(value.clone()) {
                return Ok(Json::from(n));
            }
            f64::try_from(value.clone()).map(Json::from).map_err(|e| e.to_string())
        }
        ValueKind::Seq | ValueKind::Iterable => value
            .try_iter()
            .map_err(|e| e.to_string())?
            .map(|v| to_json(&v))
            .collect::<Result<Vec<_>, _>>()
            .map(Json::Array),
        other => Err(format!("it yields a {other}, not a number, a text or a list")),
    }
}
