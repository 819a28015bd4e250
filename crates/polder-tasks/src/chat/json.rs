//! JSON for chat templates, in and out, as Python writes it.

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

/// A JSON value for templates; the keys of objects stay in their order.
pub(super) fn value(json: &Json) -> Value {
    match json {
        Json::Array(list) => list.iter().map(value).collect(),
        Json::Object(map) => named(map.iter().map(|(name, json)| (name.clone(), value(json)))),
        other => crate::value::from_json(other),
    }
}

/// An object of named values, in their order.
pub(super) fn named(values: impl Iterator<Item = (String, Value)>) -> Value {
    Value::from_object(values.map(|(name, value)| (Value::from(name), value)).collect::<IndexMap<Value, Value>>())
}

/// `json.dumps(value, ensure_ascii=False)`, with `indent` where it is given.
pub(super) fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent = match options.get::<Option<Value>>("indent")? {
        Some(given) if !given.is_none() => Some(usize::try_from(given)?.min(16)),
        _ => None,
    };
    // What Python's own function takes; other values than these defaults are rare, and are refused by name.
    let _ = options.get::<Option<bool>>("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = String::new();
    write(value, indent, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> Result<(), Error> {
    let wrong = |what: String| Error::new(ErrorKind::InvalidOperation, what);
    if depth > 64 {
        return Err(wrong("tojson: the value is nested too deep".to_owned()));
    }
    let plain = |json: Json| json.to_string();
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::String => out.push_str(&plain(Json::from(value.as_str().unwrap_or_default()))),
        ValueKind::Number => match i64::try_from(value.clone()) {
            Ok(n) if !value.to_string().contains('.') => out.push_str(&n.to_string()),
            _ => out.push_str(&plain(Json::from(f64::try_from(value.clone())?))),
        },
        ValueKind::Map => {
            let keys: Vec<Value> = value.try_iter()?.collect();
            list(('{', '}'), keys, indent, depth, out, |key, out| {
                out.push_str(&plain(Json::from(key.to_string())));
                out.push_str(": ");
                write(&value.get_item(&key)?, indent, depth + 1, out)
            })?;
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            list(('[', ']'), items, indent, depth, out, |item, out| write(&item, indent, depth + 1, out))?;
        }
        other => return Err(wrong(format!("tojson: a {other} is no JSON"))),
    }
    Ok(())
}

/// Items between brackets, parted as Python does it.
fn list(
    (open, close): (char, char),
    items: Vec<Value>,
    indent: Option<usize>,
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(Value, &mut String) -> Result<(), Error>,
) -> Result<(), Error> {
    let line = |depth: usize| indent.map_or(String::new(), |n| format!("\n{}", " ".repeat(n * depth)));
    let empty = items.is_empty();
    out.push(open);
    for (number, item) in items.into_iter().enumerate() {
        if number > 0 {
            out.push_str(if indent.is_some() { "," } else { ", " });
        }
        out.push_str(&line(depth + 1));
        each(item, out)?;
    }
    if !empty {
        out.push_str(&line(depth));
    }
    out.push(close);
    Ok(())
}
